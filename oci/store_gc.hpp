/// What the store removes, and when. Private to the store.
#pragma once

#include "oci/records.hpp"
#include "oci/store.hpp"

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace tank::oci {

/// At every opening, by who gets the lock alone: what a crash left in tmp/ and refs/; and once per
/// boot, layers whose making may not have reached the disk.
result<void> sweep(const store_layout& layout, const store_options& options);

/// An image that could be removed to make room.
struct eviction_candidate {
  std::string name;
  std::int64_t last_asked_ns = 0;
  std::vector<std::filesystem::path> layers; ///< directories
  bool replaceable = false;                  ///< a registry has it
};

/// What is not to be removed.
struct eviction_rules {
  std::set<std::filesystem::path> in_use;  ///< layers under pods
  std::set<std::string> named;             ///< images that manifests name
  std::int64_t asked_since_ns = INT64_MAX; ///< asked for then, or later
  bool only_copies = false;                ///< what no registry has
};

/// Those that the rules let go, the longest unused first. Pure.
std::vector<std::string> eviction_order(std::vector<eviction_candidate> images,
                                        const eviction_rules& stay);

/// Which of `records` the image texts of manifests mean: by name, or by a digest that a text pins.
/// Texts that are no names mean none. Pure.
std::set<std::string> meant_by(const std::vector<std::string>& texts,
                               const std::vector<image_record>& records);

} // namespace tank::oci
