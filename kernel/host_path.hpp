/// Paths of the host, walked by descriptor. Private to kernel/: the rules are those of
/// pod_files.hpp.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "kernel/pod_files.hpp"

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
/// whatever the umask. errc::not_found; errc::denied for a link that others have made, or may have
/// made, and for one of procfs; errc::invalid for a path that is not absolute or has "..".
result<unique_fd> open_host_directory(const std::filesystem::path& path,
                                      std::optional<mode_t> make = std::nullopt);

/// The same of the directory that `path` is in. `untrusted` as below; may be empty.
result<host_place> open_host_place(const std::filesystem::path& path,
                                   std::optional<mode_t> make = std::nullopt,
                                   const untrusted_directory& untrusted = {});

/// What a path of the host leads to.
struct host_file {
  unique_fd fd;               ///< O_PATH
  std::filesystem::path path; ///< absolute, without links: opened without following any it is this
};

/// Follows `path` to a file of any kind, links as above. A link in a directory of which `untrusted`
/// says so, or below one, is refused: pods write there, as root.
result<host_file> open_host_path(const std::filesystem::path& path,
                                 const untrusted_directory& untrusted);

} // namespace tank::kernel
