/// Where an address lies, as far as it matters who sends us there: a registry's redirect or token
/// server must not make this machine ask what only this machine can reach (SECURITY.md class 11).
/// Pure.
#pragma once

#include "base/error.hpp"
#include "oci/http_url.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tank::oci {

enum class net_zone : std::uint8_t {
  anywhere,   ///< the internet, and private networks
  loopback,   ///< this machine: 127.0.0.0/8, ::1, 0.0.0.0/8, ::
  link_local, ///< 169.254.0.0/16, fe80::/10, multicast, and the metadata services of clouds
};
std::string_view to_string(net_zone zone) noexcept; ///< for messages

/// Of an IPv4 or IPv6 address, with or without brackets, also of one in the other
/// (::ffff:127.0.0.1); and of "localhost". Any other name is `anywhere`: only its addresses can
/// tell.
net_zone zone_of(std::string_view host);

/// Who is in `home` may send us to its own zone, and anywhere that is nobody's.
constexpr bool may_send(net_zone home, net_zone to) noexcept {
  return to == net_zone::anywhere || to == home;
}

/// Of the address as it is written; errc::denied with `step`.
result<void> check_zone(net_zone home, const http_url& to, std::string step);

} // namespace tank::oci
