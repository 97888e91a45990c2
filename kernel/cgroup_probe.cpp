#include "kernel/cgroup_probe.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <array>
#include <map>

#include <sys/xattr.h>

namespace tank::kernel {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 4> wanted{"cpu", "cpuacct", "memory", "pids"};
constexpr const char* default_root = "/tank";

struct cgroup_mount {
  bool unified = false;
  fs::path point;
  std::string root; ///< which cgroup is mounted there
  std::vector<std::string> options;
};

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(by), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// mountinfo writes blanks and backslashes as \ooo.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digits = text.substr(i + 1, 3);
    if (text[i] == '\\' && digits.size() == 3 &&
        digits.find_first_not_of("01234567") == std::string_view::npos) {
      out += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// proc(5): "36 35 98:0 /root /point rw,noatime master:1 - type source options"
std::vector<cgroup_mount> cgroup_mounts(std::string_view text) {
  std::vector<cgroup_mount> out;
  for (const auto line : split(text, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto front = split(line.substr(0, dash), ' ');
    const auto back = split(line.substr(dash + 3), ' ');
    if (front.size() < 6 || back.size() < 3) continue;
    if (back[0] != "cgroup" && back[0] != "cgroup2") continue;
    cgroup_mount m{back[0] == "cgroup2", unescaped(front[4]), unescaped(front[3]), {}};
    for (const auto option : split(back[2], ','))
      m.options.emplace_back(option);
    out.push_back(std::move(m));
  }
  return out;
}

/// Our cgroup by controller ("" is v2's, "name=systemd" systemd's own).
std::map<std::string, std::string, std::less<>> own_cgroups(std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  for (const auto line : split(text, '\n')) {
    const auto a = line.find(':');
    const auto b = line.find(':', a + 1);
    if (a == std::string_view::npos || b == std::string_view::npos) continue;
    const auto path = std::string{line.substr(b + 1)};
    const auto names = line.substr(a + 1, b - a - 1);
    if (names.empty()) out.emplace("", path);
    for (const auto name : split(names, ','))
      out.emplace(name, path);
  }
  return out;
}

/// The directory of cgroup `path` below the mount; empty when that shows another part.
fs::path directory_of(const cgroup_mount& m, const std::string& path) {
  if (m.root == "/") return (m.point / fs::path{path}.relative_path()).lexically_normal();
  const auto inside = fs::path{path}.lexically_relative(m.root);
  if (inside.empty() || *inside.begin() == "..") return {};
  return inside == "." ? m.point : m.point / inside;
}

/// The cgroup that was handed over to us, below the mount: the one we are in, or the one above it
/// when systemd put us into a group of its own there (DelegateSubgroup=). Empty: none.
fs::path delegated_in(const cgroup_mount& m, const std::string& path,
                      const std::function<bool(const fs::path&)>& delegated) {
  const auto own = directory_of(m, path);
  if (own.empty() || own == m.point || !delegated) return {};
  if (delegated(own)) return own;
  const auto above = own.parent_path();
  return above != m.point && delegated(above) ? above : fs::path{};
}

result<fs::path> checked_root(const fs::path& root) {
  const auto normal = root.lexically_normal();
  if (!root.is_absolute() || std::find(root.begin(), root.end(), "..") != root.end() ||
      normal == "/")
    return fail(errc::invalid, "use cgroupRoot", root,
                "it must be a path from the root of the cgroup hierarchies, such as /tank");
  return normal.has_filename() ? normal : normal.parent_path();
}

} // namespace

result<cgroup_tree> lay_out_cgroups(const cgroup_view& host, const fs::path& root) {
  const bool chosen = !root.empty();
  const auto name = chosen ? TANK_TRY(checked_root(root)) : fs::path{default_root};
  const auto mounts = cgroup_mounts(host.mounts);
  const auto own = own_cgroups(host.own);
  const auto own_path = [&](std::string_view controller) {
    const auto it = own.find(controller);
    return it == own.end() ? std::string{"/"} : it->second;
  };
  cgroup_tree tree;
  tree.chosen = chosen;
  bool handed_over = false; // by v1's manager, in a hierarchy without controllers
  for (const auto& m : mounts)
    if (!m.unified && !chosen &&
        std::find(m.options.begin(), m.options.end(), "name=systemd") != m.options.end())
      handed_over = delegated_in(m, own_path("name=systemd"), host.delegated) ==
                        directory_of(m, own_path("name=systemd")) &&
                    directory_of(m, own_path("name=systemd")) != m.point;
  for (const auto& m : mounts) {
    if (m.unified) continue;
    cgroup_hierarchy h{{}, m.point, m.point / name.relative_path()};
    for (const auto c : wanted)
      if (std::find(m.options.begin(), m.options.end(), c) != m.options.end() && !tree.has(c))
        h.controllers.emplace_back(c);
    if (h.controllers.empty()) continue;
    if (handed_over)
      if (const auto mine = directory_of(m, own_path(h.controllers.front())); !mine.empty())
        h.directory = mine;
    tree.version = cgroup_version::v1;
    tree.hierarchies.push_back(std::move(h));
  }
  if (tree.version == cgroup_version::v1) return tree;
  const auto unified =
      std::find_if(mounts.begin(), mounts.end(), [](const auto& m) { return m.unified; });
  if (unified == mounts.end()) return tree;
  cgroup_hierarchy h{
      {"cpu", "memory", "pids"}, unified->point, unified->point / name.relative_path()};
  if (const auto mine = delegated_in(*unified, own_path(""), host.delegated);
      !chosen && !mine.empty())
    h.directory = mine;
  tree.version = cgroup_version::v2;
  tree.hierarchies.push_back(std::move(h));
  return tree;
}

static bool is_delegated(const fs::path& dir) {
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    char value = 0;
    if (::getxattr(dir.c_str(), name, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

result<cgroup_tree> probe_cgroups(const fs::path& root) {
  const auto mounts = TANK_TRY(read_file("/proc/self/mountinfo", std::size_t{16} << 20));
  const auto own = TANK_TRY(read_file("/proc/self/cgroup", std::size_t{1} << 20));
  auto tree = TANK_TRY(lay_out_cgroups({mounts, own, is_delegated}, root));
  if (tree.version != cgroup_version::v2) return tree;
  // Which of them the kernel has and the root's owner lets us have.
  auto& h = tree.hierarchies.front();
  std::string words = " ";
  words += TANK_TRY(read_file(h.mount / "cgroup.controllers", 4096));
  std::replace(words.begin(), words.end(), '\n', ' ');
  std::erase_if(h.controllers,
                [&](const auto& c) { return words.find(" " + c + " ") == std::string::npos; });
  return tree;
}

} // namespace tank::kernel
