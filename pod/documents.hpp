/// The documents beside the Pods of all manifests: ConfigMaps, Secrets and claims, as one set of
/// values; and what a container wants of them.
///
/// Pure. Values of Secrets live in these maps and in what is made of them for a container; no error
/// and no status holds one.
#pragma once

#include "base/error.hpp"
#include "config/manifest.hpp"
#include "config/pod.hpp"

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

enum class document_kind : std::uint8_t { config_map, secret, claim };
/// As messages have it: "configmap", "secret", "pvc".
std::string_view to_string(document_kind k) noexcept;

struct document_id {
  document_kind kind = document_kind::config_map;
  std::string key; ///< namespace/name
  auto operator<=>(const document_id&) const = default;
};
/// "configmap 'default/app'"
std::string to_string(const document_id& id);

struct document {
  std::string file; ///< where it comes from
  std::map<std::string, std::string> data;
  std::map<std::string, std::string> binary_data; ///< files only: never in an environment
  std::string type;                               ///< of a Secret
  bool immutable = false;
  std::vector<std::string> access_modes; ///< of a claim
  std::string requested;                 ///< of a claim: how much, as it was written
  bool operator==(const document&) const = default;

  /// The value of a key, or nullptr.
  [[nodiscard]] const std::string* find(const std::string& key) const;
  /// Whether what is final in an immutable one is another now: data, and being immutable.
  [[nodiscard]] bool differs_in_data(const document& o) const {
    return data != o.data || binary_data != o.binary_data || immutable != o.immutable;
  }
};

/// All that are in force.
struct documents {
  std::map<document_id, std::shared_ptr<const document>> all;
  [[nodiscard]] const document* find(document_kind kind, const std::string& ns,
                                     const std::string& name) const;
};
bool operator==(const documents& a, const documents& b);

/// One document of a file.
struct parsed_document {
  document_id id;
  std::shared_ptr<const document> what;
};

/// Those of one file.
std::vector<parsed_document> documents_of(const config::manifest& parsed, const std::string& file);

// --- what a container wants ----------------------------------------------------------------------

/// What the container needs and is not there, in one sentence without values:
/// "configmap 'default/app' is missing"; empty: it can start. `known` null: nobody has read the
/// documents yet, and a container that needs none can start all the same.
std::string missing_data(const config::pod& pod, const config::container& container,
                         const documents* known);

/// The logins of the pod's imagePullSecrets, as contents of docker's config.json; those that are
/// missing, or of another type, are passed over, as kubelet does.
std::vector<std::string> pull_logins(const config::pod& pod, const documents* known);

/// A volume's source, for all that looks into documents for files.
struct data_source {
  document_kind kind = document_kind::config_map;
  const std::string& name;
  const std::vector<config::key_to_path>& items;
  bool optional = false;
};
/// The sources of a volume in their order; none for other kinds of volumes.
std::vector<data_source> data_sources_of(const config::volume& volume);

} // namespace tank
