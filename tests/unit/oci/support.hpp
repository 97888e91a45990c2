/// What the suites of this room share: a scratch directory, and bytes as a source.
#pragma once

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "oci/stream.hpp"
#include "oci/tree.hpp"

#include <algorithm>
#include <archive.h>
#include <archive_entry.h>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <string>
#include <sys/stat.h>

namespace tank::oci::testing {

struct scratch {
  std::filesystem::path dir = [] {
    std::string name = (std::filesystem::temp_directory_path() / "tank-oci-XXXXXX").string();
    return std::filesystem::path{::mkdtemp(name.data())};
  }();
  scratch() = default;
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {
    // Not remove_all: without root it stops at directories that an archive made unreadable.
    const unique_fd parent{::open(dir.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    (void)remove_tree(parent.get(), dir.filename());
  }
};

/// Gives a text out in pieces of `step` bytes.
class text_source final : public byte_source {
 public:
  explicit text_source(std::string text, std::size_t step = 1 << 16)
      : text_(std::move(text))
      , step_(step) {}
  result<std::span<const std::byte>> next() override {
    const auto n = std::min(step_, text_.size() - at_);
    const auto* data = reinterpret_cast<const std::byte*>(text_.data()) + at_;
    at_ += n;
    return std::span{data, n};
  }

 private:
  std::string text_;
  std::size_t step_;
  std::size_t at_ = 0;
};

inline void put(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  if (!write_file_atomic(path, content)) std::abort();
}

inline std::string slurp(const std::filesystem::path& path) {
  auto text = read_file(path, 64u << 20);
  return text ? *text : "error: " + text.error().message();
}

/// Every name below `dir` with its type, mode, link target or content.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& dir) {
  std::map<std::string, std::string> out;
  for (const auto& e : std::filesystem::recursive_directory_iterator{dir}) {
    struct stat st {};
    ::lstat(e.path().c_str(), &st);
    std::string facts = std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + " " +
                        std::to_string(st.st_mtime) + " ";
    if (S_ISREG(st.st_mode)) facts += slurp(e.path());
    if (S_ISLNK(st.st_mode)) facts += std::filesystem::read_symlink(e.path()).string();
    out[e.path().lexically_relative(dir).string()] = facts;
  }
  return out;
}

/// One gzip or zstd member around `text`.
inline std::string compressed(const std::string& text, int filter = ARCHIVE_FILTER_GZIP) {
  std::string out(text.size() + (64u << 10), '\0');
  std::size_t used = 0;
  archive* a = ::archive_write_new();
  ::archive_write_add_filter(a, filter);
  ::archive_write_set_format_raw(a);
  ::archive_write_set_bytes_per_block(a, 0);
  ::archive_write_open_memory(a, out.data(), out.size(), &used);
  archive_entry* e = ::archive_entry_new();
  ::archive_entry_set_filetype(e, AE_IFREG);
  ::archive_entry_set_pathname(e, "data");
  ::archive_write_header(a, e);
  ::archive_write_data(a, text.data(), text.size());
  ::archive_write_close(a);
  ::archive_entry_free(e);
  ::archive_write_free(a);
  out.resize(used);
  return out;
}

} // namespace tank::oci::testing
