/// What the rootfs suites share: images made of directories, containers that run the witness in
/// them, and what it said.
#pragma once

#include "kernel/container_defaults.hpp"
#include "tests/root/shim_fixture.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace tank::kernel {

inline std::filesystem::path witness_program() {
  const char* path = std::getenv("TANK_WITNESS"); // set by the build for its own tests
  return path != nullptr ? path : "tests/root/witness/witness";
}

inline void put(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream{path} << text;
}

/// Every file below `dir`: path, mode, owner, size, link target or content. What must not change.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& dir) {
  std::map<std::string, std::string> out;
  for (const auto& e : std::filesystem::recursive_directory_iterator(dir)) {
    struct stat st {};
    REQUIRE(::lstat(e.path().c_str(), &st) == 0);
    std::string& text = out[std::filesystem::relative(e.path(), dir)];
    text = std::to_string(st.st_mode) + " " + std::to_string(st.st_uid) + " " +
           std::to_string(st.st_mtim.tv_sec) + "." + std::to_string(st.st_mtim.tv_nsec) + " ";
    if (S_ISREG(st.st_mode)) text += slurp(e.path());
    if (S_ISLNK(st.st_mode)) text += std::filesystem::read_symlink(e.path());
  }
  return out;
}

/// How a container ended and what it said.
struct outcome {
  std::string out;
  std::string err;
  int code = -1; ///< of an exit; -1 when it did not exit
  std::optional<failed_event> failed;
};

/// The text of one stream of a CRI log: partial lines joined, full ones ended.
inline std::string stream_of(const std::filesystem::path& log, std::string_view stream) {
  std::ifstream in{log};
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const auto a = line.find(' ');
    const auto b = line.find(' ', a + 1);
    const auto c = line.find(' ', b + 1);
    REQUIRE(c != std::string::npos);
    if (std::string_view(line).substr(a + 1, b - a - 1) != stream) continue;
    out += line.substr(c + 1);
    if (line[b + 1] == 'F') out += '\n';
  }
  return out;
}

/// create, build, proceed of the next attempt, and on to the terminal event.
inline outcome run_to_end(session& pod, const launch_plan& wanted) {
  const auto p = as_next(pod, wanted);
  const auto who = instance_of(p);
  REQUIRE(pod.create(p));
  REQUIRE(pod.build(who));
  outcome o;
  for (bool over = false; !over;) {
    const auto event = await(pod);
    if (std::holds_alternative<built_event>(event)) REQUIRE(pod.proceed(who));
    if (const auto* e = std::get_if<exited_event>(&event)) o.code = e->code;
    if (const auto* f = std::get_if<failed_event>(&event)) o.failed = *f;
    over = std::holds_alternative<exited_event>(event) ||
           std::holds_alternative<signaled_event>(event) ||
           std::holds_alternative<aborted_event>(event) ||
           std::holds_alternative<failed_event>(event);
    REQUIRE(!std::holds_alternative<session_down_event>(event));
    // A build that crossed the end of its attempt is refused, as it should be.
    if (const auto* no = std::get_if<refused_event>(&event)) REQUIRE(no->about == request::build);
  }
  if (std::filesystem::exists(p.log.path)) {
    o.out = stream_of(p.log.path, "stdout");
    o.err = stream_of(p.log.path, "stderr");
  }
  if (o.failed) {
    MESSAGE("failed: cannot " << o.failed->step << " '" << o.failed->object
                              << "': " << errno_text(o.failed->sys));
  }
  return o;
}

/// One pod's session, and images to run in it.
struct rootfs_room : shim_room {
  std::unique_ptr<session> pod;
  int containers = 0;

  explicit rootfs_room(bool host_network = false) {
    make_layer("base");
    pod = start(host_network);
  }
  ~rootfs_room() { finish(*pod); }

  [[nodiscard]] std::filesystem::path layer(const std::string& name) const {
    return dir / "layers" / name;
  }

  /// A layer that holds /bin/witness and nothing else.
  std::filesystem::path make_layer(const std::string& name) const {
    std::filesystem::create_directories(layer(name) / "bin");
    std::filesystem::copy_file(witness_program(), layer(name) / "bin/witness");
    return layer(name);
  }

  /// Overlay of `layers` (top first) with a fresh upper, the standard mounts, `volumes`.
  launch_plan plan(std::vector<std::string> argv, std::vector<std::string> layers = {"base"},
                   const default_mounts_options& options = {}, std::vector<step> volumes = {}) {
    const std::string name = "c" + std::to_string(containers++);
    // A name may be taken again when its container has ended; a shim keeps few.
    launch_plan p{.container = "web" + std::to_string(containers % 4)};
    overlay_step root{.upper = dir / name / "upper", .work = dir / name / "work"};
    REQUIRE(std::filesystem::create_directories(root.upper));
    REQUIRE(std::filesystem::create_directories(root.work));
    for (const auto& l : layers)
      root.lower.push_back(layer(l));
    p.steps = {std::move(root)};
    for (auto& s : standard_mounts(options, std::move(volumes)))
      p.steps.push_back(std::move(s));
    p.process.argv = std::move(argv);
    p.process.argv.insert(p.process.argv.begin(), "/bin/witness");
    p.process.env = {"PATH=/bin"};
    p.log.path = dir / name / "log";
    return p;
  }

  /// The container's own directory: upper, work, log.
  [[nodiscard]] static std::filesystem::path home(const launch_plan& p) {
    return p.log.path.parent_path();
  }
  [[nodiscard]] static std::filesystem::path upper(const launch_plan& p) {
    return home(p) / "upper";
  }

  outcome run_to_end(const launch_plan& p) { return kernel::run_to_end(*pod, p); }

  /// The words of a chain of verbs, which must exit with 0.
  std::string hear(const launch_plan& p) {
    const outcome o = run_to_end(p);
    CHECK(o.err == "");
    REQUIRE(o.code == 0);
    return o.out;
  }
};

} // namespace tank::kernel
