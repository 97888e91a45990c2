/// A shim's containers as the daemon's end has seen them: what may be asked, and which frame is
/// news. No I/O. Private to kernel/: others see kernel::session.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "kernel/frames.hpp"
#include "kernel/session_events.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::kernel {

class container_table {
 public:
  /// Whether the request can be sent, with the errors that `session` documents. A connection that
  /// is closed refuses everything with no_process.
  [[nodiscard]] result<void> allow(const frames::ask& wanted, bool connected) const;
  /// It was sent.
  void note(const frames::ask& sent);

  // Each takes what the shim has said, and answers the event that it is, if it is one. What answers
  // no request of ours, or is about an attempt that is over, is none.
  std::optional<session_event> take(frames::container said, unique_fd process);
  std::optional<session_event> take(frames::refused said);
  std::optional<session_event> take(frames::terminal said, unique_fd stream);

  [[nodiscard]] std::vector<container_info> info() const;
  /// The processes that live, as far as the shim has handed them over: pidfds.
  std::vector<unique_fd> release_processes();

 private:
  /// What has been asked of one container and is not seen done.
  struct entry {
    container_info known;
    std::uint32_t create_serial = 0; ///< 0: it was there when we came
    std::uint32_t build_serial = 0;  ///< 0: not asked, as are the others
    std::uint32_t proceed_serial = 0;
    unsigned held_signals = 0;
    std::vector<std::uint32_t> terminals; ///< serials; not answered yet
    unique_fd process;                    ///< pidfd, while it lives
  };
  [[nodiscard]] const entry* find(const std::string& container) const;
  entry* find(const std::string& container);
  [[nodiscard]] result<void> allow_create(const instance& who) const;
  entry* enter(const container_info& now);

  std::vector<entry> entries_; ///< in the order of their making; at most the protocol's number
};

} // namespace tank::kernel
