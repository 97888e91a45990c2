/// From a resolved profile to the program that the kernel runs, by libseccomp.
#pragma once

#include "base/error.hpp"
#include "kernel/launch_plan.hpp"
#include "kernel/seccomp_profile.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace tank::kernel {

/// Compiles: some milliseconds. System calls that libseccomp does not know are passed over. Where
/// the profile's default is an errno, calls that are newer than all it names answer ENOSYS, so that
/// libc tries an older one instead of giving up (as runc does it).
result<seccomp_filter> compile_seccomp(const resolved_profile& profile, const std::string& name);

/// Compiled filters by profile text and capabilities; a bounded number of them. Thread-safe: of two
/// that want the same filter, one compiles it and the other waits.
class seccomp_cache {
 public:
  explicit seccomp_cache(seccomp_conditions host) : host_(std::move(host)) {}
  /// `conditions.capabilities` is the container's; the rest is this host's.
  result<seccomp_filter> get(std::string_view profile, const std::string& name,
                             capability_mask capabilities);

 private:
  static constexpr std::size_t max_entries = 64;
  const seccomp_conditions host_;
  std::mutex mutex_;
  std::map<std::pair<capability_mask, std::string>, seccomp_filter, std::less<>> made_;
};

/// The JSON of a Localhost profile. `name` is resolved below `directory`, where no symbolic link
/// leads out of it; what is no regular file of at most 1 MiB is refused. Blocking.
result<std::string> read_localhost_profile(const std::filesystem::path& directory,
                                           const std::string& name);

/// Of this machine, from uname(2).
seccomp_conditions host_seccomp_conditions();

} // namespace tank::kernel
