#include "actors/log.hpp"

namespace tank {

log_ptr log_or_none(log_ptr given) {
  if (given) return given;
  auto none = std::make_shared<spdlog::logger>("tank"); // in no registry; without a sink
  none->set_level(spdlog::level::off);
  return none;
}

} // namespace tank
