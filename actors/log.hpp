/// Where actors log: to what the owner of an instance gave them, never to anything global.
///
/// Their options carry a `std::shared_ptr<spdlog::logger>` (a forward declaration does there);
/// this header is for the sources that write to it.
#pragma once

#include <spdlog/logger.h>

#include <memory>

namespace tank {

using log_ptr = std::shared_ptr<spdlog::logger>;

/// `given`, or a logger that drops everything: never null.
log_ptr log_or_none(log_ptr given);

} // namespace tank
