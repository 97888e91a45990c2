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

std::string_view to_string(container_kind k) noexcept {
  switch (k) {
  case container_kind::init:
    return "init";
  case container_kind::sidecar:
    return "sidecar";
  case container_kind::main:
    return "main";
  }
  return "?";
}

std::string_view to_string(container_phase p) noexcept {
  switch (p) {
  case container_phase::waiting:
    return "waiting";
  case container_phase::running:
    return "running";
  case container_phase::terminated:
    return "terminated";
  }
  return "?";
}

} // namespace tank
