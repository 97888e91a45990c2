// How a run went, in the words of stop reasons and of status.
#include "pod/image_problem.hpp"
#include "pod/runtime_machine.hpp"

#include <csignal>
#include <utility>

namespace tank {

void runtime_machine::record(outcome what, const runtime_event& e) {
  if (outcome_ != outcome::none) return; // the first is the cause, later ones are its wake
  outcome_ = what;
  code_ = e.code;
  out_of_memory_ = e.out_of_memory;
  why_ = e.why;
  finished_ns_ = e.at_ns;
}

std::string runtime_machine::describe() const {
  const auto early = ever_ran() ? "" : " before its first instruction";
  const std::string memory = out_of_memory_ ? "OOMKilled: " : "";
  switch (outcome_) {
  case outcome::none:
    return ever_ran() ? "its end was not seen" : "not started";
  case outcome::exited:
    return memory + "exited with code " + std::to_string(code_) + early;
  case outcome::signaled:
    return memory + "killed by signal " + std::to_string(code_) + early;
  case outcome::aborted:
    return "aborted" + std::string{early};
  case outcome::image_failed:
  case outcome::failed:
    return memory + why_.message();
  case outcome::session_down:
    return "its shim went away: " + (why_.cause.empty() ? why_.message() : why_.cause);
  }
  return {};
}

/// kubelet's words.
static std::string image_word(int problem) {
  switch (static_cast<image_problem>(problem)) {
  case image_problem::invalid_name:
    return "InvalidImageName";
  case image_problem::never_pull:
    return "ErrImageNeverPull";
  default:
    return "ErrImagePull";
  }
}

stop_reason runtime_machine::reason() const {
  if (end_ && (!stop_asked_ || end_->why.cause == stop_cause::stopped)) return end_->why;
  if (end_) return {stop_class::shutdown, stop_cause::stopped, end_->how.exit_code, end_->how.message};
  const auto abnormal = [&](stop_cause cause) {
    return stop_reason{stop_class::abnormal, cause, 0, describe()};
  };
  if (stop_asked_) {
    const bool told = outcome_ == outcome::exited || outcome_ == outcome::signaled;
    return {stop_class::shutdown, stop_cause::stopped, told ? how().exit_code : 0, describe()};
  }
  switch (outcome_) {
  case outcome::exited:
    if (!ever_ran()) return abnormal(stop_cause::bring_up_failed);
    if (code_ == 0) return {};
    if (out_of_memory_) return {stop_class::shutdown, stop_cause::oom_killed, SIGKILL, describe()};
    return {stop_class::shutdown, stop_cause::workload_exited, code_, describe()};
  case outcome::signaled:
    if (!ever_ran()) return abnormal(stop_cause::bring_up_failed);
    if (out_of_memory_) return {stop_class::shutdown, stop_cause::oom_killed, SIGKILL, describe()};
    return {stop_class::shutdown, stop_cause::workload_signaled, code_, describe()};
  case outcome::session_down:
    return abnormal(stop_cause::session_down);
  case outcome::image_failed:
    if (code_ == static_cast<int>(image_problem::pull_failed)) return abnormal(stop_cause::image_pull_failed);
    return abnormal(stop_cause::bring_up_failed);
  default:
    return abnormal(stop_cause::bring_up_failed);
  }
}

last_exit runtime_machine::how() const {
  if (end_) return end_->how;
  last_exit exit;
  exit.started_ns = started_ns_;
  exit.finished_ns = finished_ns_;
  exit.message = describe();
  switch (outcome_) {
  case outcome::exited:
    exit.reason = code_ == 0 ? "Completed" : "Error";
    exit.exit_code = code_;
    break;
  case outcome::signaled:
    exit.reason = "Error";
    exit.exit_code = 128 + code_;
    exit.signal = code_;
    break;
  case outcome::session_down: // the shim's end takes the workload with it
    exit.reason = "Error";
    exit.exit_code = 128 + SIGKILL;
    exit.signal = SIGKILL;
    break;
  case outcome::image_failed:
    exit.reason = image_word(code_);
    exit.exit_code = 128;
    break;
  case outcome::failed:
    exit.reason = "StartError";
    exit.exit_code = 128;
    break;
  case outcome::none:
  case outcome::aborted:
    exit.reason = stop_asked_ ? "Stopped" : "StartError";
    exit.exit_code = stop_asked_ ? 0 : 128;
    break;
  }
  if (out_of_memory_ && ever_ran()) exit.reason = "OOMKilled";
  // Whatever came first, a workload that never ran has not failed by itself.
  if (!ever_ran() && (outcome_ == outcome::exited || outcome_ == outcome::signaled))
    exit.reason = stop_asked_ ? "Stopped" : "StartError";
  return exit;
}

} // namespace tank
