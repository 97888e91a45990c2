#include "config/validate_common.hpp"

namespace tank::config::rules {
namespace {

template <class Mode>
void check_mode(const Mode& mode, const path& at, findings& out) {
  if (mode && (*mode < 0 || *mode > 0777))
    out.invalid(at, *mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

/// Where a file lands within a volume. The names "..*" are the volume's own.
void check_target(std::string_view target, const path& at, findings& out) {
  if (target.empty()) return out.required(at);
  out.name(at, target, relative_path(target));
  if (target.starts_with("..") && !climbs(target))
    out.invalid(at, target, "must not start with '..'");
}

void check_items(const std::vector<key_to_path>& items, const path& at, findings& out) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].key.empty()) out.required(at.index(i).child("key"));
    check_target(items[i].path, at.index(i).child("path"), out);
    check_mode(items[i].mode, at.index(i).child("mode"), out);
  }
}

void check_downward(const std::vector<downward_api_volume_file>& items, const path& at,
                    findings& out) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const auto& f = items[i];
    const auto here = at.index(i);
    check_target(f.path, here.child("path"), out);
    check_mode(f.mode, here.child("mode"), out);
    if (f.field_ref) check_field_ref(*f.field_ref, true, here.child("fieldRef"), out);
    if (f.field_ref && f.resource_field_ref)
      out.invalid(here, "resource",
                  "fieldRef and resourceFieldRef can not be specified simultaneously");
    else if (f.resource_field_ref)
      check_resource_ref(*f.resource_field_ref, true, here.child("resourceFieldRef"), out);
    else if (!f.field_ref)
      out.required(here, "either fieldRef or resourceFieldRef is required");
  }
}

void required_name(std::string_view name, const path& at, findings& out) {
  if (name.empty()) out.required(at);
}

void check_token(const service_account_token_projection& t, const pod_spec& pod, const path& at,
                 findings& out) {
  if (pod.service_account_name.empty())
    out.forbidden(at, "must not be specified when serviceAccountName is not set");
  if (t.expiration_seconds && (*t.expiration_seconds < 600 || *t.expiration_seconds > 1LL << 32))
    out.invalid(at.child("expirationSeconds"), *t.expiration_seconds,
                "may not specify a duration less than 10 minutes or larger than 2^32 seconds");
  check_target(t.path, at.child("path"), out);
}

/// Names of all files must differ; a source without items brings names nobody knows yet.
void add_paths(const std::vector<key_to_path>& items, std::set<std::string>& paths, const path& at,
               findings& out) {
  for (std::size_t i = 0; i < items.size(); ++i)
    if (!items[i].path.empty() && !paths.insert(items[i].path).second)
      out.invalid(at, items[i].path, "conflicting duplicate paths");
}

void check_projected(const projected_volume_source& v, const pod_spec& pod, const path& at,
                     findings& out) {
  check_mode(v.default_mode, at.child("defaultMode"), out);
  std::set<std::string> paths;
  for (std::size_t i = 0; i < v.sources.size(); ++i) {
    const auto& s = v.sources[i];
    const auto here = at.child("sources").index(i);
    int count = 0;
    if (s.secret) {
      ++count;
      required_name(s.secret->name, here.child("secret.name"), out);
      check_items(s.secret->items, here.child("secret.items"), out);
      add_paths(s.secret->items, paths, here, out);
    }
    if (s.config_map) {
      ++count;
      required_name(s.config_map->name, here.child("configMap.name"), out);
      check_items(s.config_map->items, here.child("configMap.items"), out);
      add_paths(s.config_map->items, paths, here, out);
    }
    if (s.downward_api) {
      ++count;
      check_downward(s.downward_api->items, here.child("downwardAPI.items"), out);
    }
    if (s.service_account_token) {
      ++count;
      check_token(*s.service_account_token, pod, here.child("serviceAccountToken"), out);
    }
    count += s.cluster_trust_bundle.has_value() + s.pod_certificate.has_value();
    if (count == 0) out.required(here, "must specify exactly one of the projection sources");
    if (count > 1) out.forbidden(here, "may not specify more than 1 volume type per source");
  }
}

void check_host_path(const host_path_volume_source& v, const path& at, findings& out) {
  if (v.path.empty())
    out.required(at.child("path"));
  else if (climbs(v.path))
    out.invalid(at.child("path"), v.path, "must not contain '..'");
  if (v.type)
    out.one_of(at.child("type"), *v.type,
               {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                "FileOrCreate", "Socket"});
}

void check_empty_dir(const empty_dir_volume_source& v, const path& at, findings& out) {
  if (v.size_limit && v.size_limit->sign() < 0)
    out.forbidden(at.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
  // Of a directory, unlike the others: it may be sticky.
  if (v.mode && (*v.mode < 0 || *v.mode > 01777))
    out.invalid(at.child("mode"), *v.mode,
                "must be a number between 0 and 01777 (octal), both inclusive");
  if (!v.medium.starts_with("HugePages"))
    out.one_of(at.child("medium"), v.medium, {"", "HugePages", "Memory"});
}

/// Counts the sources of a volume, in the order of the API.
class sources {
 public:
  sources(path at, findings& out) : at_(std::move(at)), out_(out) {}
  template <class T>
  bool take(const T& source, std::string_view key) {
    if (!source) return false;
    if (++count_ > 1) out_.forbidden(at_.child(key), "may not specify more than 1 volume type");
    return count_ == 1;
  }
  void finish() {
    if (count_ == 0) out_.required(at_, "must specify a volume type");
  }

 private:
  path at_;
  findings& out_;
  int count_ = 0;
};

/// These need a cluster; that is for config/support.hpp to say. Here they only count.
void count_cluster_sources(const volume& v, sources& seen) {
  seen.take(v.gce_persistent_disk, "gcePersistentDisk");
  seen.take(v.aws_elastic_block_store, "awsElasticBlockStore");
  seen.take(v.git_repo, "gitRepo");
  seen.take(v.iscsi, "iscsi");
  seen.take(v.glusterfs, "glusterfs");
  seen.take(v.rbd, "rbd");
  seen.take(v.flex_volume, "flexVolume");
  seen.take(v.cinder, "cinder");
  seen.take(v.cephfs, "cephfs");
  seen.take(v.flocker, "flocker");
  seen.take(v.fc, "fc");
  seen.take(v.azure_file, "azureFile");
  seen.take(v.vsphere_volume, "vsphereVolume");
  seen.take(v.quobyte, "quobyte");
  seen.take(v.azure_disk, "azureDisk");
  seen.take(v.photon_persistent_disk, "photonPersistentDisk");
  seen.take(v.portworx_volume, "portworxVolume");
  seen.take(v.scale_io, "scaleIO");
  seen.take(v.storageos, "storageos");
  seen.take(v.csi, "csi");
  seen.take(v.ephemeral, "ephemeral");
}

void check_source(const volume& v, const pod_spec& pod, const path& at, findings& out) {
  sources seen{at, out};
  if (seen.take(v.host_path, "hostPath")) check_host_path(*v.host_path, at.child("hostPath"), out);
  if (seen.take(v.empty_dir, "emptyDir")) check_empty_dir(*v.empty_dir, at.child("emptyDir"), out);
  if (seen.take(v.secret, "secret")) {
    required_name(v.secret->secret_name, at.child("secret.secretName"), out);
    check_mode(v.secret->default_mode, at.child("secret.defaultMode"), out);
    check_items(v.secret->items, at.child("secret.items"), out);
  }
  if (seen.take(v.config_map, "configMap")) {
    required_name(v.config_map->name, at.child("configMap.name"), out);
    check_mode(v.config_map->default_mode, at.child("configMap.defaultMode"), out);
    check_items(v.config_map->items, at.child("configMap.items"), out);
  }
  if (seen.take(v.nfs, "nfs")) {
    required_name(v.nfs->server, at.child("nfs.server"), out);
    if (v.nfs->path.empty())
      out.required(at.child("nfs.path"));
    else if (!v.nfs->path.starts_with('/'))
      out.invalid(at.child("nfs.path"), v.nfs->path, "must be an absolute path");
  }
  if (seen.take(v.persistent_volume_claim, "persistentVolumeClaim")) {
    // Stricter than the API, where no claim could have such a name: it names a directory here.
    const auto& claim = v.persistent_volume_claim->claim_name;
    const auto here = at.child("persistentVolumeClaim.claimName");
    required_name(claim, here, out);
    if (!claim.empty()) out.name(here, claim, dns_subdomain(claim));
  }
  if (seen.take(v.downward_api, "downwardAPI")) {
    check_mode(v.downward_api->default_mode, at.child("downwardAPI.defaultMode"), out);
    check_downward(v.downward_api->items, at.child("downwardAPI.items"), out);
  }
  if (seen.take(v.projected, "projected"))
    check_projected(*v.projected, pod, at.child("projected"), out);
  if (seen.take(v.image, "image")) {
    required_name(v.image->reference, at.child("image.reference"), out);
    out.one_of(at.child("image.pullPolicy"), v.image->pull_policy,
               {"Always", "IfNotPresent", "Never"});
  }
  count_cluster_sources(v, seen);
  seen.finish();
}

void check_mount(const volume_mount& m, const container& c, const pod_facts& pod, const path& at,
                 findings& out) {
  if (m.name.empty())
    out.required(at.child("name"));
  else if (!pod.volumes.contains(m.name))
    out.not_found(at.child("name"), m.name);
  if (m.mount_path.empty()) out.required(at.child("mountPath"));
  out.name(at.child("subPath"), m.sub_path, relative_path(m.sub_path));
  out.name(at.child("subPathExpr"), m.sub_path_expr, relative_path(m.sub_path_expr));
  if (!m.sub_path.empty() && !m.sub_path_expr.empty())
    out.invalid(at.child("subPathExpr"), m.sub_path_expr,
                "subPathExpr and subPath are mutually exclusive");
  const bool privileged = c.security_context && c.security_context->privileged.value_or(false);
  if (m.mount_propagation &&
      out.one_of(at.child("mountPropagation"), *m.mount_propagation,
                 {"Bidirectional", "HostToContainer", "None"}) &&
      *m.mount_propagation == "Bidirectional" && !privileged)
    out.forbidden(at.child("mountPropagation"),
                  "Bidirectional mount propagation is available only to privileged containers");
  if (!m.recursive_read_only) return;
  const auto here = at.child("recursiveReadOnly");
  if (!out.one_of(here, *m.recursive_read_only, {"Disabled", "Enabled", "IfPossible"}) ||
      *m.recursive_read_only == "Disabled")
    return;
  if (!m.read_only) out.forbidden(here, "may only be specified when readOnly is true");
  if (m.mount_propagation && *m.mount_propagation != "None")
    out.forbidden(here, "may only be specified when mountPropagation is None or not specified");
}

} // namespace

void check_volumes(const pod_spec& pod, const path& at, findings& out) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < pod.volumes.size(); ++i) {
    const auto& v = pod.volumes[i];
    check_source(v, pod, at.index(i), out);
    if (v.name.empty())
      out.required(at.index(i).child("name"));
    else
      out.name(at.index(i).child("name"), v.name, dns_label(v.name));
    if (!v.name.empty() && !names.insert(v.name).second)
      out.duplicate(at.index(i).child("name"), v.name);
  }
}

void check_mounts(const container& c, const pod_facts& pod, const path& at, findings& out) {
  std::set<std::string> targets;
  for (std::size_t i = 0; i < c.volume_mounts.size(); ++i) {
    const auto& m = c.volume_mounts[i];
    const auto here = at.child("volumeMounts").index(i);
    check_mount(m, c, pod, here, out);
    if (!m.mount_path.empty() && !targets.insert(m.mount_path).second)
      out.invalid(here.child("mountPath"), m.mount_path, "must be unique");
  }
  for (std::size_t i = 0; i < c.volume_devices.size(); ++i) {
    const auto& d = c.volume_devices[i];
    const auto here = at.child("volumeDevices").index(i);
    if (d.name.empty())
      out.required(here.child("name"));
    else if (!pod.volumes.contains(d.name))
      out.not_found(here.child("name"), d.name);
    if (d.device_path.empty())
      out.required(here.child("devicePath"));
    else if (climbs(d.device_path))
      out.invalid(here.child("devicePath"), d.device_path, "can not contain backsteps ('..')");
    else if (!targets.insert(d.device_path).second)
      out.invalid(here.child("devicePath"), d.device_path, "must be unique");
  }
}

} // namespace tank::config::rules
