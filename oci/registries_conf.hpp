/// registries.conf, version 2 (containers-registries.conf(5)): short names, prefixes, mirrors,
/// insecure and blocked registries. Parsing and choosing are pure.
#pragma once

#include "base/error.hpp"
#include "oci/reference.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

struct registry_mirror {
  std::string location;
  bool insecure = false;
  std::string pull_from; ///< "", "all", "digest-only", "tag-only"
  bool operator==(const registry_mirror&) const = default;
};

struct registry_rule {
  std::string prefix;   ///< "host[:port][/path]" or "*.domain"
  std::string location; ///< what the prefix is replaced by; empty: itself
  bool insecure = false;
  bool blocked = false;
  bool digest_mirrors_only = false; ///< mirror-by-digest-only
  std::vector<registry_mirror> mirrors;
  std::vector<std::string> token_servers; ///< of our own settings only
  bool operator==(const registry_rule&) const = default;
};

struct registry_rules {
  std::vector<std::string> search; ///< unqualified-search-registries
  std::map<std::string, std::string> aliases;
  std::vector<registry_rule> rules;
  bool operator==(const registry_rules&) const = default;
};

/// At most 1 MiB of TOML. Version 1 files, and wrong types, are errors that name the file and the
/// line; unknown keys are ignored, as the format asks.
result<registry_rules> parse_registries_conf(std::string_view text, const std::string& name);

/// What `later` (a drop-in) says replaces what `base` says: its search list, aliases by name, rules
/// by prefix.
void merge_rules(registry_rules& base, registry_rules later);

struct registries_paths {
  std::filesystem::path file;                  ///< may be missing
  std::vector<std::filesystem::path> drop_ins; ///< directories of *.conf, read in lexical order
  std::vector<std::filesystem::path> aliases;  ///< files of short-name aliases
};
/// Blocking.
result<registry_rules> read_registries(const registries_paths& paths);

/// One place to ask, before logins are known.
struct registry_place {
  std::string host; ///< of the API: registry-1.docker.io for docker.io
  std::string repository;
  std::string named; ///< as it is named, for logins: docker.io
  bool insecure = false;
  std::vector<std::string> token_servers;
  bool operator==(const registry_place&) const = default;
};

/// Where `name` may be: mirrors first. The rule with the longest matching prefix counts.
/// errc::denied when it is blocked.
result<std::vector<registry_place>> places_for(const registry_rules& rules, const reference& name);

/// Whether `text` names no registry, so that short-name rules apply.
bool is_short_name(std::string_view text);

/// The full names that a short one may mean, in order: its alias alone, else one for each search
/// registry, else docker.io. `name` is the parsed form (docker.io filled in).
result<std::vector<reference>> expand_short_name(const registry_rules& rules,
                                                 const reference& name);

} // namespace tank::oci
