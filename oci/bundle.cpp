#include "oci/bundle.hpp"

#include "oci/archive.hpp"
#include "oci/layer_look.hpp"
#include "oci/tree.hpp"
#include "oci/unpack.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::oci {

namespace {

failure not_regular(const std::string& name) {
  return fail(errc::invalid, "read", for_message(name), "not a regular file");
}

class directory_bundle final : public bundle {
 public:
  explicit directory_bundle(unique_fd root) : root_(std::move(root)) {}

  [[nodiscard]] result<file> open(const std::string& name) const override {
    auto fd = TANK_TRY(open_in_root(root_.get(), name, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", for_message(name));
    if (!S_ISREG(st.st_mode)) return not_regular(name);
    return file{std::make_unique<file_source>(std::move(fd), for_message(name)),
                static_cast<std::uint64_t>(st.st_size)};
  }

 private:
  unique_fd root_;
};

/// Where the members of a tar lie in its file.
class tar_bundle final : public bundle {
 public:
  tar_bundle(unique_fd fd, const unpack_limits& limits) : fd_(std::move(fd)), limits_(limits) {}

  result<void> index() {
    reader in{fd_.get(), {}, limits_.max_header};
    const archive_ptr a{::archive_read_new()};
    if (!a || ::archive_read_support_format_tar(a.get()) != ARCHIVE_OK)
      return fail(errc::internal, "read", "archive", "libarchive cannot read tar");
    ::archive_read_set_skip_callback(a.get(), &reader::skip);
    ::archive_read_set_read_callback(a.get(), &reader::read);
    ::archive_read_set_callback_data(a.get(), &in);
    if (::archive_read_open1(a.get()) != ARCHIVE_OK) return why(a.get());
    member* last = nullptr; // whose data end where the next header begins
    std::uint64_t metadata = 0;
    for (std::uint64_t entries = 0;;) {
      archive_entry* entry = nullptr;
      in.budget = limits_.max_header;
      const int rc = ::archive_read_next_header(a.get(), &entry);
      if (last != nullptr) {
        const auto end = static_cast<std::uint64_t>(::archive_read_header_position(a.get()));
        last->offset = end - (last->size + 511) / 512 * 512;
        last = nullptr;
      }
      if (rc == ARCHIVE_EOF) return {};
      if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) return why(a.get());
      const char* name = ::archive_entry_pathname(entry);
      if (name == nullptr) return fail(errc::invalid, "read", "archive", "an entry has no name");
      const auto path = TANK_TRY(clean_entry_name(name, limits_));
      metadata += path.size() + sizeof(member);
      if (++entries > limits_.max_entries || metadata > limits_.max_metadata)
        return fail(errc::limit, "read", "archive", "it has too many entries");
      auto m = TANK_TRY(member_of(entry, path));
      const bool regular = m.kind == member::regular;
      auto& kept = members_[path] = std::move(m);
      if (regular) last = &kept;
    }
  }

  [[nodiscard]] result<file> open(const std::string& name) const override {
    auto path = normal(name);
    for (int links = 0; links <= max_links; ++links) {
      const auto it = members_.find(path);
      if (it == members_.end()) return fail_errno(ENOENT, "open", for_message(name));
      const auto& m = it->second;
      if (m.kind == member::other) return not_regular(name);
      if (m.kind == member::regular)
        return file{std::make_unique<range_source>(fd_.get(), m.offset, m.size, for_message(name)),
                    m.size};
      path = m.target;
    }
    return fail_errno(ELOOP, "open", for_message(name));
  }

 private:
  struct member {
    enum : std::uint8_t { regular, link, other } kind = other;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::string target{}; ///< of a link: the member meant
  };

  /// libarchive's view of the file: reads headers, skips contents.
  struct reader {
    int fd;
    std::vector<char> buffer;
    std::uint64_t budget;

    static la_ssize_t read(archive* a, void* self, const void** out) {
      auto& r = *static_cast<reader*>(self);
      r.buffer.resize(64 * 1024);
      const auto n = ::read(r.fd, r.buffer.data(), r.buffer.size());
      if (n < 0) {
        ::archive_set_error(a, errno, "%s", "input failed");
        return ARCHIVE_FATAL;
      }
      if (static_cast<std::uint64_t>(n) > r.budget) {
        ::archive_set_error(a, E2BIG, "%s", "header too large");
        return ARCHIVE_FATAL;
      }
      r.budget -= static_cast<std::uint64_t>(n);
      *out = r.buffer.data();
      return n;
    }
    static la_int64_t skip(archive*, void* self, la_int64_t count) {
      auto& r = *static_cast<reader*>(self);
      return ::lseek(r.fd, count, SEEK_CUR) < 0 ? 0 : count;
    }
  };

  static failure why(archive* a) {
    const char* text = ::archive_error_string(a);
    return fail(errc::corrupt, "read", "archive", text != nullptr ? text : "damaged data");
  }

  /// As if "/" were the root: ".." stops there.
  static std::string normal(std::string_view name) {
    std::vector<std::string_view> parts;
    for (std::size_t begin = 0; begin < name.size();) {
      const auto end = std::min(name.find('/', begin), name.size());
      const auto part = name.substr(begin, end - begin);
      begin = end + 1;
      if (part.empty() || part == ".") continue;
      if (part != "..")
        parts.push_back(part);
      else if (!parts.empty())
        parts.pop_back();
    }
    std::string out;
    for (const auto part : parts)
      out.append(out.empty() ? "" : "/").append(part);
    return out;
  }

  static result<member> member_of(archive_entry* entry, const std::string& path) {
    member m;
    if (const char* target = ::archive_entry_hardlink(entry); target != nullptr) {
      m.kind = member::link;
      m.target = normal(target);
    } else if (::archive_entry_filetype(entry) == AE_IFLNK) {
      const char* to = ::archive_entry_symlink(entry);
      const std::string text = to != nullptr ? to : "";
      const auto slash = path.rfind('/');
      m.kind = member::link;
      m.target = normal(text.starts_with('/') || slash == std::string::npos
                            ? text
                            : path.substr(0, slash) + "/" + text);
    } else if (::archive_entry_filetype(entry) == AE_IFREG) {
      if (::archive_entry_sparse_count(entry) > 0)
        return fail(errc::unsupported, "read", for_message(path), "it is stored sparse");
      m.kind = member::regular;
      m.size = static_cast<std::uint64_t>(std::max<la_int64_t>(::archive_entry_size(entry), 0));
    }
    return m;
  }

  unique_fd fd_;
  const unpack_limits limits_;
  std::map<std::string, member> members_;
};

/// Whether it begins like something compressed; the descriptor's position stays.
bool is_compressed(int fd) {
  unsigned char magic[4] = {};
  if (::pread(fd, magic, sizeof magic, 0) != sizeof magic) return false;
  return (magic[0] == 0x1f && magic[1] == 0x8b) ||
         (magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd);
}

result<std::unique_ptr<bundle>> unpacked(unique_fd fd, const std::filesystem::path& source,
                                         const unpack_limits& limits,
                                         const std::filesystem::path& directory) {
  unique_fd out{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!out) return fail_errno(errno, "open", directory);
  file_source raw{std::move(fd), source};
  decompressing_source plain{raw, limits.expansion};
  measuring_source bounded{plain, digest_algorithm::sha256, limits.max_stream()};
  TANK_TRY(unpack_tar(bounded, out.get(), {limits, true, false, nullptr}));
  return std::make_unique<directory_bundle>(std::move(out));
}

} // namespace

result<std::string> bundle::read(const std::string& name, std::uint64_t limit) const {
  const auto found = TANK_TRY(open(name));
  if (found.size > limit)
    return fail(errc::limit, "read", for_message(name),
                "larger than " + std::to_string(limit) + " bytes");
  std::string out;
  out.reserve(found.size);
  for (;;) {
    const auto bytes = TANK_TRY(found.bytes->next());
    if (bytes.empty()) return out;
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (out.size() > limit)
      return fail(errc::limit, "read", for_message(name),
                  "larger than " + std::to_string(limit) + " bytes");
  }
}

result<std::unique_ptr<bundle>>
open_bundle(const std::filesystem::path& source, bundle_input input, const unpack_limits& limits,
            const std::function<result<std::filesystem::path>()>& make_directory) {
  // Opening a pipe that nobody writes into would wait for ever.
  const int wait = input == bundle_input::file ? O_NONBLOCK : 0;
  unique_fd fd{::open(source.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | wait)};
  if (!fd) return fail_errno(errno, "open", source);
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", source);
  if (input == bundle_input::file && !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
    return fail(errc::invalid, "read", source, "it is neither a file nor a directory");
  if (S_ISDIR(st.st_mode)) return std::make_unique<directory_bundle>(std::move(fd));
  if (!S_ISREG(st.st_mode) || is_compressed(fd.get()))
    return unpacked(std::move(fd), source, limits, TANK_TRY(make_directory()));
  auto tar = std::make_unique<tar_bundle>(std::move(fd), limits);
  TANK_TRY(tar->index());
  return tar;
}

} // namespace tank::oci
