/// What the end-to-end suites see of a pod's containers, and what these wait at.
#pragma once

#include "base/unique_fd.hpp"
#include "pod/model.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tank::testing {

/// For a shell that stays, and hears its signals at once: it is asleep, and looks at nothing.
inline constexpr auto stay = "while :; do sleep 1000 & wait $!; done";

inline const container_status& of(const pod_status& pod, const std::string& name) {
  const auto it = std::find_if(pod.containers.begin(), pod.containers.end(),
                               [&](const auto& c) { return c.name == name; });
  REQUIRE(it != pod.containers.end());
  return *it;
}

inline bool runs(const pod_status& pod, const std::string& name, std::uint32_t restarts = 0) {
  const auto& c = of(pod, name);
  return c.state == container_phase::running && c.host_pid > 0 && c.restarts == restarts;
}

inline void kill_one(const container_status& c) {
  REQUIRE(c.host_pid > 1); // else it would be our own process group
  REQUIRE(::kill(c.host_pid, SIGKILL) == 0);
}

/// A FIFO that holds one reader up until it is opened: `read go < PATH` in a container's shell.
class gate {
 public:
  explicit gate(const std::filesystem::path& path) {
    REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
    fd_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(fd_);
  }
  void open() const { REQUIRE(::write(fd_.get(), "go\n", 3) == 3); }

 private:
  unique_fd fd_; ///< both ends: nobody waits for the other to come
};

} // namespace tank::testing
