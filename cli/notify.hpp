/// Telling a service manager how far we are (sd_notify(3)).
#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>

namespace tank::cli {

/// Sends `state` ("READY=1") to the datagram socket named by $NOTIFY_SOCKET; a leading '@' means
/// the abstract namespace. An empty name is success: nobody asked.
result<void> notify(const std::string& socket, std::string_view state);

} // namespace tank::cli
