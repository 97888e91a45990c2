/// Whether others than root and we could change what is at a path (SECURITY.md class 18): a daemon
/// of root's must not live in a directory that somebody else has made before it.
#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/stat.h>

namespace tank {

enum class writers : std::uint8_t {
  owner,     ///< and a group that is root's or ours
  and_group, ///< any group too: who is in it was root's choice
};

/// Why `st` is in the hands of others: "it belongs to user 1000", "everybody may write in it";
/// empty when root or our effective user owns it, and only `allowed` may write.
std::string foreign_hands(const struct stat& st, writers allowed);

/// Judges the directory `path` and all that are on the way to it, symbolic links followed and
/// judged too. On the way groups may write (/var/log of some distributions), and everybody where
/// nobody can replace what is another's (/tmp, sticky). errc::denied names what is in other hands.
/// Blocking.
result<void> check_trusted_directory(const std::filesystem::path& path,
                                     writers allowed = writers::owner);

} // namespace tank
