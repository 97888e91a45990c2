#include "kernel/shim/cri.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

namespace cri_test {

using namespace tank::kernel::shim;

namespace {
/// Collects what is written; a limit makes it rotate.
struct fake_sink {
  std::vector<std::string> files{""};
  std::size_t limit = ~std::size_t{0};
  unsigned writes = 0;

  [[nodiscard]] bool full(std::size_t gathered, std::size_t next) const {
    const auto before = files.back().size() + gathered;
    return before > 0 && before + next > limit;
  }
  void rotate() { files.emplace_back(); }
  void write(const iovec* pieces, unsigned count, std::size_t bytes) {
    const auto before = files.back().size();
    for (unsigned i = 0; i < count; ++i)
      files.back().append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
    CHECK(files.back().size() - before == bytes);
    ++writes;
  }
};

constexpr std::int64_t now = 1'767'323'045'123'456'789; // 2026-01-02T03:04:05.123456789Z
const std::string stamp = "2026-01-02T03:04:05.123456789Z ";

/// Feeds `text` in reads of `cut` bytes, then the end of the stream.
std::string lines_of(const std::string& text, std::size_t cut, fake_sink& sink) {
  const auto held = std::make_unique<partial_line>();
  held->size = 0;
  for (std::size_t at = 0; at < text.size(); at += cut) {
    const auto part = text.substr(at, cut);
    cri_writer{sink, *held, "stdout", now}.feed(part.data(), part.size());
  }
  cri_writer{sink, *held, "stdout", now}.finish();
  return sink.files.back();
}
std::string lines_of(const std::string& text, std::size_t cut = 1000) {
  fake_sink sink;
  return lines_of(text, cut, sink);
}
} // namespace

static std::string stamp_of(std::int64_t ns) {
  char out[stamp_size];
  format_stamp(ns, out);
  return {out, stamp_size};
}

TEST_CASE("a stamp is RFC 3339 in UTC with nanoseconds, leap years included") {
  CHECK(stamp_of(0) == "1970-01-01T00:00:00.000000000Z");
  CHECK(stamp_of(now) + " " == stamp);
  CHECK(stamp_of(951'782'400'000'000'001) == "2000-02-29T00:00:00.000000001Z");
  CHECK(stamp_of(1'709'251'199'999'999'999) == "2024-02-29T23:59:59.999999999Z");
  CHECK(stamp_of(1'709'251'200'000'000'000) == "2024-03-01T00:00:00.000000000Z");
  CHECK(stamp_of(4'107'542'399'000'000'000) == "2100-02-28T23:59:59.000000000Z");
  CHECK(stamp_of(4'107'542'400'000'000'000) == "2100-03-01T00:00:00.000000000Z");
}

TEST_CASE("whole lines are F lines, empty ones too") {
  CHECK(lines_of("one\n\ntwo\n") ==
        stamp + "stdout F one\n" + stamp + "stdout F \n" + stamp + "stdout F two\n");
}

TEST_CASE("a last line without newline is a P line, and silence is no line") {
  CHECK(lines_of("a\nb") == stamp + "stdout F a\n" + stamp + "stdout P b\n");
  CHECK(lines_of("").empty());
}

TEST_CASE("a line of exactly 16 KiB is one line, one byte more makes two") {
  const std::string fits(max_text, 'x');
  CHECK(lines_of(fits + "\n") == stamp + "stdout F " + fits + "\n");
  CHECK(lines_of(fits + "y\n") == stamp + "stdout P " + fits + "\n" + stamp + "stdout F y\n");
  CHECK(lines_of(fits + fits + fits + "\n") == stamp + "stdout P " + fits + "\n" + stamp +
                                                   "stdout P " + fits + "\n" + stamp + "stdout F " +
                                                   fits + "\n");
}

TEST_CASE("the lines do not depend on how reads cut the bytes") {
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += std::string(static_cast<std::size_t>(i * i * 11 % 20011), 'a') + "\n";
  text += "no newline";
  const auto whole = lines_of(text, text.size());
  for (const std::size_t cut : {1u, 7u, 4096u, 16383u, 16384u, 16385u, 65536u})
    CHECK(lines_of(text, cut) == whole);
}

TEST_CASE("bytes that are no text pass through unchanged") {
  const std::string text{"\0\xff\r\t\n", 5};
  CHECK(lines_of(text) == stamp + "stdout F " + text);
}

TEST_CASE("many short lines of one read become few writes") {
  fake_sink sink;
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += "x\n";
  lines_of(text, text.size(), sink);
  CHECK(sink.writes == 1);
}

TEST_CASE("a file is left before the line that would pass its limit, never inside a line") {
  fake_sink sink;
  sink.limit = 200;
  std::string text;
  for (int i = 0; i < 30; ++i)
    text += "line " + std::to_string(i) + "\n";
  lines_of(text, 64, sink);
  std::string all;
  for (const auto& file : sink.files) {
    CHECK(file.size() <= sink.limit);
    CHECK(file.back() == '\n');
    all += file;
  }
  CHECK(sink.files.size() > 5);
  CHECK(all == lines_of(text));
}

TEST_CASE("a line larger than a whole file gets a file of its own") {
  fake_sink sink;
  sink.limit = 100;
  lines_of("a\n" + std::string(500, 'b') + "\nc\n", 1000, sink);
  CHECK(sink.files.size() == 3);
}

} // namespace cri_test
