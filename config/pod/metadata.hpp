/// Names, labels and owners: what every Kubernetes object carries.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/scalars.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// Who this object belongs to; nobody, for a Pod from a file.
struct owner_reference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  std::optional<bool> controller;
  std::optional<bool> block_owner_deletion;
  bool operator==(const owner_reference&) const = default;
};

/// The API server's bookkeeping of who set what. Kept, never used.
struct managed_fields_entry {
  std::string manager;
  std::string operation;
  std::string api_version;
  std::optional<timestamp> time;
  std::string fields_type;
  std::optional<raw_json> fields_v1;
  std::string subresource;
  bool operator==(const managed_fields_entry&) const = default;
};

/// Identity and labels of an object.
struct object_meta {
  std::string name;
  std::string generate_name;
  std::string ns; ///< "default" once defaulted
  std::string self_link;
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::optional<timestamp> creation_timestamp; ///< written as null when absent
  std::optional<timestamp> deletion_timestamp;
  std::optional<std::int64_t> deletion_grace_period_seconds;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<owner_reference> owner_references;
  std::vector<std::string> finalizers;
  std::vector<managed_fields_entry> managed_fields;
  bool operator==(const object_meta&) const = default;
};

/// A named object of the Pod's own namespace.
struct local_object_reference {
  std::string name;
  bool operator==(const local_object_reference&) const = default;
};

/// One condition on labels.
struct label_selector_requirement {
  std::string key;
  std::string op; ///< In, NotIn, Exists, DoesNotExist
  std::vector<std::string> values;
  bool operator==(const label_selector_requirement&) const = default;
};

/// Which objects: all conditions hold.
struct label_selector {
  std::map<std::string, std::string> match_labels;
  std::vector<label_selector_requirement> match_expressions;
  bool operator==(const label_selector&) const = default;
};

} // namespace tank::config
