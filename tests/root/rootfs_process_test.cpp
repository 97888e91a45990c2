#include "tests/root/rootfs_fixture.hpp"

#include <nlohmann/json.hpp>

#include <sys/resource.h>

namespace rootfs_process_test {

using namespace tank;
using namespace tank::kernel;
using nlohmann::json;

namespace {

/// The failure of a container whose root filesystem was built.
failed_event failure_of(rootfs_room& room, const launch_plan& plan) {
  const auto o = room.run_to_end(plan);
  REQUIRE(o.failed);
  CHECK(o.failed->step_index == -1);
  return *o.failed;
}

void check_failure(const failed_event& f, launch_failure code, const char* step,
                   const std::string& object, int sys) {
  CHECK(f.code == code);
  CHECK(f.step == step);
  CHECK(f.object == object);
  CHECK(f.sys == sys);
}

} // namespace

TEST_CASE("another user has its ids, its groups and no capability") {
  rootfs_room room;
  auto plan = room.plan({"report"});
  plan.process.uid = 1000;
  plan.process.gid = 1001;
  plan.process.groups = {5, 2000};
  plan.process.umask = 0027;
  plan.process.no_new_privs = true;
  const auto r = json::parse(room.hear(plan));
  CHECK(r.at("uid") == json::array({1000, 1000, 1000}));
  CHECK(r.at("gid") == json::array({1001, 1001, 1001}));
  CHECK(r.at("groups") == json::array({5, 2000}));
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    CHECK_MESSAGE(r.at("status").at(set) == "0000000000000000", set);
  CHECK(r.at("status").at("Umask") == "0027");
  CHECK(r.at("status").at("NoNewPrivs") == "1");
  CHECK(r.at("pdeathsig") == SIGKILL);
}

TEST_CASE("another user cannot write what is root's") {
  rootfs_room room;
  auto plan = room.plan({"write", "/bin/x", "y"});
  plan.process.uid = 1000;
  CHECK(room.run_to_end(plan).err == "witness: write /bin/x: errno 13\n");
}

TEST_CASE("a working directory that is missing is named, unless it shall be made") {
  rootfs_room room;
  auto plan = room.plan({"report"});
  plan.process.cwd = "/app/data";
  check_failure(failure_of(room, plan), launch_failure::enter_cwd, "change directory to",
                "/app/data", ENOENT);
  plan = room.plan({"report"});
  plan.process.cwd = "/app/data";
  plan.process.create_cwd = true;
  plan.process.umask = 0077;
  CHECK(json::parse(room.hear(plan)).at("cwd") == "/app/data");
  struct stat st {};
  REQUIRE(::stat((room.upper(plan) / "app").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0755);
}

TEST_CASE("a missing working directory is made in a read-only root, too") {
  rootfs_room room;
  default_mounts_options options;
  options.read_only_root = true;
  auto plan = room.plan({"report"}, {"base"}, options);
  plan.process.cwd = "/app/data";
  plan.process.create_cwd = true;
  CHECK(json::parse(room.hear(plan)).at("cwd") == "/app/data");
}

TEST_CASE("a working directory that is a file is refused") {
  rootfs_room room;
  auto plan = room.plan({"report"});
  plan.process.cwd = "/bin/witness";
  check_failure(failure_of(room, plan), launch_failure::enter_cwd, "change directory to",
                "/bin/witness", ENOTDIR);
}

TEST_CASE("a working directory may be one that only its user can enter") {
  rootfs_room room;
  auto plan = room.plan({"report"}, {"base"}, {}, {directory_step{"/home", 0700, 1000, 1000}});
  plan.process.cwd = "/home";
  plan.process.uid = 1000;
  CHECK(json::parse(room.hear(plan)).at("cwd") == "/home");
}

TEST_CASE("a command without a slash is found in the container's PATH") {
  rootfs_room room;
  auto plan = room.plan({"print", "found"});
  plan.process.argv[0] = "witness";
  plan.process.env = {"PATH=/nowhere:/etc/hosts:/bin"};
  CHECK(room.hear(plan) == "found\n");
  plan = room.plan({"print", "found"});
  plan.process.argv[0] = "witness";
  plan.process.env = {};
  CHECK(room.hear(plan) == "found\n");
}

TEST_CASE("a command that nobody knows is named") {
  rootfs_room room;
  auto plan = room.plan({});
  plan.process.argv = {"no-such-command"};
  check_failure(failure_of(room, plan), launch_failure::find_command, "find the command",
                "no-such-command", ENOENT);
  plan = room.plan({});
  plan.process.argv = {"/no/such/program"};
  check_failure(failure_of(room, plan), launch_failure::execute, "execute", "/no/such/program",
                ENOENT);
}

TEST_CASE("a command that may not be executed is told apart from one that is missing") {
  rootfs_room room;
  put(room.layer("base") / "sbin/tool", "not executable");
  auto plan = room.plan({});
  plan.process.argv = {"tool"};
  plan.process.env = {"PATH=/sbin:/bin"};
  check_failure(failure_of(room, plan), launch_failure::execute, "execute", "tool", EACCES);
  plan = room.plan({});
  plan.process.argv = {"/bin"};
  check_failure(failure_of(room, plan), launch_failure::execute, "execute", "/bin", EISDIR);
}

TEST_CASE("an unusable command earlier in PATH does not hide a good one") {
  rootfs_room room;
  put(room.layer("base") / "sbin/witness", "not executable");
  auto plan = room.plan({"print", "found"});
  plan.process.argv[0] = "witness";
  plan.process.env = {"PATH=/sbin:/bin"};
  CHECK(room.hear(plan) == "found\n");
}

TEST_CASE("a script whose interpreter is missing says so") {
  rootfs_room room;
  put(room.layer("base") / "bin/script", "#! /bin/bash -e\nexit 0\n");
  ::chmod((room.layer("base") / "bin/script").c_str(), 0755);
  for (const char* argv0 : {"script", "/bin/script"}) {
    auto plan = room.plan({});
    plan.process.argv = {argv0};
    check_failure(failure_of(room, plan), launch_failure::run_interpreter, "run the interpreter of",
                  "/bin/script (needs /bin/bash)", ENOENT);
  }
}

TEST_CASE("a file of no known format is refused, not handed to a shell") {
  rootfs_room room;
  put(room.layer("base") / "bin/text", "echo hello\n");
  ::chmod((room.layer("base") / "bin/text").c_str(), 0755);
  auto plan = room.plan({});
  plan.process.argv = {"text"};
  check_failure(failure_of(room, plan), launch_failure::execute, "execute", "/bin/text", ENOEXEC);
}

TEST_CASE("a resource limit is lowered; one that may not be raised is named") {
  rootfs_room room;
  auto plan = room.plan({"report"});
  plan.process.rlimits = {{RLIMIT_NOFILE, 16, 16}};
  CHECK(json::parse(room.hear(plan)).at("fds").size() == 3);
  plan = room.plan({});
  plan.process.rlimits = {{99, 1, 1}};
  check_failure(failure_of(room, plan), launch_failure::set_limits, "set the resource limit",
                "of unknown number", EINVAL);
  plan = room.plan({});
  plan.process.rlimits = {{RLIMIT_NOFILE, 2, 1}};
  check_failure(failure_of(room, plan), launch_failure::set_limits, "set the resource limit",
                "nofile", EINVAL);
}

} // namespace rootfs_process_test
