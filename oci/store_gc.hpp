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
};

/// Those that no pod uses, asked for before `since_ns`, the longest unused first. Pure.
std::vector<std::string> eviction_order(std::vector<eviction_candidate> images,
                                        const std::set<std::filesystem::path>& in_use,
                                        std::int64_t since_ns = INT64_MAX);

} // namespace tank::oci
