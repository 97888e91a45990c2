#include "oci/stream.hpp"

#include "support.hpp"

#include <doctest/doctest.h>

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

namespace {
result<std::string> all_of(byte_source& source) {
  std::string out;
  for (;;) {
    const auto bytes = TANK_TRY(source.next());
    if (bytes.empty()) return out;
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

std::string text_of(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; out.size() < size; ++i)
    out += std::to_string(i * i) + " ";
  return out;
}
} // namespace

TEST_CASE("plain, gzip and zstd streams give the same text, in pieces of any size") {
  for (const auto& text : {std::string{}, std::string{"a"}, std::string{"abc"}, text_of(300'000)})
    for (const std::size_t step : {1u, 7u, 100'000u}) {
      const std::pair<std::string, compression> forms[] = {
          {text, compression::none},
          {compressed(text), compression::gzip},
          {compressed(text, ARCHIVE_FILTER_ZSTD), compression::zstd}};
      for (const auto& [bytes, kind] : forms) {
        if (text.empty() && kind != compression::none) continue;
        text_source raw{bytes, step};
        measuring_source measured{raw, digest_algorithm::sha256, 1 << 30};
        decompressing_source plain{measured};
        const auto out = all_of(plain);
        REQUIRE_MESSAGE(out, out.error().message());
        CHECK(*out == text);
        CHECK(plain.kind() == kind);
        CHECK(measured.finish().value() == digest_of(bytes));
        CHECK(measured.size() == bytes.size());
      }
    }
}

TEST_CASE("concatenated gzip members are one stream") {
  text_source raw{compressed("one ") + compressed("two")};
  decompressing_source plain{raw};
  CHECK(all_of(plain).value() == "one two");
}

TEST_CASE("only one layer of compression is removed") {
  const auto inner = compressed("text");
  text_source raw{compressed(inner)};
  decompressing_source plain{raw};
  CHECK(all_of(plain).value() == inner);
}

TEST_CASE("a truncated or damaged compressed stream is an error") {
  const auto whole = compressed(text_of(100'000));
  text_source cut{whole.substr(0, whole.size() / 2)};
  decompressing_source half{cut};
  CHECK(!all_of(half));
  const auto large = compressed(text_of(5'000'000));
  text_source cut_late{large.substr(0, large.size() - large.size() / 8)};
  decompressing_source most{cut_late};
  CHECK(!all_of(most));
  text_source nothing{compressed("")};
  decompressing_source empty{nothing};
  CHECK(!all_of(empty));
  auto damaged = whole;
  for (std::size_t i = 100; i < 200; ++i)
    damaged[i] = static_cast<char>(~damaged[i]);
  text_source bad{damaged};
  decompressing_source broken{bad};
  const auto out = all_of(broken);
  CHECK((!out || *out != text_of(100'000))); // what zlib does not see, the digest does
}

TEST_CASE("a bomb ends at the limit, whatever it would grow to") {
  std::string bomb = compressed(std::string(64u << 20, '\0'));
  CHECK(bomb.size() < 200'000);
  text_source raw{bomb};
  decompressing_source plain{raw};
  measuring_source measured{plain, digest_algorithm::sha256, 1 << 20};
  const auto out = all_of(measured);
  REQUIRE(!out);
  CHECK(out.error().code == errc::limit);
}

TEST_CASE("a source's own error is what the reader sees") {
  struct failing final : byte_source {
    result<std::span<const std::byte>> next() override {
      static constexpr unsigned char magic[] = {0x1f, 0x8b, 8, 0};
      if (!std::exchange(began, true)) return std::as_bytes(std::span{magic});
      return fail(errc::unavailable, "read from", "registry", "connection reset");
    }
    bool began = false;
  } source;
  decompressing_source plain{source};
  const auto out = all_of(plain);
  REQUIRE(!out);
  CHECK(out.error().code == errc::unavailable);
  CHECK(out.error().message().find("connection reset") != std::string::npos);
}
