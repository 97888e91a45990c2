#include "kernel/terminal_stream.hpp"

#include <doctest/doctest.h>

#include <string>

namespace terminal_stream_test {

using namespace tank::kernel;

template <std::size_t N>
static std::string_view view(const std::array<char, N>& packet) {
  return {packet.data(), packet.size()};
}

TEST_CASE("a resize is nine bytes: its kind, then rows, columns and pixels") {
  const auto packet =
      encode_resize({.rows = 24, .columns = 80, .x_pixels = 640, .y_pixels = 65535});
  CHECK(packet.size() == 9);
  CHECK(packet[0] == 1);
  const auto read = decode_terminal_packet(view(packet));
  REQUIRE(read);
  CHECK(read->kind == terminal_kind::resize);
  CHECK(read->size == window_size{24, 80, 640, 65535});
}

TEST_CASE("dropped input is counted in 64 bits") {
  const auto packet = encode_dropped(0x1'0000'0001);
  CHECK(packet[0] == 2);
  const auto read = decode_terminal_packet(view(packet));
  REQUIRE(read);
  CHECK(read->kind == terminal_kind::dropped);
  CHECK(read->dropped == 0x1'0000'0001);
}

TEST_CASE("bytes stand behind their kind, whatever they are") {
  const std::string said{"\0\1\2 and so on", 13};
  const std::string packet = terminal_bytes_head + said;
  const auto read = decode_terminal_packet(packet);
  REQUIRE(read);
  CHECK(read->kind == terminal_kind::bytes);
  CHECK(read->bytes == said);
  CHECK(read->bytes.data() == packet.data() + 1); // not copied
}

TEST_CASE("the largest packet is read, a larger one is none") {
  std::string packet(max_terminal_packet, 'x');
  packet[0] = terminal_bytes_head;
  CHECK(decode_terminal_packet(packet)->bytes.size() == max_terminal_bytes);
  CHECK(!decode_terminal_packet(packet + 'x'));
}

TEST_CASE("what is no packet of a terminal is none") {
  CHECK(!decode_terminal_packet(""));
  CHECK(!decode_terminal_packet(std::string_view{"\0", 1})); // no bytes
  CHECK(!decode_terminal_packet("\3xxxxxxxx"));
  CHECK(!decode_terminal_packet("\377"));
  for (const char kind : {'\1', '\2'})
    for (std::size_t size = 0; size < 20; ++size) {
      CAPTURE(size);
      CHECK(decode_terminal_packet(kind + std::string(size, 'x')).has_value() == (size == 8));
    }
}

} // namespace terminal_stream_test
