/// What makes a function a verb of the command line.
#pragma once

#include "cli/invocation.hpp"

#include <CLI/App.hpp>

#include <memory>

namespace tank::cli {

/// When `command` is given, `verb` runs with the options that its line has filled in.
template <class Options, class Verb>
void does(CLI::App* command, invocation& line, const std::shared_ptr<Options>& given, Verb verb) {
  command->callback(
      [&line, given, verb] { line.action = [&line, given, verb] { return verb(line, *given); }; });
}

} // namespace tank::cli
