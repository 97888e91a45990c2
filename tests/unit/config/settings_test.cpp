#include "config/settings.hpp"

#include <doctest/doctest.h>

#include <map>

namespace settings_test {

using namespace tank;
using namespace tank::config;

namespace {

environment from(std::map<std::string, std::string> vars) {
  return [vars = std::move(vars)](const std::string& name) -> std::optional<std::string> {
    const auto at = vars.find(name);
    return at == vars.end() ? std::nullopt : std::optional{at->second};
  };
}

result<settings> file_says(std::string_view text) {
  return resolve_settings({}, from({}), text, "tank.yaml", "/home");
}

} // namespace

TEST_CASE("without flags, environment and file the defaults hold") {
  CHECK(*file_says("") == settings{});
}

TEST_CASE("a flag beats the environment, the environment the file, the file the default") {
  settings_overrides flags;
  flags.run_dir = "/flag";
  const auto env = from({{"TANK_RUN_DIR", "/env"}, {"TANK_LOG_DIR", "/env"}});
  const auto got = resolve_settings(flags, env, "runDir: /file\nlogDir: /file\nstateDir: /file\n",
                                    "tank.yaml", "/home");
  REQUIRE(got);
  CHECK(got->dirs.run_dir == "/flag");
  CHECK(got->dirs.log_dir == "/env");
  CHECK(got->dirs.state_dir == "/file");
  CHECK(got->dirs.manifest_dir == directories{}.manifest_dir);
}

TEST_CASE("a cgroup root is chosen like a directory, and is none") {
  const auto env = from({{"TANK_CGROUP_ROOT", "/env"}});
  settings_overrides flags;
  CHECK(resolve_settings(flags, env, "cgroupRoot: /file", "", "/home")->cgroup_root == "/env");
  flags.cgroup_root = "flag";
  CHECK(resolve_settings(flags, env, "cgroupRoot: /file", "", "/home")->cgroup_root == "flag");
  CHECK(file_says("cgroupRoot: /file")->cgroup_root == "/file");
}

TEST_CASE("a relative directory of a flag is taken from where the command runs") {
  settings_overrides flags;
  flags.state_dir = "a/../b";
  CHECK(resolve_settings(flags, from({}), "", "", "/home")->dirs.state_dir == "/home/b");
  CHECK(file_says("stateDir: b").error().message() ==
        "cannot read settings 'tank.yaml:1:11': stateDir: must be an absolute path");
}

TEST_CASE("an empty environment variable counts as unset") {
  CHECK(*resolve_settings({}, from({{"TANK_RUN_DIR", ""}}), "", "", "/") == settings{});
}

TEST_CASE("every wrong settings file says where and why") {
  CHECK(file_says("runDri: /x").error().message() ==
        "cannot read settings 'tank.yaml:1:1': runDri: unknown field");
  CHECK(file_says("runDir: 3").error().message() ==
        "cannot read settings 'tank.yaml:1:9': runDir: expected string, got number");
  CHECK(file_says("backoff: slow").error().code == errc::invalid);
  CHECK(file_says("logLevel: loud").error().code == errc::invalid);
  CHECK(file_says("- a").error().code == errc::invalid);
  CHECK(file_says("a: [").error().code == errc::invalid);
  CHECK(file_says("runDir: /a\nrunDir: /b").error().code == errc::invalid);
}

TEST_CASE("a settings file that was named must exist, the default one need not") {
  settings_overrides flags;
  CHECK_FALSE(choose_settings_file(flags, from({})).required);
  const auto by_env = choose_settings_file(flags, from({{"TANK_CONFIG", "/e"}}));
  CHECK(by_env.required);
  CHECK(by_env.path == "/e");
  flags.config = "/f";
  CHECK(choose_settings_file(flags, from({{"TANK_CONFIG", "/e"}})).path == "/f");
}

} // namespace settings_test
