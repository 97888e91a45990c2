// Compressed layers: the same bytes however the stream is cut, no bombs, and both inflaters agree.
#include "../fuzz.hpp"

#include "../../unit/oci/support.hpp"
#include "oci/inflate.hpp"
#include "oci/stream.hpp"

namespace tank::fuzz {
namespace layer_stream_target {
namespace {

using namespace oci;

struct outcome {
  std::string bytes;
  bool whole = false; ///< else an error ended it
  bool limited = false;
};

expansion_limits small() {
  return {.max_ratio = 20, .free_bytes = 1u << 16, .max_window = 8u << 20};
}

outcome expand(std::string_view input, std::size_t step) {
  outcome out;
  oci::testing::text_source source{std::string{input}, step};
  decompressing_source expanded{source, small()};
  for (;;) {
    const auto piece = expanded.next();
    if (!piece) {
      out.limited = piece.error().code == errc::limit;
      FUZZ_CHECK(out.limited || piece.error().code == errc::corrupt);
      return out;
    }
    if (piece->empty()) break;
    out.bytes.append(reinterpret_cast<const char*>(piece->data()), piece->size());
    FUZZ_CHECK(out.bytes.size() <=
               small().free_bytes + 300 * 1024 + small().max_ratio * input.size());
  }
  FUZZ_CHECK(expanded.next().has_value() && expanded.next()->empty());
  out.whole = true;
  return out;
}

outcome inflate(decompressor& engine, std::string_view input) {
  outcome out;
  std::vector<std::byte> buffer(1u << 14);
  std::span<const std::byte> rest{reinterpret_cast<const std::byte*>(input.data()), input.size()};
  while (out.bytes.size() < (1u << 20)) {
    const auto done = engine.run(rest, buffer);
    if (!done) return out;
    FUZZ_CHECK(done->consumed <= rest.size() && done->produced <= buffer.size());
    rest = rest.subspan(done->consumed);
    out.bytes.append(reinterpret_cast<const char*>(buffer.data()), done->produced);
    if (done->consumed == 0 && done->produced == 0) {
      out.whole = rest.empty() && engine.complete();
      return out;
    }
  }
  return out;
}

verdict run(std::string_view input) {
  const auto whole = expand(input, 65536);
  const auto cut = expand(input, 1 + input.size() % 13);
  FUZZ_CHECK(whole.whole == cut.whole && whole.limited == cut.limited);
  FUZZ_CHECK(!whole.whole || whole.bytes == cut.bytes);
  if (const auto isal = make_gunzip_isal(); isal && input.starts_with("\x1f\x8b")) {
    const auto ours = inflate(*isal, input);
    const auto zlib = inflate(*make_gunzip_zlib(), input);
    FUZZ_CHECK(ours.whole == zlib.whole);
    FUZZ_CHECK(!ours.whole || ours.bytes == zlib.bytes);
  }
  return whole.whole ? verdict::accepted : verdict::refused;
}

std::vector<std::string> seeds() {
  using oci::testing::compressed;
  const std::string text = "some text, some text, and some more";
  return {text,
          compressed(text),
          compressed(text) + compressed("second"),
          compressed(std::string(60'000, '0')),
          compressed(text, ARCHIVE_FILTER_ZSTD),
          compressed(text, ARCHIVE_FILTER_ZSTD) + std::string{"\x50\x2a\x4d\x18\2\0\0\0xy", 10}};
}

} // namespace
} // namespace layer_stream_target
const target targets::layer_stream{"layer_stream", layer_stream_target::run,
                                   layer_stream_target::seeds};
} // namespace tank::fuzz
