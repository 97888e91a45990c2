#include "pod/container_end.hpp"

#include <cerrno>
#include <csignal>

namespace tank {

using run::outcome;

static bool ran(const run::container_end& end) {
  return end.started_ns != 0;
}

/// Whether the host had no room, no memory or no descriptors for the bring-up. What the pod's own
/// limits refuse is the pod's.
static bool is_host_shortage(const run::container_end& end) {
  if (end.out_of_memory || ran(end)) return false;
  if (end.how != outcome::failed && end.how != outcome::image_failed) return false;
  switch (end.why.sys) {
  case ENOSPC:
  case EDQUOT:
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case ENOBUFS:
    return true;
  default:
    return false;
  }
}

static std::string how_it_ended(const run::container_end& end) {
  const std::string early = ran(end) ? "" : " before its first instruction";
  const std::string memory = end.out_of_memory ? "OOMKilled: " : "";
  switch (end.how) {
  case outcome::none:
    return ran(end) ? "its end was not seen" : "not started";
  case outcome::exited:
    return memory + "exited with code " + std::to_string(end.code) + early;
  case outcome::signaled:
    return memory + "killed by signal " + std::to_string(end.code) + early;
  case outcome::aborted:
    return "aborted" + early;
  case outcome::image_failed:
  case outcome::failed:
    return memory + end.why.message();
  case outcome::session_down:
    return "its shim went away: " + (end.why.cause.empty() ? end.why.message() : end.why.cause);
  }
  return {};
}

std::string describe(const run::container_end& end) {
  return end.unhealthy ? end.complaint + "; " + how_it_ended(end) : how_it_ended(end);
}

std::optional<int> exit_code_of(const run::container_end& end) {
  if (!ran(end)) return std::nullopt;
  if (end.how == outcome::exited) return end.code;
  if (end.how == outcome::signaled) return 128 + end.code;
  return std::nullopt;
}

stop_reason reason_of(const run::container_end& end) {
  const auto abnormal = [&](stop_cause cause) {
    return stop_reason{stop_class::abnormal, cause, 0, describe(end)};
  };
  const bool by_itself = end.how == outcome::exited || end.how == outcome::signaled;
  if (end.unhealthy && by_itself)
    return {stop_class::shutdown, stop_cause::unhealthy, exit_of(end).exit_code, describe(end)};
  if (end.stopped)
    return {stop_class::shutdown, stop_cause::stopped, by_itself ? exit_of(end).exit_code : 0,
            describe(end)};
  if (end.how == outcome::session_down) return abnormal(stop_cause::session_down);
  if (is_host_shortage(end)) return abnormal(stop_cause::host_shortage);
  if (end.how == outcome::image_failed && end.image == image_problem::pull_failed)
    return abnormal(stop_cause::image_pull_failed);
  if (!by_itself || !ran(end)) return abnormal(stop_cause::bring_up_failed);
  if (end.how == outcome::exited && end.code == 0) return stop_normal();
  if (end.out_of_memory)
    return {stop_class::shutdown, stop_cause::oom_killed, SIGKILL, describe(end)};
  const auto cause =
      end.how == outcome::exited ? stop_cause::workload_exited : stop_cause::workload_signaled;
  return {stop_class::shutdown, cause, end.code, describe(end)};
}

/// kubelet's words.
static std::string image_word(image_problem problem) {
  switch (problem) {
  case image_problem::invalid_name:
    return "InvalidImageName";
  case image_problem::never_pull:
    return "ErrImageNeverPull";
  case image_problem::none:
  case image_problem::pull_failed:
    break;
  }
  return "ErrImagePull";
}

last_exit exit_of(const run::container_end& end) {
  last_exit exit;
  exit.started_ns = end.started_ns;
  exit.finished_ns = end.finished_ns;
  exit.message = describe(end);
  switch (end.how) {
  case outcome::exited:
    exit.reason = end.code == 0 && !end.unhealthy ? "Completed" : "Error";
    exit.exit_code = end.code;
    break;
  case outcome::signaled:
    exit.reason = "Error";
    exit.exit_code = 128 + end.code;
    exit.signal = end.code;
    break;
  case outcome::session_down: // the shim's end takes the workload with it
    exit.reason = "Error";
    exit.exit_code = 128 + SIGKILL;
    exit.signal = SIGKILL;
    break;
  case outcome::image_failed:
    exit.reason = is_host_shortage(end) ? "HostShortage" : image_word(end.image);
    exit.exit_code = 128;
    break;
  case outcome::failed:
    exit.reason = is_host_shortage(end) ? "HostShortage" : "StartError";
    exit.exit_code = 128;
    break;
  case outcome::none:
  case outcome::aborted:
    exit.reason = end.stopped ? "Stopped" : "StartError";
    exit.exit_code = end.stopped ? 0 : 128;
    break;
  }
  if (end.out_of_memory && ran(end)) exit.reason = "OOMKilled";
  // Whatever came first, a workload that never ran has not failed by itself.
  if (!ran(end) && (end.how == outcome::exited || end.how == outcome::signaled))
    exit.reason = end.stopped ? "Stopped" : "StartError";
  return exit;
}

} // namespace tank
