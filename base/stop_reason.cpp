#include "base/stop_reason.hpp"

#include <array>
#include <utility>

namespace tank {

std::string_view to_string(stop_class c) noexcept {
  switch (c) {
  case stop_class::normal:
    return "normal";
  case stop_class::shutdown:
    return "shutdown";
  case stop_class::abnormal:
    return "abnormal";
  }
  return "?";
}

static constexpr std::array<std::string_view, 18> cause_names{"normal",
                                                              "shutdown",
                                                              "stopped",
                                                              "workload_exited",
                                                              "workload_signaled",
                                                              "oom_killed",
                                                              "unhealthy",
                                                              "bring_up_failed",
                                                              "image_pull_failed",
                                                              "host_shortage",
                                                              "session_down",
                                                              "gave_up",
                                                              "exception",
                                                              "killed",
                                                              "unreachable",
                                                              "supervisor_down",
                                                              "start_failed",
                                                              "error"};
static_assert(cause_names.size() == static_cast<std::size_t>(stop_cause::error) + 1);

std::string_view to_string(stop_cause c) noexcept {
  return cause_names[static_cast<std::size_t>(c)];
}

std::optional<stop_cause> stop_cause_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < cause_names.size(); ++i)
    if (cause_names[i] == name) return static_cast<stop_cause>(i);
  return std::nullopt;
}

stop_reason stop_normal() {
  return {};
}

stop_reason stop_shutdown() {
  return {stop_class::shutdown, stop_cause::shutdown, 0, {}};
}

stop_reason stop_exited(int exit_code) {
  if (exit_code == 0) return stop_normal();
  return {stop_class::shutdown, stop_cause::workload_exited, exit_code, {}};
}

stop_reason stop_signaled(int signal) {
  return {stop_class::shutdown, stop_cause::workload_signaled, signal, {}};
}

stop_reason stop_requested(std::string how_it_ended) {
  return {stop_class::shutdown, stop_cause::stopped, 0, std::move(how_it_ended)};
}

stop_reason stop_failed(const error& why) {
  return {stop_class::abnormal, stop_cause::bring_up_failed, why.sys, why.message()};
}

stop_reason stop_session_down(std::string text) {
  return {stop_class::abnormal, stop_cause::session_down, 0, std::move(text)};
}

stop_reason stop_exception(const std::exception_ptr& e) {
  std::string text = "unknown exception";
  try {
    if (e) std::rethrow_exception(e);
  } catch (const std::exception& x) {
    text = x.what();
  } catch (...) {
    // an object that is no std::exception has no text to keep
  }
  return {stop_class::abnormal, stop_cause::exception, 0, std::move(text)};
}

std::string to_string(const stop_reason& reason) {
  std::string out{to_string(reason.cls)};
  if (const auto cause = to_string(reason.cause); cause != out) out.append(" ").append(cause);
  if (reason.code != 0) out += " " + std::to_string(reason.code);
  if (!reason.text.empty()) out += ": " + reason.text;
  return out;
}

} // namespace tank
