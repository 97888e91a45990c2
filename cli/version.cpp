#include "cli/invocation.hpp"

#include <CLI/App.hpp>

#include <ostream>

namespace tank::cli {

std::string version_line() {
  return "tank " TANK_VERSION;
}

void add_version(CLI::App& app, invocation& line) {
  auto* command = app.add_subcommand("version", "Print the version");
  command->footer("Examples:\n  tank version");
  command->callback([&line] {
    line.action = [&line]() -> result<int> {
      line.context.out << version_line() << "\n";
      return exit_ok;
    };
  });
}

} // namespace tank::cli
