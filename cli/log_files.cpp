#include "cli/log_files.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>

namespace tank::cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::vector<std::string> names_in(const fs::path& dir) {
  std::vector<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::uint32_t> restarts_in(const fs::path& container_dir) {
  std::vector<std::uint32_t> found;
  for (const auto& name : names_in(container_dir)) {
    if (!name.ends_with(".log")) continue;
    if (auto n = number(std::string_view{name}.substr(0, name.size() - 4))) found.push_back(*n);
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// When the newest run began, then when a log was last written: what makes one uid newer than
/// another. The old pod may write its last words in the same clock tick as the new one its first.
using recency = std::pair<std::int64_t, std::int64_t>;

recency how_recent(const fs::path& pod_dir) {
  recency newest{0, 0};
  auto ns = [](const auto& t) {
    return static_cast<std::int64_t>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
  };
  for (const auto& container : names_in(pod_dir)) {
    for (const auto& file : names_in(pod_dir / container)) {
      struct statx st {};
      if (::statx(AT_FDCWD, (pod_dir / container / file).c_str(), AT_SYMLINK_NOFOLLOW,
                  STATX_BTIME | STATX_MTIME, &st) == 0)
        newest = std::max(newest, recency{ns(st.stx_btime), ns(st.stx_mtime)});
    }
  }
  return newest;
}

result<fs::path> newest_pod_dir(const directories& dirs, const log_query& query) {
  const std::string prefix = dirs.pod_log(query.ns, query.name, "").filename().string();
  fs::path best;
  recency best_time{-1, 0};
  for (const auto& name : names_in(dirs.pod_logs())) {
    if (!name.starts_with(prefix)) continue;
    const auto dir = dirs.pod_logs() / name;
    if (const auto time = how_recent(dir); time >= best_time) {
      best_time = time;
      best = dir;
    }
  }
  if (!best.empty()) return best;
  std::error_code ec;
  const bool readable = fs::exists(dirs.pod_logs(), ec);
  if (ec) return fail_errno(ec.value(), "read the logs in", dirs.pod_logs().string());
  return fail(errc::not_found, "find the log of", query.ns + "/" + query.name,
              readable ? "nothing was logged under that name in " + dirs.pod_logs().string()
                       : "there is no " + dirs.pod_logs().string(),
              "see: tank get pods");
}

} // namespace

result<void> drain_log(int fd, const std::string& name, cri_parser& parser,
                       const cri_parser::sink& give) {
  std::array<char, 65536> buffer;
  for (;;) {
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "read", name);
    if (n == 0) return {};
    parser.feed({buffer.data(), static_cast<std::size_t>(n)}, give);
  }
}

fs::path log_run::file() const {
  return container_dir / (std::to_string(restart) + ".log");
}

std::vector<fs::path> log_run::files() const {
  const std::string base = file().filename().string();
  std::vector<std::pair<std::uint32_t, fs::path>> found;
  for (const auto& name : names_in(container_dir)) {
    if (name == base) found.emplace_back(0, container_dir / name);
    if (!name.starts_with(base + ".")) continue;
    if (auto n = number(std::string_view{name}.substr(base.size() + 1)); n && *n > 0)
      found.emplace_back(*n, container_dir / name);
  }
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.first > b.first; });
  std::vector<fs::path> files;
  for (auto& [n, path] : found)
    files.push_back(std::move(path));
  return files;
}

result<log_run> find_log(const directories& dirs, const log_query& query) {
  const auto pod_dir = TANK_TRY(newest_pod_dir(dirs, query));
  auto containers = names_in(pod_dir);
  std::string container = query.container;
  const std::string object = query.ns + "/" + query.name;
  if (container.empty()) {
    if (containers.empty())
      return fail(errc::not_found, "find the log of", object, "no container of it ran yet");
    if (containers.size() > 1) {
      std::string all;
      for (const auto& c : containers)
        all += (all.empty() ? "" : ", ") + c;
      return fail(errc::invalid, "choose a log of", object, "it has several containers: " + all,
                  "name one with -c");
    }
    container = containers.front();
  } else if (std::find(containers.begin(), containers.end(), container) == containers.end()) {
    return fail(errc::not_found, "find the log of", object, "no container '" + container + "' ran");
  }
  const auto runs = restarts_in(pod_dir / container);
  if (runs.empty())
    return fail(errc::not_found, "find the log of", object, "no container of it ran yet");
  if (!query.previous) return log_run{pod_dir / container, runs.back()};
  if (runs.size() < 2)
    return fail(errc::not_found, "find the previous log of", object, "it ran only once");
  return log_run{pod_dir / container, runs[runs.size() - 2]};
}

result<std::vector<unique_fd>> open_logs(const log_run& run) {
  auto files = run.files();
  std::reverse(files.begin(), files.end());
  // Newest first, each inode once, and one more than was listed: a rotation in the middle only
  // moves a file to the next name.
  if (!files.empty()) files.push_back(run.file().string() + "." + std::to_string(files.size()));
  std::vector<unique_fd> open;
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const auto& path : files) {
    unique_fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!fd && errno == ENOENT) continue;
    if (!fd) return fail_errno(errno, "open", path.string());
    struct stat st {};
    if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "stat", path.string());
    if (seen.emplace(st.st_dev, st.st_ino).second) open.push_back(std::move(fd));
  }
  std::reverse(open.begin(), open.end());
  return open;
}

result<void> read_log(const log_run& run, cri_parser& parser, const cri_parser::sink& give,
                      unique_fd* live) {
  auto open = TANK_TRY(open_logs(run));
  for (const auto& fd : open)
    TANK_TRY(drain_log(fd.get(), run.file().string(), parser, give));
  if (live != nullptr && !open.empty()) *live = std::move(open.back());
  return {};
}

} // namespace tank::cli
