#include "oci/reference.hpp"

#include "oci/digest.hpp"

#include <algorithm>
#include <cstddef>

namespace tank::oci {

namespace {

constexpr std::string_view default_registry = "docker.io";
constexpr std::string_view official_prefix = "library/";
constexpr std::size_t max_name = 255;
constexpr std::size_t max_tag = 128;

bool lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool alnum(char c) {
  return lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}
bool hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// "[a-z0-9]+" joined by ".", "_", "__" or any number of "-".
bool valid_component(std::string_view c) {
  if (c.empty() || !lower_or_digit(c.front()) || !lower_or_digit(c.back())) return false;
  for (std::size_t i = 0; i < c.size();) {
    if (lower_or_digit(c[i])) {
      ++i;
      continue;
    }
    const auto start = i;
    while (i < c.size() && c[i] == c[start])
      ++i;
    const auto run = i - start;
    const bool ok =
        c[start] == '-' || (c[start] == '.' && run == 1) || (c[start] == '_' && run <= 2);
    if (!ok || !lower_or_digit(c[i])) return false; // i < size: the last one is a letter
  }
  return true;
}

bool valid_repository(std::string_view path) {
  for (;;) {
    const auto slash = path.find('/');
    if (!valid_component(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

bool valid_host_label(std::string_view l) {
  return !l.empty() && alnum(l.front()) && alnum(l.back()) &&
         std::all_of(l.begin(), l.end(), [](char c) { return alnum(c) || c == '-'; });
}

/// host[:port] or [ipv6][:port]. The address text itself is for the connecting code to judge.
bool valid_registry(std::string_view text) {
  auto host = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || close < 2) return false;
    host = text.substr(1, close - 1);
    if (close + 1 < text.size()) {
      if (text[close + 1] != ':') return false;
      port = text.substr(close + 2);
      has_port = true;
    }
    const auto in_address = [](char c) {
      return hex_digit(c) || (c >= 'A' && c <= 'F') || c == ':';
    };
    if (!std::all_of(host.begin(), host.end(), in_address)) return false;
  } else {
    if (const auto colon = text.find(':'); colon != std::string_view::npos) {
      host = text.substr(0, colon);
      port = text.substr(colon + 1);
      has_port = true;
    }
    for (auto rest = host;;) {
      const auto dot = rest.find('.');
      if (!valid_host_label(rest.substr(0, dot))) return false;
      if (dot == std::string_view::npos) break;
      rest.remove_prefix(dot + 1);
    }
  }
  if (!has_port) return true;
  return !port.empty() && port.size() <= 5 &&
         std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool valid_tag(std::string_view tag) {
  const auto word = [](char c) { return alnum(c) || c == '_'; };
  return !tag.empty() && tag.size() <= max_tag && word(tag.front()) &&
         std::all_of(tag.begin(), tag.end(),
                     [&](char c) { return word(c) || c == '.' || c == '-'; });
}

/// Only a first part that cannot be a plain repository component names a registry.
bool names_registry(std::string_view first) {
  return first == "localhost" || first.find_first_of(".:[") != std::string_view::npos ||
         std::any_of(first.begin(), first.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

failure bad(std::string_view text, std::string cause, std::string hint = {}) {
  return fail(errc::invalid, "parse image reference", std::string{text.substr(0, 300)},
              std::move(cause), std::move(hint));
}

/// Splits `[registry/]repository` and fills in what people leave out.
result<void> parse_name(std::string_view text, std::string_view name, reference& out) {
  const auto slash = name.find('/');
  auto repository = name;
  if (slash != std::string_view::npos && names_registry(name.substr(0, slash))) {
    const auto registry = name.substr(0, slash);
    if (!valid_registry(registry)) return bad(text, "invalid registry host");
    out.registry = registry == "index.docker.io" ? default_registry : registry;
    repository = name.substr(slash + 1);
  } else {
    out.registry = default_registry;
  }
  if (repository.empty()) return bad(text, "no repository name");
  if (!valid_repository(repository)) {
    const bool upper = std::any_of(repository.begin(), repository.end(),
                                   [](char c) { return c >= 'A' && c <= 'Z'; });
    return bad(text, upper ? "repository name must be lower case" : "invalid repository name");
  }
  out.repository = repository;
  if (out.registry == default_registry && repository.find('/') == std::string_view::npos) {
    if (repository.size() == 64 && std::all_of(repository.begin(), repository.end(), hex_digit))
      return bad(text, "a name of 64 hex digits is an image ID, not a reference");
    out.repository.insert(0, official_prefix);
  }
  if (out.registry.size() + 1 + out.repository.size() > max_name)
    return bad(text, "name is longer than " + std::to_string(max_name) + " characters");
  return {};
}

} // namespace

std::string reference::to_string() const {
  std::string text = registry + "/" + repository;
  if (!tag.empty()) text.append(":").append(tag);
  if (!digest.empty()) text.append("@").append(digest);
  return text;
}

std::string reference::familiar() const {
  auto text = registry + "/" + repository;
  if (registry == default_registry) {
    const bool official = repository.starts_with(official_prefix) &&
                          repository.find('/', official_prefix.size()) == std::string::npos;
    const auto brief = official ? repository.substr(official_prefix.size()) : repository;
    // docker.io/quay.io/x is an image of docker.io: without its registry it would name another's.
    reference same;
    if (parse_name(brief, brief, same) && same.registry == registry &&
        same.repository == repository)
      text = brief;
  }
  if (!tag.empty()) text.append(":").append(tag);
  if (!digest.empty()) text.append("@").append(digest);
  return text;
}

result<reference> parse_reference(std::string_view text) {
  if (text.empty()) return bad(text, "it is empty");
  if (text.size() > 1024) return bad(text, "longer than 1024 characters");
  reference out;
  auto rest = text;
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    auto digest = parse_digest(rest.substr(at + 1));
    if (!digest) return bad(text, "invalid digest: " + digest.error().cause);
    out.digest = digest->to_string();
    rest = rest.substr(0, at);
  }
  const auto slash = rest.rfind('/');
  const auto colon = rest.rfind(':');
  // A colon before the last slash belongs to the registry's port.
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    const auto tag = rest.substr(colon + 1);
    if (tag.size() > max_tag) return bad(text, "tag is longer than 128 characters");
    if (!valid_tag(tag)) return bad(text, tag.empty() ? "tag is empty" : "invalid tag");
    out.tag = tag;
    rest = rest.substr(0, colon);
  }
  TANK_TRY(parse_name(text, rest, out));
  if (out.tag.empty() && out.digest.empty()) out.tag = "latest";
  return out;
}

} // namespace tank::oci
