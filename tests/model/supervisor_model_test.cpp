// The supervisor's core against a second opinion: in random worlds both must do the same at the
// same time. A failure prints its seed and the smallest scenario found. README.md has the mutants
// that this finds.
#include "actors/supervision/supervisor_core.hpp"
#include "tests/model/supervisor_world.hpp"

#include <algorithm>
#include <doctest/doctest.h>

namespace supervisor_model_test {

using namespace tank;
using namespace tank::model;

namespace {

/// What a specification's start function is here: its port looks inside and never calls it.
struct starter {
  std::string id;
  start_answer operator()(caf::actor_system&) const { return ignore_child{}; }
};

child_spec spec_of(const kid_spec& k) {
  child_spec out;
  out.id = k.id;
  out.start = starter{k.id};
  out.restart = k.restart;
  out.shutdown.limit.reset();
  if (k.limit) out.shutdown.limit = std::chrono::milliseconds{*k.limit};
  out.type = k.supervisor ? child_type::supervisor : child_type::worker;
  out.significant = k.significant;
  return out;
}

std::vector<child_spec> specs_of(const scenario& s) {
  std::vector<child_spec> out;
  for (const auto& k : s.specs)
    out.push_back(spec_of(k));
  return out;
}

/// The implementation in a world.
class subject : private supervisor_port {
 public:
  subject(const scenario& s, world& w) : w_(w), core_(s.flags, specs_of(s), *this) {}

  void run() {
    core_.begin();
    while (auto e = w_.next())
      handle(*e);
  }

 private:
  start_outcome start(const child_start& how) override {
    const auto made = w_.start(how.target<starter>()->id);
    if (!made.failed) return {made.ref, std::nullopt};
    return {0, error{errc::internal, 0, "start", "child", "told to fail", {}}};
  }
  void signal_shutdown(child_ref child) override { w_.shutdown(child); }
  void kill(child_ref child) override { w_.kill(child); }
  void arm(std::uint64_t token, std::chrono::milliseconds delay) override {
    w_.arm(token, delay.count());
  }
  void retry(std::uint64_t key) override { w_.retry(key); }
  void report(const supervisor_report& r) override {
    using what = supervisor_report::what;
    const bool said = r.kind == what::child_terminated || r.kind == what::shutdown_failed;
    w_.report(r.kind, r.id, said ? r.reason : "");
  }
  std::chrono::steady_clock::time_point now() override {
    return std::chrono::steady_clock::time_point{std::chrono::milliseconds{w_.now()}};
  }
  void finished(const stop_reason& why) override {
    auto plain = why;
    plain.text.clear();
    w_.finished(plain);
  }

  void handle(const event& e) {
    if (const auto* d = std::get_if<down_event>(&e))
      core_.child_down(d->ref, reasons()[d->why]);
    else if (const auto* t = std::get_if<timer_event>(&e))
      core_.timed_out(t->token);
    else if (const auto* r = std::get_if<retry_event>(&e))
      core_.try_again(r->key);
    else
      request(std::get<command_event>(e).index, w_.at(std::get<command_event>(e)));
  }

  static std::string word(const error& why) {
    if (why.code == errc::unavailable) return "gone";
    if (why.code == errc::invalid) return "invalid";
    if (why.code == errc::not_found) return "not_found";
    if (why.code == errc::unsupported) return "unsupported";
    return why.cause == "told to fail" ? "failed" : why.cause;
  }

  void request(std::size_t i, const command& c) {
    const auto started = [this, i](const result<child_ref>& r) {
      w_.answer(i, r ? "started " + std::to_string(*r) : word(r.error()));
    };
    const auto done = [this, i](const result<void>& r) {
      w_.answer(i, r ? "done" : word(r.error()));
    };
    using k = command::kind;
    switch (c.what) {
    case k::crash:
      return;
    case k::start:
      return core_.start_child(spec_of(c.spec), started);
    case k::terminate:
      return core_.terminate_child(c.spec.id, done);
    case k::terminate_dynamic:
      return core_.terminate_dynamic(
          c.nth, [this, ref = c.nth] { return w_.ended(ref); }, done);
    case k::restart:
      return core_.restart_child(c.spec.id, started);
    case k::remove:
      return core_.delete_child(c.spec.id, done);
    case k::exit:
      return core_.exit(stop_shutdown());
    case k::abandon:
      return core_.abandon();
    case k::which:
      return core_.which_children([this, i](const result<std::vector<child_row>>& rows) {
        if (!rows) return w_.answer(i, word(rows.error()));
        std::string out;
        for (const auto& row : *rows)
          out += row.id + ":" +
                 (row.state == child_state::running      ? std::to_string(row.ref)
                  : row.state == child_state::restarting ? "r"
                                                         : "u") +
                 " ";
        w_.answer(i, out);
      });
    case k::count:
      return core_.count_children([this, i](const result<child_counts>& n) {
        if (!n) return w_.answer(i, word(n.error()));
        w_.answer(i, std::to_string(n->specs) + " " + std::to_string(n->active) + " " +
                         std::to_string(n->supervisors) + " " + std::to_string(n->workers));
      });
    }
  }

  world& w_;
  supervisor_core core_;
};

/// Told to end and nobody may take for ever: it has to have ended.
bool must_end(const scenario& s) {
  const auto endless = [](const kid_spec& k) { return !k.limit; };
  if (std::any_of(s.specs.begin(), s.specs.end(), endless)) return false;
  bool told = false;
  for (const auto& c : s.commands) {
    if (c.what == command::kind::abandon) return false;
    if (c.what == command::kind::start && endless(c.spec)) return false;
    told = told || c.what == command::kind::exit;
  }
  return told;
}

/// What is wrong with it; empty: nothing.
std::string check(const scenario& s) {
  world ours{s};
  world theirs{s};
  subject{s, ours}.run();
  run_reference(s, theirs);
  if (!ours.violation().empty()) return "broken: " + ours.violation() + "\n" + ours.record();
  if (ours.record() != theirs.record())
    return "--- it did\n" + ours.record() + "--- it should have done\n" + theirs.record();
  if (must_end(s) && ours.record().find(" F") == std::string::npos)
    return "never ends\n" + ours.record();
  return {};
}

} // namespace

TEST_CASE("in random worlds the supervisor does what OTP's description says") {
  std::size_t checked = 0;
  for (const auto seed : seeds()) {
    rng r{seed};
    for (std::size_t n = 0; n < sequences; ++n, ++checked) {
      const auto s = scenario::random(r);
      if (check(s).empty()) continue;
      const auto smallest = shrink(s, [](const scenario& x) { return !check(x).empty(); });
      FAIL("seed ", seed, ", sequence ", n, ":\n", smallest.text(), check(smallest));
    }
    MESSAGE("seed ", seed, ": ", sequences, " sequences agree");
  }
  CHECK(checked >= 100'000);
}

} // namespace supervisor_model_test
