/// One writer's session with the store: bytes in, verified blobs and unpacked layers out, all made
/// visible by one commit. Import and load use it, and whatever else will bring images.
///
/// Everything is first written below tmp/<random>; nothing of an image that fails, or of a process
/// that dies, is ever seen. Several sessions may run at once, in any processes. Several threads may
/// add layers and documents at once; all else is for one thread. Blocking.
#pragma once

#include "base/unique_fd.hpp"
#include "oci/manifest.hpp"
#include "oci/records.hpp"
#include "oci/store.hpp"
#include "oci/stream.hpp"
#include "oci/unpack.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace tank::oci {

class ingest {
 public:
  /// Takes the store's lock, shared: waits while somebody removes.
  static result<ingest> begin(const store_layout& layout, const store_options& options);
  ingest(ingest&& other) noexcept;
  ingest& operator=(ingest&&) = delete;
  /// Removes what was not committed.
  ~ingest();

  struct layer {
    digest diff_id;
    descriptor blob;
    unpack_report report; ///< zeros when the layer was there already
  };

  /// Reads `bytes` to the end (plain, gzip or zstd), keeps them as a blob and unpacks them, in one
  /// pass. What is announced is verified: `blob` (digest, size) and `diff_id`; null when unknown.
  /// A layer that the store or this session has is read and verified, not unpacked again.
  result<layer> add_layer(byte_source& bytes, const descriptor* blob, const digest* diff_id);

  /// The layer, without reading it, when the store holds both forms and knows they belong together.
  [[nodiscard]] bool knows(const digest& blob, const digest& diff_id) const;

  /// Looks again at what the store knows: others may have committed since.
  void learn();

  /// Keeps `content` as a blob; verified when `expected` is not empty.
  result<digest> add_document(std::string_view content, const digest& expected = {});

  /// Makes all added so far visible, durably when the options say so, then the name itself.
  /// Returns the image, ready to run.
  result<image> commit(image_record record);

  /// A new empty directory of this session, for its owner's own use.
  result<std::filesystem::path> make_directory();

 private:
  ingest(store_layout layout, store_options options, unique_fd lock, std::string session);

  [[nodiscard]] std::filesystem::path directory() const { return layout_.tmp() / session_; }
  [[nodiscard]] bool rootless() const;
  [[nodiscard]] std::filesystem::path next_path(char kind);
  [[nodiscard]] bool has_layer(const digest& diff_id) const;
  result<unpack_report> unpack(byte_source& tar, const std::filesystem::path& where) const;
  result<void> publish();

  store_layout layout_;
  store_options options_;
  unique_fd lock_;
  std::string session_;                                                ///< empty once moved from
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>(); ///< guards what follows
  unsigned serial_ = 0;
  std::map<digest, std::filesystem::path> new_blobs_;
  std::map<digest, std::filesystem::path> new_layers_; ///< by diff_id
  std::set<std::pair<digest, digest>> pairs_;          ///< blob, diff_id: verified to match
};

/// The image a record describes, with its layers' directories.
image image_of(const store_layout& layout, const image_record& record);

/// Takes the store's lock file: LOCK_SH to add, LOCK_EX to remove; `wait` false gives an empty
/// descriptor when somebody else has it.
result<unique_fd> lock_store(const store_layout& layout, int operation, bool wait);

} // namespace tank::oci
