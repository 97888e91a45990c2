// A Tank's own directories, with a kernel that makes cgroups as plain directories.
#include "api/instance_dirs.hpp"
#include "base/file.hpp"
#include "tests/actor/cgroup_recorder.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

namespace instance_dirs_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// Makes what is missing, once its record was looked at.
struct plain_kernel : cgroup_recorder {
  directories dirs;
  std::string recorded; ///< as it begins to make
  bool fails = false;

  result<std::vector<fs::path>> open_cgroups(const cgroup_tree& tree,
                                             const std::string& instance) override {
    recorded = read_file(dirs.cgroups_file(), 10'000).value_or("");
    if (fails) return fail(errc::denied, "make cgroup", instance, "not ours");
    std::vector<fs::path> made;
    for (const auto& h : tree.hierarchies)
      for (const auto& dir : {h.directory, h.directory / instance})
        if (fs::create_directory(dir)) made.push_back(dir);
    return made;
  }
};

struct world {
  fs::path root = [] {
    auto name = (fs::temp_directory_path() / "tank-dirs-XXXXXX").string();
    return fs::path{::mkdtemp(name.data())};
  }();
  std::shared_ptr<plain_kernel> kernel = std::make_shared<plain_kernel>();
  directories dirs = [this] {
    directories d{.state_dir = root / "state", .run_dir = root / "run", .log_dir = root / "log"};
    d.cgroups.version = cgroup_version::v1;
    for (const auto* name : {"cpu", "memory"}) {
      const auto mount = root / name;
      fs::create_directory(mount);
      d.cgroups.hierarchies.push_back({{name}, mount, mount / "tank"});
    }
    return d;
  }();
  world() { kernel->dirs = dirs; }
  ~world() { fs::remove_all(root); }
  auto open() { return instance_dirs::open(dirs, kernel, nullptr, true, nullptr); }
  std::string all_of_it() const {
    std::string text;
    for (const auto& h : dirs.cgroups.hierarchies)
      text += h.directory.string() + "\n" + (h.directory / dirs.instance()).string() + "\n";
    return text;
  }
};

} // namespace

TEST_CASE("cgroups are on record before they are made: a daemon may be killed at once") {
  world w;
  REQUIRE(w.open());
  CHECK(w.kernel->recorded == w.all_of_it());
  for (const auto& h : w.dirs.cgroups.hierarchies)
    CHECK(!fs::exists(h.directory)); // the last one has gone
}

TEST_CASE("whoever is last removes the cgroups of one that was killed, and nobody else's") {
  world w;
  // The killed one had come so far, with the record of all.
  const auto& cpu = w.dirs.cgroups.hierarchies[0];
  const auto& memory = w.dirs.cgroups.hierarchies[1];
  fs::create_directories(cpu.directory / w.dirs.instance());
  fs::create_directory(memory.directory);
  fs::create_directories(w.dirs.run_dir);
  REQUIRE(write_file_atomic(w.dirs.cgroups_file(),
                            cpu.directory.string() + "\n" +
                                (cpu.directory / w.dirs.instance()).string() + "\n"));
  REQUIRE(w.open());
  CHECK(!fs::exists(cpu.directory));
  CHECK(fs::exists(memory.directory)); // on nobody's record
  CHECK(!fs::exists(memory.directory / w.dirs.instance()));
}

TEST_CASE("what could not be made is not on record any more") {
  world w;
  w.kernel->fails = true;
  auto own = w.open();
  REQUIRE(own);
  CHECK(read_file(w.dirs.cgroups_file(), 100).value().empty());
}

TEST_CASE("half a file of one that was killed is removed") {
  world w;
  fs::create_directories(w.dirs.run_dir);
  REQUIRE(write_new_file(w.dirs.run_dir / ".cgroups.tmp123.0", "/sys"));
  REQUIRE(w.open());
  CHECK(!fs::exists(w.dirs.run_dir / ".cgroups.tmp123.0"));
}

} // namespace instance_dirs_test
