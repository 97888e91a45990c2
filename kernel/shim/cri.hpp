/// Output bytes into CRI log lines: `<RFC3339Nano> <stdout|stderr> <F|P> <text>\n`.
///
/// A line longer than `max_text` becomes P lines that the reader joins up to the next F. A last
/// line without newline becomes a P, so that joining gives back the very bytes. Lines come out the
/// same however the bytes were cut by reads. Pure but for the sink; the clock is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include <sys/uio.h>

namespace tank::kernel::shim {

inline constexpr std::size_t max_text = 16384;
inline constexpr std::size_t stamp_size = 30; ///< "2026-01-02T03:04:05.123456789Z"

/// CLOCK_REALTIME nanoseconds since 1970 as UTC. Not terminated. No time zone database.
void format_stamp(std::int64_t realtime_ns, char (&out)[stamp_size]) noexcept;

/// The unfinished line of one stream, between reads. Left uninitialised on purpose: pages that no
/// output needs are never touched.
struct partial_line {
  std::uint32_t size;
  char text[max_text];
};

/// Gathers the lines of one read into few writes, without copying the text. `Sink` has
///     bool full(std::size_t gathered, std::size_t next)   `next` bytes behind those gathered would
///                                                         pass the current file's limit
///     void rotate()
///     void write(const iovec*, unsigned count, std::size_t bytes)   all or some; never blocks
template <class Sink>
class cri_writer {
 public:
  /// `name` is "stdout" or "stderr"; all lines carry `now_ns`.
  cri_writer(Sink& sink, partial_line& held, const char (&name)[7], std::int64_t now_ns) noexcept
      : sink_(sink)
      , held_(held) {
    char stamp[stamp_size];
    format_stamp(now_ns, stamp);
    for (char* prefix : {full_prefix_, part_prefix_}) {
      std::memcpy(prefix, stamp, stamp_size);
      prefix[stamp_size] = ' ';
      std::memcpy(prefix + stamp_size + 1, name, 6);
      std::memcpy(prefix + stamp_size + 7, prefix == full_prefix_ ? " F " : " P ", 3);
    }
  }

  /// The next bytes of the stream. They are written, or held, when this returns.
  void feed(const char* data, std::size_t size) noexcept {
    while (size > 0) {
      const std::size_t room = max_text - held_.size;
      const auto* newline =
          static_cast<const char*>(std::memchr(data, '\n', size <= room ? size : room + 1));
      if (newline != nullptr) {
        const auto n = static_cast<std::size_t>(newline - data) + 1;
        line(full_prefix_, data, n);
        data += n;
        size -= n;
      } else if (size > room) {
        line(part_prefix_, data, room);
        data += room;
        size -= room;
      } else {
        break;
      }
    }
    flush(); // lines may still point into `held_`
    std::memcpy(held_.text + held_.size, data, size);
    held_.size += static_cast<std::uint32_t>(size);
  }

  /// The stream has paused for good or ended: what is held becomes a P line.
  void finish() noexcept {
    if (held_.size > 0) line(part_prefix_, nullptr, 0);
    flush();
    held_.size = 0;
  }

 private:
  static constexpr std::size_t prefix_size = stamp_size + 10;
  static constexpr unsigned max_pieces = 512;

  /// One line: what is held, then `data` (with its newline if `prefix` is full_prefix_).
  void line(const char* prefix, const char* data, std::size_t size) noexcept {
    const bool part = prefix == part_prefix_;
    const std::size_t bytes = prefix_size + held_.size + size + (part ? 1 : 0);
    if (count_ + 4 > max_pieces) flush();
    if (sink_.full(bytes_, bytes)) {
      flush();
      sink_.rotate();
    }
    add(prefix, prefix_size);
    if (held_.size > 0) add(held_.text, held_.size);
    if (size > 0) add(data, size);
    if (part) add("\n", 1);
    held_.size = 0; // its bytes stay valid until flush: nothing is held again before
  }

  void add(const char* data, std::size_t size) noexcept {
    pieces_[count_++] = {const_cast<char*>(data), size};
    bytes_ += size;
  }

  void flush() noexcept {
    if (count_ > 0) sink_.write(pieces_, count_, bytes_);
    count_ = 0;
    bytes_ = 0;
  }

  Sink& sink_;
  partial_line& held_;
  unsigned count_ = 0;
  std::size_t bytes_ = 0;
  char full_prefix_[prefix_size];
  char part_prefix_[prefix_size];
  iovec pieces_[max_pieces];
};

} // namespace tank::kernel::shim
