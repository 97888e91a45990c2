#include "cli/line_writer.hpp"

#include <array>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace line_writer_test {

using namespace tank;
using tank::cli::line_writer;
using namespace std::chrono_literals;

namespace {

struct pipe_of_test {
  unique_fd read_end;
  unique_fd write_end;
  pipe_of_test() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    read_end = unique_fd{ends[0]};
    write_end = unique_fd{ends[1]};
  }
  /// Until there are no more, all writers gone.
  std::string rest() {
    write_end.reset();
    std::string all;
    std::array<char, 65536> part{};
    for (ssize_t n = 0; (n = ::read(read_end.get(), part.data(), part.size())) > 0;)
      all.append(part.data(), static_cast<std::size_t>(n));
    return all;
  }
};

std::string numbered(int n) {
  return "line " + std::to_string(n) + "\n";
}

} // namespace

TEST_CASE("lines come out whole and in order, however many, while somebody reads") {
  pipe_of_test p;
  std::string want;
  std::string got;
  std::thread reader;
  {
    line_writer lines{p.write_end.get(), 1h};
    for (int n = 0; n < 20'000; ++n) {
      want += numbered(n);
      REQUIRE(lines.add(numbered(n)));
    }
    reader = std::thread{[&] {
      std::string part(65536, 0);
      while (got.size() < want.size()) {
        const auto n = ::read(p.read_end.get(), part.data(), part.size());
        if (n <= 0) return;
        got.append(part, 0, static_cast<std::size_t>(n));
      }
    }};
  }
  reader.join();
  CHECK(got == want);
}

TEST_CASE("while nobody reads nobody waits: lines are lost at the bound, and the end comes") {
  pipe_of_test p;
  bool lost = false;
  {
    line_writer lines{p.write_end.get(), 0ms};
    const std::string line(999, 'x');
    for (int n = 0; n < 5000 && !lost; ++n)
      lost = !lines.add(line + "\n");
  }
  CHECK(lost);
  const auto said = p.rest();
  CHECK(said.size() <= line_writer::most_bytes + 1'000'000); // the pipe's own
  CHECK(said.substr(0, 1000) == std::string(999, 'x') + "\n");
}

TEST_CASE("a reader that is gone harms nobody") {
  pipe_of_test p;
  p.read_end.reset();
  line_writer lines{p.write_end.get(), 1h};
  for (int n = 0; n < 100; ++n)
    CHECK(lines.add(numbered(n)));
}

} // namespace line_writer_test
