/// A container's log on disk: appended to, rotated by size, and never in the workload's way.
#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>

#include <sys/uio.h>

namespace tank::kernel::shim {

/// The file and its rotated predecessors, `name`, `name.1` ... `name.<max_files-1>`, all reached
/// through the directory opened once. What cannot be written (a full disk) is dropped and counted;
/// when writing works again a line of the log says how much is missing.
class log_file {
 public:
  /// `path` is absolute, its directory exists. False with errno.
  bool open(const char* path, std::uint64_t max_bytes, std::uint32_t max_files) noexcept;
  /// With a last try to say what is missing.
  void close() noexcept;

  // --- the sink of cri_writer (cri.hpp) ---
  /// An empty file is never full: a line larger than `max_bytes` still gets one of its own.
  [[nodiscard]] bool full(std::size_t gathered, std::size_t next) const noexcept {
    const std::uint64_t before = size_ + gathered;
    return before > 0 && before + next > max_bytes_;
  }
  void rotate() noexcept;
  void write(const iovec* pieces, unsigned count, std::size_t bytes) noexcept;

  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  bool open_current() noexcept;
  bool report_loss() noexcept;

  unique_fd directory_;
  unique_fd file_;
  char name_[240] = {}; ///< leaves room for ".<number>" below NAME_MAX
  std::uint64_t size_ = 0;
  std::uint64_t max_bytes_ = 0;
  std::uint32_t max_files_ = 2;
  std::uint64_t lost_ = 0; ///< bytes not reported in the log yet
  int lost_why_ = 0;       ///< errno
  bool torn_ = false;      ///< the file ends inside a line
};

} // namespace tank::kernel::shim
