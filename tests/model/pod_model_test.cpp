// Runs of pods of one to five containers, with init containers and sidecars, against what must hold: in random worlds, with daemons
// that are killed at any instant. A failure prints its seed and the smallest history found.
// README.md has the mutants that this finds.
#include "pod/pod_run.hpp"
#include "tests/model/run_reference.hpp"
#include "tests/model/run_world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

namespace pod_model_test {

using namespace tank;
using namespace tank::model;

namespace {

/// The actions before which a runtime keeps its record.
bool is_recorded(const run::action& a) {
  return std::visit(
      [](const auto& one) {
        using type = std::decay_t<decltype(one)>;
        return std::is_same_v<type, run::create> || std::is_same_v<type, run::proceed> ||
               std::is_same_v<type, run::shut_down> || std::is_same_v<type, run::clean> ||
               std::is_same_v<type, run::start_session> ||
               std::is_same_v<type, run::report_running> ||
               std::is_same_v<type, run::report_containers>;
      },
      a);
}

/// A run, and the daemons that follow one another over it.
class subject {
 public:
  subject(const history& h, bool records)
      : h_(h)
      , is_killed_(std::any_of(h.incidents.begin(), h.incidents.end(),
                               [](const auto& o) { return o.what == incident::kind::kill_daemon; }))
      , w_(h, records)
      , ref_(h, w_) {}

  std::string check() {
    begin([this] { return run_->begin(w_.clock()); });
    while (const auto e = w_.next()) {
      if (const auto* event = std::get_if<happens>(&*e)) hear(*event);
      if (const auto* killed = std::get_if<daemon_killed>(&*e)) killed_after_ = killed->actions;
      if (std::holds_alternative<daemon_begins>(*e)) {
        ref_.restored();
        begin([this] { return run_->begin_adoption(record_, w_.clock()); });
      }
      if (finished_) return end();
    }
    if (w_.violation().empty()) w_.broken("it never ends");
    return verdict();
  }

 private:
  template <class Begin>
  void begin(Begin actions) {
    run_ = std::make_unique<pod_run>(h_.settings());
    perform(actions());
  }

  void hear(const happens& e) {
    if (!run_) return;
    ref_.hears(e);
    perform(run_->handle(e.event, w_.clock()));
  }

  void perform(const run::actions& actions) {
    ref_.sees(actions);
    ref_.settled(run_->statuses());
    bool kept = !is_killed_; // then nobody reads it
    for (const auto& a : actions) {
      if (killed_after_ && (*killed_after_)-- == 0) return die();
      if (!kept && is_recorded(a)) {
        kept = true; // it says where all of them lead to
        record_ = run_->record();
        ref_.kept();
      }
      if (std::holds_alternative<run::finish>(a)) finished_ = true;
      w_.carry_out(a);
      if (!w_.violation().empty()) return;
    }
    if (killed_after_ == std::size_t{0}) die();
  }

  void die() {
    killed_after_.reset();
    run_.reset();
    w_.kill_daemon();
  }

  std::string end() {
    if (!run_) return verdict(); // killed as it was about to say so
    ref_.check_end(run_->reason(), run_->how());
    w_.check_released();
    return verdict();
  }

  std::string verdict() {
    return w_.violation().empty() ? std::string{} : w_.violation() + "\n" + w_.record();
  }

  const history& h_;
  bool is_killed_;
  run_world w_;
  run_reference ref_;
  std::unique_ptr<pod_run> run_;
  run_record record_;
  std::optional<std::size_t> killed_after_;
  bool finished_ = false;
};

/// What is wrong with it; empty: nothing.
std::string check(const history& h) {
  if (subject{h, false}.check().empty()) return {};
  return subject{h, true}.check();
}

} // namespace

TEST_CASE("in random worlds a run does what must be done, and nothing else") {
  std::size_t checked = 0;
  for (const auto seed : seeds()) {
    rng r{seed};
    for (std::size_t n = 0; n < sequences; ++n, ++checked) {
      const auto h = history::random(r);
      if (check(h).empty()) continue;
      const auto smallest = shrink(h, [](const history& x) { return !check(x).empty(); });
      FAIL("seed ", seed, ", sequence ", n, ":\n", smallest.text(), check(smallest));
    }
    MESSAGE("seed ", seed, ": ", sequences, " sequences hold");
  }
  CHECK(checked >= 100'000);
}

} // namespace pod_model_test
