#include "base/text.hpp"

#include <doctest/doctest.h>

#include <array>
#include <utility>

namespace text_test {

using namespace tank;

namespace {

const std::string every_byte = [] {
  std::string out;
  for (int i = 0; i < 256; ++i)
    out += static_cast<char>(i);
  return out;
}();

} // namespace

TEST_CASE("bytes as hexadecimal digits") {
  CHECK(to_hex("") == "");
  CHECK(to_hex(std::string_view{"\x00\x0f\xf0\xff", 4}) == "000ff0ff");
}

TEST_CASE("base64: the vectors of RFC 4648, and back") {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 7> rows{
      {{"", ""},
       {"f", "Zg=="},
       {"fo", "Zm8="},
       {"foo", "Zm9v"},
       {"foob", "Zm9vYg=="},
       {"fooba", "Zm9vYmE="},
       {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, packed] : rows) {
    CHECK(to_base64(plain) == packed);
    CHECK(from_base64(packed) == std::string{plain});
  }
  CHECK(from_base64(to_base64(every_byte)) == every_byte);
  CHECK(from_base64("Zm9v\r\nYmFy\n") == "foobar");
  for (const auto* wrong : {"Zg=", "Zg", "Z===", "====", "Zg==Zg==", "Zm9v-_", "Zm 9v"})
    CHECK_MESSAGE(from_base64(wrong) == std::nullopt, wrong);
}

TEST_CASE("percent escapes, and back") {
  CHECK(percent_encode("a b/ä-._~") == "a%20b%2F%C3%A4-._~");
  CHECK(percent_encode("a/b%", "/") == "a/b%25");
  CHECK(percent_decode(percent_encode(every_byte)) == every_byte);
  CHECK(percent_decode("%2f%2F") == "//");
  for (const auto* wrong : {"%", "%4", "a%", "%4g", "%g4", "% 4"})
    CHECK_MESSAGE(percent_decode(wrong) == std::nullopt, wrong);
}

TEST_CASE("texts for messages are cut between characters") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abcd", 3) == "abc...");
  CHECK(shortened("aä", 2) == "a...");
  CHECK(shortened("aä", 3) == "aä");
  CHECK(shortened("ää", 3) == "ä...");
  CHECK(shortened("x", 0) == "...");
}

} // namespace text_test
