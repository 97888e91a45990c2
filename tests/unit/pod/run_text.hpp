/// Actions of a run as text, so that tests can expect whole lists of them:
/// "create 0.2; arm 0 120s; shut down".
#pragma once

#include "pod/backoff.hpp"
#include "pod/container_machine.hpp"
#include "pod/run_steps.hpp"
#include "pod/sandbox_machine.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace tank::testing {

struct action_text {
  static std::string n(std::size_t number) { return std::to_string(number); }
  static std::string owner(const std::optional<run::index>& of) {
    if (of == run::whole_run) return "run";
    return of ? n(*of) : std::string{"sandbox"};
  }
  std::string operator()(const run::resolve_image& a) const { return "resolve " + n(a.who); }
  std::string operator()(const run::prepare& a) const {
    std::string out = a.sandbox ? "prepare sandbox" : "prepare";
    for (const auto who : a.containers)
      out += " " + n(who);
    return out;
  }
  std::string operator()(const run::start_session&) const { return "start"; }
  std::string operator()(const run::adopt_session&) const { return "adopt"; }
  std::string operator()(const run::create& a) const {
    return "create " + n(a.who) + "." + n(a.attempt);
  }
  std::string operator()(const run::build& a) const { return "build " + n(a.who); }
  std::string operator()(const run::proceed& a) const { return "proceed " + n(a.who); }
  std::string operator()(const run::abort& a) const { return "abort " + n(a.who); }
  std::string operator()(const run::signal& a) const {
    return "signal " + n(a.who) + " " + std::to_string(a.number);
  }
  std::string operator()(const run::kill& a) const { return "kill " + n(a.who); }
  std::string operator()(const run::shut_down&) const { return "shut down"; }
  std::string operator()(const run::end_session&) const { return "end"; }
  std::string operator()(const run::drop_session&) const { return "drop"; }
  std::string operator()(const run::begin_probes& a) const {
    return "probe " + n(a.who) + "." + n(a.attempt) + (a.started ? " started" : "");
  }
  std::string operator()(const run::only_readiness& a) const { return "readiness " + n(a.who); }
  std::string operator()(const run::end_probes& a) const { return "unprobe " + n(a.who); }
  std::string operator()(const run::call_hook& a) const {
    const std::string name = a.kind == run::hook_kind::post_start ? "postStart " : "preStop ";
    return name + n(a.who) + "." + n(a.attempt) + (a.within ? " " + seconds_text(*a.within) : "");
  }
  std::string operator()(const run::drop_hook& a) const { return "unhook " + n(a.who); }
  std::string operator()(const run::arm_timer& a) const {
    return "arm " + owner(a.of) + " " + seconds_text(a.after);
  }
  std::string operator()(const run::disarm_timer& a) const { return "disarm " + owner(a.of); }
  std::string operator()(const run::clean&) const { return "clean"; }
  std::string operator()(const run::report_running&) const { return "running"; }
  std::string operator()(const run::report_containers&) const { return "containers"; }
  std::string operator()(const run::finish&) const { return "finish"; }
  std::string operator()(const run::unexpected& a) const {
    const auto state = a.of ? to_string(static_cast<container_state>(a.state))
                            : to_string(static_cast<sandbox_state>(a.state));
    return "unexpected " + owner(a.of) + " " + std::string{state} + " " + n(a.about);
  }
};

inline std::string text(const run::actions& actions) {
  std::string out;
  for (const auto& a : actions)
    out += (out.empty() ? "" : "; ") + std::visit(action_text{}, a);
  return out;
}

} // namespace tank::testing
