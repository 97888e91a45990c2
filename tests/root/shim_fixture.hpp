/// What the shim's suites share: a private run directory, a port, and waiting for events.
#pragma once

#include "kernel/port.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

namespace tank::kernel {

inline std::filesystem::path shim_program() {
  const char* path = std::getenv("TANK_SHIM"); // set by the build for its own tests
  return path != nullptr ? path : "kernel/shim/tank-shim";
}

inline std::size_t entries(const std::filesystem::path& dir) {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(dir))
    ++n;
  return n;
}

inline std::string slurp(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

/// The next event; fails the case when none comes in 10 s.
inline session_event await(session& s) {
  for (;;) {
    auto event = s.next_event();
    REQUIRE(event);
    if (*event) return **event;
    pollfd readable{s.poll_fd(), POLLIN, 0};
    REQUIRE_MESSAGE(::poll(&readable, 1, 10'000) == 1, "no event came");
  }
}

template <class Event>
Event expect(session& s) {
  const auto event = await(s);
  if (const auto* failed = std::get_if<failed_event>(&event);
      failed != nullptr && !std::is_same_v<Event, failed_event>)
    FAIL("failed: " << failed->step << " '" << failed->object << "' errno " << failed->sys);
  if (const auto* refused = std::get_if<refused_event>(&event);
      refused != nullptr && !std::is_same_v<Event, refused_event>)
    FAIL("refused: " << to_string(refused->why) << " " << refused->text);
  const auto* wanted = std::get_if<Event>(&event);
  REQUIRE_MESSAGE(wanted != nullptr, "another event came, kind " << event.index());
  return *wanted;
}

/// A shim that has made its namespaces.
inline std::unique_ptr<session> start(shims& kernel, const sandbox_spec& sandbox) {
  auto s = kernel.start_session(sandbox);
  if (!s) FAIL(s.error().message());
  const auto ready = expect<sandbox_ready_event>(**s);
  CHECK(ready.version == 2);
  CHECK((ready.network == nullptr) == sandbox.host_network);
  return std::move(*s);
}

/// What a new daemon does; up to the end of the shim's greeting.
inline std::unique_ptr<session> adopt(shims& kernel, const std::filesystem::path& run_dir) {
  auto s = kernel.adopt_session(run_dir);
  if (!s) FAIL(s.error().message());
  expect<sandbox_ready_event>(**s);
  expect<adopted_event>(**s);
  return std::move(*s);
}

/// A scratch directory with a pod's run directory in it.
struct shim_room {
  std::filesystem::path dir;
  std::unique_ptr<port> kernel = make_port(shim_program());

  shim_room() {
    char name[] = "/tmp/tank-shim-test.XXXXXX";
    dir = ::mkdtemp(name);
    std::filesystem::create_directory(dir / "run");
  }
  ~shim_room() {
    end_leftover_shim();
    CHECK(kernel->remove_tree(dir));
  }
  shim_room(const shim_room&) = delete;
  shim_room& operator=(const shim_room&) = delete;

  std::unique_ptr<session> start(bool host_network = true) {
    return kernel::start(
        *kernel,
        {.uid = "u1", .run_dir = dir / "run", .host_network = host_network, .hostname = "pod"});
  }
  [[nodiscard]] std::unique_ptr<session> adopt() const {
    return kernel::adopt(*kernel, dir / "run");
  }

 private:
  /// A case that failed half-way must not leave its shim to the machine.
  void end_leftover_shim() {
    auto s = kernel->adopt_session(dir / "run");
    if (!s || !(*s)->shutdown()) return;
    pollfd readable{(*s)->poll_fd(), POLLIN, 0};
    while (::poll(&readable, 1, 10'000) == 1) {
      const auto event = (*s)->next_event();
      if (!event || (*event && std::holds_alternative<session_down_event>(**event))) return;
    }
  }
};

/// Ends the shim and sees it reaped.
inline void finish(session& s) {
  REQUIRE(s.shutdown());
  for (;;)
    if (std::holds_alternative<session_down_event>(await(s))) return;
}

/// A plan without steps: it runs in the host's root, in a private mount namespace.
inline launch_plan host_plan(std::string name, std::vector<std::string> argv) {
  launch_plan plan{.container = std::move(name)};
  plan.process.argv = std::move(argv);
  plan.process.env = {"PATH=/bin:/usr/bin"};
  return plan;
}
inline launch_plan shell_plan(std::string name, std::string script) {
  return host_plan(std::move(name), {"/bin/busybox", "sh", "-c", std::move(script)});
}

/// The last attempt of that name; the first one when there is none yet.
inline instance last(const session& s, const std::string& name) {
  for (const auto& c : s.info())
    if (c.who.container == name) return c.who;
  return {name, 0};
}

/// The plan, of the attempt that follows what the shim has of its name.
inline launch_plan as_next(const session& s, launch_plan plan) {
  for (const auto& c : s.info())
    if (c.who.container == plan.container) plan.attempt = c.who.attempt + 1;
  return plan;
}

/// create, build, proceed, of the next attempt; returns the host pid.
inline pid_t run(session& s, const launch_plan& wanted) {
  const auto plan = as_next(s, wanted);
  const auto who = instance_of(plan);
  REQUIRE(s.create(plan));
  REQUIRE(s.build(who));
  const auto ready = expect<ready_event>(s);
  CHECK(ready.who == who);
  const auto pid = ready.host_pid;
  expect<built_event>(s);
  REQUIRE(s.proceed(who));
  CHECK(expect<running_event>(s).host_pid == pid);
  return pid;
}

} // namespace tank::kernel
