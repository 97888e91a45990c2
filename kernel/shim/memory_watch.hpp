/// Whether the kernel kills in a container for want of memory.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/wire.hpp"

#include <cstdint>

namespace tank::kernel::shim {

/// Holds the file that counts, which is opened while there are descriptors to be had and tells also
/// when the cgroup is about to be removed.
class memory_watch {
 public:
  /// Looks for the file in the container's cgroups and notes its count. Without one, or without a
  /// descriptor for it, nothing is ever found out of memory.
  void begin(const wire::text_list& cgroups) noexcept;
  /// The container has ended, `well` with exit code 0. Whether memory is why; closes the file.
  bool end(bool well) noexcept;
  void close() noexcept { file_.reset(); }

 private:
  [[nodiscard]] std::uint64_t count() const noexcept;

  unique_fd file_;
  std::uint64_t before_ = 0;
};

} // namespace tank::kernel::shim
