#include "pod/managed_volumes.hpp"

#include "base/file.hpp"
#include "base/remove_tree.hpp"
#include "base/unique_fd.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace tank {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_claims = 1u << 20;
constexpr const char* gone_prefix = ".gone-";

std::optional<volume_name> volume_of(const std::string& directory) {
  const auto at = directory.find('_'); // neither name may hold one
  if (at == std::string::npos || directory.starts_with('.')) return std::nullopt;
  return volume_name{directory.substr(0, at), directory.substr(at + 1)};
}

result<unique_fd> lock_volumes(const directories& dirs) {
  const auto path = dirs.managed_volumes_lock();
  unique_fd fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd) return fail_errno(errno, "open", path);
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno(errno, "lock", path);
  return fd;
}

std::vector<std::string> names_in_list(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::vector<fs::path> entries_below(const fs::path& dir) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec))
    out.push_back(it->path());
  return out;
}

/// Pods by volume.
std::map<std::string, std::vector<std::string>> users_of_volumes(const directories& dirs) {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& instance : entries_below(dirs.all_pod_states()))
    for (const auto& pod : entries_below(instance)) {
      const auto uid = pod.filename().string();
      const auto text = read_file(instance / directories::claims_in_use(uid), max_claims);
      if (!text) continue;
      for (auto& name : names_in_list(*text))
        out[std::move(name)].push_back(uid);
    }
  for (auto& [name, uids] : out)
    std::sort(uids.begin(), uids.end());
  return out;
}

std::int64_t birth_of(const fs::path& path) {
  struct statx now {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BTIME, &now) != 0 ||
      (now.stx_mask & STATX_BTIME) == 0)
    return 0;
  return now.stx_btime.tv_sec * std::int64_t{1'000'000'000} + now.stx_btime.tv_nsec;
}

/// What a removal that was interrupted has left.
result<void> remove_gone(const directories& dirs) {
  std::error_code ec;
  for (fs::directory_iterator it{dirs.managed_volumes(), ec}, end; !ec && it != end;
       it.increment(ec))
    if (it->path().filename().string().starts_with(gone_prefix)) TANK_TRY(remove_tree(it->path()));
  return {};
}

} // namespace

std::string to_string(const volume_name& name) {
  return name.ns + "/" + name.claim;
}

result<void> use_volumes(const directories& dirs, const std::string& uid,
                         const std::vector<managed_volume>& wanted, kernel::pod_files& files) {
  if (wanted.empty()) return {};
  TANK_TRY(files.make_directory(dirs.managed_volumes(), 0700));
  TANK_TRY(files.make_directory(dirs.pod_state(uid), 0700));
  const auto held = TANK_TRY(lock_volumes(dirs));
  const auto list = dirs.pod_states() / directories::claims_in_use(uid);
  std::set<std::string> names;
  if (const auto text = read_file(list, max_claims))
    for (auto& name : names_in_list(*text))
      names.insert(std::move(name));
  const auto before = names.size();
  for (const auto& volume : wanted)
    names.insert(to_string(volume.name));
  if (names.size() != before) {
    std::string text;
    for (const auto& name : names)
      text += name + "\n";
    TANK_TRY(write_file_atomic(list, text, 0600));
  }
  for (const auto& volume : wanted)
    TANK_TRY(files.make_empty_dir(dirs.managed_volume(volume.name.ns, volume.name.claim),
                                  volume.mode, 0, volume.gid));
  return {};
}

result<std::vector<volume_row>> list_volumes(const directories& dirs) {
  std::vector<volume_row> out;
  auto users = users_of_volumes(dirs);
  std::error_code ec;
  for (fs::directory_iterator it{dirs.managed_volumes(), ec}, end; !ec && it != end;
       it.increment(ec)) {
    const auto name = volume_of(it->path().filename());
    if (!name) continue;
    volume_row row{*name, dirs.managed_volume(name->ns, name->claim), 0, {}};
    row.created_ns = birth_of(row.directory);
    row.users = std::move(users[to_string(*name)]);
    out.push_back(std::move(row));
  }
  if (ec && ec != std::errc::no_such_file_or_directory)
    return fail_errno(ec.value(), "list", dirs.managed_volumes());
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

result<void> remove_volume(const directories& dirs, const volume_name& name) {
  const auto directory = dirs.managed_volume(name.ns, name.claim).parent_path();
  struct stat st {};
  if (volume_of(directory.filename()) != name || ::lstat(directory.c_str(), &st) != 0)
    return fail(errc::not_found, "remove volume", to_string(name), "there is none",
                "see: tank volume list");
  {
    const auto held = TANK_TRY(lock_volumes(dirs));
    const auto users = users_of_volumes(dirs);
    if (const auto it = users.find(to_string(name)); it != users.end())
      return fail(errc::conflict, "remove volume", to_string(name),
                  std::to_string(it->second.size()) +
                      (it->second.size() == 1 ? " pod uses it" : " pods use it"),
                  "delete them first");
    // Out of the way at once: a pod that starts now gets a new one.
    const auto to = dirs.managed_volumes() / (gone_prefix + directory.filename().string());
    TANK_TRY(remove_tree(to));
    if (::rename(directory.c_str(), to.c_str()) != 0)
      return fail_errno(errno, "remove volume", to_string(name));
  }
  return remove_gone(dirs);
}

} // namespace tank
