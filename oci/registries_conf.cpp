#include "oci/registries_conf.hpp"

#include "base/file.hpp"

namespace tank::oci {
namespace {
/// The parser asserts, or in a release build takes for granted, what a text can make untrue: "[,".
struct broken_assumption {};
[[noreturn]] void give_up() {
  throw broken_assumption{};
}
} // namespace
} // namespace tank::oci

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ASSERT(expr)                                                                          \
  do {                                                                                             \
    if (!(expr)) ::tank::oci::give_up();                                                           \
  } while (false)
#pragma push_macro("NDEBUG") // with it the library would ignore TOML_ASSERT
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")

#include <algorithm>
#include <optional>
#include <system_error>

namespace tank::oci {

namespace {

constexpr std::size_t max_conf_file = 1u << 20;
constexpr std::size_t max_rules = 1000;
constexpr std::string_view hub = "docker.io";
constexpr std::string_view hub_api = "registry-1.docker.io";
constexpr std::string_view official = "library/";

/// Reads one table's members; the first wrong type ends it.
class table_reader {
 public:
  table_reader(const toml::table& table, const std::string& file) : table_(table), file_(file) {}

  failure wrong(const toml::node& at, const std::string& key, const std::string& what) const {
    return fail(errc::invalid, "read", file_ + ":" + std::to_string(at.source().begin.line),
                key + ": " + what);
  }
  result<void> text(const char* key, std::string& to) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return {};
    const auto value = node->value<std::string>();
    if (!node->is_string() || !value) return wrong(*node, key, "expected a string");
    to = *value;
    return {};
  }
  result<void> flag(const char* key, bool& to) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return {};
    if (!node->is_boolean()) return wrong(*node, key, "expected true or false");
    to = node->value_or(false);
    return {};
  }
  result<void> texts(const char* key, std::vector<std::string>& to) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return {};
    const auto* list = node->as_array();
    if (list == nullptr) return wrong(*node, key, "expected a list of strings");
    for (const auto& item : *list) {
      const auto value = item.value<std::string>();
      if (!item.is_string() || !value) return wrong(item, key, "expected a list of strings");
      to.push_back(*value);
    }
    return {};
  }
  /// Calls `read` for each table of a list of tables.
  template <class Read>
  result<void> tables(const char* key, Read read) const {
    const auto* node = table_.get(key);
    if (node == nullptr) return {};
    const auto* list = node->as_array();
    if (list == nullptr) return wrong(*node, key, "expected [[" + std::string{key} + "]]");
    if (list->size() > max_rules) return wrong(*node, key, "more than 1000 of them");
    for (const auto& item : *list) {
      const auto* table = item.as_table();
      if (table == nullptr) return wrong(item, key, "expected a table");
      TANK_TRY(read(*table));
    }
    return {};
  }

 private:
  const toml::table& table_;
  const std::string& file_;
};

std::string without_slash(std::string text) {
  while (text.ends_with('/'))
    text.pop_back();
  return text;
}

result<registry_mirror> read_mirror(const toml::table& table, const std::string& file) {
  const table_reader in{table, file};
  registry_mirror out;
  TANK_TRY(in.text("location", out.location));
  TANK_TRY(in.flag("insecure", out.insecure));
  TANK_TRY(in.text("pull-from-mirror", out.pull_from));
  out.location = without_slash(out.location);
  if (out.location.empty()) return in.wrong(table, "mirror", "it has no location");
  return out;
}

result<registry_rule> read_rule(const toml::table& table, const std::string& file) {
  const table_reader in{table, file};
  registry_rule out;
  TANK_TRY(in.text("prefix", out.prefix));
  TANK_TRY(in.text("location", out.location));
  TANK_TRY(in.flag("insecure", out.insecure));
  TANK_TRY(in.flag("blocked", out.blocked));
  TANK_TRY(in.flag("mirror-by-digest-only", out.digest_mirrors_only));
  const auto add = [&](const toml::table& t) -> result<void> {
    out.mirrors.push_back(TANK_TRY(read_mirror(t, file)));
    return {};
  };
  TANK_TRY(in.tables("mirror", add));
  out.prefix = without_slash(out.prefix);
  out.location = without_slash(out.location);
  if (out.prefix.empty()) out.prefix = out.location;
  if (out.prefix.empty()) return in.wrong(table, "registry", "it has neither prefix nor location");
  if (out.location.empty() && !out.prefix.starts_with("*.")) out.location = out.prefix;
  return out;
}

/// How many characters of "host/repository" a prefix matches; whole components only.
std::optional<std::size_t> match(std::string_view prefix, std::string_view name) {
  if (prefix.starts_with("*.")) {
    const auto host = name.substr(0, name.find('/'));
    const auto bare = host.substr(0, host.rfind(':'));
    const auto domain = prefix.substr(1);
    if (bare.size() <= domain.size() || !bare.ends_with(domain)) return std::nullopt;
    return domain.size();
  }
  if (!name.starts_with(prefix)) return std::nullopt;
  if (name.size() > prefix.size() && name[prefix.size()] != '/') return std::nullopt;
  return prefix.size();
}

result<registry_place> place(const std::string& full, bool insecure, const registry_rule* rule) {
  const auto slash = full.find('/');
  if (slash == std::string::npos || slash == 0)
    return fail(errc::invalid, "use registry location", full, "it names no repository");
  registry_place out;
  out.named = full.substr(0, slash);
  out.repository = full.substr(slash + 1);
  if (out.named == hub && out.repository.find('/') == std::string::npos)
    out.repository.insert(0, official);
  out.host = out.named == hub ? hub_api : out.named;
  out.insecure = insecure;
  if (rule != nullptr) out.token_servers = rule->token_servers;
  return out;
}

bool mirror_serves(const registry_mirror& m, const registry_rule& rule, const reference& name) {
  const bool by_digest = !name.digest.empty();
  if (rule.digest_mirrors_only || m.pull_from == "digest-only") return by_digest;
  return m.pull_from != "tag-only" || !by_digest;
}

} // namespace

result<registry_rules> parse_registries_conf(std::string_view text, const std::string& name) {
  if (text.size() > max_conf_file) return fail(errc::limit, "read", name, "larger than 1 MiB");
  toml::parse_result parsed;
  try {
    parsed = toml::parse(text, name);
  } catch (const broken_assumption&) {
    return fail(errc::invalid, "read", name, "it is not proper TOML");
  }
  if (!parsed)
    return fail(errc::invalid, "read",
                name + ":" + std::to_string(parsed.error().source().begin.line),
                std::string{parsed.error().description()});
  const toml::table& top = parsed.table();
  if (top.contains("registries"))
    return fail(errc::unsupported, "read", name, "it is of version 1 of the format",
                "write it as version 2: unqualified-search-registries and [[registry]]");
  registry_rules out;
  const table_reader in{top, name};
  TANK_TRY(in.texts("unqualified-search-registries", out.search));
  const auto add = [&](const toml::table& t) -> result<void> {
    out.rules.push_back(TANK_TRY(read_rule(t, name)));
    return {};
  };
  TANK_TRY(in.tables("registry", add));
  if (const auto* aliases = top.get_as<toml::table>("aliases"))
    for (const auto& [key, node] : *aliases) {
      const auto value = node.value<std::string>();
      if (!node.is_string() || !value) return in.wrong(node, "aliases", "expected a string");
      out.aliases[std::string{key.str()}] = *value;
    }
  return out;
}

void merge_rules(registry_rules& base, registry_rules later) {
  if (!later.search.empty()) base.search = std::move(later.search);
  for (auto& [key, value] : later.aliases) {
    if (value.empty())
      base.aliases.erase(key);
    else
      base.aliases[key] = std::move(value);
  }
  for (auto& rule : later.rules) {
    std::erase_if(base.rules, [&](const auto& r) { return r.prefix == rule.prefix; });
    base.rules.push_back(std::move(rule));
  }
}

static result<void> merge_file(registry_rules& into, const std::filesystem::path& path) {
  const auto text = read_file(path, max_conf_file);
  if (!text && text.error().code == errc::not_found) return {};
  if (!text) return tl::make_unexpected(text.error());
  merge_rules(into, TANK_TRY(parse_registries_conf(*text, path)));
  return {};
}

result<registry_rules> read_registries(const registries_paths& paths) {
  registry_rules out;
  for (const auto& path : paths.aliases)
    TANK_TRY(merge_file(out, path));
  TANK_TRY(merge_file(out, paths.file));
  for (const auto& directory : paths.drop_ins) {
    std::vector<std::filesystem::path> files;
    std::error_code ec;
    for (std::filesystem::directory_iterator it{directory, ec}, end; !ec && it != end;
         it.increment(ec))
      if (it->path().extension() == ".conf") files.push_back(it->path());
    std::sort(files.begin(), files.end());
    for (const auto& path : files)
      TANK_TRY(merge_file(out, path));
  }
  return out;
}

result<std::vector<registry_place>> places_for(const registry_rules& rules, const reference& name) {
  const auto full = name.registry + "/" + name.repository;
  // A rule may also be for one tag or digest.
  const auto exact = name.to_string();
  const registry_rule* best = nullptr;
  std::size_t best_length = 0;
  for (const auto& rule : rules.rules) {
    auto length = match(rule.prefix, full);
    if (!length && rule.prefix == exact) length = exact.size();
    if (length && (best == nullptr || *length > best_length)) {
      best = &rule;
      best_length = *length;
    }
  }
  std::vector<registry_place> out;
  if (best == nullptr) {
    out.push_back(TANK_TRY(place(full, false, nullptr)));
    return out;
  }
  if (best->blocked)
    return fail(errc::denied, "pull image", name.to_string(),
                "'" + best->prefix + "' is blocked, by registries.conf or tank.yaml");
  const bool wildcard = best->prefix.starts_with("*.");
  const auto host_size = full.find('/');
  const auto matched = std::min(wildcard ? host_size : best->prefix.size(), full.size());
  const auto rest = full.substr(matched);
  for (const auto& m : best->mirrors)
    if (mirror_serves(m, *best, name))
      out.push_back(TANK_TRY(place(m.location + rest, m.insecure, best)));
  const auto own = best->location.empty() ? full : best->location + rest;
  out.push_back(TANK_TRY(place(own, best->insecure, best)));
  return out;
}

bool is_short_name(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return true;
  const auto first = text.substr(0, slash);
  return first != "localhost" && first.find_first_of(".:[") == std::string_view::npos &&
         std::none_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

result<std::vector<reference>> expand_short_name(const registry_rules& rules,
                                                 const reference& name) {
  auto bare = name.repository;
  if (bare.starts_with(official) && bare.find('/', official.size()) == std::string::npos)
    bare = bare.substr(official.size());
  const auto with = [&](const std::string& full) -> result<reference> {
    auto out = TANK_TRY(parse_reference(full));
    out.tag = name.tag;
    out.digest = name.digest;
    return out;
  };
  std::vector<reference> out;
  if (const auto it = rules.aliases.find(bare); it != rules.aliases.end())
    out.push_back(TANK_TRY(with(it->second)));
  else
    for (const auto& registry : rules.search)
      out.push_back(TANK_TRY(with(registry + "/" + bare)));
  if (out.empty()) out.push_back(name);
  return out;
}

} // namespace tank::oci
