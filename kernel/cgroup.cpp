#include "kernel/cgroup.hpp"

#include "kernel/cgroup_dir.hpp"
#include "kernel/cgroup_files.hpp"
#include "kernel/oom_count.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <unistd.h>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

constexpr const char* leaf_of_our_own = "daemon";

bool contains(const std::vector<std::string>& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" \n"), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

// --- controllers of v2 ---------------------------------------------------------------------------

/// Moves the processes of a cgroup into a child of it. Those that end or begin meanwhile are why it
/// is done until nobody is left.
result<void> move_into_leaf(const cgroup_dir& dir) {
  if (auto made = dir.make(leaf_of_our_own); !made && made.error().code != errc::exists)
    return made;
  const auto leaf = TANK_TRY(dir.child(leaf_of_our_own));
  for (int rounds = 0; rounds < 100; ++rounds) {
    const auto all = TANK_TRY(dir.processes());
    if (all.empty()) return {};
    for (const pid_t pid : all)
      if (const auto moved = leaf.write("cgroup.procs", std::to_string(pid)); !moved) {
        if (moved.error().sys != ESRCH) return moved;
      }
  }
  return fail(errc::conflict, "empty cgroup", dir.path(), "it gets new processes all the time");
}

/// The controllers that the children of `dir` shall have, as far as there are such.
result<void> hand_down(const cgroup_dir& dir, const std::vector<std::string>& controllers) {
  const auto own = words_of(TANK_TRY(dir.read("cgroup.controllers")));
  const auto given = words_of(TANK_TRY(dir.read("cgroup.subtree_control")));
  std::string order;
  for (const auto& c : controllers)
    if (contains(own, c) && !contains(given, c)) order += "+" + c + " ";
  if (order.empty()) return {};
  auto done = dir.write("cgroup.subtree_control", order);
  if (done || done.error().sys != EBUSY) return done;
  const auto all = TANK_TRY(dir.processes());
  if (std::find(all.begin(), all.end(), ::getpid()) == all.end())
    return fail(errc::conflict, "hand controllers down in cgroup", dir.path(),
                "processes that are not Tank's live in it", "choose another cgroupRoot");
  TANK_TRY(move_into_leaf(dir));
  return dir.write("cgroup.subtree_control", order);
}

// --- making --------------------------------------------------------------------------------------

/// The directories made so far; removed in reverse unless they are kept.
class made_dirs {
 public:
  made_dirs() = default;
  made_dirs(const made_dirs&) = delete;
  made_dirs& operator=(const made_dirs&) = delete;
  ~made_dirs() {
    for (auto at = paths_.rbegin(); at != paths_.rend(); ++at)
      ::rmdir(at->c_str());
  }
  void add(fs::path path) { paths_.push_back(std::move(path)); }
  std::vector<fs::path> keep() { return std::exchange(paths_, {}); }

 private:
  std::vector<fs::path> paths_;
};

result<void> open_hierarchy(const cgroup_hierarchy& h, cgroup_version version,
                            const std::string& instance, made_dirs& made) {
  auto at = TANK_TRY(cgroup_dir::open(h.mount));
  auto below = h.directory.lexically_relative(h.mount) / instance;
  for (const auto& part : below.lexically_normal()) {
    if (version == cgroup_version::v2) TANK_TRY(hand_down(at, h.controllers));
    if (auto fresh = at.make(part); fresh)
      made.add(at.path() / part);
    else if (fresh.error().code != errc::exists)
      return fresh;
    auto next = TANK_TRY(at.child(part));
    at = std::move(next);
  }
  return version == cgroup_version::v2 ? hand_down(at, h.controllers) : result<void>{};
}

/// Writes those of the settings that are this hierarchy's.
result<void> set_all(const cgroup_dir& dir, const cgroup_hierarchy& h,
                     const std::vector<cgroup_setting>& settings) {
  for (const auto& s : settings) {
    if (!contains(h.controllers, s.controller)) continue;
    auto written = dir.write(s.file, s.value);
    if (!written && (s.needed || written.error().code != errc::not_found)) return written;
  }
  return {};
}

result<void> make_member(const cgroup_tree& tree, const cgroup_hierarchy& h, const cgroup_dir& pod,
                         const pod_cgroup::member& container) {
  TANK_TRY(pod.make(container.name));
  const auto leaf = TANK_TRY(pod.child(container.name));
  return set_all(leaf, h, settings_of(tree.version, container.limits, true));
}

result<void> make_in(const cgroup_tree& tree, const cgroup_hierarchy& h, const pod_cgroup& pod) {
  auto instance = TANK_TRY(cgroup_dir::open(h.directory / pod.name.parent_path()));
  TANK_TRY(instance.make(pod.name.filename()));
  const auto own = TANK_TRY(instance.child(pod.name.filename()));
  if (tree.version == cgroup_version::v2) TANK_TRY(hand_down(own, h.controllers));
  TANK_TRY(set_all(own, h, settings_of(tree.version, pod.limits, false)));
  for (const auto& c : pod.containers)
    TANK_TRY(make_member(tree, h, own, c));
  return {};
}

result<void> check_controllers(const cgroup_tree& tree, const cgroup_limits& limits,
                               const std::string& of) {
  for (const auto& s : settings_of(tree.version, limits, false))
    if (s.needed && !tree.has(s.controller))
      return fail(errc::unsupported, "limit", of,
                  "this host has no cgroup controller '" + s.controller + "'");
  return {};
}

// --- changing ------------------------------------------------------------------------------------

/// One write of a change, and what undoes it.
struct change {
  const cgroup_dir* dir;
  cgroup_setting to;
  std::string before;
};

/// Which limit of a parent, a child and a second file must be changed first depends on whether they
/// grow or shrink; the kernel refuses the wrong order. So: whatever can be written, until all is.
result<void> apply(std::vector<change> open, std::vector<change>& done) {
  for (;;) {
    result<void> why;
    std::vector<change> refused;
    for (auto& c : open) {
      auto written = c.dir->write(c.to.file, c.to.value);
      if (written) {
        done.push_back(std::move(c));
        continue;
      }
      if (why) why = std::move(written);
      refused.push_back(std::move(c));
    }
    if (refused.empty()) return {};
    if (refused.size() == open.size()) return why;
    open = std::move(refused);
  }
}

/// v2 kills when memory.max falls below what is in use, where v1 refuses. So v2 is told by
/// memory.high first, which takes back what can be had and slows down who wants more. It is for the
/// length of the change only.
class slowdown {
 public:
  slowdown() = default;
  slowdown(const slowdown&) = delete;
  slowdown& operator=(const slowdown&) = delete;
  ~slowdown() {
    for (const auto* dir : dirs_)
      static_cast<void>(dir->write("memory.high", "max"));
  }
  void add(const cgroup_dir& dir, std::uint64_t bytes) {
    dirs_.push_back(&dir);
    static_cast<void>(dir.write("memory.high", std::to_string(bytes))); // what is in use tells
  }

 private:
  std::vector<const cgroup_dir*> dirs_;
};

std::uint64_t amount_in(const cgroup_dir& dir, std::string_view file) {
  const auto text = dir.read(file);
  return text ? parse_amount(*text).value_or(0) : 0;
}

/// What a smaller limit has to hold.
std::uint64_t memory_in_use(const cgroup_tree& tree, const cgroup_dir& dir) {
  if (tree.version == cgroup_version::v2)
    return amount_in(dir, "memory.current") + amount_in(dir, "memory.swap.current");
  cgroup_contents files;
  for (const auto& f : stats_files(tree.version))
    if (f.controller == "memory")
      if (auto text = dir.read(f.file)) files.emplace(f.file, *std::move(text));
  return stats_of(tree.version, files).memory_working_set.value_or(0);
}

result<void> check_memory(const cgroup_tree& tree, const cgroup_dir& dir,
                          const cgroup_limits& limits, slowdown& slow) {
  if (!limits.memory) return {};
  const bool v2 = tree.version == cgroup_version::v2;
  const auto limit = dir.read(v2 ? "memory.max" : "memory.limit_in_bytes");
  const auto now = limit ? parse_amount(*limit) : std::nullopt;
  if (now && *now <= *limits.memory) return {}; // it is not lowered
  if (v2) slow.add(dir, *limits.memory);
  const auto used = memory_in_use(tree, dir);
  if (used <= *limits.memory) return {};
  return fail(errc::conflict, "limit the memory of", dir.path(),
              "it uses " + std::to_string(used) + " bytes, more than " +
                  std::to_string(*limits.memory));
}

result<void> collect(const cgroup_tree& tree, const cgroup_hierarchy& h, const cgroup_dir& dir,
                     const cgroup_limits& limits, slowdown& slow, std::vector<change>& out) {
  if (contains(h.controllers, "memory")) TANK_TRY(check_memory(tree, dir, limits, slow));
  for (auto& s : all_settings_of(tree.version, limits)) {
    if (!contains(h.controllers, s.controller)) continue;
    auto before = dir.read(s.file);
    if (!before && before.error().code == errc::not_found && !s.needed) continue;
    auto text = TANK_TRY(std::move(before));
    while (!text.empty() && text.back() == '\n')
      text.pop_back();
    if (text != s.value) out.push_back({&dir, std::move(s), std::move(text)});
  }
  return {};
}

} // namespace

result<std::vector<fs::path>> open_cgroups(const cgroup_tree& tree, const std::string& instance) {
  made_dirs made;
  for (const auto& h : tree.hierarchies)
    TANK_TRY(open_hierarchy(h, tree.version, instance, made));
  return made.keep();
}

result<void> make_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) {
  TANK_TRY(check_controllers(tree, pod.limits, "the pod"));
  for (const auto& c : pod.containers)
    TANK_TRY(check_controllers(tree, c.limits, c.name));
  for (std::size_t i = 0; i < tree.hierarchies.size(); ++i) {
    auto made = make_in(tree, tree.hierarchies[i], pod);
    if (made) continue;
    // In the hierarchies so far it is ours; in this one only if it was not there already.
    cgroup_tree ours = tree;
    const bool strangers = made.error().code == errc::exists;
    ours.hierarchies.resize(i + (strangers ? 0 : 1));
    static_cast<void>(remove_cgroup(ours, pod.name));
    return made;
  }
  return {};
}

result<void> make_container_cgroup(const cgroup_tree& tree, const fs::path& pod,
                                   const pod_cgroup::member& container) {
  TANK_TRY(check_controllers(tree, container.limits, container.name));
  TANK_TRY(remove_container_cgroup(tree, pod, container.name));
  for (const auto& h : tree.hierarchies) {
    const auto make = [&]() -> result<void> {
      const auto own = TANK_TRY(cgroup_dir::open(h.directory / pod));
      return make_member(tree, h, own, container);
    };
    auto made = make();
    if (made) continue;
    static_cast<void>(remove_container_cgroup(tree, pod, container.name));
    return made;
  }
  return {};
}

result<void> update_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) {
  TANK_TRY(check_controllers(tree, pod.limits, "the pod"));
  for (const auto& c : pod.containers)
    TANK_TRY(check_controllers(tree, c.limits, c.name));
  std::vector<std::unique_ptr<cgroup_dir>> dirs;
  slowdown slow; // after dirs, whose are slowed
  std::vector<change> wanted;
  for (const auto& h : tree.hierarchies) {
    const auto add = [&](cgroup_dir dir, const cgroup_limits& limits) -> result<void> {
      dirs.push_back(std::make_unique<cgroup_dir>(std::move(dir)));
      return collect(tree, h, *dirs.back(), limits, slow, wanted);
    };
    auto own = TANK_TRY(cgroup_dir::open(h.directory / pod.name));
    for (const auto& c : pod.containers) {
      auto leaf = TANK_TRY(own.child(c.name));
      TANK_TRY(add(std::move(leaf), c.limits));
    }
    TANK_TRY(add(std::move(own), pod.limits));
  }
  std::vector<change> done;
  auto applied = apply(std::move(wanted), done);
  if (applied) return {};
  std::vector<change> back;
  for (auto& c : done)
    back.push_back({c.dir, {c.to.controller, c.to.file, c.before}, {}});
  std::vector<change> ignored;
  static_cast<void>(apply(std::move(back), ignored));
  return applied;
}

result<cgroup_stats> read_cgroup(const cgroup_tree& tree, const fs::path& name) {
  cgroup_contents files;
  for (const auto& h : tree.hierarchies) {
    const auto dir = TANK_TRY(cgroup_dir::open(h.directory / name));
    for (const auto& f : stats_files(tree.version)) {
      if (!contains(h.controllers, f.controller)) continue;
      if (auto text = dir.read(f.file))
        files.insert_or_assign(std::string{f.file}, *std::move(text));
    }
  }
  return stats_of(tree.version, files);
}

std::uint64_t count_oom_kills(const cgroup_tree& tree, const fs::path& name) {
  for (const auto& h : tree.hierarchies) {
    if (!contains(h.controllers, "memory")) continue;
    const auto dir = cgroup_dir::open(h.directory / name);
    const auto text = dir ? dir->read(oom_file(tree.version)) : failure{dir.error()};
    return text ? count_oom_kills_in(*text) : 0;
  }
  return 0;
}

} // namespace tank::kernel
