#include "oci/unpack.hpp"

#include "oci/archive.hpp"
#include "oci/attributes.hpp"
#include "oci/layer_stack.hpp"
#include "oci/layer_writer.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <clocale>
#include <fcntl.h>
#include <limits>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>

namespace tank::oci {

namespace {

constexpr std::string_view whiteout_prefix = ".wh.";
constexpr std::string_view meta_prefix = ".wh..wh.";
constexpr std::string_view opaque_name = ".wh..wh..opq";
constexpr std::size_t max_devices = 10'000;
constexpr std::size_t max_lent = 64; ///< files of other layers that are kept open

/// libarchive converts names to the thread's locale, and fails where that has no such letter.
class utf8_locale {
 public:
  utf8_locale() : mine_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (mine_ != nullptr) before_ = ::uselocale(mine_);
  }
  utf8_locale(const utf8_locale&) = delete;
  utf8_locale& operator=(const utf8_locale&) = delete;
  ~utf8_locale() {
    if (mine_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(mine_);
  }

 private:
  locale_t mine_;
  locale_t before_ = nullptr;
};

enum class name_kind : std::uint8_t { plain, whiteout, opaque, ignored };

struct entry_name {
  name_kind kind = name_kind::plain;
  std::string path; ///< what it is about: the hidden name, the opaque directory
};

failure bad_name(std::string_view name, std::string cause) {
  return fail(errc::invalid, "accept name", for_message(name), std::move(cause));
}

/// Reads the whiteout marks of a clean path.
result<entry_name> classify(std::string path) {
  const auto slash = path.rfind('/');
  const auto directory = slash == std::string::npos ? std::string{} : path.substr(0, slash);
  const auto last = slash == std::string::npos ? path : path.substr(slash + 1);
  for (std::size_t begin = 0; begin < directory.size();) {
    const auto end = std::min(directory.find('/', begin), directory.size());
    const auto part = std::string_view{directory}.substr(begin, end - begin);
    if (part.starts_with(meta_prefix)) return entry_name{name_kind::ignored, {}};
    if (part.starts_with(whiteout_prefix)) return bad_name(path, "it lies below a whiteout");
    begin = end + 1;
  }
  if (last == opaque_name) return entry_name{name_kind::opaque, directory};
  // What aufs kept for itself; means nothing elsewhere.
  if (last.starts_with(meta_prefix)) return entry_name{name_kind::ignored, {}};
  if (!last.starts_with(whiteout_prefix)) return entry_name{name_kind::plain, std::move(path)};
  const auto hidden = last.substr(whiteout_prefix.size());
  if (hidden.empty() || hidden == "." || hidden == "..")
    return bad_name(path, "a whiteout of no name");
  return entry_name{name_kind::whiteout, directory.empty() ? hidden : directory + "/" + hidden};
}

class unpacker {
 public:
  unpacker(byte_source& tar, int root, const unpack_options& options)
      : options_(options)
      , budget_(options.budget != nullptr ? *options.budget : own_)
      , input_{tar}
      , writer_(root, options, budget_) {}

  result<unpack_report> run() {
    const utf8_locale locale;
    input_.head = TANK_TRY(input_.source.next());
    if (input_.head.empty()) return report_; // some builders write an empty layer as no bytes
    reader_.reset(::archive_read_new());
    auto* a = reader_.get();
    if (a == nullptr || ::archive_read_support_format_tar(a) != ARCHIVE_OK)
      return fail(errc::internal, "read", "archive", "libarchive cannot read tar");
    if (::archive_read_open(a, &input_, nullptr, &archive_input::read, nullptr) != ARCHIVE_OK)
      return input_.why(a, "read", "archive");
    for (;;) {
      archive_entry* entry = nullptr;
      input_.budget = options_.limits.max_header;
      const int rc = ::archive_read_next_header(a, &entry);
      input_.budget = std::numeric_limits<std::uint64_t>::max();
      if (rc == ARCHIVE_EOF) break;
      // A warning is about a name outside the locale; its raw bytes are then what we want.
      if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
        return input_.why(a, "read", last_.empty() ? "archive" : "archive after " + last_);
      const char* raw = ::archive_entry_pathname(entry);
      last_ = for_message(raw != nullptr ? raw : "");
      ++report_.entries;
      TANK_TRY(budget_.add(1, 0, options_.limits, "unpack", last_));
      if (raw == nullptr) return fail(errc::invalid, "unpack", "entry", "it has no name");
      if (auto done = one(entry, raw); !done) {
        if (input_.failed) return tl::make_unexpected(*input_.failed);
        return wrap(std::move(done).error(), "unpack", last_);
      }
      // What nobody read of it is passed over here, not as a part of the next header.
      if (::archive_read_data_skip(a) < ARCHIVE_WARN) return input_.why(a, "read", last_);
    }
    auto unnamed = TANK_TRY(writer_.finish());
    report_.implied = std::move(unnamed.implied);
    report_.marked = std::move(unnamed.marked);
    return report_;
  }

 private:
  result<void> one(archive_entry* entry, std::string_view raw) {
    auto path = placed(TANK_TRY(clean_entry_name(raw, options_.limits)));
    if (options_.layer) {
      auto name = TANK_TRY(classify(std::move(path)));
      switch (name.kind) {
      case name_kind::ignored:
        return {};
      case name_kind::opaque:
        ++report_.whiteouts;
        return writer_.opaque(name.path);
      case name_kind::whiteout:
        ++report_.whiteouts;
        return writer_.whiteout(name.path);
      case name_kind::plain:
        path = std::move(name.path);
        break;
      }
    }
    const auto facts = TANK_TRY(facts_of(entry, std::move(path)));
    if (const char* target = ::archive_entry_hardlink(entry); target != nullptr) {
      const auto clean = placed(TANK_TRY(clean_entry_name(target, options_.limits)));
      if (devices_.contains(clean)) return skip_device(facts.path);
      auto done = writer_.hardlink(facts, clean);
      return done || done.error().code != errc::not_found ? done : borrow(facts, clean, done);
    }
    devices_.erase(facts.path);
    switch (::archive_entry_filetype(entry)) {
    case AE_IFREG:
      return regular(facts);
    case AE_IFDIR:
      return writer_.directory(facts);
    case AE_IFIFO:
      return writer_.fifo(facts);
    case AE_IFCHR:
    case AE_IFBLK:
      return skip_device(facts.path);
    case AE_IFLNK: {
      const char* target = ::archive_entry_symlink(entry);
      if (target == nullptr || *target == '\0')
        return fail(errc::invalid, "make link", "entry", "it has no target");
      return writer_.symlink(facts, target);
    }
    default:
      return fail(errc::unsupported, "make", "entry", "unknown type of file");
    }
  }

  /// A hard link to what this archive does not hold.
  result<void> borrow(const entry_facts& facts, const std::string& target,
                      const result<void>& missing) {
    if (options_.lender) return lend(facts, target);
    if (!options_.borrows) return missing;
    TANK_TRY(budget_.remember(facts.path.size() + target.size() + sizeof(borrowed_link),
                              options_.limits));
    report_.borrowed.push_back({facts.path, target});
    return {};
  }

  /// The first link to a file becomes a copy of it, the others are links to that.
  result<void> lend(const entry_facts& facts, const std::string& target) {
    if (const auto it = lent_.find(target); it != lent_.end())
      if (same_file(it->second.file.get(), writer_.open(it->second.path)))
        return writer_.hardlink(facts, it->second.path);
    TANK_TRY(copy(facts, target));
    auto file = writer_.open(facts.path);
    if (lent_.size() < max_lent && file)
      lent_.insert_or_assign(target, copied{facts.path, *std::move(file)});
    return {};
  }

  static bool same_file(int a, const result<unique_fd>& b) {
    struct stat one {};
    struct stat other {};
    return b && ::fstat(a, &one) == 0 && ::fstat(b->get(), &other) == 0 &&
           one.st_ino == other.st_ino;
  }

  /// Owner, mode, times and attributes are those of the file, as of any hard link.
  result<void> copy(const entry_facts& entry, const std::string& target) {
    const auto from = TANK_TRY(options_.lender(target));
    struct stat st {};
    if (::fstat(from.get(), &st) != 0) return fail_errno(errno, "link to", for_message(target));
    entry_facts facts;
    facts.path = entry.path;
    facts.permissions = st.st_mode & 07777;
    facts.uid = st.st_uid;
    facts.gid = st.st_gid;
    facts.mtime = st.st_mtim;
    if (S_ISLNK(st.st_mode)) {
      std::array<char, PATH_MAX> text{};
      const auto n = ::readlinkat(from.get(), "", text.data(), text.size());
      if (n <= 0) return fail_errno(errno, "read link", for_message(target));
      return writer_.symlink(facts, {text.data(), static_cast<std::size_t>(n)});
    }
    if (!S_ISREG(st.st_mode))
      return fail(errc::invalid, "link to", for_message(target), "not a file");
    facts.size = static_cast<std::uint64_t>(st.st_size);
    // The very file that was looked at: by its descriptor.
    const auto again = "/proc/self/fd/" + std::to_string(from.get());
    const unique_fd source{::open(again.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!source) return fail_errno(errno, "open", for_message(target));
    facts.attributes = TANK_TRY(kept_attributes(source.get()));
    TANK_TRY(budget_.add(0, facts.size, options_.limits, "copy", "entry"));
    report_.bytes += facts.size;
    return writer_.regular(facts, [&](int fd) { return copy_content(source.get(), fd); });
  }

  static result<void> copy_content(int from, int to) {
    if (::ioctl(to, FICLONE, from) == 0) return {};
    for (;;) {
      const auto n = ::copy_file_range(from, nullptr, to, nullptr, 1u << 30, 0);
      if (n == 0) return {};
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_errno(errno, "copy", "entry");
    }
  }

  [[nodiscard]] std::string placed(std::string path) const {
    return options_.moves != nullptr ? moved(*options_.moves, path) : std::move(path);
  }

  result<void> skip_device(const std::string& path) {
    if (devices_.size() >= max_devices)
      return fail(errc::limit, "skip", "device", "too many device nodes");
    devices_.insert(path);
    ++report_.skipped_devices;
    return {};
  }

  static result<std::uint32_t> id_of(la_int64_t value, const char* what) {
    // The last one means "leave unchanged" to chown.
    if (value < 0 || value >= std::numeric_limits<std::uint32_t>::max())
      return fail(errc::invalid, "accept", what, std::to_string(value) + " is no valid id");
    return static_cast<std::uint32_t>(value);
  }

  static result<entry_facts> facts_of(archive_entry* entry, std::string path) {
    entry_facts facts;
    facts.path = std::move(path);
    facts.permissions = ::archive_entry_perm(entry) & 07777;
    facts.uid = TANK_TRY(id_of(::archive_entry_uid(entry), "owner"));
    facts.gid = TANK_TRY(id_of(::archive_entry_gid(entry), "group"));
    facts.mtime = {::archive_entry_mtime(entry), ::archive_entry_mtime_nsec(entry)};
    if (facts.mtime.tv_nsec < 0 || facts.mtime.tv_nsec > 999'999'999) facts.mtime.tv_nsec = 0;
    const auto size = ::archive_entry_size(entry);
    if (size < 0) return fail(errc::invalid, "accept", "size", "it is negative");
    facts.size = static_cast<std::uint64_t>(size);
    ::archive_entry_xattr_reset(entry);
    const char* key = nullptr;
    const void* value = nullptr;
    std::size_t length = 0;
    while (::archive_entry_xattr_next(entry, &key, &value, &length) == ARCHIVE_OK) {
      if (key == nullptr || !is_kept_attribute(key)) continue;
      if (length > max_attribute)
        return fail(errc::limit, "accept attribute", for_message(key), "larger than 64 KiB");
      facts.attributes.emplace_back(key, std::string{static_cast<const char*>(value), length});
    }
    return facts;
  }

  result<void> regular(const entry_facts& facts) {
    // The apparent size counts: a hole costs nothing here, but everything who copies it.
    TANK_TRY(budget_.add(0, facts.size, options_.limits, "write", "entry"));
    report_.bytes += facts.size;
    return writer_.regular(facts, [&](int fd) { return contents(fd, facts.size); });
  }

  result<void> contents(int fd, std::uint64_t size) {
    la_int64_t end = 0;
    for (;;) {
      const void* data = nullptr;
      std::size_t left = 0;
      la_int64_t offset = 0;
      const int rc = ::archive_read_data_block(reader_.get(), &data, &left, &offset);
      if (rc == ARCHIVE_EOF) break;
      if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
        return input_.why(reader_.get(), "read contents of", "entry");
      if (offset < 0 || static_cast<std::uint64_t>(offset) > size ||
          left > size - static_cast<std::uint64_t>(offset))
        return fail(errc::corrupt, "write", "entry", "contents larger than announced");
      const char* at = static_cast<const char*>(data);
      while (left > 0) {
        const auto n = ::pwrite(fd, at, left, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(errno, "write", "entry");
        at += n;
        offset += n;
        left -= static_cast<std::size_t>(n);
      }
      end = std::max(end, offset);
    }
    // A sparse file may end in a hole.
    if (static_cast<std::uint64_t>(end) < size && ::ftruncate(fd, static_cast<off_t>(size)) != 0)
      return fail_errno(errno, "set size of", "entry");
    return {};
  }

  const unpack_options& options_;
  unpack_budget own_;
  unpack_budget& budget_;
  archive_input input_;
  archive_ptr reader_;
  layer_writer writer_;
  unpack_report report_;
  std::unordered_set<std::string> devices_;
  struct copied {
    std::string path;
    unique_fd file; ///< open, so that no later file can have its inode
  };
  std::unordered_map<std::string, copied> lent_; ///< by target
  std::string last_;
};

} // namespace

result<void> unpack_budget::add(std::uint64_t entries, std::uint64_t bytes,
                                const unpack_limits& limits, std::string_view step,
                                std::string_view object) {
  const auto too_much = [&](std::string cause) {
    return fail(errc::limit, std::string{step}, std::string{object}, std::move(cause));
  };
  if (entries_.fetch_add(entries) + entries > limits.max_entries)
    return too_much("more than " + std::to_string(limits.max_entries) + " entries");
  // Never past the limit itself: a sum of announced sizes could wrap.
  if (bytes > limits.max_bytes || bytes_.fetch_add(bytes) + bytes > limits.max_bytes)
    return too_much("contents exceed " + std::to_string(limits.max_bytes) + " bytes");
  return {};
}

result<void> unpack_budget::remember(std::uint64_t bytes, const unpack_limits& limits) {
  if (metadata_.fetch_add(bytes) + bytes > limits.max_metadata)
    return fail(errc::limit, "remember", "entry", "too many directories");
  return {};
}

result<std::string> clean_entry_name(std::string_view name, const unpack_limits& limits) {
  if (name.empty()) return bad_name(name, "it is empty");
  if (name.size() > limits.max_path)
    return fail(errc::limit, "accept name", for_message(name),
                "longer than " + std::to_string(limits.max_path) + " bytes");
  std::string out;
  out.reserve(name.size());
  std::uint32_t depth = 0;
  for (std::size_t begin = 0; begin < name.size();) {
    const auto end = std::min(name.find('/', begin), name.size());
    const auto part = name.substr(begin, end - begin);
    begin = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") return bad_name(name, "it contains '..'");
    if (++depth > limits.max_depth)
      return fail(errc::limit, "accept name", for_message(name),
                  "deeper than " + std::to_string(limits.max_depth) + " directories");
    if (!out.empty()) out += '/';
    out += part;
  }
  return out;
}

result<unpack_report> unpack_tar(byte_source& tar, int root, const unpack_options& options) {
  return unpacker{tar, root, options}.run();
}

} // namespace tank::oci
