/// Paths of the host, walked by descriptor. Private to kernel/: the rules are those of
/// pod_files.hpp.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <sys/types.h>

namespace tank::kernel {

/// A directory that was walked to, and the name of something in it, which may be missing.
struct host_place {
  unique_fd directory; ///< O_PATH
  std::string name;    ///< one component
};

/// The directory at `path`, O_PATH. With `make` those that are missing are made with that mode,
/// whatever the umask. errc::not_found, errc::denied for a link that a stranger owns, errc::invalid
/// for a path that is not absolute or has "..".
result<unique_fd> open_host_directory(const std::filesystem::path& path,
                                      std::optional<mode_t> make = std::nullopt);

/// The same of the directory that `path` is in.
result<host_place> open_host_place(const std::filesystem::path& path,
                                   std::optional<mode_t> make = std::nullopt);

} // namespace tank::kernel
