/// `tank image save`: images of the store as an OCI layout (image-spec v1.1, "OCI Image Layout").
#include "oci/store.hpp"

#include "base/file.hpp"
#include "oci/archive.hpp"
#include "oci/image_source.hpp"
#include "oci/ingest.hpp"
#include "oci/json.hpp"
#include "oci/new_file.hpp"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::oci {

namespace {

namespace fs = std::filesystem;

/// Where the files of a layout go.
class layout_sink {
 public:
  virtual ~layout_sink() = default;
  virtual result<void> directory(const std::string& name) = 0;
  virtual result<void> begin(const std::string& name, std::uint64_t size) = 0;
  virtual result<void> data(std::span<const std::byte> bytes) = 0;
  virtual result<void> end() = 0;
};

class directory_sink final : public layout_sink {
 public:
  explicit directory_sink(fs::path root) : root_(std::move(root)) {}

  result<void> directory(const std::string& name) override {
    if (name.empty()) return {}; // it is there
    const auto path = root_ / name;
    if (::mkdir(path.c_str(), 0755) != 0) return fail_errno(errno, "create directory", path);
    return {};
  }
  result<void> begin(const std::string& name, std::uint64_t) override {
    path_ = root_ / name;
    file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file_) return fail_errno(errno, "create", path_);
    return {};
  }
  result<void> data(std::span<const std::byte> bytes) override {
    return write_bytes(file_.get(), bytes, path_);
  }
  result<void> end() override {
    file_.reset();
    return {};
  }

 private:
  fs::path root_;
  fs::path path_;
  unique_fd file_;
};

struct archive_write_closer {
  void operator()(archive* a) const noexcept { ::archive_write_free(a); }
};

/// A tar whose bytes depend on the images only: no times, no owners.
class tar_sink final : public layout_sink {
 public:
  result<void> open(int fd) {
    auto* a = writer_.get();
    if (a == nullptr || ::archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
        ::archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
        ::archive_write_open_fd(a, fd) != ARCHIVE_OK)
      return why("open");
    return {};
  }
  result<void> finish() {
    if (::archive_write_close(writer_.get()) != ARCHIVE_OK) return why("finish");
    return {};
  }
  result<void> directory(const std::string& name) override {
    if (name.empty()) return {};
    return header(name + "/", AE_IFDIR, 0755, 0);
  }
  result<void> begin(const std::string& name, std::uint64_t size) override {
    return header(name, AE_IFREG, 0644, size);
  }
  result<void> data(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto n = ::archive_write_data(writer_.get(), bytes.data(), bytes.size());
      if (n <= 0) return why("write");
      bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return {};
  }
  result<void> end() override {
    if (::archive_write_finish_entry(writer_.get()) != ARCHIVE_OK) return why("write");
    return {};
  }

 private:
  [[nodiscard]] failure why(const char* step) const {
    auto* a = writer_.get();
    const int sys = a != nullptr ? ::archive_errno(a) : ENOMEM;
    return fail_errno(sys > 0 ? sys : EIO, step, "archive");
  }
  result<void> header(const std::string& name, unsigned type, unsigned mode, std::uint64_t size) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> e{::archive_entry_new(),
                                                                     &::archive_entry_free};
    ::archive_entry_set_pathname(e.get(), name.c_str());
    ::archive_entry_set_filetype(e.get(), type);
    ::archive_entry_set_perm(e.get(), mode);
    ::archive_entry_set_size(e.get(), static_cast<la_int64_t>(size));
    ::archive_entry_set_mtime(e.get(), 0, 0);
    if (::archive_write_header(writer_.get(), e.get()) != ARCHIVE_OK) return why("write");
    return {};
  }

  std::unique_ptr<archive, archive_write_closer> writer_{::archive_write_new()};
};

class saver {
 public:
  saver(const store_layout& layout, layout_sink& out, const cancellation* stop)
      : layout_(layout)
      , out_(out)
      , stop_(stop) {}

  result<void> run(const std::vector<image_record>& records) {
    for (const auto* name : {"", "blobs"})
      TANK_TRY(out_.directory(name));
    std::set<digest> blobs;
    json manifests = json::array();
    for (const auto& r : records) {
      blobs.insert({r.manifest, r.config_blob});
      for (const auto& l : r.layers)
        blobs.insert(l.blob);
      manifests.push_back(TANK_TRY(descriptor_of(r)));
    }
    std::set<digest_algorithm> algorithms{digest_algorithm::sha256};
    for (const auto& b : blobs)
      algorithms.insert(b.algorithm);
    for (const auto a : algorithms)
      TANK_TRY(out_.directory("blobs/" + std::string{to_string(a)}));
    for (const auto& b : blobs)
      TANK_TRY(blob(b));
    TANK_TRY(document("oci-layout", R"({"imageLayoutVersion":"1.0.0"})"));
    const json index = {
        {"schemaVersion", 2}, {"mediaType", media::index}, {"manifests", std::move(manifests)}};
    return document("index.json", index.dump());
  }

 private:
  result<json> descriptor_of(const image_record& r) const {
    constexpr std::size_t limit = 32u << 20;
    const auto text = TANK_TRY(read_file(layout_.blob(r.manifest), limit));
    const auto value = TANK_TRY(parse_json(text, limit, "manifest"));
    const auto o = TANK_TRY(json_object::of(value, "manifest"));
    auto type = TANK_TRY(o.text("mediaType"));
    if (type.empty()) type = media::manifest;
    json out{
        {"mediaType", std::move(type)}, {"digest", r.manifest.to_string()}, {"size", text.size()}};
    // The second is what podman and skopeo go by, the first what containerd and docker do. A path
    // of this host is no name elsewhere.
    if (!is_image_source(r.name))
      out["annotations"] = {{"io.containerd.image.name", r.name},
                            {"org.opencontainers.image.ref.name", r.name}};
    return out;
  }

  result<void> document(const std::string& name, const std::string& text) {
    TANK_TRY(out_.begin(name, text.size()));
    TANK_TRY(out_.data(std::as_bytes(std::span{text})));
    return out_.end();
  }

  result<void> blob(const digest& content) {
    const auto path = layout_.blob(content);
    unique_fd fd{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (!fd) return fail_errno(errno, "open", path, "load or pull the image again");
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", path);
    const auto size = static_cast<std::uint64_t>(st.st_size);
    TANK_TRY(
        out_.begin("blobs/" + std::string{to_string(content.algorithm)} + "/" + content.hex, size));
    range_source raw{fd.get(), 0, size, path};
    measuring_source bytes{raw, content.algorithm, size};
    for (;;) {
      if (stop_ != nullptr && stop_->cancelled())
        return fail(errc::cancelled, "save", "image", "it was interrupted");
      const auto piece = TANK_TRY(bytes.next());
      if (piece.empty()) break;
      TANK_TRY(out_.data(piece));
    }
    if (const auto found = TANK_TRY(bytes.finish()); found != content)
      return fail(errc::corrupt, "verify", path, "its content is " + found.to_string(),
                  "find what else is damaged with 'tank image verify'");
    return out_.end();
  }

  const store_layout& layout_;
  layout_sink& out_;
  const cancellation* stop_;
};

result<std::vector<image_record>> records_of(const store_layout& layout,
                                             const std::vector<std::string>& names) {
  std::vector<image_record> out;
  for (const auto& name : names)
    out.push_back(TANK_TRY(find_named(layout, name)));
  return out;
}

} // namespace

result<void> store::save(const std::vector<std::string>& names, int to,
                         const cancellation* stop) const {
  const store_layout layout{root_};
  const auto lock = TANK_TRY(lock_store(layout, LOCK_SH, true)); // nothing goes meanwhile
  const auto records = TANK_TRY(records_of(layout, names));
  tar_sink tar;
  TANK_TRY(tar.open(to));
  TANK_TRY(saver(layout, tar, stop).run(records));
  return tar.finish();
}

result<void> store::save(const std::vector<std::string>& names, const fs::path& to,
                         save_format format, const cancellation* stop) const {
  if (format == save_format::oci_archive) {
    auto file = TANK_TRY(new_file::begin(to));
    TANK_TRY(save(names, file.fd(), stop));
    return file.commit();
  }
  const store_layout layout{root_};
  const auto lock = TANK_TRY(lock_store(layout, LOCK_SH, true));
  const auto records = TANK_TRY(records_of(layout, names));
  auto directory = TANK_TRY(new_directory::begin(to));
  directory_sink out{directory.path()};
  TANK_TRY(saver(layout, out, stop).run(records));
  return directory.commit();
}

} // namespace tank::oci
