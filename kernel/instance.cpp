#include "kernel/instance.hpp"

namespace tank::kernel {

std::string to_string(const instance& i) {
  if (i.attempt == 0) return i.container;
  return i.container + " (attempt " + std::to_string(i.attempt) + ")";
}

} // namespace tank::kernel
