/// What `tank up` shows while it runs: a live table on a terminal, plain lines otherwise.
#pragma once

#include "api/start.hpp"
#include "cli/context.hpp"

#include <map>
#include <string>

namespace tank::cli {

/// Writes only when something changed. On a terminal the table is drawn over the last one; the
/// cursor is hidden meanwhile and shown again at the end.
class screen {
 public:
  explicit screen(cli_context& context);
  ~screen();
  screen(const screen&) = delete;
  screen& operator=(const screen&) = delete;

  void show(const instance::view& view);
  /// The same with any table, on a terminal.
  void show_table(std::string table);
  /// Of the terminal, in columns.
  [[nodiscard]] std::size_t width() const;
  /// The terminal has another size: the next look draws anew.
  void resized() { drawn_.clear(); }
  /// A line that stays, above the table.
  void say(const std::string& line);

 private:
  void draw(const std::string& table);
  void erase();

  cli_context& context_;
  std::string drawn_;                       ///< the last table
  std::string shown_;                       ///< what of it stands on the terminal now
  std::map<std::string, std::string> last_; ///< state_line by key
  bool all_up_ = false;
  bool files_said_ = false;
};

} // namespace tank::cli
