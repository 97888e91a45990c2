#include "actors/supervision/stop_reason.hpp"

#include "actors/caf_compat.hpp"
#include "actors/supervision/messages.hpp"

namespace tank {

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
    return {stop_class::abnormal, stop_cause::error, carried->sys, carried->message()};
  if (reason == caf::make_error(exit_reason::user_shutdown)) return stop_shutdown();
  if (reason == caf::make_error(exit_reason::kill))
    return {stop_class::abnormal, stop_cause::killed, 0, {}};
  if (reason == caf::make_error(exit_reason::unreachable))
    return {stop_class::abnormal, stop_cause::unreachable, 0,
            "nobody referred to the actor any more"};
  return {stop_class::abnormal, stop_cause::error, 0, caf::to_string(reason)};
}

} // namespace tank
