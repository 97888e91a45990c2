#include "base/text.hpp"

#include <doctest/doctest.h>

#include <algorithm>
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

TEST_CASE("blanks around a word are nothing") {
  CHECK(trimmed("a") == "a");
  CHECK(trimmed(" \t a b\r\n") == "a b");
  CHECK(trimmed("").empty());
  CHECK(trimmed(" \r\n\t").empty());
}

TEST_CASE("texts for messages are cut between characters") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abcd", 3) == "abc...");
  CHECK(shortened("aä", 2) == "a...");
  CHECK(shortened("aä", 3) == "aä");
  CHECK(shortened("ää", 3) == "ä...");
  CHECK(shortened("x", 0) == "...");
}

TEST_CASE("text from outside steers no terminal and ends no line") {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> rows{
      {{"", ""},
       {"plain ä € 𝄞", "plain ä € 𝄞"},
       {"a\nb\tc", "a\\nb\\tc"},
       {"\x1b[2J\r", "\\x1b[2J\\x0d"},
       {"\x7f", "\\x7f"},
       {"\u009b2J", "\\u{9b}2J"},                    // C1: CSI in one character
       {"a\u202eb\u2066c", "a\\u{202e}b\\u{2066}c"}, // CVE-2021-42574
       {"\u2028", "\\u{2028}"},
       {"a\xff"
        "b",
        "a\\xffb"},
       {"\x9b", "\\x9b"},                   // C1 in Latin 1
       {"\xc0\x8a", "\\xc0\\x8a"},          // a line feed, too long
       {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, // a surrogate
       {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
       {"\xe2\x82", "\\xe2\\x82"}}}; // cut
  for (const auto& [text, shown] : rows)
    CHECK(printable(text) == shown);
  CHECK(printable(std::string_view{"a\0b", 3}) == "a\\x00b");
  const auto all = printable(every_byte);
  CHECK(std::none_of(all.begin(), all.end(),
                     [](char c) { return c < 0x20 || c == 0x7f; })); // as signed: nothing above
}

TEST_CASE("a value of a log line is in quotes that only its end closes") {
  CHECK(in_quotes("") == "\"\"");
  CHECK(in_quotes("a b") == "\"a b\"");
  CHECK(in_quotes("a\" reason=\"b\\") == R"("a\" reason=\"b\\")");
  CHECK(in_quotes("a\nevent=b") == R"("a\nevent=b")");
}

} // namespace text_test
