/// What a name points to: one small file per name, with all that a launch needs, so that resolving
/// a warm image is one open and one read. Also where everything in the store lies.
#pragma once

#include "base/error.hpp"
#include "oci/digest.hpp"
#include "oci/image.hpp"
#include "oci/reference.hpp"
#include "oci/unpack.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tank::oci {

struct layer_record {
  digest diff_id; ///< names the directory, unless `laid` does
  digest blob;    ///< as it came, perhaps compressed
  digest laid;    ///< names the directory instead, where it had to be laid on those below
  [[nodiscard]] const digest& directory() const { return laid.empty() ? diff_id : laid; }
  bool operator==(const layer_record&) const = default;
};

/// What was true of an unpacked layer when it was made: `records/<diff_id>.json`.
///
/// A layer counts as here when its directory and its record are, and the record can be trusted: it
/// was written in this boot (renames that survived a kill may lose their content with the power),
/// or a reference that needs the layer was committed since, which flushes both.
struct layer_facts {
  digest diff_id;
  struct blob_facts {
    digest content;
    std::uint64_t size = 0;
    bool operator==(const blob_facts&) const = default;
  };
  std::vector<blob_facts> blobs; ///< forms it came in; verified to unpack to diff_id
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;          ///< of file contents
  std::vector<std::string> implied; ///< directories that it has and does not name (layer_stack.hpp)
  std::vector<std::string> marked;  ///< directories that hold whiteouts
  std::vector<borrowed_link> borrowed; ///< hard links into the layers below: they are missing in it
  std::string tree;                    ///< survey_tree's fingerprint of the directory
  std::string boot;                    ///< boot_id of who made it
  bool operator==(const layer_facts&) const = default;
};

struct image_record {
  std::string name; ///< canonical
  digest manifest;
  digest index; ///< the index it was chosen from; may be empty
  digest config_blob;
  std::string architecture;
  std::string created;
  std::uint64_t size = 0; ///< of the layers' blobs
  image_config config;
  std::vector<layer_record> layers; ///< bottom first, all of the manifest
  std::size_t first_visible = 0;    ///< layers below are hidden by an opaque root
  digest dressing; ///< names a directory on top of all: looks of unnamed directories; may be empty
  std::string stamp;   ///< of the image source it came from (image_source.hpp)
  bool pulled = false; ///< from a registry, which has it; else this may be the only copy
  bool operator==(const image_record&) const = default;

  /// What names the directories of a launch, bottom first. Of a layer that comes twice only the
  /// topmost: it covers all that the lower one shows, and overlay takes no directory twice.
  [[nodiscard]] std::vector<digest> directories() const;
};

/// The store's tree; see store.hpp.
struct store_layout {
  std::filesystem::path root;

  [[nodiscard]] std::filesystem::path blobs() const { return root / "blobs"; }
  [[nodiscard]] std::filesystem::path blob(const digest& d) const {
    return blobs() / to_string(d.algorithm) / d.hex;
  }
  [[nodiscard]] std::filesystem::path layers() const { return root / "layers"; }
  [[nodiscard]] std::filesystem::path layer(const digest& diff_id) const {
    return layers() / diff_id.file_name();
  }
  [[nodiscard]] std::filesystem::path refs() const { return root / "refs"; }
  /// By the name's hash: a canonical name may be longer than a file name may be.
  [[nodiscard]] std::filesystem::path ref(const std::string& name) const {
    return refs() / (digest_of(name).hex + ".json");
  }
  [[nodiscard]] std::filesystem::path records() const { return root / "records"; }
  [[nodiscard]] std::filesystem::path record(const digest& diff_id) const {
    return records() / (diff_id.file_name() + ".json");
  }
  [[nodiscard]] std::filesystem::path tmp() const { return root / "tmp"; }
  [[nodiscard]] std::filesystem::path lock() const { return root / "lock"; }
  [[nodiscard]] std::filesystem::path layer_locks() const { return root / "layer-locks"; }
  /// The lower directory of an image without layers.
  [[nodiscard]] std::filesystem::path empty() const { return root / "empty"; }
};

std::string to_json(const layer_facts& facts);
/// errc::not_found when there is none.
result<layer_facts> read_facts(const store_layout& layout, const digest& diff_id);

std::string to_json(const image_record& record);
result<image_record> parse_record(std::string_view text);

/// errc::not_found when there is none of that canonical name.
result<image_record> read_record(const store_layout& layout, const std::string& name);
/// Sorted by name. One unreadable record fails the whole.
result<std::vector<image_record>> read_records(const store_layout& layout);

/// What a text is called in the store: a reference's or an image source's canonical form.
result<std::string> canonical_name(std::string_view text);

/// The record of a reference or of an image source.
result<image_record> find_named(const store_layout& layout, std::string_view text);

/// The record `wanted` means: its exact name; with a digest, a record of that repository whose
/// manifest or index has it (and whose tag, when one is given, it is).
result<image_record> find_record(const store_layout& layout, const reference& wanted);

} // namespace tank::oci
