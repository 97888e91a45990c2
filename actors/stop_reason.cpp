#include "actors/stop_reason.hpp"

#include "actors/caf_compat.hpp"
#include "actors/supervisor_messages.hpp"

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

stop_reason stop_normal() {
  return {};
}

stop_reason stop_shutdown() {
  return {stop_class::shutdown, "shutdown", 0, {}};
}

stop_reason stop_exited(int exit_code) {
  if (exit_code == 0) return stop_normal();
  return {stop_class::shutdown, "workload_exited", exit_code, {}};
}

stop_reason stop_signaled(int signal) {
  return {stop_class::shutdown, "workload_signaled", signal, {}};
}

stop_reason stop_requested(std::string how_it_ended) {
  return {stop_class::shutdown, "stopped", 0, std::move(how_it_ended)};
}

stop_reason stop_failed(const error& why) {
  return {stop_class::abnormal, "bring_up_failed", why.sys, why.message()};
}

stop_reason stop_session_down(std::string text) {
  return {stop_class::abnormal, "session_down", 0, std::move(text)};
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
  return {stop_class::abnormal, "exception", 0, std::move(text)};
}

caf::error to_error(const stop_reason& reason) {
  if (reason.cls == stop_class::normal) return {};
  return compat::wrap_error(reason);
}

caf::error to_error(const error& why) {
  return compat::wrap_error(why);
}

error error_of(const caf::error& answer) {
  if (auto carried = compat::context_as<error>(answer)) return *std::move(carried);
  if (answer == caf::make_error(caf::sec::request_timeout))
    return {errc::timeout, 0, "ask", "actor", "no answer in time", {}};
  if (answer == caf::make_error(caf::sec::request_receiver_down))
    return {errc::unavailable, 0, "ask", "actor", "it has ended", {}};
  return {errc::internal, 0, "ask", "actor", caf::to_string(answer), {}};
}

stop_reason classify(const caf::error& reason) {
  using caf::exit_reason;
  if (compat::is_normal(reason)) return stop_normal();
  if (auto carried = compat::context_as<stop_reason>(reason)) return *std::move(carried);
  if (auto carried = compat::context_as<error>(reason))
    return {stop_class::abnormal, "error", carried->sys, carried->message()};
  if (reason == caf::make_error(exit_reason::user_shutdown)) return stop_shutdown();
  if (reason == caf::make_error(exit_reason::kill)) return {stop_class::abnormal, "killed", 0, {}};
  if (reason == caf::make_error(exit_reason::unreachable))
    return {stop_class::abnormal, "unreachable", 0, "nobody referred to the actor any more"};
  return {stop_class::abnormal, "error", 0, caf::to_string(reason)};
}

std::string to_string(const stop_reason& reason) {
  std::string out{to_string(reason.cls)};
  if (reason.what != out) out += " " + reason.what;
  if (reason.code != 0) out += " " + std::to_string(reason.code);
  if (!reason.text.empty()) out += ": " + reason.text;
  return out;
}

} // namespace tank
