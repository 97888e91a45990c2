/// One runtime actor with everything around it played by the test: image store, workers, kernel,
/// owner, and time.
#pragma once

#include "actors/images/image_store.hpp"
#include "actors/messages.hpp"
#include "pod/prepare_launch.hpp"
#include "actors/runtime/runtime.hpp"
#include "actors/supervision/stop_reason.hpp"
#include "config/pod.hpp"
#include "tests/actor/fake_port.hpp"
#include "tests/actor/script.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <sys/epoll.h>

namespace tank::testing {

using namespace std::chrono_literals;

/// One runtime with everything around it played by the test.
struct stage_play {
  std::shared_ptr<fake_port> port = std::make_shared<fake_port>();
  std::shared_ptr<fake_fds> fds = std::make_shared<fake_fds>();
  std::shared_ptr<int> cleaned = std::make_shared<int>(0);
  std::shared_ptr<std::optional<error>> prepare_error = std::make_shared<std::optional<error>>();
  script s;
  caf::actor owner = s.peer();
  caf::actor store = s.peer();
  caf::actor watcher = s.peer();
  caf::actor rt;
  std::shared_ptr<session_script> session = port->of("u-1");
  std::shared_ptr<std::optional<stop_reason>> ended =
      std::make_shared<std::optional<stop_reason>>();

  explicit stage_play(std::int64_t grace = 30, bool tty = false, cgroup_tree cgroups = {}) {
    config::pod pod;
    pod.metadata.name = "web";
    pod.metadata.ns = "default";
    pod.spec.termination_grace_period_seconds = grace;
    pod.spec.containers.emplace_back();
    pod.spec.containers[0].name = "main";
    pod.spec.containers[0].image = "web:1";
    pod.spec.containers[0].tty = tty;
    session->tty = tty;
    runtime_options options{.port = port,
                            .jobs = std::make_shared<inline_runner>(),
                            .fds = fds,
                            .image_store = [store = store] { return store; },
                            .host = std::make_shared<const kernel::host_facts>()};
    options.dirs.cgroups = std::move(cgroups);
    options.prepare = [e = prepare_error](const prepare_request& r,
                                          kernel::port&) -> result<launch_inputs> {
      if (*e) return failure{**e};
      launch_inputs in;
      in.sandbox.uid = r.uid;
      in.plan.container = "main";
      in.plan.process.argv = {"foo"};
      in.plan.process.env = {"PATH=/bin", "A=1"};
      in.plan.process.cwd = "/srv";
      in.stop_signal = 3;
      if (r.dirs.cgroups.version != cgroup_version::none) in.cgroup.name = r.dirs.pod_cgroup(r.uid);
      return in;
    };
    options.clean = [n = cleaned](const config::pod&, const directories&, const std::string&,
                                  kernel::port&) -> result<void> {
      ++*n;
      return {};
    };
    desired_pod what;
    what.pod = std::make_shared<const config::pod>(pod);
    what.uid = "u-1";
    rt = make_runtime_factory_as_is(options)(
        s.sys, {.key = "default/web", .generation = 4, .what = what, .owner = owner});
    rt->attach_functor([e = ended](const caf::error& why) { *e = classify(why); });
    s.settle(); // the peers drop what they get: only the runtime's own messages are scripted
  }

  void image(bool found = true) {
    image_resolved m{1, nullptr, {}};
    if (found)
      m.image = std::make_shared<const oci::image>();
    else
      m.why = explain_missing_image(fail(errc::not_found, "read", "refs/x", "no such file").value(),
                                    "web:1");
    s.send(store, rt, m);
    s.settle();
  }
  void happen(kernel::session_event e) {
    session->events.push_back(std::move(e));
    poll();
  }
  /// The session has become readable: told to whoever watches it now.
  void poll() {
    if (const auto reader = fds->owner_of(session->fd))
      s.send(store, reader, fd_ready{fds->id_of(session->fd), EPOLLIN});
    s.settle();
  }
  void run() {
    image();
    happen(kernel::ready_event{"main", 77});
    happen(kernel::built_event{"main"});
    happen(kernel::running_event{"main", 77, 5});
  }
  void stop(std::optional<std::chrono::seconds> grace = {}) {
    s.send(owner, rt, stop_pod{grace});
    s.settle();
  }
  /// The answer to a request, or the cause of its refusal.
  template <class Answer, class T>
  std::pair<std::optional<Answer>, std::string> ask(T question) {
    std::pair<std::optional<Answer>, std::string> out;
    caf::scoped_actor self{s.sys};
    auto handle = compat::request(&*self, rt, 1s, std::move(question));
    s.settle();
    std::move(handle).receive([&](const Answer& a) { out.first = a; },
                              [&](const caf::error& e) { out.second = error_of(e).cause; });
    return out;
  }
  [[nodiscard]] std::string last_call() const {
    return session->calls.empty() ? "" : session->calls.back();
  }
  /// All is given back: the shim gone, nothing watched, the disk clean.
  void check_nothing_left() {
    CHECK(ended->has_value());
    CHECK(*cleaned == 1);
    CHECK(fds->watched() == 0);
    const bool started = !session->calls.empty();
    if (started) CHECK_FALSE(session->alive);
  }
};

} // namespace tank::testing
