#include "pod/manifest_scan.hpp"

#include "base/file.hpp"
#include "base/trusted_path.hpp"

#include <cerrno>
#include <ctime>
#include <sys/stat.h>
#include <system_error>

namespace tank {

namespace fs = std::filesystem;

static std::int64_t ns_of(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

/// File times tick with the kernel's timer: a write within one tick of our reading leaves no trace
/// in them. 50 ms is several ticks everywhere.
static bool is_settled(const struct stat& st) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto age = ns_of(now) - ns_of(st.st_ctim);
  return age > 50'000'000 || age < 0;
}

static file_mark mark_of(const struct stat& st) {
  return {.device = st.st_dev,
          .inode = st.st_ino,
          .size = static_cast<std::uint64_t>(st.st_size),
          .modified_ns = ns_of(st.st_mtim),
          .changed_ns = ns_of(st.st_ctim),
          .settled = is_settled(st)};
}

namespace {

class scan {
 public:
  explicit scan(const scan_request& request) : request_(request) {}

  scan_result run() {
    for (const auto& source : request_.sources) {
      if (auto done = take_source(source); !done) {
        result_.why = std::move(done).error();
        return std::move(result_);
      }
    }
    for (const auto& path : paths_)
      take_file(path);
    keep_missing();
    result_.marks = std::make_shared<const file_marks>(std::move(marks_));
    return std::move(result_);
  }

 private:
  result<void> take_source(const fs::path& source) {
    struct stat st {};
    if (::stat(source.c_str(), &st) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return {};
      return fail_errno(errno, "look at", source);
    }
    if (!S_ISDIR(st.st_mode)) {
      paths_.insert(source);
      return {};
    }
    std::error_code ec;
    for (auto it = fs::directory_iterator(source, ec); !ec && it != fs::directory_iterator();
         it.increment(ec))
      if (is_manifest_name(it->path().filename().native())) paths_.insert(it->path());
    if (ec && ec.value() != ENOENT) return fail_errno(ec.value(), "list", source);
    return {};
  }

  void take_file(const std::string& path) {
    const auto known = request_.known ? request_.known->find(path) : file_marks::const_iterator{};
    const bool is_known = request_.known && known != request_.known->end();
    if (request_.writing.contains(path)) {
      if (is_known) keep(path, known->second);
      return; // a file that is not complete yet is not there yet
    }
    struct stat st {};
    if (::stat(path.c_str(), &st) != 0) {
      const int sys = errno;
      struct stat link {};
      if (::lstat(path.c_str(), &link) != 0) return; // went away since the listing
      add(path, unreadable_manifest(path, fail_errno(sys, "open", path).value()), {});
      return;
    }
    const auto mark = mark_of(st);
    if (is_known && known->second == mark && mark.settled) return keep(path, mark);
    auto text = read(path);
    add(path,
        text ? request_.judge(path, *text) : unreadable_manifest(path, std::move(text).error()),
        mark);
  }

  [[nodiscard]] result<std::string> read(const std::string& path) const {
    const auto fd = TANK_TRY(open_regular_file(path));
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "read", path);
    const auto why = request_.owned ? foreign_hands(st, writers::and_group) : std::string{};
    if (!why.empty())
      return fail(errc::denied, "use", path, why, "who writes it is root here: chown root it");
    return read_all(fd.get(), max_manifest_bytes, path);
  }

  void keep_missing() {
    if (!request_.known) return;
    for (const auto& [path, mark] : *request_.known) {
      if (marks_.contains(path) || request_.gone.contains(path)) continue;
      result_.files.push_back({.path = path, .parsed = nullptr, .missing = true});
      result_.missing.insert(path);
      marks_.emplace(path, mark);
    }
  }

  void keep(const std::string& path, const file_mark& mark) {
    result_.files.push_back({path, nullptr});
    marks_.emplace(path, mark);
  }
  void add(const std::string& path, parsed_file parsed, const file_mark& mark) {
    result_.files.push_back({path, std::make_shared<const parsed_file>(std::move(parsed))});
    marks_.emplace(path, mark);
  }

  const scan_request& request_;
  std::set<std::string> paths_;
  file_marks marks_;
  scan_result result_;
};

} // namespace

scan_result scan_manifests(const scan_request& request) {
  return scan{request}.run();
}

} // namespace tank
