#include "oci/net_zone.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cstring>

namespace tank::oci {

namespace {

using octets = std::array<unsigned char, 16>;

net_zone zone_of_4(const unsigned char* a) {
  if (a[0] == 127 || a[0] == 0) return net_zone::loopback;
  if ((a[0] == 169 && a[1] == 254) || a[0] >= 224) return net_zone::link_local;
  // Clouds that have their metadata elsewhere.
  constexpr std::array<std::array<unsigned char, 4>, 3> metadata{
      {{168, 63, 129, 16}, {100, 100, 100, 200}, {192, 0, 0, 192}}};
  const auto is_here = [a](const auto& m) { return std::equal(m.begin(), m.end(), a); };
  return std::any_of(metadata.begin(), metadata.end(), is_here) ? net_zone::link_local
                                                                : net_zone::anywhere;
}

net_zone zone_of_6(const octets& a) {
  constexpr octets loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  constexpr octets metadata{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x54};
  constexpr std::array<unsigned char, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  constexpr std::array<unsigned char, 12> translated{0, 0x64, 0xff, 0x9b};
  constexpr std::array<unsigned char, 12> none{};
  if (a == loopback) return net_zone::loopback;
  if (a == metadata || a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80))
    return net_zone::link_local;
  for (const auto& prefix : {mapped, translated, none})
    if (std::equal(prefix.begin(), prefix.end(), a.begin())) return zone_of_4(a.data() + 12);
  if (a[0] == 0x20 && a[1] == 0x02) return zone_of_4(a.data() + 2); // 6to4
  return net_zone::anywhere;
}

} // namespace

std::string_view to_string(net_zone zone) noexcept {
  switch (zone) {
  case net_zone::anywhere:
    return "a network's address";
  case net_zone::loopback:
    return "this machine's own address";
  case net_zone::link_local:
    return "a link-local or metadata address";
  }
  return "";
}

net_zone zone_of(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  while (host.ends_with('.'))
    host.remove_suffix(1);
  if (host == "localhost" || host.ends_with(".localhost")) return net_zone::loopback;
  const std::string text{host.substr(0, host.find('%'))}; // without an interface's name
  octets a{};
  if (::inet_pton(AF_INET6, text.c_str(), a.data()) == 1) return zone_of_6(a);
  // Also as 127.1, 0x7f.1 or 2130706433, which resolvers read as well.
  in_addr four{};
  if (::inet_aton(text.c_str(), &four) != 1) return net_zone::anywhere;
  std::memcpy(a.data(), &four, sizeof four);
  return zone_of_4(a.data());
}

result<void> check_zone(net_zone home, const http_url& to, std::string step) {
  const auto zone = zone_of(to.host);
  if (may_send(home, zone)) return {};
  return fail(errc::denied, std::move(step), to.origin(),
              "it is " + std::string{to_string(zone)} + ", and the registry is not there");
}

} // namespace tank::oci
