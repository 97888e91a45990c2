#include "tests/root/host_snapshot.hpp"

#include "base/unique_fd.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <csignal>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::testing {
namespace {

namespace fs = std::filesystem;

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

void reap() {
  // Only children that nobody here waits for by pidfd reach this: adopted ones.
  for (const pid_t pid : descendants()) {
    const auto all = all_processes();
    const auto at = all.find(pid);
    if (at != all.end() && at->second.parent == ::getpid() && at->second.state == 'Z')
      ::waitpid(pid, nullptr, WNOHANG);
  }
}

/// False: it is still there.
bool await_end(pid_t pid, int milliseconds) {
  const unique_fd fd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (!fd) return true;
  pollfd readable{fd.get(), POLLIN, 0};
  return ::poll(&readable, 1, milliseconds) == 1;
}

/// Without those of others' scratch directories: tests may run beside us.
void add_mounts(const fs::path& ours, std::multiset<std::string>& to) {
  std::ifstream in{"/proc/self/mountinfo"};
  for (std::string line; std::getline(in, line);)
    if (line.find(" /tmp/") == std::string::npos || line.find(ours.string()) != std::string::npos)
      to.insert(line);
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

/// Names with "tank" only: a host's own services come and go.
void add_cgroups(host_snapshot& to) {
  std::error_code ec;
  for (fs::recursive_directory_iterator
           it{"/sys/fs/cgroup", fs::directory_options::skip_permission_denied, ec},
       end;
       !ec && it != end; it.increment(ec)) {
    std::error_code gone;
    if (it->is_directory(gone) && it->path().string().find("tank") != std::string::npos)
      to["cgroup"].insert(it->path().string());
  }
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

host_snapshot take_snapshot(const fs::path& root, const std::vector<fs::path>& dirs) {
  int patience = 10'000;
  for (const pid_t pid : descendants())
    if (!await_end(pid, patience)) patience = 0; // one of them stays: no need to wait for all
  reap();
  host_snapshot now;
  add_mounts(root, now["mount"]);
  add_processes(now);
  add_cgroups(now);
  for (const auto& e : fs::directory_iterator("/sys/class/net"))
    now["link"].insert(e.path().filename().string());
  add_fds(now);
  for (const auto& dir : dirs) {
    if (!fs::exists(dir)) continue;
    for (const auto& e : fs::recursive_directory_iterator(dir))
      now["file"].insert(e.path().string());
  }
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
