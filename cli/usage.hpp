/// What the command line says of itself: help pages, and one clear line when it is wrong.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class FormatterBase;
class Option;
class ParseError;
} // namespace CLI

namespace tank::cli {

/// Help without the parser's own vocabulary: "-o,--output FORMAT  table, wide, ...".
std::shared_ptr<CLI::FormatterBase> help_formatter();

/// What is wrong, without newline: "unknown command 'aply', did you mean 'apply'?". `app` has
/// failed to parse with `error`.
std::string usage_text(const CLI::App& app, const CLI::ParseError& error);

/// The innermost command that was named: "tank image rm".
std::string command_path(const CLI::App& app);

/// Only these words are taken; others are an error that lists them.
void accept_only(CLI::Option& option, std::vector<std::string> words);

/// Only whole numbers from 0 are taken.
void accept_count(CLI::Option& option);

} // namespace tank::cli
