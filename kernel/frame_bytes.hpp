/// Frames to and from packets. Private to the frames of the protocol's versions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>

namespace tank::kernel::frames {

/// A frame from a packet that may be cut inside its last text, or be longer than we know.
template <class Frame>
Frame from_packet(std::span<const char> packet) {
  Frame f{};
  std::memcpy(static_cast<void*>(&f), packet.data(), std::min(packet.size(), sizeof f));
  return f;
}

template <class Frame>
std::string to_packet(const Frame& f) {
  return {reinterpret_cast<const char*>(&f), sizeof f};
}

template <std::size_t N>
std::string text_of(const char (&field)[N]) {
  return {field, ::strnlen(field, N)};
}

} // namespace tank::kernel::frames
