/// A pod as plan_pod sees it, and what it orders, as text.
#pragma once

#include "pod/plan_pod.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace tank::testing::plans {

using namespace std::chrono_literals;
using st = container_state;
using run::outcome;

inline const std::chrono::steady_clock::time_point now{1h};

struct text_of_order {
  static std::string list(const std::vector<run::index>& all) {
    std::string out;
    for (const auto i : all)
      out += " " + std::to_string(i);
    return out;
  }
  std::string operator()(const order::begin& o) const { return "begin " + std::to_string(o.who); }
  std::string operator()(const order::open_sandbox& o) const { return "open" + list(o.with); }
  std::string operator()(const order::prepare& o) const { return "prepare" + list(o.who); }
  std::string operator()(const order::create& o) const { return "create " + std::to_string(o.who); }
  std::string operator()(const order::release& o) const {
    return "release " + std::to_string(o.who);
  }
  std::string operator()(const order::begin_group& o) const {
    return "group " + std::to_string(o.who) + (o.group.all ? " all" : " from ") +
           (o.group.all ? "" : std::to_string(o.group.from)) + " in " + seconds_text(o.delay);
  }
  std::string operator()(const order::put_back& o) const { return "back " + std::to_string(o.who); }
  std::string operator()(const order::end_group&) const { return "anew"; }
  std::string operator()(const order::call_pre_stop& o) const {
    return "hook " + std::to_string(o.who) + " " + left(o.terms);
  }
  static std::string left(const stop_terms& terms) {
    const auto rest = std::chrono::ceil<std::chrono::milliseconds>(terms.by - now);
    return seconds_text(std::max(rest, terms.least));
  }
  std::string operator()(const order::run_again& o) const {
    return "again " + std::to_string(o.who) + " in " + seconds_text(o.delay);
  }
  std::string operator()(const order::leave_ended& o) const {
    return "leave " + std::to_string(o.who);
  }
  std::string operator()(const order::stop& o) const {
    return "stop " + std::to_string(o.who) + " " + left(o.terms);
  }
  std::string operator()(const order::close_sandbox&) const { return "close"; }
  std::string operator()(const order::end_run& o) const {
    static const char* const names[] = {"stopped",     "container",   "all_done",
                                        "init_failed", "significant", "failed",
                                        "lost",        "gave_up",     "stuck"};
    return std::string{"end "} + names[static_cast<std::size_t>(o.why)] + " " +
           std::to_string(o.who);
  }
};

/// What is planned for a pod; of several containers unless it has one.
struct world {
  pod_view pod;
  std::deque<run_container> is; ///< what views borrow
  std::deque<run::container_end> ends;

  explicit world(std::vector<st> states, sandbox_state sandbox = sandbox_state::up) {
    for (const auto s : states) {
      container_view c;
      c.is = &is.emplace_back();
      c.state = s;
      pod.containers.push_back(c);
      if (s == st::ended) ended(pod.containers.size() - 1, outcome::exited, 1);
    }
    pod.rebuild_whole = states.size() == 1;
    pod.sandbox = sandbox;
  }
  /// "ism": the kinds, in order.
  world& kinds(std::string_view letters) {
    for (std::size_t i = 0; i < letters.size(); ++i) {
      is[i].kind = letters[i] == 'i'   ? container_kind::init
                   : letters[i] == 's' ? container_kind::sidecar
                                       : container_kind::main;
      if (is[i].kind == container_kind::init) is[i].policy.policy = restart_policy::on_failure;
    }
    return *this;
  }
  void policy(restart_policy p) {
    for (auto& c : is)
      c.policy.policy = p;
  }
  /// Told to stop; whoever is stopping has heard it.
  void end_it(std::chrono::seconds grace = 30s) {
    pod.stop = stop_terms_of(grace, now);
    for (auto& c : pod.containers)
      if (c.state == st::stopping) c.told = pod.stop;
  }
  container_view& operator[](std::size_t i) { return pod.containers[i]; }
  run::container_end& ended(std::size_t i, outcome how, int code = 0) {
    run::container_end end;
    end.how = how;
    end.code = code;
    if (how == outcome::exited || how == outcome::signaled) end.started_ns = 5;
    ends.push_back(end);
    pod.containers[i].state = st::ended;
    pod.containers[i].end = &ends.back();
    return ends.back();
  }
  [[nodiscard]] std::vector<pod_order> orders() const { return plan_pod(pod, now); }
  [[nodiscard]] std::string plan() const {
    std::string out;
    for (const auto& o : orders())
      out += (out.empty() ? "" : "; ") + std::visit(text_of_order{}, o);
    return out;
  }
};

} // namespace tank::testing::plans
