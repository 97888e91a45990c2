#include "cli/cri_log.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace cri_log_test {

using namespace tank::cli;

namespace {

std::vector<log_entry> parse(std::string_view bytes, std::size_t cut, std::size_t limit = 1 << 20) {
  std::vector<log_entry> got;
  cri_parser parser{limit};
  const cri_parser::sink give = [&](const log_entry& e) { got.push_back(e); };
  for (std::size_t at = 0; at < bytes.size(); at += cut)
    parser.feed(bytes.substr(at, cut), give);
  parser.finish(give);
  return got;
}

const std::string t1 = "2024-05-01T10:00:00.000000001Z";
const std::string t2 = "2024-05-01T10:00:00.000000002Z";

} // namespace

TEST_CASE("log lines come out whole however the bytes are cut") {
  const std::string bytes = t1 + " stdout F hello world\n" + t2 + " stderr F oops\n" + t2 +
                            " stdout F \n" + t2 + " stdout F\n";
  const std::vector<log_entry> want{{t1, log_stream::out, "hello world", true},
                                    {t2, log_stream::err, "oops", true},
                                    {t2, log_stream::out, "", true},
                                    {t2, log_stream::out, "", true}};
  for (std::size_t cut = 1; cut <= bytes.size(); ++cut)
    CHECK(parse(bytes, cut) == want);
}

TEST_CASE("partial lines are joined per stream up to the final one, with the first one's time") {
  const auto got = parse(t1 + " stdout P ab\n" + t2 + " stderr P 12\n" + t2 + " stdout P cd\n" +
                             t2 + " stderr F 34\n" + t2 + " stdout F ef\n",
                         7);
  CHECK(got == std::vector<log_entry>{{t1 == t2 ? t1 : t2, log_stream::err, "1234", true},
                                      {t1, log_stream::out, "abcdef", true}});
}

TEST_CASE("tags are a list of which the first one counts") {
  CHECK(parse(t1 + " stdout F:x:y text\n", 100) ==
        std::vector<log_entry>{{t1, log_stream::out, "text", true}});
}

TEST_CASE("a line that is not in the format is passed on as it is") {
  CHECK(parse("garbage\n" + t1 + " stdin F x\n" + t1 + " stdout Q x\n", 5) ==
        std::vector<log_entry>{{"", log_stream::out, "garbage", true},
                               {"", log_stream::out, t1 + " stdin F x", true},
                               {"", log_stream::out, t1 + " stdout Q x", true}});
}

TEST_CASE("what the log ends within is given, marked as not ended") {
  CHECK(parse(t1 + " stdout P half", 100) ==
        std::vector<log_entry>{{t1, log_stream::out, "half", false}});
}

TEST_CASE("a line longer than the limit comes in the same pieces however the bytes are cut") {
  const auto bytes = std::string(500, 'x') + "\n" + t1 + " stdout P 0123456789\n" + t1 +
                     " stdout F " + std::string(100, 'y') + "\n" + t1 + " stderr F " +
                     std::string(400, 'z') + "\nlast";
  const auto whole = parse(bytes, bytes.size(), 25);
  std::string joined;
  for (const auto& e : whole) {
    CHECK(e.text.size() <= 25 + 128);
    joined += e.text + (e.ended ? "\n" : "");
  }
  CHECK(joined == std::string(500, 'x') + "\n0123456789" + std::string(100, 'y') + "\n" +
                      std::string(400, 'z') + "\nlast\n");
  for (std::size_t cut = 1; cut <= bytes.size(); ++cut)
    CHECK(parse(bytes, cut, 25) == whole);
}

TEST_CASE("an endless line costs bounded memory: it comes in pieces") {
  std::string bytes;
  for (int i = 0; i < 10; ++i)
    bytes += t1 + " stdout P 0123456789\n";
  bytes += t1 + " stdout F end\n";
  const auto got = parse(bytes, 13, 25);
  std::string joined;
  for (const auto& e : got) {
    CHECK(e.text.size() <= 35);
    joined += e.text;
    CHECK(e.ended == (&e == &got.back()));
  }
  CHECK(joined.size() == 103);
  const auto foreign = parse(std::string(1000, 'x'), 10, 25);
  REQUIRE(foreign.size() > 1);
  CHECK(foreign.front().text.size() < 200);
}

} // namespace cri_log_test
