#include "kernel/stage.hpp"

#include <cstddef>

namespace tank::kernel {

template <std::size_t N>
static std::string_view name_of(const std::string_view (&names)[N], unsigned i) noexcept {
  return i < N ? names[i] : "unknown";
}

std::string_view to_string(stage s) noexcept {
  constexpr std::string_view names[stages] = {"starting", "ready",    "built",   "running",
                                              "exited",   "signaled", "aborted", "failed"};
  return name_of(names, static_cast<unsigned>(s));
}

std::string_view to_string(request what) noexcept {
  constexpr std::string_view names[requests] = {
      "create", "build", "let go", "abort", "signal", "kill", "open the terminal of", "shut down"};
  return name_of(names, static_cast<unsigned>(what));
}

std::string_view to_string(refusal r) noexcept {
  constexpr std::string_view names[refusals] = {
      "none",       "not_ready",     "built",           "running",
      "no_process", "not_running",   "no_pty",          "exists",
      "full",       "bad_plan",      "no_container",    "bad_value",
      "too_many",   "shutting_down", "unknown_request", "failed"};
  return name_of(names, static_cast<unsigned>(r));
}

} // namespace tank::kernel
