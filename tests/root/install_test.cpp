// What `meson install` installs, and programs of others built against it: the examples.
#include "base/paths.hpp"
#include "tests/root/host_fixture.hpp"
#include "tests/root/host_snapshot.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace install_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

constexpr int build_ms = 900'000; // only keeps a broken build from hanging

std::string env(const char* name) {
  const char* value = std::getenv(name);
  REQUIRE_MESSAGE(value != nullptr, name);
  return value;
}

/// An installation in a scratch directory, made once for all cases.
struct installation {
  fs::path root;
  fs::path prefix;

  installation() {
    std::string name = (fs::temp_directory_path() / "tank-install-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    fs::permissions(root, fs::perms{0755}); // programs in it run as nobody
    prefix = root.string() + "/to" + env("TANK_PREFIX");
    must_run({"meson", "install", "-C", env("TANK_BUILD"), "--no-rebuild", "--quiet", "--destdir",
              (root / "to").string()});
    for (const auto* pc :
         {"tank.pc", "tank-otp.pc"}) { // they say where it would be without DESTDIR
      const auto file = prefix / env("TANK_LIBDIR") / "pkgconfig" / pc;
      auto text = file_text(file);
      const auto line = "prefix=" + env("TANK_PREFIX") + "\n";
      REQUIRE(text.find(line) != std::string::npos);
      text.replace(text.find(line), line.size(), "prefix=" + prefix.string() + "\n");
      std::ofstream(file) << text;
    }
  }
  ~installation() { fs::remove_all(root); }
  installation(const installation&) = delete;
  installation& operator=(const installation&) = delete;

  /// Runs a program found in PATH; what it wrote.
  [[nodiscard]] output run(std::vector<std::string> argv) const {
    argv.insert(argv.begin(), "/usr/bin/env");
    std::vector<std::string> variables{"PATH=" + env("PATH"), "HOME=/nonexistent", "LC_ALL=C.UTF-8",
                                       "PKG_CONFIG_PATH=" +
                                           (prefix / env("TANK_LIBDIR") / "pkgconfig").string()};
    if (const char* cache = std::getenv("CCACHE_DIR"))
      variables.push_back(std::string{"CCACHE_DIR="} + cache);
    child c{argv, variables};
    output o;
    o.code = c.wait(build_ms);
    o.out = c.out;
    o.err = c.err;
    return o;
  }
  std::string must_run(const std::vector<std::string>& argv) const {
    const auto got = run(argv);
    std::string words;
    for (const auto& w : argv)
      words += w + " ";
    REQUIRE_MESSAGE(got.code == 0, words, "\n", got.out, got.err);
    return got.out;
  }
  /// Builds an example as a user would; its build directory.
  [[nodiscard]] fs::path build(const std::string& example) const {
    const auto to = root / example;
    must_run({"meson", "setup", "--buildtype=debug", "-Ddebug=false", to.string(),
              env("TANK_SOURCE") + "/examples/" + example});
    must_run({"ninja", "-j", "1", "-C", to.string()});
    return to;
  }
};

const installation& installed() {
  static const installation once;
  return once;
}

/// Runs it as somebody who may nothing.
std::string as_nobody(const std::string& program) {
  return installed().must_run(
      {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program});
}

} // namespace

TEST_CASE("meson install puts everything where it belongs") {
  const auto& to = installed();
  const fs::path lib = env("TANK_LIBDIR");
  for (const fs::path& file :
       {fs::path{"bin/tank"}, fs::path{"libexec/tank/tank-shim"}, lib / "libtank.a",
        lib / "libtank_otp.a", lib / "pkgconfig/tank.pc", lib / "pkgconfig/tank-otp.pc",
        fs::path{"lib/systemd/system/tank.service"}, fs::path{"include/tank/api/start.hpp"},
        fs::path{"include/tank/actors/supervision/supervisor.hpp"},
        fs::path{"include/tank/testing/script.hpp"}, fs::path{"share/man/man1/tank.1"},
        fs::path{"share/man/man5/tank.yaml.5"}, fs::path{"share/man/man7/tank-pod.7"}}) {
    CAPTURE(file.string());
    CHECK(fs::is_regular_file(to.prefix / file));
  }
  CHECK(to.must_run({(to.prefix / "bin/tank").string(), "version"}).find('.') != std::string::npos);
  CHECK(file_text(to.prefix / "lib/systemd/system/tank.service")
            .find(env("TANK_PREFIX") + "/bin/tank daemon") != std::string::npos);
  const auto shim = to.must_run({"pkg-config", "--variable=shim", "tank"});
  CHECK(fs::equivalent(shim.substr(0, shim.find('\n')), to.prefix / "libexec/tank/tank-shim"));
}

TEST_CASE("installed headers need no directory of an embedder's include path but their own") {
  const auto& to = installed();
  const std::regex ours{"#include \"([a-z]+/[^\"]+)\""};
  int includes = 0;
  for (const auto& e : fs::recursive_directory_iterator(to.prefix / "include/tank")) {
    if (!e.is_regular_file()) continue;
    const auto text = file_text(e.path());
    for (std::sregex_iterator it{text.begin(), text.end(), ours}, end; it != end; ++it) {
      const auto name = (*it)[1].str();
      CAPTURE(e.path().string());
      CHECK(name.find("tank/") == 0);
      CHECK(fs::exists(to.prefix / "include" / name));
      ++includes;
    }
  }
  CHECK(includes > 100);
}

TEST_CASE("the supervisor's header knows nothing of pods") {
  const auto& to = installed();
  const auto probe = to.root / "probe.cpp";
  std::ofstream(probe)
      << "#include <tank/actors/role.hpp>\n#include <tank/actors/supervision/supervisor.hpp>\n"
         "#include <tank/actors/supervision/messages.hpp>\n";
  const auto all = to.must_run(
      {"g++", "-std=c++20", "-M", "-I", (to.prefix / "include").string(), probe.string()});
  for (const auto* not_ours :
       {"tank/config/", "tank/kernel/", "tank/oci/", "tank/pod/", "tank/api/",
        "actors/messages.hpp", "spdlog", "yaml-cpp", "nlohmann"})
    CHECK_MESSAGE(all.find(not_ours) == std::string::npos, not_ours);
  CHECK(all.find("tank/base/stop_reason.hpp") != std::string::npos);
}

TEST_CASE("a program that uses the supervisor alone builds, and runs as nobody") {
  const auto at = installed().build("supervise");
  const auto said = as_nobody((at / "supervise").string());
  for (const auto* line :
       {"100 / 5 = 20\n", "100 / 0: no answer\n", "another divider\n",
        "supervisor: child second: abnormal exception: division by zero\n", "100 / 4 = 25\n"})
    CHECK_MESSAGE(said.find(line) != std::string::npos, said); // two threads write
  CHECK_MESSAGE(said.ends_with("stopped\n"), said);
  const auto tested = as_nobody((at / "supervise_test").string());
  CHECK_MESSAGE(tested.find("1 passed") != std::string::npos, tested);
}

TEST_CASE("a program with pods inside builds, runs them and leaves nothing") {
  const auto at = installed().build("embed");
  const auto home = installed().root / "home";
  const auto rootfs = installed().root / "rootfs";
  fs::create_directories(home);
  for (const auto* dir : {"bin", "etc", "proc", "dev", "sys", "tmp"})
    fs::create_directories(rootfs / dir);
  fs::copy_file("/bin/busybox", rootfs / "bin/busybox");
  const instance_traces owned{.dirs = {home / "run", home / "state/pods"},
                              .cgroups = {directories{.run_dir = home / "run"}.instance()}};
  const auto before = take_snapshot(owned);
  const auto said = installed().must_run({(at / "embed").string(), home.string(), rootfs.string()});
  CHECK(said == "default/service runs\n"
                "its pid is as told\n"
                "default/job runs\n"
                "default/job exited 3\n"
                "default/job runs\n"
                "default/job exited 3\n"
                "default/service exited 0\n"
                "done\n");
  CHECK(difference(before, take_snapshot(owned)) == "");
  CHECK_FALSE(fs::exists(home / "run"));
}

TEST_CASE("the code in the document on embedding is that of the examples") {
  const auto document = file_text(env("TANK_SOURCE") + "/doc/embedding.md");
  std::string examples;
  for (const auto* file : {"embed/embed.cpp", "supervise/supervise.cpp",
                           "supervise/supervise_test.cpp", "embed/meson.build"})
    examples += file_text(env("TANK_SOURCE") + "/examples/" + file);
  int blocks = 0;
  for (auto at = document.find("```cpp\n"); at != std::string::npos;
       at = document.find("```cpp\n", at + 1)) {
    const auto text = document.substr(at + 7, document.find("```", at + 7) - at - 7);
    CHECK_MESSAGE(examples.find(text) != std::string::npos, text);
    ++blocks;
  }
  CHECK(blocks >= 3);
}

} // namespace install_test
