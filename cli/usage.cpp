#include "cli/usage.hpp"

#include "base/nearest.hpp"
#include "cli/tables.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>

namespace tank::cli {
namespace {

class plain_formatter final : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text;
    if (option->get_type_size() != 0 && !option->get_type_name().empty())
      text = " " + option->get_type_name();
    if (option->get_positional()) text.clear(); // its name says it
    return text;
  }
  std::string make_description(const CLI::App* app) const override {
    return app->get_description() + ".\n\n";
  }
  std::string make_footer(const CLI::App* app) const override {
    if (app->get_parent() == nullptr) return app->get_footer() + "\n";
    return app->get_footer() + "\n\nEvery command also takes the global options of: tank --help\n";
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = "Usage: " + name;
    if (!app->get_subcommands([](const CLI::App*) { return true; }).empty()) text += " COMMAND";
    for (const auto* option : app->get_options([](const auto* o) { return o->get_positional(); }))
      text += " " + make_option_usage(option);
    return text + " [OPTIONS]\n";
  }
};

const CLI::App* innermost(const CLI::App& app) {
  const CLI::App* at = &app;
  for (auto subs = at->get_subcommands(); !subs.empty(); subs = at->get_subcommands())
    at = subs.front();
  return at;
}

std::string in_quotes(const std::string& word) {
  return "'" + printable(word) + "'";
}

std::string meant(const std::string& word, const std::vector<std::string>& known) {
  const auto near = nearest(word, known);
  return near.empty() ? "" : ", did you mean '" + near + "'?";
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

/// Long names of the options that are allowed here: its own and those of its parents.
std::vector<std::string> options_of(const CLI::App* app) {
  std::vector<std::string> names;
  for (; app != nullptr; app = app->get_parent())
    for (const auto* option : app->get_options())
      for (const auto& name : option->get_lnames())
        names.push_back("--" + name);
  return names;
}

/// The option of one value that has several; empty when there is none.
std::string given_twice(const CLI::App* app) {
  for (; app != nullptr; app = app->get_parent())
    for (const auto* option : app->get_options())
      if (!option->get_positional() && option->get_expected_max() == 1 && option->count() > 1 &&
          option->get_type_size() == 1)
        return option->get_name();
  return {};
}

std::string missing_command(const CLI::App& at) {
  std::string text = "a command is missing: one of ";
  const auto names = commands_of(at);
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  return text;
}

} // namespace

std::shared_ptr<CLI::FormatterBase> help_formatter() {
  auto made = std::make_shared<plain_formatter>();
  made->column_width(28);
  return made;
}

std::string command_path(const CLI::App& app) {
  std::string path;
  for (const auto* at = innermost(app); at != nullptr; at = at->get_parent())
    path = at->get_name() + (path.empty() ? "" : " ") + path;
  return path;
}

std::string usage_text(const CLI::App& app, const CLI::ParseError& error) {
  const auto* at = innermost(app);
  const bool wants_command = !commands_of(*at).empty();
  std::string text = error.what();
  // A word that nobody wanted explains more than what is missing without it.
  for (const auto& word : app.remaining(true)) {
    if (word.starts_with("-") && word.size() > 1) {
      const auto name = word.substr(0, word.find('='));
      return "unknown option " + in_quotes(name) + meant(name, options_of(at));
    }
    if (wants_command) return "unknown command " + in_quotes(word) + meant(word, commands_of(*at));
  }
  if (const auto twice = given_twice(at); !twice.empty()) return twice + " is given more than once";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    return text.substr(0, text.find(':')) + " needs a value";
  if (wants_command) return missing_command(*at);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    for (const auto& word : app.remaining(true))
      return "unexpected argument " + in_quotes(word);

  const auto replace = [&text](std::string_view from, std::string_view to) {
    if (const auto found = text.find(from); found != std::string::npos)
      text.replace(found, from.size(), to);
  };
  // The parser's words for the rest: a wrong value, two options that exclude each other, ...
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
    replace(" is required", " is missing");
  if (dynamic_cast<const CLI::ExcludesError*>(&error) != nullptr)
    replace(" excludes ", " cannot be given together with ");
  return printable(text);
}

void accept_only(CLI::Option& option, std::vector<std::string> words) {
  option.check(
      CLI::Validator{[words = std::move(words)](std::string& given) -> std::string {
                       if (std::find(words.begin(), words.end(), given) != words.end()) return {};
                       std::string list;
                       for (std::size_t i = 0; i < words.size(); ++i)
                         list += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
                       return "must be " + list + ", not " + in_quotes(given);
                     },
                     ""});
}

void accept_count(CLI::Option& option) {
  option.check(CLI::Validator{[](std::string& given) -> std::string {
                                const bool number =
                                    !given.empty() && given.size() <= 18 &&
                                    given.find_first_not_of("0123456789") == std::string::npos;
                                return number ? ""
                                              : "must be a number from 0, not " + in_quotes(given);
                              },
                              ""});
}

} // namespace tank::cli
