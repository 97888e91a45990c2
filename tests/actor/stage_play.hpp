/// One runtime actor with everything around it played by the test: image store, workers, kernel,
/// owner, and time.
#pragma once

#include "actors/images/image_store.hpp"
#include "actors/messages.hpp"
#include "actors/runtime/runtime.hpp"
#include "actors/supervision/stop_reason.hpp"
#include "config/pod.hpp"
#include "pod/pod_records.hpp"
#include "tests/actor/fake_port.hpp"
#include "tests/actor/fake_sources.hpp"
#include "tests/actor/script.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tank::testing {

using namespace std::chrono_literals;

/// The first attempt of the container of a play that does not say otherwise.
inline const kernel::instance only{"main", 0};

/// Of the pod that a play runs.
struct play_options {
  std::vector<std::string> containers{"main"};
  std::int64_t grace = 30;
  bool tty = false; ///< of all containers
  cgroup_tree cgroups;
  std::string policy = "Always";
  std::shared_ptr<pod_records> records; ///< that know the pod, with its run 1
  std::optional<run_record> adopt;
  bool has_heir = false;
  std::string config_map{}; ///< that each container has a variable and a volume from
  std::shared_ptr<const documents> data{};
};

/// A set of one ConfigMap, with the key "key".
inline std::shared_ptr<const documents> one_map(const std::string& name, const std::string& value) {
  auto d = std::make_shared<document>();
  d->data["key"] = value;
  auto out = std::make_shared<documents>();
  out->all.emplace(document_id{document_kind::config_map, "default/" + name}, std::move(d));
  return out;
}

/// What an owner hears.
struct owner_heard {
  std::vector<pod_running> running;
  std::vector<containers_changed> changed;
  std::vector<pod_ended> ended;
  std::vector<limits_changed> limits;
  std::vector<container_status> newest; ///< as told last
};

inline desired_pod played_pod(const play_options& o) {
  config::pod pod;
  pod.metadata.name = "web";
  pod.metadata.ns = "default";
  pod.spec.termination_grace_period_seconds = o.grace;
  pod.spec.restart_policy = o.policy;
  for (const auto& name : o.containers) {
    auto& c = pod.spec.containers.emplace_back();
    c.name = name;
    c.image = (name == "main" ? "web" : name) + ":1";
    c.tty = o.tty;
    if (o.config_map.empty()) continue;
    auto& from = c.env.emplace_back();
    from.name = "A";
    from.value_from.emplace().config_map_key_ref =
        config::config_map_key_selector{o.config_map, "key", std::nullopt};
    auto& mount = c.volume_mounts.emplace_back();
    mount.name = "v";
    mount.mount_path = "/v";
  }
  if (!o.config_map.empty()) {
    auto& volume = pod.spec.volumes.emplace_back();
    volume.name = "v";
    volume.config_map.emplace().name = o.config_map;
  }
  desired_pod what;
  what.pod = std::make_shared<const config::pod>(std::move(pod));
  what.uid = "u-1";
  return what;
}

/// What the play's worker makes of a container.
inline container_inputs played_inputs(const std::string& name, std::uint32_t attempt) {
  container_inputs in;
  in.plan.container = name;
  in.plan.attempt = attempt;
  in.plan.process.argv = {"foo"};
  in.plan.process.env = {"PATH=/bin", "A=1"};
  in.plan.process.cwd = name == "main" ? "/srv" : "/srv/" + name;
  in.stop_signal = 3;
  return in;
}

struct stage_play {
  std::shared_ptr<fake_port> port = std::make_shared<fake_port>();
  std::shared_ptr<fake_fds> fds = std::make_shared<fake_fds>();
  std::shared_ptr<int> cleaned = std::make_shared<int>(0);
  std::shared_ptr<std::optional<error>> prepare_error = std::make_shared<std::optional<error>>();
  std::shared_ptr<std::vector<std::string>> prepared =
      std::make_shared<std::vector<std::string>>(); ///< "sandbox", "main", "main/1"
  std::shared_ptr<owner_heard> heard = std::make_shared<owner_heard>();
  std::shared_ptr<std::vector<std::pair<std::string, std::uint64_t>>> asked =
      std::make_shared<std::vector<std::pair<std::string, std::uint64_t>>>(); ///< image, ticket
  std::int64_t wall_ns = 1'000'000'000;
  script s;
  std::shared_ptr<script_timers> timers = std::make_shared<script_timers>(s);
  caf::actor owner = spawn_owner();
  caf::actor store = spawn_store();
  caf::actor rt;
  std::shared_ptr<session_script> session = port->of("u-1");
  std::shared_ptr<std::optional<stop_reason>> ended =
      std::make_shared<std::optional<stop_reason>>();
  play_options of;

  explicit stage_play(std::int64_t grace = 30, bool tty = false, cgroup_tree cgroups = {})
      : stage_play(play_options{.grace = grace, .tty = tty, .cgroups = std::move(cgroups)}) {}

  explicit stage_play(play_options o) : of(std::move(o)) {
    for (const auto& name : of.containers)
      if (of.tty) session->ttys.insert(name);
    session->alive = false;
    start();
  }

  /// Another runtime for the same run.
  void start() {
    runtime_options options{.port = port,
                            .jobs = std::make_shared<inline_runner>(),
                            .fds = fds,
                            .timers = timers,
                            .image_store = [store = store] { return store; },
                            .host = std::make_shared<const kernel::host_facts>(),
                            .records = of.records};
    options.dirs.cgroups = of.cgroups;
    options.wall_clock = [this] { return wall_ns; };
    options.prepare_sandbox = [e = prepare_error,
                               did = prepared](const pod_request& r,
                                               kernel::port& k) -> result<prepared_sandbox> {
      if (*e) return failure{**e};
      prepared_sandbox out;
      out.inputs.spec.uid = r.uid;
      if (r.dirs.cgroups.version != cgroup_version::none) {
        out.inputs.cgroup.name = r.dirs.pod_cgroup(r.uid);
        TANK_TRY(k.make_cgroup(r.dirs.cgroups, out.inputs.cgroup));
      }
      did->emplace_back("sandbox");
      return out;
    };
    options.prepare_container = [did = prepared](const pod_request&, const config::container& c,
                                                 std::uint32_t attempt, const oci::image&,
                                                 kernel::port&) -> result<container_inputs> {
      did->push_back(short_name({c.name, attempt}));
      return played_inputs(c.name, attempt);
    };
    options.clean = [n = cleaned](const config::pod&, const directories&, const std::string&,
                                  kernel::port&) -> result<void> {
      ++*n;
      return {};
    };
    runtime_args args{
        .key = "default/web", .generation = 4, .what = played_pod(of), .owner = owner, .run = 1};
    args.data = of.data;
    args.adopt = of.adopt;
    args.has_heir = of.has_heir;
    ended->reset();
    rt = make_runtime_factory_as_is(options)(s.sys, std::move(args));
    rt->attach_functor([e = ended](const caf::error& why) { *e = classify(why); });
    settle();
  }

  // --- the other sides ----------------------------------------------------------------------------

  caf::actor spawn_owner() {
    return s.sys.spawn([h = heard](caf::event_based_actor*) -> caf::behavior {
      return {[h](const pod_running& m) {
                h->running.push_back(m);
                h->newest = m.containers;
              },
              [h](const containers_changed& m) {
                h->changed.push_back(m);
                h->newest = m.containers;
              },
              [h](const pod_ended& m) { h->ended.push_back(m); },
              [h](const limits_changed& m) { h->limits.push_back(m); }, [](const pod_progress&) {}};
    });
  }
  caf::actor spawn_store() {
    return s.sys.spawn([a = asked](caf::event_based_actor*) -> caf::behavior {
      return {[a](const resolve_image& m) { a->emplace_back(m.name, m.ticket); }};
    });
  }

  /// Runs all that can run without time passing.
  void settle() {
    do
      s.settle();
    while (fds->deliver());
  }
  void advance(std::chrono::nanoseconds by) {
    wall_ns += by.count();
    s.advance(by);
    settle();
  }

  /// The newest question of the container is answered.
  void image(bool found = true, const std::string& container = "main") {
    const auto name = (container == "main" ? "web" : container) + ":1";
    image_resolved m{0, nullptr, {}};
    for (const auto& [image, ticket] : *asked)
      if (image == name) m.ticket = ticket;
    REQUIRE(m.ticket != 0);
    if (found) {
      m.image = std::make_shared<const oci::image>();
    } else {
      m.why = explain_missing_image(fail(errc::not_found, "read", "refs/x", "no such file").value(),
                                    name);
      m.problem = image_problem::never_pull;
    }
    s.send(store, rt, m);
    settle();
  }
  void happen(kernel::session_event e) {
    session->say(std::move(e));
    settle();
  }
  void run(const kernel::instance& who = only, pid_t pid = 77) {
    image(true, who.container);
    happen(kernel::ready_event{who, pid});
    happen(kernel::built_event{who});
    happen(kernel::running_event{who, pid, 5});
  }
  void stop(std::optional<std::chrono::seconds> grace = {}) {
    s.send(owner, rt, stop_pod{grace});
    settle();
  }
  /// The answer to a request, or the cause of its refusal.
  template <class Answer, class T>
  std::pair<std::optional<Answer>, std::string> ask(T question) {
    std::pair<std::optional<Answer>, std::string> out;
    caf::scoped_actor self{s.sys};
    auto handle = compat::request(&*self, rt, 1s, std::move(question));
    settle();
    std::move(handle).receive([&](const Answer& a) { out.first = a; },
                              [&](const caf::error& e) { out.second = error_of(e).cause; });
    return out;
  }

  // --- what it did --------------------------------------------------------------------------------

  [[nodiscard]] std::string last_call() const {
    return session->calls.empty() ? "" : session->calls.back();
  }
  /// What was asked since the last look.
  std::vector<std::string> new_calls() {
    const auto& all = session->calls;
    std::vector<std::string> out(all.begin() + static_cast<std::ptrdiff_t>(looked_at_), all.end());
    looked_at_ = all.size();
    return out;
  }
  /// All is given back: the shim gone, nothing watched, no time awaited, the disk clean.
  void check_nothing_left() {
    CHECK(ended->has_value());
    CHECK(*cleaned == 1);
    CHECK(fds->watched() == 0);
    CHECK(timers->pending().empty());
    CHECK_FALSE(session->alive);
  }
  /// And nobody holds the actor any more, CAF's clock neither. The play is over.
  void check_forgotten() {
    check_nothing_left();
    const auto weak = rt.address();
    rt = nullptr;
    settle();
    CHECK_FALSE(caf::actor_cast<caf::actor>(weak));
  }

 private:
  std::size_t looked_at_ = 0;
};

} // namespace tank::testing
