#include "kernel/shim/log_file.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace log_file_test {

using namespace tank::kernel::shim;

namespace {
struct scratch {
  std::filesystem::path dir;
  scratch() {
    char name[] = "/tmp/tank-log-test.XXXXXX";
    dir = ::mkdtemp(name);
  }
  ~scratch() { std::filesystem::remove_all(dir); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  [[nodiscard]] std::string read(const char* name) const {
    std::ostringstream text;
    text << std::ifstream{dir / name}.rdbuf();
    return text.str();
  }
};

void put(log_file& log, std::string line) {
  if (log.full(0, line.size())) log.rotate();
  const iovec piece{line.data(), line.size()};
  log.write(&piece, 1, line.size());
}
} // namespace

TEST_CASE("a full log moves up the row and the oldest file goes") {
  scratch s;
  log_file log;
  REQUIRE(log.open((s.dir / "0.log").c_str(), 8, 3));
  for (const char* line : {"line 1\n", "line 2\n", "line 3\n", "line 4\n"})
    put(log, line);
  CHECK(s.read("0.log") == "line 4\n");
  CHECK(s.read("0.log.1") == "line 3\n");
  CHECK(s.read("0.log.2") == "line 2\n");
  CHECK(!std::filesystem::exists(s.dir / "0.log.3"));
}

TEST_CASE("a log that exists is continued, and counts what it holds") {
  scratch s;
  std::ofstream{s.dir / "0.log"} << "before\n";
  log_file log;
  REQUIRE(log.open((s.dir / "0.log").c_str(), 10, 2));
  put(log, "after\n");
  CHECK(s.read("0.log.1") == "before\n");
  CHECK(s.read("0.log") == "after\n");
}

TEST_CASE("a log is not readable by everybody and not opened through a symlink or a fifo") {
  scratch s;
  log_file log;
  REQUIRE(log.open((s.dir / "0.log").c_str(), 10, 2));
  struct stat is {};
  ::stat((s.dir / "0.log").c_str(), &is);
  CHECK((is.st_mode & 0137) == 0);
  std::filesystem::create_symlink(s.dir / "0.log", s.dir / "link.log");
  CHECK(!log_file{}.open((s.dir / "link.log").c_str(), 10, 2));
  CHECK(errno == ELOOP);
  ::mkfifo((s.dir / "fifo.log").c_str(), 0600);
  CHECK(!log_file{}.open((s.dir / "fifo.log").c_str(), 10, 2));
  CHECK(!log_file{}.open((s.dir / "missing" / "0.log").c_str(), 10, 2));
  CHECK(errno == ENOENT);
}

TEST_CASE("what a full disk refuses is dropped, counted, and reported when there is room again") {
  scratch s;
  log_file log;
  REQUIRE(log.open((s.dir / "0.log").c_str(), 1 << 20, 2));
  // The file size limit stands for the full disk: the third line fits only in part.
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit tiny{17, before.rlim_max};
  auto* const old = ::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &tiny) == 0);
  for (const char* line : {"line 1\n", "line 2\n", "line 3\n", "line 4\n"})
    put(log, line);
  CHECK(log.lost() == 11);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, old);
  put(log, "line 5\n");
  CHECK(log.lost() == 0);
  const auto text = s.read("0.log");
  CHECK(text.starts_with("line 1\nline 2\nlin\n"));
  CHECK(text.find(" stderr F tank: 11 bytes of output are missing here (errno ") !=
        std::string::npos);
  CHECK(text.ends_with(")\nline 5\n"));
}

} // namespace log_file_test
