/// Where actors log: to what the owner of an instance gave them, never to anything global.
///
/// Their options carry a `std::shared_ptr<spdlog::logger>` (a forward declaration does there);
/// this header is for the sources that write to it.
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <utility>

namespace tank {

using log_ptr = std::shared_ptr<spdlog::logger>;

/// `given`, or a logger that drops everything: never null.
inline log_ptr log_or_none(log_ptr given) {
  if (given) return given;
  auto none = std::make_shared<spdlog::logger>("tank"); // in no registry; without a sink
  none->set_level(spdlog::level::off);
  return none;
}

} // namespace tank
