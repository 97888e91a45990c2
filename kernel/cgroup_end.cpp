/// The end of a cgroup: its processes killed, it and all below it removed.
#include "kernel/cgroup.hpp"
#include "kernel/cgroup_dir.hpp"

#include <algorithm>
#include <chrono>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

using clock = std::chrono::steady_clock;

int left(clock::time_point deadline) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  return ms > 0 ? static_cast<int>(ms) : 0;
}

bool contains(const std::vector<pid_t>& all, pid_t one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// Kills what is in `dir` itself and waits for its end. A number is a process only while it is
/// listed: the descriptor is opened in between, and what is listed again then is what it refers to.
void kill_and_wait(const cgroup_dir& dir, clock::time_point deadline) {
  const auto listed = dir.processes();
  if (!listed) return;
  std::vector<unique_fd> dying;
  std::vector<std::pair<pid_t, unique_fd>> found;
  for (const pid_t pid : *listed) {
    if (found.size() == 256) break; // the rest the next time
    unique_fd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    if (process) found.emplace_back(pid, std::move(process));
  }
  const auto again = dir.processes();
  if (!again) return;
  for (auto& [pid, process] : found) {
    if (!contains(*again, pid)) continue;
    ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
    dying.push_back(std::move(process));
  }
  for (const auto& process : dying) {
    pollfd end{process.get(), POLLIN, 0};
    ::poll(&end, 1, left(deadline));
  }
}

/// v2 kills a tree by one word. Elsewhere nobody may fork any more, so that one look at a time gets
/// them all in the end.
void order_kill(const cgroup_dir& dir) {
  if (dir.write("cgroup.kill", "1")) return;
  static_cast<void>(dir.write("pids.max", "0"));
}

result<void> still_there(const cgroup_dir& dir) {
  std::string who;
  if (const auto all = dir.processes(); all)
    for (const pid_t pid : *all)
      who += " " + std::to_string(pid);
  return fail(errc::timeout, "remove cgroup", dir.path(),
              who.empty() ? "it stays busy" : "processes do not end:" + who);
}

/// Leaves first. With one descriptor at a time and no recursion: a privileged workload decides how
/// deep it goes.
result<void> remove_below(const cgroup_dir& top, clock::time_point deadline) {
  std::vector<std::string> way;
  for (;;) {
    auto at = TANK_TRY(cgroup_dir::open(top.path()));
    bool lost = false;
    for (const auto& name : way) {
      auto next = at.child(name);
      if (!next) {
        lost = true; // somebody else removed it
        break;
      }
      at = *std::move(next);
    }
    if (lost) {
      way.clear();
      continue;
    }
    kill_and_wait(at, deadline);
    if (const auto below = at.children(); !below.empty()) {
      way.push_back(below.front());
      continue;
    }
    if (way.empty()) return {};
    const auto name = way.back();
    way.pop_back();
    auto parent = TANK_TRY(cgroup_dir::open(top.path()));
    for (const auto& part : way) {
      auto next = TANK_TRY(parent.child(part));
      parent = std::move(next);
    }
    const auto gone = parent.remove(name);
    if (gone || gone.error().code == errc::not_found) continue;
    if (gone.error().code != errc::conflict) return gone;
    if (left(deadline) == 0) return still_there(at);
    ::poll(nullptr, 0, 1); // dead, and not counted out yet: no event tells
  }
}

result<void> remove_in(const cgroup_hierarchy& h, const fs::path& name,
                       clock::time_point deadline) {
  const auto parent = cgroup_dir::open(h.directory / name.parent_path());
  if (!parent)
    return parent.error().code == errc::not_found ? result<void>{} : failure{parent.error()};
  for (int round = 0;; ++round) {
    const auto dir = parent->child(name.filename());
    if (!dir) return dir.error().code == errc::not_found ? result<void>{} : failure{dir.error()};
    // Mostly all have ended, and nobody has made any below.
    for (const auto& below : dir->children())
      static_cast<void>(dir->remove(below));
    const auto gone = parent->remove(name.filename());
    if (gone || gone.error().code == errc::not_found) return {};
    if (gone.error().code != errc::conflict) return gone;
    if (left(deadline) == 0) return still_there(*dir);
    if (round > 0) ::poll(nullptr, 0, 1); // dead, and not counted out yet: no event tells
    order_kill(*dir);
    TANK_TRY(remove_below(*dir, deadline));
  }
}

} // namespace

result<void> remove_cgroup(const cgroup_tree& tree, const fs::path& name) {
  if (name.empty()) return {};
  const auto deadline = clock::now() + std::chrono::milliseconds{cgroup_patience_ms};
  // The one that can forbid forks comes first.
  std::vector<const cgroup_hierarchy*> order;
  for (const auto& h : tree.hierarchies)
    order.push_back(&h);
  std::stable_partition(order.begin(), order.end(), [](const cgroup_hierarchy* h) {
    return std::find(h->controllers.begin(), h->controllers.end(), "pids") != h->controllers.end();
  });
  result<void> outcome;
  for (const auto* h : order)
    if (auto gone = remove_in(*h, name, deadline); !gone && outcome) outcome = std::move(gone);
  return outcome;
}

result<void> remove_container_cgroup(const cgroup_tree& tree, const fs::path& pod,
                                     const std::string& container) {
  if (pod.empty()) return {};
  return remove_cgroup(tree, pod / container);
}

} // namespace tank::kernel
