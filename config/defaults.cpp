#include "config/defaults.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace tank::config {

namespace {

constexpr std::int32_t file_mode = 0644;

/// An empty text or an absent value takes `fallback`.
void fill(std::string& value, std::string_view fallback) {
  if (value.empty()) value = fallback;
}

void fill(std::int32_t& value, std::int32_t fallback) {
  if (value == 0) value = fallback;
}

template <class T, class U>
void fill(std::optional<T>& value, U&& fallback) {
  if (!value) value = T{std::forward<U>(fallback)};
}

// --- images --------------------------------------------------------------------------------------

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_path_component(std::string_view text) {
  return !text.empty() && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::ranges::all_of(
             text, [](char c) { return is_lower_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

/// A registry: told from a first path component by a dot, a port, or the name localhost.
bool is_domain(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != std::string_view::npos) {
    const auto port = text.substr(colon + 1);
    return colon > 0 && !port.empty() && port.find_first_not_of("0123456789") == port.npos;
  }
  return text.find('.') != std::string_view::npos || text == "localhost";
}

bool is_image_name(std::string_view name) {
  bool first = true;
  while (true) {
    const auto slash = name.find('/');
    const auto component = name.substr(0, slash);
    const bool domain = first && slash != std::string_view::npos && is_domain(component);
    if (!domain && !is_path_component(component)) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
    first = false;
  }
}

// --- containers ----------------------------------------------------------------------------------

void default_field_ref(std::optional<object_field_selector>& ref) {
  if (ref) fill(ref->api_version, "v1");
}

void default_http(std::optional<http_get_action>& http) {
  if (!http) return;
  fill(http->path, "/");
  fill(http->scheme, "HTTP");
}

void default_probe(box<probe>& p) {
  if (!p) return;
  fill(p->timeout_seconds, 1);
  fill(p->period_seconds, 10);
  fill(p->success_threshold, 1);
  fill(p->failure_threshold, 3);
  default_http(p->http_get);
  if (p->grpc) fill(p->grpc->service, "");
}

/// The API keeps no amount finer than a thousandth.
void round_up(std::map<std::string, quantity>& amounts) {
  constexpr auto limit = std::numeric_limits<std::int64_t>::max();
  for (auto& [name, amount] : amounts) {
    const auto thousandths = amount.milli_value();
    if (thousandths == limit || thousandths <= -limit) continue; // saturated: whole anyway
    const auto rounded = quantity::parse(std::to_string(thousandths) + "m");
    if (rounded && *rounded != amount) amount = *rounded;
  }
}

void default_resources(resource_requirements& resources) {
  round_up(resources.limits);
  round_up(resources.requests);
}

void default_container(container& c) {
  fill(c.image_pull_policy, default_pull_policy(c.image));
  fill(c.termination_message_path, "/dev/termination-log");
  fill(c.termination_message_policy, "File");
  for (auto& port : c.ports)
    fill(port.protocol, "TCP");
  for (auto& variable : c.env)
    if (variable.value_from) default_field_ref(variable.value_from->field_ref);
  default_resources(c.resources);
  default_probe(c.liveness_probe);
  default_probe(c.readiness_probe);
  default_probe(c.startup_probe);
  if (!c.lifecycle) return;
  if (c.lifecycle->post_start) default_http(c.lifecycle->post_start->http_get);
  if (c.lifecycle->pre_stop) default_http(c.lifecycle->pre_stop->http_get);
}

void requests_from_limits(container& c) {
  c.resources.requests.insert(c.resources.limits.begin(), c.resources.limits.end());
}

void host_ports(container& c) {
  for (auto& port : c.ports)
    fill(port.host_port, port.port);
}

// --- volumes -------------------------------------------------------------------------------------

void default_items(std::vector<downward_api_volume_file>& items) {
  for (auto& item : items)
    default_field_ref(item.field_ref);
}

void default_projected(projected_volume_source& projected) {
  fill(projected.default_mode, file_mode);
  for (auto& source : projected.sources) {
    if (source.downward_api) default_items(source.downward_api->items);
    if (source.service_account_token) fill(source.service_account_token->expiration_seconds, 3600);
  }
}

void default_claim(persistent_volume_claim_spec& claim) {
  fill(claim.volume_mode, "Filesystem");
  round_up(claim.resources.limits);
  round_up(claim.resources.requests);
}

void default_cluster_volume(volume& v) {
  if (v.iscsi) fill(v.iscsi->iscsi_interface, "default");
  if (v.rbd) {
    fill(v.rbd->pool, "rbd");
    fill(v.rbd->user, "admin");
    fill(v.rbd->keyring, "/etc/ceph/keyring");
  }
  if (v.azure_disk) {
    fill(v.azure_disk->caching_mode, "ReadWrite");
    fill(v.azure_disk->kind, "Shared");
    fill(v.azure_disk->fs_type, "ext4");
    fill(v.azure_disk->read_only, false);
  }
  if (v.scale_io) {
    fill(v.scale_io->storage_mode, "ThinProvisioned");
    fill(v.scale_io->fs_type, "xfs");
  }
  if (v.ephemeral && v.ephemeral->volume_claim_template)
    default_claim(v.ephemeral->volume_claim_template->spec);
}

void default_volume(volume& v) {
  if (v == volume{.name = v.name}) v.empty_dir.emplace();
  if (v.host_path) fill(v.host_path->type, "");
  if (v.secret) fill(v.secret->default_mode, file_mode);
  if (v.config_map) fill(v.config_map->default_mode, file_mode);
  if (v.downward_api) {
    fill(v.downward_api->default_mode, file_mode);
    default_items(v.downward_api->items);
  }
  if (v.projected) default_projected(*v.projected);
  if (v.image) fill(v.image->pull_policy, default_pull_policy(v.image->reference));
  default_cluster_volume(v);
}

void default_metadata(object_meta& metadata) {
  fill(metadata.ns, "default");
}

} // namespace

std::string default_pull_policy(std::string_view image) {
  const auto at = image.find('@');
  const bool has_digest = at != std::string_view::npos;
  image = image.substr(0, at);
  const auto colon = image.rfind(':');
  const auto slash = image.rfind('/');
  const bool has_tag =
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash);
  const auto tag = has_tag ? image.substr(colon + 1) : std::string_view{};
  if (has_tag) image = image.substr(0, colon);
  const bool latest = has_tag ? tag == "latest" : !has_digest;
  return latest && is_image_name(image) ? "Always" : "IfNotPresent";
}

void apply_defaults(pod& p) {
  default_metadata(p.metadata);
  auto& spec = p.spec;
  fill(spec.restart_policy, "Always");
  fill(spec.dns_policy, "ClusterFirst");
  fill(spec.termination_grace_period_seconds, 30);
  fill(spec.security_context, pod_security_context{});
  fill(spec.scheduler_name, "default-scheduler");
  fill(spec.enable_service_links, true);
  fill(spec.service_account_name, spec.service_account); // the old name is an alias
  spec.service_account = spec.service_account_name;
  round_up(spec.overhead);
  if (spec.resources) default_resources(*spec.resources);
  for (auto& v : spec.volumes)
    default_volume(v);
  for (auto* containers : {&spec.init_containers, &spec.containers})
    for (auto& c : *containers) {
      default_container(c);
      requests_from_limits(c);
      if (spec.host_network) host_ports(c);
    }
  for (auto& c : spec.ephemeral_containers)
    default_container(c.common);
}

void make_paths_absolute(pod& p) {
  for (auto* containers : {&p.spec.init_containers, &p.spec.containers})
    for (auto& c : *containers)
      for (auto& m : c.volume_mounts)
        if (!m.mount_path.starts_with('/')) m.mount_path.insert(0, 1, '/');
}

void apply_defaults(config_map& object) {
  default_metadata(object.metadata);
}

void apply_defaults(secret& object) {
  default_metadata(object.metadata);
  fill(object.type, "Opaque");
  for (auto& [key, text] : std::exchange(object.string_data, {}))
    object.data[key].data = text;
}

void apply_defaults(persistent_volume_claim& object) {
  default_metadata(object.metadata);
  default_claim(object.spec);
}

} // namespace tank::config
