/// Runs credential helpers: programs that the user has installed and named.
#pragma once

#include "oci/credentials.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace tank::oci {

/// `docker-credential-<suffix> get`, found in `path` (absolute directories only), the server on
/// standard input; standard error is dropped. It gets `environment` ("K=V") and nothing else.
/// At most 64 KiB of output and `limit` of time, then it is killed: errc::limit, errc::timeout. It
/// is spawned without a copy of this process. Blocking.
std::function<result<credential_world::answer>(const std::string&, const std::string&)>
helper_runner(std::string path, std::vector<std::string> environment,
              std::chrono::milliseconds limit);

} // namespace tank::oci
