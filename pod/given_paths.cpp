#include "pod/given_paths.hpp"

#include "base/file.hpp"
#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>

namespace tank {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t max_accounts_file = 32u << 20;
constexpr std::size_t most = 4096;
constexpr std::string_view plain = "/._-";

/// In the order in which they were given. The file is ours; one that cannot be read is begun anew.
std::vector<fs::path> read_list(const fs::path& file) {
  std::vector<fs::path> out;
  const auto text = read_file(file, max_accounts_file);
  if (!text) return out;
  const auto whole = json::parse(*text, nullptr, false);
  try { // the library's accessors throw
    for (const auto& one : whole.at("paths"))
      if (const auto path = percent_decode(one.get<std::string>())) out.emplace_back(*path);
  } catch (const std::exception&) {
    return out;
  }
  return out;
}

result<void> write_list(const fs::path& file, const std::vector<fs::path>& paths) {
  json whole{{"version", 1}, {"paths", json::array()}};
  for (const auto& path : paths)
    whole["paths"].push_back(percent_encode(path.native(), plain));
  return write_file_atomic(file, whole.dump(1) + "\n", 0600);
}

bool is_top(const fs::path& path) {
  static constexpr std::array<std::string_view, 17> tops{
      "/",     "/bin",  "/boot", "/dev",  "/etc", "/home", "/lib", "/lib64", "/opt",
      "/proc", "/root", "/run",  "/sbin", "/sys", "/usr",  "/var", "/srv"};
  return std::find(tops.begin(), tops.end(), path.native()) != tops.end();
}

} // namespace

/// Another instance writes it too: by replacing it.
void given_paths::load() {
  struct stat now {};
  const bool there = ::stat(dirs_.host_paths().c_str(), &now) == 0;
  const auto version =
      there ? std::optional{std::pair{now.st_ino, now.st_mtim.tv_nsec}} : std::nullopt;
  if (std::exchange(loaded_, version) == version) return;
  for (auto& path : read_list(dirs_.host_paths())) {
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) continue;
    known_.emplace(st.st_dev, st.st_ino);
    paths_.insert(std::move(path));
  }
}

result<void> given_paths::add(const fs::path& path) {
  if (is_top(path)) return {};
  const std::lock_guard alone{mutex_};
  load();
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) return fail_errno(errno, "look at", path);
  known_.emplace(st.st_dev, st.st_ino);
  if (paths_.contains(path)) return {};
  // What other instances have added meanwhile stays.
  const auto lock_path = dirs_.host_paths_lock();
  const unique_fd lock{::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock) return fail_errno(errno, "open", lock_path);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno(errno, "lock", lock_path);
  auto list = read_list(dirs_.host_paths());
  std::erase(list, path);
  list.push_back(path);
  if (list.size() > most) list.erase(list.begin(), list.end() - most);
  TANK_TRY(write_list(dirs_.host_paths(), list));
  paths_.insert(path);
  return {};
}

bool given_paths::contains(const struct stat& directory) {
  const std::lock_guard alone{mutex_};
  load();
  return known_.contains({directory.st_dev, directory.st_ino});
}

} // namespace tank
