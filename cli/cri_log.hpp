/// Container output on disk: lines `<RFC3339Nano> <stdout|stderr> <P|F> <text>` (CRI log format).
///
/// Pure: bytes in, entries out. The files are written by the shim; their content is the workload's,
/// so every length has a limit and a line that is not in the format is passed on as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tank::cli {

enum class log_stream : std::uint8_t { out, err };

/// One line as the workload wrote it: its P (partial) pieces joined up to the F (final) one.
struct log_entry {
  std::string time; ///< RFC 3339 with nanoseconds, of the first piece; empty for a foreign line
  log_stream stream = log_stream::out;
  std::string text;  ///< without the newline
  bool ended = true; ///< false: the line passed the limit, or the log ends within it
  bool operator==(const log_entry&) const = default;
};

/// Splits and joins. Fed with any cuts, it yields the same entries.
class cri_parser {
 public:
  using sink = std::function<void(const log_entry&)>;

  /// A joined line longer than `max_line` bytes is given in pieces (`ended` false).
  explicit cri_parser(std::size_t max_line = 1 << 20) : max_line_(max_line) {}

  void feed(std::string_view bytes, const sink& give);

  /// Gives what is left: a line without its newline, a P without its F. Call at the end of the
  /// last file, not between a file and the one it was rotated to.
  void finish(const sink& give);

 private:
  struct pending {
    std::string time;
    std::string text;
    bool open = false;
  };

  /// What follows a piece: more of its line, a line's end, or what the limit cut off.
  enum class piece_end : std::uint8_t { open, line, cut };

  void line(std::string_view text, bool whole, const sink& give);
  void piece(log_stream stream, std::string_view time, std::string_view text, piece_end end,
             const sink& give);

  std::size_t max_line_;
  std::string rest_; ///< bytes behind the last newline
  pending out_;
  pending err_;
};

} // namespace tank::cli
