#include "config/validate.hpp"
#include "config/validate_common.hpp"

#include <nlohmann/json.hpp>

#include <set>

namespace tank::config {
namespace {

using rules::findings;
using rules::path;

template <class Map>
void check_keys(const Map& entries, const path& at, findings& out) {
  for (const auto& [key, value] : entries)
    out.name(at.key(key), key, rules::config_key(key));
}

void check_size(std::size_t bytes, findings& out) {
  if (bytes > max_data_bytes) out.too_long(path{"data"}, max_data_bytes);
}

// --- secrets -------------------------------------------------------------------------------------

/// One of the files that a container engine keeps its registries' passwords in.
void check_docker(const secret& object, const char* key, findings& out) {
  const auto at = path{"data"}.key(key);
  const auto it = object.data.find(key);
  if (it == object.data.end())
    out.required(at);
  else if (!nlohmann::json::accept(it->second.data))
    out.invalid(at, "<secret contents redacted>", "must be valid JSON");
}

void check_type(const secret& object, findings& out) {
  const auto has = [&](const char* key) { return object.data.contains(key); };
  const auto require = [&](const char* key) {
    if (!has(key)) out.required(path{"data"}.key(key));
  };
  if (object.type == "kubernetes.io/tls") {
    require("tls.crt");
    require("tls.key");
  } else if (object.type == "kubernetes.io/ssh-auth") {
    require("ssh-privatekey");
  } else if (object.type == "kubernetes.io/basic-auth") {
    if (!has("username") && !has("password")) {
      out.required(path{"data"}.key("username"));
      out.required(path{"data"}.key("password"));
    }
  } else if (object.type == "kubernetes.io/dockerconfigjson") {
    check_docker(object, ".dockerconfigjson", out);
  } else if (object.type == "kubernetes.io/dockercfg") {
    check_docker(object, ".dockercfg", out);
  } else if (object.type == "kubernetes.io/service-account-token") {
    out.add(path{"type"}, "only the API server of a cluster can issue it");
  }
}

// --- claims --------------------------------------------------------------------------------------

void check_access(const persistent_volume_claim_spec& spec, findings& out) {
  const path at{"spec.accessModes"};
  if (spec.access_modes.empty()) return out.required(at, "at least 1 access mode is required");
  const std::set<std::string> modes{spec.access_modes.begin(), spec.access_modes.end()};
  for (const auto& mode : modes)
    out.one_of(at, mode, {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"});
  if (modes.size() > 1 && modes.contains("ReadWriteOncePod"))
    out.forbidden(at, "may not use ReadWriteOncePod with other access modes");
}

/// What a cluster would look for elsewhere.
void check_origin(const persistent_volume_claim_spec& spec, findings& out) {
  if (spec.volume_mode == "Block")
    out.add(path{"spec.volumeMode"}, "there are no block devices to claim here");
  else if (spec.volume_mode)
    out.one_of(path{"spec.volumeMode"}, *spec.volume_mode, {"Block", "Filesystem"});
  if (spec.data_source)
    out.add(path{"spec.dataSource"}, "only a cluster fills volumes from others");
  if (spec.data_source_ref)
    out.add(path{"spec.dataSourceRef"}, "only a cluster fills volumes from others");
}

} // namespace

void validate(const config_map& object, const position_lookup& locate,
              std::vector<diagnostic>& found) {
  findings out{locate, found};
  rules::check_metadata(object.metadata, out);
  check_keys(object.data, path{"data"}, out);
  check_keys(object.binary_data, path{"binaryData"}, out);
  std::size_t bytes = 0;
  for (const auto& [key, value] : object.data) {
    bytes += value.size();
    if (object.binary_data.contains(key))
      out.invalid(path{"data"}.key(key), key, "duplicate of key present in binaryData");
  }
  for (const auto& [key, value] : object.binary_data)
    bytes += value.data.size();
  check_size(bytes, out);
}

void validate(const secret& object, const position_lookup& locate, std::vector<diagnostic>& found) {
  findings out{locate, found};
  rules::check_metadata(object.metadata, out);
  check_keys(object.data, path{"data"}, out);
  std::size_t bytes = 0;
  for (const auto& [key, value] : object.data)
    bytes += value.data.size();
  check_size(bytes, out);
  check_type(object, out);
}

void validate(const persistent_volume_claim& object, const position_lookup& locate,
              std::vector<diagnostic>& found) {
  findings out{locate, found};
  rules::check_metadata(object.metadata, out);
  check_access(object.spec, out);
  check_origin(object.spec, out);
  const auto room = object.spec.resources.requests.find("storage");
  const path at{"spec.resources.requests[storage]"};
  if (room == object.spec.resources.requests.end())
    out.required(at);
  else if (room->second.sign() <= 0)
    out.invalid(at, room->second.to_string(), "must be greater than zero");
}

} // namespace tank::config
