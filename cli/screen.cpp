#include "cli/screen.hpp"

#include "cli/tables.hpp"
#include "cli/up_verdict.hpp"

#include <algorithm>
#include <ostream>

#include <sys/ioctl.h>

namespace tank::cli {
namespace {

winsize terminal_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {24, 80, 0, 0};
  return size;
}

} // namespace

screen::screen(cli_context& context) : context_{context} {
  if (context_.out_is_tty) context_.out << "\x1b[?25l" << std::flush;
}

screen::~screen() {
  if (context_.out_is_tty) context_.out << "\x1b[?25h" << std::flush;
}

void screen::erase() {
  if (lines_ > 0) context_.out << "\x1b[" << lines_ << "A\r\x1b[J";
  lines_ = 0;
}

void screen::draw(const std::string& table) {
  erase();
  context_.out << table << std::flush;
  lines_ = static_cast<std::size_t>(std::count(table.begin(), table.end(), '\n'));
}

void screen::say(const std::string& line) {
  if (context_.out_is_tty) erase();
  context_.out << line << "\n" << std::flush;
  if (context_.out_is_tty) draw(drawn_);
}

void screen::show(const instance::view& view) {
  if (view.synced && !files_said_) {
    files_said_ = true;
    for (const auto& file : view.files)
      for (const auto& e : file.errors)
        say(printable(e));
  }
  if (context_.out_is_tty) {
    const auto size = terminal_size(context_.out_fd);
    auto table = pod_table(view.pods, context_.realtime_ns(), {false, true, size.ws_col});
    // A table higher than the terminal cannot be drawn over.
    const std::size_t most = size.ws_row > 2 ? size.ws_row - 2u : 1u;
    std::size_t at = 0;
    for (std::size_t line = 0; line < most && at < table.size(); ++line)
      at = table.find('\n', at) + 1;
    if (at < table.size()) table = table.substr(0, at) + "...\n";
    if (table == drawn_) return;
    drawn_ = table;
    draw(table);
    return;
  }
  for (const auto& pod : view.pods) {
    if (ends_now(pod)) continue;
    auto line = state_line(pod);
    auto& last = last_[pod.key];
    if (last == line) continue;
    last = line;
    context_.out << line << "\n";
  }
  if (const auto line = up_line(view); !all_up_ && !line.empty()) {
    context_.out << line << "\n";
    all_up_ = true;
  }
  context_.out.flush();
}

} // namespace tank::cli
