#include "pod/model.hpp"

namespace tank {

std::string_view to_string(pod_state s) noexcept {
  switch (s) {
  case pod_state::pending:
    return "pending";
  case pod_state::starting:
    return "starting";
  case pod_state::running:
    return "running";
  case pod_state::stopping:
    return "stopping";
  case pod_state::backing_off:
    return "backing_off";
  case pod_state::terminal:
    return "terminal";
  }
  return "?";
}

} // namespace tank
