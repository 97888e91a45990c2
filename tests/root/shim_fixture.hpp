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
    auto s = kernel->start_session(
        {.uid = "u1", .run_dir = dir / "run", .host_network = host_network, .hostname = "pod"});
    if (!s) FAIL(s.error().message());
    return std::move(*s);
  }

  /// What a new daemon does; up to the shim's greeting.
  [[nodiscard]] std::unique_ptr<session> adopt() const;

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
  const auto* wanted = std::get_if<Event>(&event);
  REQUIRE_MESSAGE(wanted != nullptr, "another event came, kind " << event.index());
  return *wanted;
}

inline std::unique_ptr<session> adopt(port& kernel, const std::filesystem::path& run_dir) {
  auto s = kernel.adopt_session(run_dir);
  if (!s) FAIL(s.error().message());
  expect<adopted_event>(**s);
  return std::move(*s);
}
inline std::unique_ptr<session> shim_room::adopt() const {
  return kernel::adopt(*kernel, dir / "run");
}

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

/// create, build, proceed; returns the host pid.
inline pid_t run(session& s, const launch_plan& plan) {
  REQUIRE(s.create(plan));
  REQUIRE(s.build(plan.container));
  const auto pid = expect<ready_event>(s).host_pid;
  expect<built_event>(s);
  REQUIRE(s.proceed(plan.container));
  CHECK(expect<running_event>(s).host_pid == pid);
  return pid;
}

} // namespace tank::kernel
