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
  if (shown_.empty()) return;
  // A terminal that became narrower has broken the long lines into several.
  const std::size_t columns_there = width();
  std::size_t rows = 0;
  for (std::size_t at = 0, end = 0; (end = shown_.find('\n', at)) != std::string::npos;
       at = end + 1)
    rows += std::max<std::size_t>(1, (columns(shown_.substr(at, end - at)) + columns_there - 1) /
                                         columns_there);
  context_.out << "\r\x1b[" << rows << "A\x1b[J";
  shown_.clear();
}

void screen::draw(const std::string& table) {
  erase();
  // Without wrapping: some characters are wider than we think.
  context_.out << "\x1b[?7l" << table << "\x1b[?7h" << std::flush;
  shown_ = table;
}

void screen::say(const std::string& line) {
  if (context_.out_is_tty) erase();
  context_.out << line << "\n" << std::flush;
  if (context_.out_is_tty) draw(drawn_);
}

std::size_t screen::width() const {
  return terminal_size(context_.out_fd).ws_col;
}

void screen::show_table(std::string table) {
  // A table higher than the terminal cannot be drawn over.
  const auto rows = terminal_size(context_.out_fd).ws_row;
  const std::size_t most = rows > 2 ? rows - 2u : 1u;
  std::size_t at = 0;
  for (std::size_t line = 0; line < most && at < table.size(); ++line)
    at = table.find('\n', at) + 1;
  if (at < table.size()) table = table.substr(0, at) + "...\n";
  if (table == drawn_) return;
  drawn_ = table;
  draw(table);
}

void screen::show(const instance::view& view) {
  if (view.synced && !files_said_) {
    files_said_ = true;
    for (const auto& file : view.files)
      for (const auto& e : file.errors)
        say(printable(e));
  }
  if (context_.out_is_tty)
    return show_table(pod_table(view.pods, context_.realtime_ns(), {false, true, width()}));
  for (const auto& pod : view.pods) {
    if (ends_now(pod)) continue;
    auto line = state_line(pod);
    auto& last = last_[pod.key];
    if (last == line) continue;
    last = line;
    context_.out << line << "\n";
  }
  std::erase_if(last_, [&](const auto& known) {
    const bool there = std::any_of(view.pods.begin(), view.pods.end(),
                                   [&](const auto& pod) { return pod.key == known.first; });
    if (!there) context_.out << "pod/" << short_name(known.first) << " is gone\n";
    return !there;
  });
  if (const auto line = up_line(view); !all_up_ && !line.empty()) {
    context_.out << line << "\n";
    all_up_ = true;
  }
  context_.out.flush();
}

} // namespace tank::cli
