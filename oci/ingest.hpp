/// One writer's session with the store: bytes in, verified blobs and unpacked layers out, and a
/// name for them by one commit. Import and load use it, and whatever else brings images.
///
/// What is being written lies below tmp/<random>. A layer that is whole and verified is published
/// at once, so that others need not make it again and a session that dies leaves its finished
/// layers to the next; a name appears with `commit` only. Several sessions may run at once, in any
/// processes: each layer is unpacked by one of them, the others wait for it. Blocking.
#pragma once

#include "base/unique_fd.hpp"
#include "oci/cancellation.hpp"
#include "oci/layer_flights.hpp"
#include "oci/layer_stack.hpp"
#include "oci/manifest.hpp"
#include "oci/records.hpp"
#include "oci/store.hpp"
#include "oci/stream.hpp"
#include "oci/unpack.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tank::oci {

class ingest {
 public:
  /// Takes the store's lock, shared: waits while somebody removes.
  static result<ingest> begin(const store_layout& layout, const store_options& options);
  ingest(ingest&&) noexcept;
  ingest& operator=(ingest&&) = delete;
  /// Removes what was not finished.
  ~ingest();

  struct layer {
    digest diff_id;
    descriptor blob;
    unpack_report report; ///< zeros when the layer was there already
  };

  /// How the work at one layer went.
  enum class outcome : std::uint8_t {
    present, ///< it was here, or somebody else has made it meanwhile
    made,
    failed,
  };

  /// A layer of an image, wanted here. What is announced is verified: blob (digest and size) and
  /// diff_id; empty when unknown.
  struct wanted {
    std::optional<descriptor> blob;
    std::optional<digest> diff_id;
    /// Gives the bytes: plain, gzip or zstd. Called on a worker thread at most once, and only when
    /// they are needed; the source then lives and is read on that thread or one of its own. A
    /// source that waits for something watches the cancellation, which outlives it.
    std::function<result<std::unique_ptr<byte_source>>(cancellation&)> open;
    /// Told once, on whichever thread; not told of layers that another one's failure kept back.
    std::function<void(outcome)> ended{};
  };

  /// How the layers of one image are worked at.
  struct schedule {
    unsigned parallel = 0;            ///< at a time; 0: store_options::parallel()
    layer_flights* flights = nullptr; ///< shared by the images of a process; may be null
    std::string step = "add layer";   ///< for messages
  };

  /// All layers of one image, several at a time, the largest first, in bounded memory: about 3 MiB
  /// each, and what zstd asks for. Each is read once, kept as a blob and unpacked in one pass,
  /// unless it is here already. Nothing is read when the disk cannot even take the missing blobs.
  /// The first failure stops the others. `stop` gives errc::cancelled. The answer is in the order
  /// of `layers`.
  result<std::vector<layer>> add_layers(std::span<const wanted> layers, cancellation& stop,
                                        const schedule& how);

  /// One layer from a source at hand, on the calling thread; several threads may do so at once, as
  /// they may call `knows` and `add_document`. The source is read to its end. The layers added so
  /// share the limits of one image.
  result<layer> add_layer(byte_source& bytes, const descriptor* blob, const digest* diff_id);

  /// Whether the store holds both forms undamaged and knows they belong together: then nothing of
  /// the layer needs to be fetched.
  [[nodiscard]] bool knows(const digest& blob, const digest& diff_id) const;

  /// Whether all directories of a committed image are as they were made.
  [[nodiscard]] bool holds(const image_record& record) const;

  /// Keeps `content` as a blob; verified when `expected` is not empty.
  result<digest> add_document(std::string_view content, const digest& expected = {});

  /// Makes all of it durable (when the options say so), then the name visible. Returns the image,
  /// ready to run. errc::corrupt when a layer of the record is not here, or was not made of the
  /// blob that the record names for it.
  result<image> commit(image_record record);

  /// A new empty directory of this session, for its owner's own use.
  result<std::filesystem::path> make_directory();

 private:
  struct session;
  explicit ingest(std::unique_ptr<session> s);

  class layer_queue;
  result<layer> take(const wanted& w, unpack_budget& spent, cancellation& stop, outcome& how);
  result<std::optional<layer>> use(const wanted& w, unpack_budget& spent) const;
  void learn();
  result<layer> read(byte_source& bytes, const descriptor* blob, const digest* diff_id,
                     unpack_budget& spent);
  result<unpack_report> unpack(byte_source& tar, const std::filesystem::path& where,
                               unpack_options how) const;
  result<void> publish(const layer& l, const std::filesystem::path& tree);
  result<void> write_stack(image_record& record);
  result<layer_facts> rewrite_layer(layer_record& l, const path_moves& moves,
                                    const std::vector<borrowed_link>& borrowed, layer_stack& below,
                                    unpack_budget& spent);
  result<void> add_marks(image_record& record, const std::vector<directory_look>& looks);
  result<void> publish_blob(const digest& content, const std::filesystem::path& from);
  [[nodiscard]] std::optional<layer> find(const descriptor* blob, const digest& diff_id) const;
  [[nodiscard]] std::optional<layer_facts> whole_layer(const digest& diff_id) const;
  result<std::filesystem::path> write_temporary(std::string_view content);
  void give_back() const;

  std::unique_ptr<session> s_; ///< null once moved from
};

/// The image a record describes, with its layers' directories.
image image_of(const store_layout& layout, const image_record& record);

/// Takes the store's lock file: LOCK_SH to add, LOCK_EX to remove; `wait` false gives an empty
/// descriptor when somebody else has it.
result<unique_fd> lock_store(const store_layout& layout, int operation, bool wait);

/// Waits until nobody else makes that layer; held until the descriptor is closed. Nobody waits for
/// a second one while having one, so there is no deadlock.
result<unique_fd> lock_layer(const store_layout& layout, const digest& diff_id);

} // namespace tank::oci
