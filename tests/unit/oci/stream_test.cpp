#include "oci/stream.hpp"

#include "oci/inflate.hpp"
#include "oci/prefetch.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

namespace stream_test {

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
  CHECK(all_of(empty).value().empty());
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

namespace {
result<std::string> gunzipped(std::unique_ptr<decompressor> engine, const std::string& in,
                              std::size_t step, std::size_t room) {
  std::string out;
  std::vector<std::byte> buffer(room);
  for (std::size_t at = 0;;) {
    const auto n = std::min(step, in.size() - at);
    const auto piece = std::as_bytes(std::span{in}).subspan(at, n);
    const auto done = TANK_TRY(engine->run(piece, buffer));
    at += done.consumed;
    out.append(reinterpret_cast<const char*>(buffer.data()), done.produced);
    if (n > 0 || done.produced > 0) continue;
    if (!engine->complete()) return fail(errc::corrupt, "decompress", "stream", "cut");
    return out;
  }
}
} // namespace

TEST_CASE("both gzip decoders read the same, whatever the pieces, and refuse the same") {
  using maker = std::unique_ptr<decompressor> (*)();
  std::vector<maker> makers{&make_gunzip_zlib};
  if (make_gunzip_isal()) makers.push_back(&make_gunzip_isal);
  for (const auto make : makers) {
    const auto text = text_of(200'000);
    const auto one = compressed(text);
    for (const std::size_t step : {1u, 5u, 4096u})
      for (const std::size_t room : {1u, 300u, 65536u}) {
        if (step * room < 1000) continue; // slow, and nothing new
        CHECK(gunzipped(make(), one, step, room).value() == text);
        CHECK(gunzipped(make(), one + compressed("") + one, step, room).value() == text + text);
        CHECK(gunzipped(make(), one + std::string(700, '\0'), step, room).value() == text);
        for (const auto& bad :
             {one + "x", one + std::string("\0x", 2), one + "\x1f\x8b", one + one.substr(0, 40),
              one.substr(0, one.size() - 1), std::string{"\x1f\x8b no gzip"}, std::string{}}) {
          const auto out = gunzipped(make(), bad, step, room);
          REQUIRE(!out);
          CHECK(out.error().code == errc::corrupt);
        }
      }
    auto wrong_sum = one;
    wrong_sum[one.size() - 6] = static_cast<char>(wrong_sum[one.size() - 6] ^ 1);
    const auto out = gunzipped(make(), wrong_sum, 4096, 65536);
    REQUIRE(!out);
    CHECK(out.error().cause == "its checksum does not match");
  }
}

TEST_CASE("zstd: several frames, skippable ones, and what is none of it") {
  const auto frame = compressed("one ", ARCHIVE_FILTER_ZSTD);
  const std::string skippable{"\x50\x2a\x4d\x18\x03\x00\x00\x00"
                              "abc",
                              11};
  const auto read = [](const std::string& bytes) {
    text_source raw{bytes, 3};
    decompressing_source plain{raw};
    return all_of(plain);
  };
  CHECK(read(frame + frame).value() == "one one ");
  CHECK(read(skippable + frame + skippable).value() == "one ");
  CHECK(read(frame + "garbage").error().code == errc::corrupt);
  CHECK(read(frame.substr(0, frame.size() - 1)).error().code == errc::corrupt);
  CHECK(read(frame + skippable.substr(0, 9)).error().code == errc::corrupt);
}

TEST_CASE("a zstd frame cannot ask for any amount of memory") {
  // Magic, a header with a window of 2^31 + some, then nothing: RFC 8878, 3.1.1.1.2.
  const std::string huge{"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9};
  text_source raw{huge};
  decompressing_source plain{raw};
  const auto out = all_of(plain);
  REQUIRE(!out);
  CHECK(out.error().code == errc::limit);
}

TEST_CASE("what expands beyond the ratio is refused, small streams are not") {
  const auto bomb = compressed(std::string(8u << 20, '\0'));
  expansion_limits limits;
  limits.free_bytes = 1 << 20;
  text_source raw{bomb};
  decompressing_source plain{raw, limits};
  const auto out = all_of(plain);
  REQUIRE(!out);
  CHECK(out.error().code == errc::limit);
  limits.free_bytes = 8u << 20;
  text_source again{bomb};
  decompressing_source fine{again, limits};
  CHECK(all_of(fine).value().size() == 8u << 20);
}

TEST_CASE("reading ahead changes nothing but when it happens") {
  const auto text = text_of(3'000'000);
  for (const std::size_t step : {1'000u, 400'000u}) {
    text_source raw{text, step};
    prefetching_source ahead{raw};
    CHECK(all_of(ahead).value() == text);
    CHECK(all_of(ahead).value().empty()); // and ever again
  }
  text_source unread{text, 1000};
  { const prefetching_source dropped{unread}; } // ends although nobody reads
  text_source half{text, 1000};
  prefetching_source left{half};
  CHECK(left.next().value().size() == 1000);
  left.join();
  CHECK(half.next().value().size() == 1000); // ours again
}

TEST_CASE("an error behind the reading ahead comes after what was good") {
  struct failing final : byte_source {
    result<std::span<const std::byte>> next() override {
      if (++calls > 10) return fail(errc::unavailable, "read from", "registry", "reset");
      return std::as_bytes(std::span{text});
    }
    std::string text = "0123456789";
    int calls = 0;
  } source;
  prefetching_source ahead{source};
  for (int i = 0; i < 10; ++i)
    CHECK(ahead.next().value().size() == 10);
  CHECK(ahead.next().error().code == errc::unavailable);
  CHECK(ahead.next().error().code == errc::unavailable);
}

TEST_CASE("a range of a file, and one that the file does not have") {
  const scratch s;
  put(s.dir / "f", text_of(600'000));
  const auto whole = slurp(s.dir / "f");
  const unique_fd fd{::open((s.dir / "f").c_str(), O_RDONLY | O_CLOEXEC)};
  range_source part{fd.get(), 1000, 500'000, "f"};
  CHECK(all_of(part).value() == whole.substr(1000, 500'000));
  range_source over{fd.get(), whole.size() - 10, 11, "f"};
  CHECK(all_of(over).error().code == errc::corrupt);
}

} // namespace stream_test
