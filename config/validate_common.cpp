#include "config/validate_common.hpp"

#include "base/text.hpp"
#include "config/limits.hpp"

#include <algorithm>
#include <array>

#include <arpa/inet.h>

namespace tank::config::rules {
namespace {

bool lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool alphanumeric(char c) {
  return lower(c) || upper(c) || digit(c);
}
bool lower_alphanumeric(char c) {
  return lower(c) || digit(c);
}

template <class Edge, class Inner>
bool shaped(std::string_view text, Edge edge, Inner inner) {
  return !text.empty() && edge(text.front()) && edge(text.back()) &&
         std::all_of(text.begin(), text.end(), inner);
}

bool is_label(std::string_view text) {
  return shaped(text, lower_alphanumeric, [](char c) { return lower_alphanumeric(c) || c == '-'; });
}

bool is_subdomain(std::string_view text) {
  for (;;) {
    const auto dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_name(std::string_view text) {
  return shaped(text, alphanumeric,
                [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

std::string at_most(std::size_t n) {
  return "must be no more than " + std::to_string(n) + " characters";
}

constexpr std::string_view name_shape =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

} // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : shortened(text, max_shown)) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

void findings::add(const path& at, std::string reason) {
  // Looking up a place costs as much as the text is long: a hostile file must not make us do it
  // once for each of its values.
  if (count_ == max_findings) return;
  if (++count_ == max_findings) reason += " (and more: no further findings are listed)";
  found_.push_back(
      {severity::error, locate_(at.text()), shortened(at.text(), max_shown), std::move(reason)});
}

void findings::required(const path& at, std::string_view detail) {
  add(at, detail.empty() ? "Required value" : "Required value: " + std::string{detail});
}

void findings::invalid(const path& at, std::string_view value, std::string_view detail) {
  add(at, "Invalid value: " + quoted(value) + ": " + std::string{detail});
}

void findings::invalid(const path& at, std::int64_t value, std::string_view detail) {
  add(at, "Invalid value: " + std::to_string(value) + ": " + std::string{detail});
}

void findings::duplicate(const path& at, std::string_view value) {
  add(at, "Duplicate value: " + quoted(value));
}

void findings::forbidden(const path& at, std::string_view detail) {
  add(at, "Forbidden: " + std::string{detail});
}

void findings::not_found(const path& at, std::string_view value) {
  add(at, "Not found: " + quoted(value));
}

void findings::too_long(const path& at, std::size_t most) {
  add(at, "Too long: may not be more than " + std::to_string(most) + " bytes");
}

void findings::too_many(const path& at, std::size_t count, std::size_t most) {
  add(at, "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(most) +
              " items");
}

bool findings::one_of(const path& at, std::string_view value,
                      std::initializer_list<std::string_view> allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return true;
  std::string list;
  for (auto a : allowed)
    list += (list.empty() ? "" : ", ") + quoted(a);
  add(at, "Unsupported value: " + quoted(value) + ": supported values: " + list);
  return false;
}

void findings::not_negative(const path& at, std::int64_t value) {
  if (value < 0) invalid(at, value, "must be greater than or equal to 0");
}

void findings::name(const path& at, std::string_view value, const std::vector<std::string>& wrong) {
  for (const auto& problem : wrong)
    invalid(at, value, problem);
}

problems dns_label(std::string_view text) {
  problems out;
  if (text.size() > 63) out.push_back(at_most(63));
  if (!is_label(text))
    out.emplace_back("a lowercase RFC 1123 label must consist of lower case alphanumeric "
                     "characters or '-', and must start and end with an alphanumeric character "
                     "(e.g. 'my-name',  or '123-abc', regex used for validation is "
                     "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
  return out;
}

problems dns_subdomain(std::string_view text) {
  problems out;
  if (text.size() > 253) out.push_back(at_most(253));
  if (!is_subdomain(text))
    out.emplace_back("a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                     "characters, '-' or '.', and must start and end with an alphanumeric "
                     "character (e.g. 'example.com', regex used for validation is "
                     "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
  return out;
}

problems qualified_name(std::string_view text) {
  problems out;
  const auto slash = text.find('/');
  auto name = text;
  if (slash != std::string_view::npos) {
    if (text.find('/', slash + 1) != std::string_view::npos)
      return {"a qualified name " + std::string{name_shape} +
              " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"};
    name = text.substr(slash + 1);
    if (slash == 0)
      out.emplace_back("prefix part must be non-empty");
    else
      for (const auto& problem : dns_subdomain(text.substr(0, slash)))
        out.push_back("prefix part " + problem);
  }
  if (name.empty())
    out.emplace_back("name part must be non-empty");
  else if (name.size() > 63)
    out.push_back("name part " + at_most(63));
  if (!is_name(name)) out.push_back("name part " + std::string{name_shape});
  return out;
}

problems label_value(std::string_view text) {
  problems out;
  if (text.size() > 63) out.push_back(at_most(63));
  if (!text.empty() && !is_name(text))
    out.emplace_back("a valid label must be an empty string or consist of alphanumeric "
                     "characters, '-', '_' or '.', and must start and end with an alphanumeric "
                     "character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
                     "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
  return out;
}

problems env_name(std::string_view text) {
  const auto good = [](char c) { return c >= ' ' && c <= '~' && c != '='; };
  if (!text.empty() && std::all_of(text.begin(), text.end(), good)) return {};
  return {"a valid environment variable name must consist only of printable ASCII characters "
          "other than '='"};
}

problems config_key(std::string_view text) {
  problems out;
  if (text.size() > 253) out.push_back(at_most(253));
  const auto good = [](char c) { return alphanumeric(c) || c == '-' || c == '_' || c == '.'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), good))
    out.emplace_back("a valid config key must consist of alphanumeric characters, '-', '_' or '.' "
                     "(e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation "
                     "is '[-._a-zA-Z0-9]+')");
  if (text == ".") out.emplace_back("must not be '.'");
  if (text == "..")
    out.emplace_back("must not be '..'");
  else if (text.starts_with(".."))
    out.emplace_back("must not start with '..'");
  return out;
}

problems port_name(std::string_view text) {
  problems out;
  if (text.size() > 15) out.push_back(at_most(15));
  const auto good = [](char c) { return lower_alphanumeric(c) || c == '-'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), good))
    out.emplace_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (std::none_of(text.begin(), text.end(), lower))
    out.emplace_back("must contain at least one letter (a-z)");
  if (text.find("--") != std::string_view::npos)
    out.emplace_back("must not contain consecutive hyphens");
  if (text.starts_with('-') || text.ends_with('-'))
    out.emplace_back("must not begin or end with a hyphen");
  return out;
}

problems port_number(std::int64_t port) {
  if (port >= 1 && port <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

problems ip_address(std::string_view text) {
  std::array<unsigned char, 16> address{};
  const std::string copy{text};
  if (::inet_pton(AF_INET, copy.c_str(), address.data()) == 1 ||
      ::inet_pton(AF_INET6, copy.c_str(), address.data()) == 1)
    return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

problems user_id(std::int64_t id) {
  if (id >= 0 && id <= 2147483647) return {};
  return {"must be between 0 and 2147483647, inclusive"};
}

bool climbs(std::string_view path) {
  for (;;) {
    const auto slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) return false;
    path.remove_prefix(slash + 1);
  }
}

problems relative_path(std::string_view text) {
  problems out;
  if (text.starts_with('/')) out.emplace_back("must be a relative path");
  if (climbs(text)) out.emplace_back("must not contain '..'");
  return out;
}

} // namespace tank::config::rules
