// The manual pages against the program: every command, option, setting and field, both ways.
// What is compared is the pages' source, doc/man.
#include "cli/context.hpp"
#include "config/manifest.hpp"
#include "config/restart_rules.hpp"
#include "config/schema.hpp"
#include "config/settings.hpp"
#include "config/support.hpp"
#include "config/sysctl.hpp"
#include "kernel/port.hpp"
#include "tests/unit/cli/manual_page.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace manual_test {

using namespace tank;
using namespace tank::cli;
namespace fs = std::filesystem;

namespace {

using names = std::set<std::string>;

const fs::path source_tree = TANK_SOURCE_TREE;

manual_page page(const char* file) {
  auto read = read_manual_page(source_tree / "doc/man" / file);
  REQUIRE_MESSAGE(!read.sections.empty(), file);
  return read;
}

std::string text_of(const fs::path& file) {
  std::ifstream in{file};
  REQUIRE_MESSAGE(in.good(), file.string());
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string help(std::vector<std::string> words) {
  std::ostringstream out;
  std::ostringstream err;
  cli_context context{out, err};
  context.env = [](const std::string&) { return std::optional<std::string>{}; };
  context.realtime_ns = [] { return std::int64_t{0}; };
  context.make_port = [](auto) { return std::unique_ptr<kernel::port>{}; };
  words.insert(words.begin(), "help");
  REQUIRE_MESSAGE(run(context, words) == exit_ok, err.str());
  return out.str();
}

/// The indented lines of a help page below a heading, with what stands in their first column.
names column_below(const std::string& text, const std::string& heading) {
  names found;
  std::istringstream in{text};
  bool within = false;
  for (std::string line; std::getline(in, line);) {
    if (line == heading)
      within = true;
    else if (!line.starts_with(' '))
      within = false;
    else if (within && line.size() > 2 && line[2] != ' ')
      found.insert(line.substr(2, line.find("  ", 2) - 2));
  }
  return found;
}

struct command {
  std::string usage; ///< "tank image rm NAME..."
  std::string alias; ///< "image ls"; mostly empty
  names options;     ///< "-o,--output FORMAT"
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words)
    text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string usage_of(const std::string& text) {
  constexpr std::string_view begin = "Usage: ";
  constexpr std::string_view end = " [OPTIONS]";
  const auto line = text.substr(text.find(begin) + begin.size());
  return line.substr(0, line.find(end));
}

/// Every command that does something itself.
std::vector<command> commands_of_program(const std::vector<std::string>& at = {}) {
  const auto text = help(at);
  auto below = column_below(text, "Commands:");
  below.merge(column_below(text, "Subcommands:"));
  if (below.empty()) {
    auto options = column_below(text, "Options:");
    options.erase("-h,--help");
    return {{usage_of(text), "", options}};
  }
  std::vector<command> found;
  for (const auto& name : below) { // "rm", or "list, ls"
    auto words = at;
    words.push_back(name.substr(0, name.find(',')));
    for (auto& one : commands_of_program(words)) {
      if (words.back() != name) {
        words.back() = name.substr(name.find(' ') + 1);
        one.alias = joined(words);
      }
      found.push_back(std::move(one));
    }
  }
  return found;
}

void compare(const names& program, const names& manual, const std::string& what) {
  for (const auto& one : program)
    CHECK_MESSAGE(manual.contains(one), what, ": the manual does not have ", one);
  for (const auto& one : manual)
    CHECK_MESSAGE(program.contains(one), what, ": only the manual has ", one);
}

} // namespace

TEST_CASE("tank(1) has every command of the program with its options, and no other") {
  std::map<std::string, names> manual;
  names other_names;
  for (const auto& section : page("tank.1").below("COMMANDS")) {
    manual.emplace(section.title, section.option_items());
    other_names.merge(section.lines_of("Cm"));
  }
  const auto program = commands_of_program();
  CHECK(program.size() > 15);
  names usages;
  for (const auto& one : program) {
    usages.insert(one.usage);
    CHECK_MESSAGE((one.alias.empty() || other_names.contains(one.alias + " .")), one.alias);
    if (manual.contains(one.usage)) compare(one.options, manual[one.usage], one.usage);
  }
  names titles;
  for (const auto& [title, options] : manual)
    titles.insert(title);
  compare(usages, titles, "commands");
}

TEST_CASE("tank(1) has the global options") {
  const auto text = help({});
  auto program = column_below(text, "Global options:");
  program.merge(column_below(text, "Options:"));
  CHECK(program.size() > 5);
  compare(program, page("tank.1").section("GLOBAL OPTIONS").option_items(), "global options");
}

TEST_CASE("tank(1) has the environment variables that are read, and no other") {
  names manual = page("tank.1").section("ENVIRONMENT").macro_words("Ev");
  names program;
  std::string all;
  const std::regex read{R"re(\b(?:env|getenv|get)\("([A-Z_]+)"|"(TANK_[A-Z_]+|[a-z]+_proxy)")re"};
  for (const char* room : {"cli", "config", "oci"})
    for (const auto& entry : fs::recursive_directory_iterator{source_tree / room})
      if (entry.path().extension() == ".cpp") {
        const auto text = text_of(entry.path());
        all += text;
        for (std::sregex_iterator it{text.begin(), text.end(), read}, end; it != end; ++it)
          for (int i : {1, 2})
            if ((*it)[i].matched) program.insert((*it)[i]);
      }
  CHECK(program.contains("TANK_RUN_DIR"));
  CHECK(program.contains("HTTPS_PROXY"));
  CHECK(program.contains("no_proxy"));
  for (const auto& one : program)
    CHECK_MESSAGE(manual.contains(one), "the manual does not have ", one);
  for (const auto& one : manual)
    CHECK_MESSAGE(all.find('"' + one + '"') != std::string::npos, "only the manual has ", one);
}

// --- tank.yaml(5) --------------------------------------------------------------------------------

namespace {

result<config::settings> settings_from(const std::string& text) {
  const auto none = [](const std::string&) { return std::optional<std::string>{}; };
  return config::resolve_settings({}, none, text, "tank.yaml", "/");
}

/// "registries.mirrors.insecure" -> "registries: [{mirrors: [{insecure: {}}]}]": a value that no
/// setting takes, so that what is known and what is not can be told apart.
std::string text_with(const std::string& path) {
  std::string text;
  std::string close;
  std::istringstream in{path};
  for (std::string key; std::getline(in, key, '.');) {
    const bool last = in.peek() == std::istringstream::traits_type::eof();
    text += key + ": ";
    if (last) break;
    const bool list = key == "registries" || key == "mirrors";
    text += list ? "[{" : "{";
    close.insert(0, list ? "}]" : "}");
  }
  return text + "{}" + close;
}

bool is_known_setting(const std::string& path) {
  const auto read = settings_from(text_with(path));
  return read || read.error().message().find("unknown field") == std::string::npos;
}

} // namespace

TEST_CASE("tank.yaml(5) has every setting that is read, and no other") {
  CHECK_FALSE(is_known_setting("images.nonsense"));
  CHECK_FALSE(is_known_setting("registries.mirrors.nonsense"));
  names last_words;
  for (const auto& section : page("tank.yaml.5").below("SETTINGS"))
    for (const auto& path : section.item_words("Va")) {
      CHECK_MESSAGE(is_known_setting(path), "only the manual has ", path);
      last_words.insert(path.substr(path.rfind('.') + 1));
    }
  const std::regex comparison{R"re(\.key [!=]= "(\w+)")re"};
  names read;
  for (const auto& entry : fs::directory_iterator{source_tree / "config"}) {
    if (!entry.path().filename().string().starts_with("settings")) continue;
    const auto text = text_of(entry.path());
    for (std::sregex_iterator it{text.begin(), text.end(), comparison}, end; it != end; ++it)
      read.insert((*it)[1]);
  }
  CHECK(read.size() > 40);
  compare(read, last_words, "settings");
}

TEST_CASE("the example of tank.yaml(5) is a settings file") {
  const auto examples = page("tank.yaml.5").section("EXAMPLES").literals();
  REQUIRE(examples.size() == 1);
  const auto read = settings_from(examples.front());
  REQUIRE_MESSAGE(read, read.error().message());
  CHECK(read->registries.size() == 1);
  CHECK(read->backoff == "fast");
}

// --- tank-pod(7) ---------------------------------------------------------------------------------

namespace {

using config::reflect::kind;
using config::reflect::type;

const type* record_within(const type& t) {
  if (t.what == kind::record) return &t;
  const bool holds = t.what == kind::optional || t.what == kind::list || t.what == kind::map;
  return holds ? record_within(t.element()) : nullptr;
}

const config::support_rule* rule_of(std::string_view owner, std::string_view key) {
  const auto rules = config::support_rules();
  const auto at = std::ranges::find_if(
      rules, [&](const auto& rule) { return rule.owner == owner && rule.key == key; });
  return at == rules.end() ? nullptr : &*at;
}

bool has_rules(const type& t) {
  return std::ranges::any_of(config::support_rules(),
                             [&](const auto& rule) { return rule.owner == t.name; });
}

/// Words of the page for what becomes of a field; "" for one that is acted on.
std::string class_of(const config::support_rule* rule, bool judged_below) {
  if (rule == nullptr) return judged_below ? "" : "not supported yet";
  switch (rule->is) {
  case config::support::actuated:
  case config::support::judged:
    return "";
  case config::support::cluster_only:
    return "warning";
  case config::support::not_yet:
    return "not supported yet";
  case config::support::impossible:
    return "refused";
  }
  return "?";
}

using fields_by_class = std::map<std::string, names>;

/// API type -> what becomes of its fields, for all types whose fields are judged one by one.
void classify(const type& t, std::map<std::string, fields_by_class>& found) {
  auto [at, is_new] = found.emplace(t.name, fields_by_class{});
  if (!is_new) return;
  for (const auto& field : t.fields) {
    const auto* rule = rule_of(t.name, field.key);
    const auto* inner = record_within(field.of());
    const bool below = inner != nullptr && has_rules(*inner);
    at->second[class_of(rule, below)].insert(std::string{field.key});
    if (below && class_of(rule, below).empty()) classify(*inner, found);
  }
}

} // namespace

TEST_CASE("tank-pod(7) says of every field of a Pod what becomes of it") {
  std::map<std::string, fields_by_class> program;
  classify(config::reflect::type_of<config::pod_spec>(), program);
  CHECK(program.size() > 12);
  // Its only field is described with that of the pod.
  CHECK(program["PodOS"] == fields_by_class{{"refused", {"name"}}});
  program.erase("PodOS");
  std::map<std::string, fields_by_class> manual;
  for (const auto& section : page("tank-pod.7").below("FIELDS")) {
    auto& of_type = manual[section.title];
    if (const auto acted = section.item_words("Va"); !acted.empty()) of_type[""] = acted;
    for (const char* other : {"not supported yet", "warning", "refused"})
      if (const auto listed = section.words_below_item(other, "Va"); !listed.empty())
        of_type[other] = listed;
  }
  for (const auto& [name, fields] : program) {
    REQUIRE_MESSAGE(manual.contains(name), "the manual does not have the type ", name);
    for (const char* what : {"", "not supported yet", "warning", "refused"}) {
      const auto listed = fields.contains(what) ? fields.at(what) : names{};
      compare(listed, manual[name][what], name + ", " + (*what == '\0' ? "acted on" : what));
    }
  }
  for (const auto& [name, fields] : manual)
    CHECK_MESSAGE(program.contains(name), "only the manual has the type ", name);
}

TEST_CASE("tank-pod(7) has the annotations, and the safe kernel parameters") {
  const auto manual = page("tank-pod.7");
  names annotations;
  for (const auto& section : manual.below("LIFECYCLE"))
    for (const auto& word : section.item_words("Li"))
      if (word.starts_with("tank/")) annotations.insert(word);
  CHECK(annotations ==
        names{std::string{config::backoff_annotation}, std::string{config::give_up_annotation},
              std::string{config::restart_on_annotation}, std::string{config::strategy_annotation},
              std::string{config::ends_with_annotation}});
  names parameters;
  for (const auto& section : manual.below("FIELDS"))
    for (const auto& word : section.macro_words("Li"))
      if (word.starts_with("net.") || word.starts_with("kernel.")) parameters.insert(word);
  CHECK(parameters.size() > 10);
  for (const auto& one : parameters)
    CHECK_MESSAGE(config::is_safe_sysctl(one), one);
}

TEST_CASE("the example of tank-pod(7) is a Pod that runs, without a warning") {
  const auto examples = page("tank-pod.7").section("EXAMPLES").literals();
  REQUIRE(examples.size() == 1);
  const auto parsed = config::parse_manifest(examples.front());
  REQUIRE(parsed.valid());
  REQUIRE(parsed.pods.size() == 1);
  CHECK(parsed.pods.front().runnable());
  CHECK(parsed.pods.front().diagnostics.empty());
}

} // namespace manual_test
