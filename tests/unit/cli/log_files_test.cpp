#include "cli/log_files.hpp"
#include "tests/unit/cli/temp_dir.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

namespace log_files_test {

using namespace tank;
using namespace tank::cli;

namespace {

namespace fs = std::filesystem;

std::string line(const std::string& text) {
  return "2024-05-01T10:00:00.000000001Z stdout F " + text + "\n";
}

struct logs {
  temp_dir temp;
  directories dirs;

  logs() { dirs.log_dir = temp.path(); }

  fs::path file(const std::string& uid, const std::string& name) {
    const auto dir = dirs.pod_log("default", "web", uid) / "main";
    fs::create_directories(dir);
    return dir / name;
  }
  void write(const std::string& uid, const std::string& name, const std::string& text,
             std::time_t when = 0) {
    const auto path = file(uid, name);
    append(path, text);
    if (when == 0) return;
    const timespec times[2]{{when, 0}, {when, 0}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
};

std::vector<std::string> read_texts(const log_run& run) {
  std::vector<std::string> texts;
  cri_parser parser;
  const cri_parser::sink give = [&](const log_entry& e) { texts.push_back(e.text); };
  REQUIRE(read_log(run, parser, give));
  parser.finish(give);
  return texts;
}

} // namespace

TEST_CASE("the log of a pod is its newest uid's newest run") {
  logs l;
  l.write("u1", "7.log", line("old uid"), 1000);
  l.write("u2", "0.log", line("first"), 2000);
  l.write("u2", "9.log", line("ninth"), 2001);
  l.write("u2", "10.log", line("tenth"), 2002);
  const auto run = find_log(l.dirs, {"default", "web", "", false});
  REQUIRE(run);
  CHECK(run->restart == 10);
  CHECK(read_texts(*run) == std::vector<std::string>{"tenth"});
  const auto previous = find_log(l.dirs, {"default", "web", "", true});
  REQUIRE(previous);
  CHECK(read_texts(*previous) == std::vector<std::string>{"ninth"});
}

TEST_CASE("a pod whose name continues another's is not taken for it") {
  logs l;
  const auto dir = l.dirs.pod_log("default", "web-2", "u") / "main";
  fs::create_directories(dir);
  append(dir / "0.log", line("x"));
  const auto run = find_log(l.dirs, {"default", "web", "", false});
  REQUIRE(!run);
  CHECK(run.error().code == errc::not_found);
}

TEST_CASE("no log, no second run and an ambiguous container each have their own message") {
  logs l;
  CHECK(find_log(l.dirs, {"default", "web", "", false}).error().code == errc::not_found);
  l.write("u", "0.log", line("x"));
  CHECK(find_log(l.dirs, {"default", "web", "", true}).error().message().find("only once") !=
        std::string::npos);
  CHECK(find_log(l.dirs, {"default", "web", "other", false}).error().code == errc::not_found);
  fs::create_directories(l.dirs.pod_log("default", "web", "u") / "side");
  const auto both = find_log(l.dirs, {"default", "web", "", false});
  REQUIRE(!both);
  CHECK(both.error().message().find("main, side") != std::string::npos);
  CHECK(find_log(l.dirs, {"default", "web", "main", false}));
}

TEST_CASE("rotated files are read oldest first, and a line cut by the rotation is joined") {
  logs l;
  l.write("u", "0.log.10", line("a"));
  l.write("u", "0.log.2", line("b"));
  l.write("u", "0.log.1", "2024-05-01T10:00:00.000000001Z stdout F c");
  l.write("u", "0.log", "d\n" + line("e"));
  l.write("u", "0.log.tmp", line("not a log"));
  const auto run = find_log(l.dirs, {"default", "web", "", false});
  REQUIRE(run);
  const auto texts = read_texts(*run);
  CHECK(texts == std::vector<std::string>{"a", "b", "cd", "e"});
}

namespace {

/// Follows in a thread; `expect` waits for the next text.
class following {
 public:
  explicit following(logs& l, int out_fd = -1) : stop_{::eventfd(0, EFD_CLOEXEC)} {
    const log_query query{"default", "web", "main", false};
    const auto run = find_log(l.dirs, query);
    REQUIRE(run);
    thread_ = std::thread{[this, &l, query, out_fd, run = *run] {
      cri_parser parser;
      unique_fd live;
      const cri_parser::sink give = [this](const log_entry& e) {
        const std::lock_guard lock{mutex_};
        texts_.push_back(e.text);
        changed_.notify_all();
      };
      done_ =
          read_log(run, parser, give, &live).has_value() &&
          follow_log(l.dirs, query, run, std::move(live), parser, give, stop_.get(), out_fd, [&] {
            give({.text = "<lost>"});
          }).has_value();
    }};
  }
  ~following() { stop(); }

  std::string next() {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, std::chrono::seconds{20}, [&] { return at_ < texts_.size(); }))
      return "<nothing came>";
    return texts_[at_++];
  }
  bool stop() {
    if (thread_.joinable()) {
      ::eventfd_write(stop_.get(), 1);
      thread_.join();
    }
    return done_;
  }
  bool ends_by_itself() {
    thread_.join();
    return done_;
  }

 private:
  unique_fd stop_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
  std::size_t at_ = 0;
  bool done_ = false;
  std::thread thread_;
};

} // namespace

TEST_CASE("following goes on through appends, a rotation, a restart and an edit of the pod") {
  logs l;
  l.write("u1", "0.log", line("one"));
  following f{l};
  CHECK(f.next() == "one");
  append(l.file("u1", "0.log"), line("two"));
  CHECK(f.next() == "two");

  append(l.file("u1", "0.log"), line("three"));
  fs::rename(l.file("u1", "0.log"), l.file("u1", "0.log.1"));
  append(l.file("u1", "0.log"), line("four"));
  CHECK(f.next() == "three");
  CHECK(f.next() == "four");

  append(l.file("u1", "0.log"), line("five"));
  append(l.file("u1", "1.log"), line("six"));
  CHECK(f.next() == "five");
  CHECK(f.next() == "six");

  append(l.file("u1", "1.log"), line("seven"));
  append(l.file("u2", "0.log"), line("eight"));
  CHECK(f.next() == "seven");
  CHECK(f.next() == "eight");
  CHECK(f.stop());
}

TEST_CASE("following misses no line under rotation, and says where lines are gone") {
  logs l;
  l.write("u", "0.log", line("0"));
  following f{l};
  REQUIRE(f.next() == "0");
  const auto rotate = [&](int keep) {
    const auto name = [&](int n) {
      return l.file("u", n == 0 ? "0.log" : "0.log." + std::to_string(n));
    };
    for (int n = keep; n > 0; --n)
      if (fs::exists(name(n - 1))) fs::rename(name(n - 1), name(n));
  };
  // As many files as are written: each rotation may come while another is looked at.
  constexpr int files = 300;
  for (int i = 1; i <= files; ++i) {
    rotate(files + 1);
    l.write("u", "0.log", line(std::to_string(i)));
  }
  for (int i = 1; i <= files; ++i)
    REQUIRE(f.next() == std::to_string(i));
  // All that it knew goes at once.
  const auto beside = l.temp.path() / "beside";
  append(beside, line("last"));
  for (const auto& e : fs::directory_iterator(l.file("u", "0.log").parent_path()))
    if (e.path().filename() != "0.log") fs::remove(e.path());
  fs::rename(beside, l.file("u", "0.log"));
  CHECK(f.next() == "<lost>");
  CHECK(f.next() == "last");
  CHECK(f.stop());
}

TEST_CASE("following ends when the logs of the pod are removed") {
  logs l;
  l.write("u1", "0.log", line("one"));
  following f{l};
  CHECK(f.next() == "one");
  fs::remove_all(l.dirs.pod_log("default", "web", "u1"));
  CHECK(f.ends_by_itself());
}

TEST_CASE("following ends when nobody reads its output any more") {
  logs l;
  l.write("u", "0.log", line("a"));
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  unique_fd reader{ends[0]};
  const unique_fd writer{ends[1]};
  following f{l, writer.get()};
  CHECK(f.next() == "a");
  reader.reset();
  CHECK(f.ends_by_itself()); // without a line to write
}

TEST_CASE("waiting for the first log of a pod ends with its file, or when told to stop") {
  logs l;
  l.dirs.log_dir = l.temp.path() / "not/yet";
  const log_query query{"default", "web", "", false};
  const unique_fd stop{::eventfd(0, EFD_CLOEXEC)};
  std::optional<log_run> found;
  std::thread waiting{[&] {
    const auto run = await_log(l.dirs, query, stop.get());
    if (run) found = *run;
  }};
  l.write("u1", "3.log", line("one")); // its directories one by one
  waiting.join();
  REQUIRE(found.has_value());
  CHECK(found->file() == l.file("u1", "3.log"));

  const auto wrong = await_log(l.dirs, {"default", "web", "side", false}, stop.get());
  REQUIRE_FALSE(wrong.has_value()); // the pod runs, and has no such container
  CHECK(wrong.error().code == errc::not_found);

  REQUIRE(::eventfd_write(stop.get(), 1) == 0);
  const auto stopped = await_log(l.dirs, {"default", "other", "", false}, stop.get());
  REQUIRE(stopped.has_value());
  CHECK_FALSE(stopped->has_value());
}

} // namespace log_files_test
