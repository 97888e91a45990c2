// The reconciler's core against a second opinion: in random worlds both must do the same for each
// pod at the same time, and show the same. A failure prints its seed and the smallest history
// found. README.md has the mutants that this finds.
#include "config/pod.hpp"
#include "pod/reconciler_core.hpp"
#include "tests/model/reconciler_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace reconciler_model_test {

using namespace tank;
using namespace tank::model;

namespace {

desired_pod pod_of(const content& c) {
  auto p = std::make_shared<config::pod>();
  p->spec.restart_policy = c.policy;
  p->spec.termination_grace_period_seconds = c.grace / 1000;
  for (std::size_t i = 0; i < c.containers; ++i) {
    config::container one;
    one.name = std::string(1, static_cast<char>('a' + i));
    p->spec.containers.push_back(std::move(one));
  }
  if (c.fast) p->metadata.annotations["tank/backoff"] = "fast";
  if (c.last_end > 0)
    p->metadata.annotations["tank/give-up"] =
        std::to_string(c.last_end) + " in " + std::to_string(c.period) + "ms";
  return {p, "uid-" + (c.instance.empty() ? c.hash : c.instance), c.hash, "f.yaml", {}, c.instance};
}

const std::vector<desired_pod>& all_pods() {
  static const std::vector<desired_pod> all = [] {
    std::vector<desired_pod> out;
    for (const auto& c : contents())
      out.push_back(pod_of(c));
    return out;
  }();
  return all;
}

/// The implementation in a world.
class subject {
 public:
  subject(pod_world& w, bool adopts)
      : w_(w)
      , core_(profile({}), adopts, std::chrono::milliseconds{stop_margin}) {
    tell();
  }

  void run() {
    while (const auto e = w_.next()) {
      handle(*e);
      for (const auto& key : pods())
        look_at(key);
    }
    if (stopping_all_ && !(w_.all_gone() && core_.idle())) w_.broken("a stop that never ended");
  }

 private:
  [[nodiscard]] instant now() const {
    return {std::chrono::steady_clock::time_point{std::chrono::milliseconds{w_.now()}},
            w_.now() * 1'000'000};
  }
  void tell() {
    core_.set_desired({std::make_shared<const std::map<std::string, desired_pod>>(desired_)});
  }
  [[nodiscard]] std::uint64_t generation(std::uint64_t run) const { return generations_[run - 1]; }

  void handle(const happening& e) {
    if (const auto* up = std::get_if<up_event>(&e))
      return carry_out(core_.running({w_.key_of(up->run),
                                      generation(up->run),
                                      7,
                                      w_.now(),
                                      {},
                                      w_.containers_of(up->run, container_phase::running)},
                                     now()));
    if (const auto* again = std::get_if<containers_event>(&e))
      return carry_out(core_.containers({w_.key_of(again->run), generation(again->run),
                                         w_.containers_of(again->run, container_phase::running)}));
    if (const auto* told = std::get_if<told_event>(&e)) {
      last_exit how;
      how.exit_code = told_code;
      return carry_out(core_.ended({w_.key_of(told->run), generation(told->run), how,
                                    w_.containers_of(told->run, container_phase::terminated)}));
    }
    if (const auto* gone = std::get_if<gone_event>(&e))
      return carry_out(
          core_.down(w_.key_of(gone->run), generation(gone->run), endings()[gone->how].why, now()));
    if (const auto* lost = std::get_if<lost_event>(&e))
      return carry_out(core_.down(w_.key_of(lost->run), generation(lost->run),
                                  {stop_class::abnormal, stop_cause::exception, 0, "boom"}, now()));
    if (const auto* due = std::get_if<due_event>(&e))
      return carry_out(core_.due(w_.key_of(due->run), generation(due->run), now()));
    if (const auto* limits = std::get_if<changed_event>(&e))
      return carry_out(core_.changed({w_.key_of(limits->run), generation(limits->run),
                                      contents()[limits->content].hash, limits->done ? "" : "no"},
                                     now()));
    if (std::holds_alternative<resync_event>(e)) return pass();
    obey(w_.at(std::get<order_event>(e)));
  }

  void obey(const order& o) {
    const auto& key = pods()[o.pod];
    if (o.what == order::kind::desire) desired_[key] = all_pods()[o.content];
    if (o.what == order::kind::remove) desired_.erase(key);
    if (o.what == order::kind::desire || o.what == order::kind::remove) {
      tell();
      if (!o.quietly) pass();
    }
    if (o.what == order::kind::restart)
      if (auto effects = core_.restart(key, now())) carry_out(*effects);
    if (o.what == order::kind::stop_all) {
      stopping_all_ = true;
      carry_out(core_.stop_all(std::chrono::seconds{1}, now()));
    }
  }

  /// After a pass each desired pod is under way, or has a reason not to be.
  void pass() {
    carry_out(core_.pass(now()));
    if (stopping_all_) return;
    for (const auto& [key, what] : desired_) {
      const auto s = core_.status(key);
      if (!s || s->state == pod_state::pending) w_.broken("'" + key + "' is desired and forgotten");
      if (s && s->state == pod_state::backing_off && s->restart_at_ns <= w_.now() * 1'000'000)
        w_.broken("'" + key + "' waits although its time has come");
    }
  }

  void carry_out(const reconcile_effects& effects) {
    for (const auto& e : effects) {
      if (const auto* s = std::get_if<start_run>(&e)) {
        if (s->generation <= last_generation_) w_.broken("generations do not grow");
        last_generation_ = s->generation;
        begin(*s);
      }
      if (const auto* s = std::get_if<stop_run>(&e))
        w_.stop(runs_.at(s->generation),
                s->grace ? std::optional<ms>{s->grace->count() * 1000} : std::nullopt);
      if (const auto* w = std::get_if<wake_run>(&e))
        w_.wake(runs_.at(w->generation), w->delay.count());
      if (const auto* k = std::get_if<kill_run>(&e)) w_.kill(runs_.at(k->generation));
      if (const auto* c = std::get_if<change_run>(&e))
        w_.change(runs_.at(c->generation), c->what.hash);
    }
  }

  void begin(const start_run& s) {
    const auto last = std::find_if(runs_.rbegin(), runs_.rend(), [&](const auto& r) {
      return r.first < s.generation && w_.key_of(r.second) == s.key;
    });
    if (!s.adopt) {
      runs_[s.generation] = w_.start(s.key, s.what.hash, s.restarts, s.has_heir);
      generations_.push_back(s.generation);
      numbers_.push_back(s.run);
    } else if (last == runs_.rend() || numbers_[last->second - 1] != s.run) {
      w_.broken("'" + s.key + "': what is taken over is not the last run");
    } else {
      runs_[s.generation] = last->second;
      generations_[last->second - 1] = s.generation;
      w_.take_over(last->second, s.has_heir, s.limits_edited ? s.what.hash : "");
    }
  }

  void look_at(const std::string& key) {
    const auto s = core_.status(key);
    if (!s) {
      counters_.erase(key);
      return w_.status(key, "unknown");
    }
    auto& [uid, restarts, inside] = counters_[key];
    const auto of_last = s->containers.back().restarts;
    if (uid == s->uid && (s->restarts < restarts || of_last < inside))
      w_.broken("restarts of '" + key + "' went back");
    uid = s->uid;
    restarts = s->restarts;
    inside = of_last;
    std::string containers;
    for (const auto& c : s->containers)
      containers += std::string{to_string(c.state)[0]} + std::to_string(c.restarts);
    w_.status(key, std::string{to_string(s->state)} + " retries=" + std::to_string(s->retries) +
                       " restarts=" + std::to_string(s->restarts) +
                       " at=" + std::to_string(s->restart_at_ns / 1'000'000) +
                       " last=" + (s->last ? std::to_string(s->last->exit_code) : "none") +
                       " containers=" + containers);
  }

  pod_world& w_;
  reconciler_core core_;
  std::map<std::string, desired_pod> desired_;
  std::map<std::uint64_t, std::uint64_t> runs_; ///< by generation
  std::vector<std::uint64_t> generations_;      ///< by run - 1
  std::vector<std::uint64_t> numbers_;          ///< of its record
  struct counters {
    std::string uid;
    std::uint32_t restarts = 0;
    std::uint32_t inside = 0; ///< of the last container, with those
  };
  std::map<std::string, counters> counters_;
  std::uint64_t last_generation_ = 0;
  bool stopping_all_ = false;
};

/// What is wrong with it; empty: nothing.
std::string check(const history& h) {
  pod_world ours{h};
  pod_world theirs{h};
  subject{ours, h.adopts}.run();
  run_reference(h, theirs);
  if (!ours.violation().empty()) return "broken: " + ours.violation() + "\n" + ours.record();
  if (ours.record() != theirs.record())
    return "--- it did\n" + ours.record() + "--- it should have done\n" + theirs.record();
  return {};
}

} // namespace

TEST_CASE("in random worlds the reconciler does for each pod what the contract says") {
  std::size_t checked = 0;
  for (const auto seed : seeds()) {
    rng r{seed};
    for (std::size_t n = 0; n < sequences; ++n, ++checked) {
      const auto h = history::random(r);
      if (check(h).empty()) continue;
      const auto smallest = shrink(h, [](const history& x) { return !check(x).empty(); });
      FAIL("seed ", seed, ", sequence ", n, ":\n", smallest.text(), check(smallest));
    }
    MESSAGE("seed ", seed, ": ", sequences, " sequences agree");
  }
  CHECK(checked >= 100'000);
}

} // namespace reconciler_model_test
