#include "pod/log_retention.hpp"

#include "base/remove_tree.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace tank {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  const bool whole = ec == std::errc{} && end == text.data() + text.size();
  return whole ? std::optional{n} : std::nullopt;
}

/// n of "<n>.log" and of "<n>.log.<k>", which it was rotated to.
std::optional<std::uint32_t> run_of(std::string_view name) {
  const auto dot = name.find(".log");
  if (dot == std::string_view::npos) return std::nullopt;
  const auto rest = name.substr(dot + 4);
  if (!rest.empty() && (rest[0] != '.' || !number(rest.substr(1)))) return std::nullopt;
  return number(name.substr(0, dot));
}

struct closes_dir {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

std::vector<std::string> names_in(const unique_fd& dir) {
  // Opened anew: the position belongs to the open directory, and ours is read more than once.
  const int fd = ::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, closes_dir> stream{fd < 0 ? nullptr : ::fdopendir(fd)};
  std::vector<std::string> names;
  while (const dirent* e = stream ? ::readdir(stream.get()) : nullptr)
    if (const std::string_view name{e->d_name}; name != "." && name != "..")
      names.emplace_back(name);
  return names;
}

unique_fd open_dir(const unique_fd& parent, const std::string& name) {
  return unique_fd{
      ::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

/// The shim holds a shared lock on the log it writes.
bool in_use(const unique_fd& dir, const std::string& name) {
  const unique_fd fd{
      ::openat(dir.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  return fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

std::int64_t written(const unique_fd& dir, const std::string& name) {
  struct stat st {};
  if (::fstatat(dir.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) return 0;
  return static_cast<std::int64_t>(st.st_mtim.tv_sec) * 1'000'000'000 + st.st_mtim.tv_nsec;
}

/// The directories count too: those of a run that is just being prepared hold no file yet.
log_listing::pod look_at_pod(const unique_fd& pods, const std::string& name) {
  log_listing::pod found{name, written(pods, name)};
  const auto pod = open_dir(pods, name);
  if (!pod) return found;
  for (const auto& container : names_in(pod)) {
    found.written = std::max(found.written, written(pod, container));
    const auto dir = open_dir(pod, container);
    if (!dir) continue;
    for (const auto& file : names_in(dir)) {
      found.written = std::max(found.written, written(dir, file));
      found.in_use = found.in_use || in_use(dir, file);
    }
  }
  return found;
}

} // namespace

static void newest_first(std::vector<log_listing::pod>& pods) {
  std::stable_sort(pods.begin(), pods.end(),
                   [](const auto& a, const auto& b) { return a.written > b.written; });
}

old_logs logs_to_remove(const log_listing& listing) {
  old_logs old;
  std::set<std::uint32_t, std::greater<>> runs;
  std::set<std::uint32_t> busy;
  for (const auto& file : listing.files) {
    const auto run = run_of(file.name);
    if (!run) continue;
    runs.insert(*run);
    if (file.in_use) busy.insert(*run);
  }
  if (runs.size() > kept_runs) {
    const auto oldest_kept = *std::next(runs.begin(), kept_runs - 1);
    for (const auto& file : listing.files)
      if (const auto run = run_of(file.name); run && *run < oldest_kept && !busy.contains(*run))
        old.files.push_back(file.name);
  }
  auto pods = listing.others;
  newest_first(pods);
  for (std::size_t i = kept_pods - 1; i < pods.size(); ++i)
    if (!pods[i].in_use) old.pods.push_back(pods[i].name);
  return old;
}

std::vector<std::string> pods_too_many(std::vector<log_listing::pod> all, std::size_t most,
                                       std::size_t then) {
  std::vector<std::string> old;
  if (all.size() + 1 <= most) return old; // the new run's own is one
  newest_first(all);
  for (auto i = all.size(); i-- > 0 && all.size() + 1 - old.size() > then;)
    if (!all[i].in_use) old.push_back(all[i].name);
  return old;
}

void remove_old_logs(const std::filesystem::path& log) {
  const auto container = log.parent_path();
  const auto own = container.parent_path().filename().string();
  const unique_fd pods{
      ::open(container.parent_path().parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!pods) return;
  const auto pod = open_dir(pods, own);
  const auto dir = pod ? open_dir(pod, container.filename()) : unique_fd{};
  log_listing listing;
  if (dir)
    for (const auto& name : names_in(dir))
      listing.files.push_back({name, in_use(dir, name)});
  // Neither a namespace nor a pod's name holds a '_': the prefix fits no other pod.
  const auto name_end = own.find('_', own.find('_') + 1);
  const auto prefix = name_end == std::string::npos ? own + '_' : own.substr(0, name_end + 1);
  const auto names = names_in(pods);
  for (const auto& name : names)
    if (name.starts_with(prefix) && name != own) listing.others.push_back(look_at_pod(pods, name));

  const auto old = logs_to_remove(listing);
  for (const auto& name : old.files)
    (void)remove_tree(dir.get(), name);
  for (const auto& name : old.pods)
    (void)remove_tree(pods.get(), name);
  if (names.size() <= kept_directories) return;
  std::vector<log_listing::pod> all;
  for (const auto& name : names)
    if (name != own && name.find('_') != std::string::npos) all.push_back(look_at_pod(pods, name));
  for (const auto& name : pods_too_many(std::move(all)))
    (void)remove_tree(pods.get(), name);
}

} // namespace tank
