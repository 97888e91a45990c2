#include "tests/root/host_snapshot.hpp"

#include "base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include <csignal>
#include <net/if.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> places_of_others{"/tmp/", "/run/", "/var/"};

struct process {
  pid_t parent = 0;
  char state = '?';
  std::string name;
};

/// Fields 2 to 4 of /proc/<pid>/stat; the name may hold anything, so from the last ')'.
std::map<pid_t, process> all_processes() {
  std::map<pid_t, process> all;
  std::error_code ec;
  for (fs::directory_iterator it{"/proc", ec}, end; !ec && it != end; it.increment(ec)) {
    const auto name = it->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ostringstream text;
    text << std::ifstream{it->path() / "stat"}.rdbuf();
    const auto stat = text.str();
    const auto open = stat.find('(');
    const auto close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos) continue; // gone meanwhile
    process p;
    p.name = stat.substr(open + 1, close - open - 1);
    std::istringstream rest{stat.substr(close + 1)};
    rest >> p.state >> p.parent;
    all.emplace(std::stoi(name), p);
  }
  return all;
}

/// Only children that nobody here waits for by pidfd are reaped so: adopted ones.
void reap() {
  for (const auto& [pid, p] : all_processes())
    if (p.parent == ::getpid() && p.state == 'Z') ::waitpid(pid, nullptr, WNOHANG);
}

/// False: it is still there.
bool await_end(pid_t pid, int milliseconds) {
  const unique_fd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!fd) return true;
  pollfd readable{fd.get(), POLLIN, 0};
  return ::poll(&readable, 1, milliseconds) == 1;
}

void add_mounts(std::multiset<std::string>& to) {
  std::ifstream in{"/proc/self/mountinfo"};
  for (std::string line; std::getline(in, line);)
    to.insert(line);
}

/// Whether a line of mountinfo is of a mount point where others than we work.
bool is_at_others(const std::string& line) {
  std::istringstream words{line};
  std::string id, parent, device, root, point;
  words >> id >> parent >> device >> root >> point;
  return std::any_of(places_of_others.begin(), places_of_others.end(),
                     [&](const auto& place) { return point.starts_with(place); });
}

void add_processes(host_snapshot& to) {
  const auto all = all_processes();
  for (const pid_t pid : descendants()) {
    const auto at = all.find(pid);
    if (at == all.end()) continue;
    std::ostringstream command;
    command << std::ifstream{"/proc/" + std::to_string(pid) + "/cmdline"}.rdbuf();
    auto text = command.str();
    std::replace(text.begin(), text.end(), '\0', ' ');
    to["process"].insert(std::to_string(pid) + " " + at->second.state + " (" + at->second.name +
                         ") " + text);
    for (const auto* type : {"mnt", "pid", "net", "ipc", "uts", "cgroup", "user"}) {
      std::error_code ec;
      const auto ns = fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + type, ec);
      if (!ec && ns != fs::read_symlink(std::string{"/proc/self/ns/"} + type, ec))
        to["namespace"].insert(ns.string() + " of (" + at->second.name + ")");
    }
  }
}

/// Directory by directory: those of others come and go while we look.
void add_cgroups_below(const fs::path& dir, bool ours, const std::set<std::string>& names,
                       std::multiset<std::string>& to) {
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec)) {
    std::error_code gone;
    if (it->is_symlink(gone) || !it->is_directory(gone)) continue;
    const bool is_ours = ours || names.contains(it->path().filename().string());
    if (is_ours) to.insert(it->path().string());
    add_cgroups_below(it->path(), is_ours, names, to);
  }
}

void add_links(std::multiset<std::string>& to) {
  auto* all = ::if_nameindex();
  for (auto* link = all; link != nullptr && link->if_index != 0; ++link)
    to.insert(link->if_name);
  ::if_freenameindex(all);
}

void add_files(const fs::path& dir, std::multiset<std::string>& to) {
  if (!fs::exists(dir)) return;
  for (const auto& e : fs::recursive_directory_iterator(dir))
    to.insert(e.path().string());
}

void add_fds(host_snapshot& to) {
  for (const auto& e : fs::directory_iterator("/proc/self/fd")) {
    std::error_code ec;
    const auto target = fs::read_symlink(e.path(), ec);
    if (!ec && target.string().find("/proc/") != 0) // the listing's own
      to["fd"].insert(e.path().filename().string() + " -> " + target.string());
  }
}

} // namespace

void become_subreaper() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

std::vector<pid_t> descendants() {
  const auto all = all_processes();
  std::vector<pid_t> found{::getpid()};
  for (std::size_t i = 0; i < found.size(); ++i)
    for (const auto& [pid, p] : all)
      if (p.parent == found[i]) found.push_back(pid);
  found.erase(found.begin());
  return found;
}

host_snapshot take_snapshot(const instance_traces& of, int patience_ms) {
  for (const pid_t pid : descendants())
    if (!await_end(pid, patience_ms)) patience_ms = 0; // one of them stays: no need to wait for all
  reap();
  host_snapshot now;
  add_mounts(now["mount"]);
  add_processes(now);
  add_cgroups_below("/sys/fs/cgroup", false, of.cgroups, now["cgroup"]);
  add_links(now["link"]);
  add_fds(now);
  for (const auto& dir : of.dirs)
    add_files(dir, now["file"]);
  return now;
}

std::string difference(const host_snapshot& before, const host_snapshot& after) {
  std::string text;
  std::set<std::string> categories;
  for (const auto* s : {&before, &after})
    for (const auto& [category, entries] : *s)
      categories.insert(category);
  for (const auto& category : categories) {
    const auto b = before.contains(category) ? before.at(category) : std::multiset<std::string>{};
    const auto a = after.contains(category) ? after.at(category) : std::multiset<std::string>{};
    std::vector<std::string> more;
    std::vector<std::string> less;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(more));
    std::set_difference(b.begin(), b.end(), a.begin(), a.end(), std::back_inserter(less));
    for (const auto& e : more)
      text.append("+").append(category).append(" ").append(e).append("\n");
    for (const auto& e : less)
      if (category != "mount" || !is_at_others(e))
        text.append("-").append(category).append(" ").append(e).append("\n");
  }
  return text;
}

void kill_descendants() {
  for (;;) {
    const auto left = descendants();
    if (left.empty()) return;
    for (const pid_t pid : left)
      ::kill(pid, SIGKILL);
    for (const pid_t pid : left)
      await_end(pid, 5'000);
    reap();
    if (descendants() == left) return; // nothing helps
  }
}

} // namespace tank::testing
