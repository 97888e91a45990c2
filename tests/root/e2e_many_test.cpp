// A hundred pods at once.
#include "tests/root/host_fixture.hpp"

#include <algorithm>
#include <set>

#include <csignal>

namespace e2e_many_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

TEST_CASE("100 pods from one directory all run; deleting their files stops all; nothing is left") {
  constexpr int count = 100;
  host h;
  const auto before = h.snapshot();
  for (int i = 0; i < count; ++i)
    h.put({.name = "p" + std::to_string(i),
           .command = {"/bin/witness", "print", "pod " + std::to_string(i), "--", "sleep"}});
  h.start_daemon();
  const auto running = h.await("all run", [&](const host::pods& now) {
    return now.size() == count && std::all_of(now.begin(), now.end(), [](const auto& p) {
             return p.second.state == pod_state::running;
           });
  });
  std::set<pid_t> pids;
  std::set<std::string> uids;
  for (const auto& [name, p] : running) {
    CAPTURE(name);
    pids.insert(p.host_pid);
    uids.insert(p.uid);
    CHECK(p.restarts == 0);
    CHECK(fs::exists("/proc/" + std::to_string(p.host_pid)));
  }
  CHECK(pids.size() == count);
  CHECK(uids.size() == count);
  for (int i = 0; i < count; i += 33) {
    const auto name = "p" + std::to_string(i);
    const auto log = h.log_dir(running.at(name)) / "0.log";
    CHECK(await_file(
        log, [&](const auto& text) { return text.ends_with("pod " + std::to_string(i) + "\n"); }));
  }
  for (int i = 0; i < count; ++i)
    h.remove("p" + std::to_string(i) + ".yaml");
  h.await("none is left", [](const host::pods& now) { return now.empty(); });
  for (const pid_t pid : pids)
    CHECK(!fs::exists("/proc/" + std::to_string(pid)));
  CHECK(fs::is_empty(h.dirs.pod_runs()));
  CHECK(fs::is_empty(h.dirs.pod_states()));
  h.stop_daemon();
  CHECK(difference(before, h.snapshot()) == "");
}

TEST_CASE("100 pods of tank up are stopped by one SIGTERM") {
  constexpr int count = 100;
  host h;
  const auto before = h.snapshot();
  for (int i = 0; i < count; ++i)
    h.put({.name = "p" + std::to_string(i)});
  const auto up = h.spawn({"up", h.dirs.manifest_dir.string()});
  REQUIRE_MESSAGE(up->await("all 100 pods are up"), up->out << up->err);
  up->signal(SIGTERM);
  CHECK_MESSAGE(up->wait() == 0, up->err);
  CHECK(difference(before, h.snapshot()) == "");
}

} // namespace e2e_many_test
