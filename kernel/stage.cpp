#include "kernel/stage.hpp"

namespace tank::kernel {

std::string_view to_string(stage s) noexcept {
  constexpr std::string_view names[stages] = {"starting", "ready",    "built",   "running",
                                              "exited",   "signaled", "aborted", "failed"};
  const auto i = static_cast<unsigned>(s);
  return i < stages ? names[i] : "unknown";
}

} // namespace tank::kernel
