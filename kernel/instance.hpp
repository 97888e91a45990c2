/// The name of one attempt at one container of a pod.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace tank::kernel {

/// A container that runs again inside its sandbox keeps its name and gets a higher attempt.
/// Whatever is said to and by a shim names both, so that nothing meant for one attempt reaches
/// another.
struct instance {
  std::string container; ///< its name in the pod: 1 to 127 bytes
  std::uint32_t attempt = 0;
  auto operator<=>(const instance&) const = default;
  bool operator==(const instance&) const = default;
};

/// "web" for the first attempt, "web (attempt 2)" for later ones: the object of messages.
std::string to_string(const instance& i);

} // namespace tank::kernel
