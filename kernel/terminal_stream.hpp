/// The stream of a container's terminal, between the shim, which holds the terminal, and whoever
/// attaches to it.
///
/// It is one end of a SOCK_SEQPACKET unix socket pair (terminal_opened_event). The first byte of
/// each packet is its kind, numbers behind it are in native byte order (both ends are one machine):
///
///     0 bytes    both ways       what the terminal printed, or what is typed; 1 to 16384 bytes
///     1 resize   to the shim     rows, columns, x_pixels, y_pixels: four u16
///     2 dropped  from the shim   u64: input bytes that the terminal had no room for
///
/// A packet that is none of these is ignored. End of file on the attacher's side is the terminal's
/// end, or the loss of the shim. Closing the attacher's end gives the stream back; the container
/// goes on. The shim remains the reader of the terminal: what it cannot pass on at once is in the
/// log only, so a slow attacher stalls nobody.
///
/// Header only, without heap and exceptions: the shim uses it too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace tank::kernel {

/// Of a terminal. Zero pixels: unknown.
struct window_size {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
  std::uint16_t x_pixels = 0;
  std::uint16_t y_pixels = 0;
  bool operator==(const window_size&) const = default;
};

enum class terminal_kind : std::uint8_t { bytes = 0, resize = 1, dropped = 2 };

inline constexpr std::size_t max_terminal_bytes = 16384;
/// A buffer of this size holds every packet.
inline constexpr std::size_t max_terminal_packet = 1 + max_terminal_bytes;

/// One packet, read. Only the member that `kind` names is set.
struct terminal_packet {
  terminal_kind kind = terminal_kind::bytes;
  std::string_view bytes; ///< a part of the packet
  window_size size;
  std::uint64_t dropped = 0;
  bool operator==(const terminal_packet&) const = default;
};

/// What stands before the bytes; sendmsg(2) puts both into one packet.
inline constexpr char terminal_bytes_head = static_cast<char>(terminal_kind::bytes);

inline std::array<char, 9> encode_resize(const window_size& size) noexcept {
  std::array<char, 9> packet{static_cast<char>(terminal_kind::resize)};
  const std::uint16_t numbers[4] = {size.rows, size.columns, size.x_pixels, size.y_pixels};
  std::memcpy(packet.data() + 1, numbers, sizeof numbers);
  return packet;
}

inline std::array<char, 9> encode_dropped(std::uint64_t bytes) noexcept {
  std::array<char, 9> packet{static_cast<char>(terminal_kind::dropped)};
  std::memcpy(packet.data() + 1, &bytes, sizeof bytes);
  return packet;
}

/// Nullopt for what is no packet of a terminal's stream.
inline std::optional<terminal_packet> decode_terminal_packet(std::string_view packet) noexcept {
  if (packet.empty() || packet.size() > max_terminal_packet) return std::nullopt;
  terminal_packet read;
  read.kind = static_cast<terminal_kind>(packet[0]);
  const auto rest = packet.substr(1);
  if (read.kind == terminal_kind::bytes) {
    if (rest.empty()) return std::nullopt;
    read.bytes = rest;
    return read;
  }
  if (rest.size() != 8) return std::nullopt;
  if (read.kind == terminal_kind::resize) {
    std::uint16_t numbers[4];
    std::memcpy(numbers, rest.data(), sizeof numbers);
    read.size = {numbers[0], numbers[1], numbers[2], numbers[3]};
    return read;
  }
  if (read.kind != terminal_kind::dropped) return std::nullopt;
  std::memcpy(&read.dropped, rest.data(), sizeof read.dropped);
  return read;
}

} // namespace tank::kernel
