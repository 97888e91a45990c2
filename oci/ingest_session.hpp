/// What an ingest is made of. Private to ingest.cpp and ingest_layers.cpp.
#pragma once

#include "oci/ingest.hpp"

#include <atomic>
#include <cerrno>
#include <map>
#include <mutex>
#include <set>

namespace tank::oci {

struct ingest::session {
  store_layout layout;
  store_options options;
  unique_fd lock; ///< of the store, shared
  std::string name;
  std::string boot;
  std::atomic<unsigned> serial{0};
  unpack_budget spent; ///< by add_layer
  std::atomic<bool> out_of_space{false};
  std::atomic<bool> unsynced{true}; ///< something was written since the last flush
  bool committed = false;

  mutable std::mutex mutex;                    ///< of what follows
  std::set<digest> referenced;                 ///< layers that some name needs
  mutable std::map<digest, layer_facts> whole; ///< looked at once per session
  std::set<digest> published_layers;
  std::set<digest> published_blobs;

  [[nodiscard]] std::filesystem::path directory() const { return layout.tmp() / name; }
  /// Of a failure: remembers that the disk is full.
  void note(const error& e) {
    if (e.sys == ENOSPC || e.sys == EDQUOT) out_of_space = true;
  }
  [[nodiscard]] std::filesystem::path fresh(char kind) {
    return directory() / (kind + std::to_string(serial++));
  }
};

result<unique_fd> open_directory(const std::filesystem::path& path);

} // namespace tank::oci
