/// A reconciler with runtimes that do as the test says.
#pragma once

#include "actors/reconcile/reconciler.hpp"
#include "actors/role.hpp"
#include "config/pod.hpp"
#include "pod/documents.hpp"
#include "tests/actor/script.hpp"
#include "tests/actor/test_messages.hpp"

#include <spdlog/spdlog.h>

#include <map>
#include <vector>

namespace tank::reconciler_test {

using namespace std::chrono_literals;
using tank::testing::end_run;
using tank::testing::script;

/// Stands for a runtime: obeys nothing by itself, the test decides when and how it ends.
class stub_runtime : public role {
 public:
  stub_runtime(caf::actor_config& cfg, std::shared_ptr<int> changes)
      : role(cfg)
      , changes_(std::move(changes)) {}
  caf::behavior make_behavior() override {
    return {
        [](const stop_pod&) {},
        [](const own_runtime&) {},
        [this](const change_limits&) { ++*changes_; },
        [](const data_changed&) {},
        [this](const end_run& m) { stop(m.why); },
    };
  }

 private:
  std::shared_ptr<int> changes_;
};

struct run {
  runtime_args args;
  caf::actor actor;
  std::shared_ptr<int> heard; ///< change_limits
  [[nodiscard]] int changes() const { return *heard; }
};

constexpr auto web = "default/web";

struct fixture {
  script s;
  caf::actor me = s.peer();
  std::vector<run> runs; ///< in the order of their start
  std::map<std::string, desired_pod> wanted;
  std::shared_ptr<const documents> data;
  std::int64_t wall = 1'000;
  bool refuse_to_start = false;
  caf::actor rec;
  reconciler_options options;

  fixture() {
    spdlog::set_level(spdlog::level::off);
    auto& o = options;
    o.start_runtime = [this](caf::actor_system& sys, runtime_args args) -> caf::actor {
      if (refuse_to_start) return {};
      auto heard = std::make_shared<int>(0);
      auto a = sys.spawn<stub_runtime>(heard);
      runs.push_back({std::move(args), a, heard});
      return a;
    };
    o.wall_clock = [this] { return wall; };
    o.nudge_burst = 2;
    rec = spawn_reconciler(s.sys, o);
    s.settle();
  }
  ~fixture() {
    // the handles in `runs` would keep their actors, and those the actor system
    for (auto& r : runs)
      compat::send_exit(r.actor, caf::make_error(caf::exit_reason::kill));
    compat::send_exit(rec, caf::make_error(caf::exit_reason::kill));
    s.settle();
  }

  /// Kills the reconciler; another one goes on with what `memory` holds.
  void succeed(const std::shared_ptr<reconciler_memory>& memory) {
    compat::send_exit(rec, caf::make_error(caf::exit_reason::kill));
    s.settle();
    options.memory = memory;
    rec = spawn_reconciler(s.sys, options);
    s.settle();
  }

  void want(const std::string& key, const std::string& hash, const std::string& policy = "Always") {
    auto p = std::make_shared<config::pod>();
    p->spec.restart_policy = policy;
    wanted[key] = desired_pod{p, "uid-" + hash, hash, "web.yaml", {}};
  }
  void tell() {
    s.send(me, rec,
           desired_state{std::make_shared<const std::map<std::string, desired_pod>>(wanted), data});
  }
  /// Tells and lets everything happen that happens without time passing.
  void apply() {
    tell();
    s.settle();
  }
  void comes_up(const run& r, pid_t pid = 42) {
    s.send(r.actor, rec, pod_running{r.args.key, r.args.generation, pid, 900, {}});
    s.settle();
  }
  void ends(const run& r, const stop_reason& why) {
    s.send(me, r.actor, end_run{why});
    s.settle();
  }
  pod_status status(const std::string& key = web) { return s.ask<pod_status>(rec, get_pod{key}); }
  std::size_t advance(std::chrono::milliseconds by) {
    const auto fired = s.advance(by);
    s.settle();
    return fired;
  }
};

inline error refusal(script& s, const caf::actor& to, const auto& question) {
  error out;
  caf::scoped_actor self{s.sys};
  auto handle = compat::request(&*self, to, 1s, question);
  s.settle();
  std::move(handle).receive([](const pod_status&) { FAIL("answered"); },
                            [&](const caf::error& e) { out = error_of(e); });
  return out;
}

} // namespace tank::reconciler_test
