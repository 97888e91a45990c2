#include "oci/http_url.hpp"

#include <libpsl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>

namespace tank::oci {

namespace {

constexpr std::size_t max_url = 8192;

char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

failure bad_url(std::string_view text, std::string cause) {
  std::string shown{text.substr(0, 200)};
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return fail(errc::invalid, "use address", std::move(shown), std::move(cause));
}

bool valid_host(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  if (host.front() == '[')
    return host.size() > 4 && host.back() == ']' &&
           std::all_of(host.begin() + 1, host.end() - 1, [](char c) {
             return digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f') || c == ':' || c == '.';
           });
  // One that looks like a number in another guise (0x7f.1) would be read differently elsewhere.
  return host.front() != '.' && host.front() != '-' &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_alnum(c) || c == '-' || c == '.' || c == '_'; });
}

result<void> read_authority(std::string_view text, std::string_view authority, http_url& out) {
  if (authority.find('@') != std::string_view::npos)
    return bad_url(text.substr(0, 8), "it holds a user name");
  auto host = authority;
  const auto colon = authority.rfind(':');
  out.port = out.secure ? 443 : 80;
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    host = authority.substr(0, colon);
    const auto port = authority.substr(colon + 1);
    const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (ec != std::errc{} || end != port.data() + port.size() || out.port == 0)
      return bad_url(text, "its port is not a number between 1 and 65535");
  }
  if (!valid_host(host)) return bad_url(text, "its host is not a name or an address");
  out.host.assign(host);
  std::transform(out.host.begin(), out.host.end(), out.host.begin(), to_lower);
  return {};
}

bool is_address(std::string_view host) {
  return host.starts_with('[') ||
         std::all_of(host.begin(), host.end(), [](char c) { return digit(c) || c == '.'; });
}

std::string in_lower_case(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

/// The 4 or 16 bytes of an address, with or without brackets.
std::optional<std::string> address_bytes(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  const std::string name{text};
  std::array<char, 16> raw{};
  if (::inet_pton(AF_INET, name.c_str(), raw.data()) == 1) return std::string{raw.data(), 4};
  if (::inet_pton(AF_INET6, name.c_str(), raw.data()) == 1) return std::string{raw.data(), 16};
  return std::nullopt;
}

/// `network` is "10.0.0.0/8", or one address.
bool lies_in_network(const std::string& address, std::string_view network) {
  const auto slash = network.find('/');
  const auto base = address_bytes(network.substr(0, slash));
  if (!base || base->size() != address.size()) return false;
  auto bits = address.size() * 8;
  if (slash != std::string_view::npos) {
    const auto text = network.substr(slash + 1);
    std::size_t given = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), given);
    if (ec != std::errc{} || end != text.data() + text.size() || given > bits) return false;
    bits = given;
  }
  const auto whole = bits / 8;
  if (address.compare(0, whole, *base, 0, whole) != 0) return false;
  if (bits % 8 == 0) return true;
  const auto byte = [whole](const std::string& of) {
    return static_cast<unsigned char>(of[whole]);
  };
  return ((byte(address) ^ byte(*base)) >> (8 - bits % 8)) == 0;
}

/// `domain` itself, or a name below it.
bool lies_in_domain(std::string_view name, std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.empty() || !name.ends_with(domain)) return false;
  return name.size() == domain.size() || name[name.size() - domain.size() - 1] == '.';
}

} // namespace

std::string http_url::origin() const {
  std::string text = secure ? "https://" : "http://";
  text += host;
  if (port != (secure ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

std::string http_url::to_string() const {
  return origin() + target;
}

bool http_url::same_origin(const http_url& o) const {
  return secure == o.secure && host == o.host && port == o.port;
}

result<http_url> parse_url(std::string_view text) {
  if (text.size() > max_url) return bad_url(text, "it is longer than 8192 characters");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; }))
    return bad_url(text, "it holds a space, a control or a non-ASCII character");
  if (text.find('\\') != std::string_view::npos) return bad_url(text, "it holds a backslash");
  http_url out;
  const auto scheme = text.substr(0, std::min<std::size_t>(text.find("://"), 8));
  std::string word{scheme};
  std::transform(word.begin(), word.end(), word.begin(), to_lower);
  if ((word != "http" && word != "https") || !text.substr(word.size()).starts_with("://"))
    return bad_url(text, "it is not http:// or https://");
  out.secure = word == "https";
  auto rest = text.substr(word.size() + 3);
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  TANK_TRY(read_authority(text, rest.substr(0, end), out));
  out.target = rest.substr(end);
  if (!out.target.starts_with('/')) out.target.insert(0, 1, '/');
  return out;
}

result<http_url> follow_location(const http_url& from, std::string_view location) {
  const auto hash = location.find('#');
  const auto where = location.substr(0, hash);
  std::string text;
  if (where.empty()) return bad_url(location, "the redirect leads nowhere");
  const auto colon = where.find("://");
  if (colon != std::string_view::npos && colon < where.find_first_of("/?"))
    text = where;
  else if (where.starts_with("//"))
    text = (from.secure ? "https:" : "http:") + std::string{where};
  else if (where.starts_with('/'))
    text = from.origin() + std::string{where};
  else {
    const auto path = from.target.substr(0, from.target.find('?'));
    const auto base = where.starts_with('?') ? path : path.substr(0, path.rfind('/') + 1);
    text = from.origin() + base + std::string{where};
  }
  auto to = TANK_TRY(parse_url(text));
  if (from.secure && !to.secure)
    return fail(errc::denied, "follow the redirect to", to.origin(), "it leads from https to http");
  return to;
}

result<http_url> origin_of(std::string_view host, bool secure) {
  return parse_url((secure ? "https://" : "http://") + std::string{host});
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") && is_address(host) &&
         std::count(host.begin(), host.end(), '.') == 3;
}

bool same_site(std::string_view a, std::string_view b) {
  if (a == b) return true;
  if (is_address(a) || is_address(b)) return false;
  const auto site = [](std::string_view host) -> std::string {
    const std::string name{host};
    const char* domain = ::psl_registrable_domain(::psl_builtin(), name.c_str());
    return domain != nullptr ? domain : "";
  };
  const auto mine = site(a);
  return !mine.empty() && mine == site(b);
}

bool bypasses_proxy(std::string_view list, std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const auto name = in_lower_case(host);
  const auto address = address_bytes(name);
  const auto entries = in_lower_case(list);
  for (std::size_t begin = 0; begin < entries.size();) {
    const auto end = std::min(entries.find_first_of(", \t", begin), entries.size());
    const auto entry = std::string_view{entries}.substr(begin, end - begin);
    begin = end + 1;
    if (entry == "*") return true;
    if (address ? lies_in_network(*address, entry) : lies_in_domain(name, entry)) return true;
  }
  return false;
}

} // namespace tank::oci
