#include "pod/id_ranges.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace tank {
namespace {

using nlohmann::json;

constexpr std::size_t max_ranges_file = 16u << 20;
constexpr std::size_t max_subids = 4u << 20;
constexpr const char* mend = "remove it when no pod with 'hostUsers: false' runs";

bool overlap(std::uint64_t a, std::uint64_t b) {
  return a < b + ids_of_a_pod && b < a + ids_of_a_pod;
}

template <class Number>
bool read_number(std::string_view text, Number& to) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), to);
  return ec == std::errc{} && end == text.data() + text.size() && !text.empty();
}

struct subids {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const subids&) const = default;
};

/// The first line of `name`; nullopt when there is none.
result<std::optional<subids>> find_subids(std::string_view text, std::string_view name,
                                          const char* file) {
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with(name) || line.substr(name.size(), 1) != ":") continue;
    const auto rest = line.substr(name.size() + 1);
    const auto colon = rest.find(':');
    subids found;
    if (colon == std::string_view::npos || !read_number(rest.substr(0, colon), found.first) ||
        !read_number(rest.substr(colon + 1), found.count))
      return fail(errc::invalid, "read", file,
                  "'" + std::string{line} + "' is no name:first:count");
    return found;
  }
  return std::nullopt;
}

/// Whether nothing of the lease is left. An instance that lives may have pods that wait for their
/// next run, with nothing on disk.
bool is_abandoned(const id_lease& lease) {
  struct stat st {};
  directories of;
  of.run_dir = lease.run_dir;
  const auto gone = [&](const std::filesystem::path& path) {
    return ::lstat(path.c_str(), &st) != 0 && errno == ENOENT;
  };
  if (!gone(lease.storage) || !gone(of.pod_run(lease.uid))) return false;
  pid_t pid = 0;
  const auto owner = read_file(of.lock_file(), 64);
  if (!owner) return owner.error().code == errc::not_found;
  return read_number(*owner, pid) && pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH;
}

result<std::vector<id_lease>> read_leases(const std::filesystem::path& path) {
  const auto text = read_file(path, max_ranges_file);
  if (!text && text.error().code == errc::not_found) return std::vector<id_lease>{};
  if (!text) return failure{text.error()};
  auto leases = decode_leases(*text);
  if (leases) return leases;
  auto why = wrap(std::move(leases).error(), "use", path).value();
  why.hint = mend;
  return failure{std::move(why)};
}

} // namespace

result<std::uint32_t> choose_ids(const std::vector<id_lease>& taken, const id_pool& pool) {
  std::vector<std::uint32_t> firsts;
  for (const auto& lease : taken)
    firsts.push_back(lease.first);
  std::sort(firsts.begin(), firsts.end());
  auto next = firsts.begin();
  for (std::uint32_t i = 0; i < pool.count; ++i) {
    const auto first = pool.first + i * ids_of_a_pod;
    while (next != firsts.end() && std::uint64_t{*next} + ids_of_a_pod <= first)
      ++next;
    if (next == firsts.end() || !overlap(*next, first)) return first;
  }
  return fail(errc::limit, "take ids for", "a user namespace",
              "all " + std::to_string(pool.count) + " ranges are taken",
              "give it more by userNamespaces.count, or run fewer pods with 'hostUsers: false'");
}

std::string encode_leases(const std::vector<id_lease>& leases) {
  json all = json::array();
  for (const auto& lease : leases)
    all.push_back({{"first", lease.first},
                   {"runDir", lease.run_dir.native()},
                   {"uid", lease.uid},
                   {"storage", lease.storage.native()}});
  const json whole{{"version", 1}, {"ranges", std::move(all)}};
  return whole.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

result<std::vector<id_lease>> decode_leases(std::string_view text) {
  const auto broken = [](const std::string& why) {
    return fail(errc::corrupt, "read", "the ids of user namespaces", why);
  };
  const auto whole = json::parse(text, nullptr, false);
  if (!whole.is_object()) return broken("it is no JSON object");
  std::vector<id_lease> leases;
  try { // the library's accessors throw; what they read is a file
    if (whole.at("version") != 1) return broken("it is of another version of tank");
    for (const auto& one : whole.at("ranges"))
      leases.push_back({one.at("first").get<std::uint32_t>(), one.at("runDir").get<std::string>(),
                        one.at("uid").get<std::string>(), one.at("storage").get<std::string>()});
  } catch (const std::exception& e) {
    return broken(e.what());
  }
  auto sorted = leases;
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (overlap(sorted[i - 1].first, sorted[i].first))
      return broken("two pods have id " + std::to_string(sorted[i].first));
  return leases;
}

result<std::optional<id_pool>> subordinate_ids(std::string_view subuid, std::string_view subgid,
                                               std::string_view name) {
  const auto users = TANK_TRY(find_subids(subuid, name, "/etc/subuid"));
  const auto groups = TANK_TRY(find_subids(subgid, name, "/etc/subgid"));
  if (!users && !groups) return std::nullopt;
  const auto refuse = [&](const char* why) {
    return fail(errc::invalid, "use the subordinate ids of", std::string{name}, why,
                "mend /etc/subuid and /etc/subgid, or set userNamespaces.base");
  };
  if (users != groups) return refuse("/etc/subuid and /etc/subgid do not say the same");
  constexpr std::uint64_t end = std::uint64_t{1} << 32;
  if (users->first < ids_of_a_pod || users->count < ids_of_a_pod || users->first >= end ||
      users->count >= end - users->first)
    return refuse("they are not at least 65536, above 65535 and below 4294967295");
  return id_pool{static_cast<std::uint32_t>(users->first),
                 static_cast<std::uint32_t>(users->count / ids_of_a_pod)};
}

result<id_pool> host_id_pool() {
  const auto text = [](const char* path) {
    auto all = read_file(path, max_subids);
    if (!all && all.error().code == errc::not_found) return result<std::string>{std::string{}};
    return all;
  };
  const auto subuid = TANK_TRY(text("/etc/subuid"));
  const auto subgid = TANK_TRY(text("/etc/subgid"));
  return TANK_TRY(subordinate_ids(subuid, subgid, "tank"))
  .value_or(id_pool{});
}

/// `apply` answers whether it has changed the leases.
template <class Change>
result<void> id_ranges::change(Change apply) {
  const std::lock_guard alone{mutex_};
  const auto lock_path = dirs_.id_ranges_lock();
  const unique_fd lock{::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock) return fail_errno(errno, "open", lock_path);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return fail_errno(errno, "lock", lock_path);
  auto leases = TANK_TRY(read_leases(dirs_.id_ranges()));
  if (!TANK_TRY(apply(leases))) return {};
  return write_file_atomic(dirs_.id_ranges(), encode_leases(leases), 0600);
}

result<kernel::user_range> id_ranges::acquire(const std::string& uid) {
  kernel::user_range range{0, ids_of_a_pod};
  const auto take = [&](std::vector<id_lease>& leases) -> result<bool> {
    for (auto& lease : leases)
      if (lease.uid == uid && lease.run_dir == dirs_.run_dir) {
        range.first = lease.first;
        const auto before = std::exchange(lease.storage, dirs_.pod_state(uid));
        return before != lease.storage;
      }
    auto chosen = choose_ids(leases, pool_);
    const auto free = [&](const id_lease& lease) {
      return lease.run_dir != dirs_.run_dir && is_abandoned(lease);
    };
    if (!chosen && std::erase_if(leases, free) > 0) chosen = choose_ids(leases, pool_);
    range.first = TANK_TRY(std::move(chosen));
    leases.push_back({range.first, dirs_.run_dir, uid, dirs_.pod_state(uid)});
    return true;
  };
  TANK_TRY(change(take));
  return range;
}

result<void> id_ranges::release(const std::string& uid) {
  return change([&](std::vector<id_lease>& leases) -> result<bool> {
    return std::erase_if(leases, [&](const id_lease& lease) {
             return lease.uid == uid && lease.run_dir == dirs_.run_dir;
           }) > 0;
  });
}

result<void> id_ranges::keep_only(const std::set<std::string>& uids) {
  struct stat st {};
  // Most instances never have a pod with users of its own: nothing is made for them.
  if (::lstat(dirs_.id_ranges().c_str(), &st) != 0 && errno == ENOENT) return {};
  return change([&](std::vector<id_lease>& leases) -> result<bool> {
    return std::erase_if(leases, [&](const id_lease& lease) {
             return lease.run_dir == dirs_.run_dir && !uids.contains(lease.uid);
           }) > 0;
  });
}

} // namespace tank
