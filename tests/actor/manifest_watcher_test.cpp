#include "actors/manifests/manifest_watcher.hpp"

#include "actors/poller.hpp"
#include "tests/actor/fake_sources.hpp"
#include "tests/actor/script.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace manifest_watcher_test {

using namespace tank;
using namespace tank::testing;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A private directory, gone with the test.
struct temporary_directory {
  fs::path path;
  temporary_directory() {
    std::string name = (fs::temp_directory_path() / "tank-watch-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~temporary_directory() { fs::remove_all(path); }
};

/// A manifest in these tests is lines of "name=content"; "!" is a syntax error.
parsed_file judge(const std::string& file, std::string_view text) {
  parsed_file out;
  std::string name;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::min(text.find('\n', at), text.size());
    const std::string line{text.substr(at, end - at)};
    at = end + 1;
    if (line == "!") out.errors.push_back(file + ": syntax");
    parsed_pod p;
    p.key = "default/" + line.substr(0, line.find('='));
    p.desired.hash = line;
    p.desired.uid = "uid-" + line;
    p.desired.file = file;
    out.pods.push_back(p);
  }
  if (!out.errors.empty()) out.pods.clear();
  return out;
}

/// The watcher on a real directory with real inotify; readiness is sent by the test, which knows
/// when it has changed a file: inotify events are queued before the changing call returns.
struct world {
  temporary_directory tmp;
  fs::path dir = tmp.path / "pods.d";
  std::shared_ptr<fake_fds> fds = std::make_shared<fake_fds>();
  std::shared_ptr<std::vector<desired_state>> heard =
      std::make_shared<std::vector<desired_state>>();
  script s;
  caf::actor reconciler;
  caf::actor watcher;

  explicit world(bool make = true, std::vector<fs::path> sources = {}) {
    if (make) fs::create_directory(dir);
    if (sources.empty()) sources = {dir};
    reconciler = s.sys.spawn([h = heard](caf::event_based_actor*) -> caf::behavior {
      return {[h](const desired_state& d) { h->push_back(d); }};
    });
    watcher = spawn_manifest_watcher(s.sys, {.sources = sources,
                                             .reconciler = [r = reconciler] { return r; },
                                             .jobs = std::make_shared<inline_runner>(),
                                             .fds = fds,
                                             .judge = judge});
    s.settle();
  }
  ~world() {
    caf::anon_send_exit(watcher, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(reconciler, caf::exit_reason::user_shutdown);
    s.settle();
  }

  void notify() {
    for (const auto id : fds->ids())
      s.send(reconciler, watcher, fd_ready{id, EPOLLIN});
    s.settle();
  }
  /// The same, and what is missing now does not come back.
  void notify_of_removal() {
    notify();
    s.advance(250ms);
    s.settle();
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(dir / name) << text;
  }
  /// What is desired, as hashes; of the newest word to the reconciler.
  [[nodiscard]] std::vector<std::string> wanted() const {
    std::vector<std::string> out;
    if (heard->empty()) return {"nothing heard"};
    for (const auto& [key, pod] : *heard->back().pods)
      out.push_back(pod.hash);
    return out;
  }
  std::vector<file_status> files() { return s.ask<file_list>(watcher, get_files{}).files; }
};

using list = std::vector<std::string>;

} // namespace

TEST_CASE("the first look is told, also when it finds nothing") {
  world w;
  REQUIRE(w.heard->size() == 1);
  CHECK(w.wanted().empty());
}

TEST_CASE("a file written and closed is desired at once; an edit, a touch, a removal") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
  w.write("a.yaml", "web=2\ndb=1\n");
  w.notify();
  CHECK(w.wanted() == list{"db=1", "web=2"});

  const auto words = w.heard->size();
  REQUIRE(::utimensat(AT_FDCWD, (w.dir / "a.yaml").c_str(), nullptr, 0) == 0);
  w.notify();
  w.write("a.yaml", "web=2\ndb=1\n");
  w.notify();
  CHECK(w.heard->size() == words); // nothing new to say

  fs::remove(w.dir / "a.yaml");
  w.notify_of_removal();
  CHECK(w.wanted().empty());
}

TEST_CASE("a half-written file is not read before it is closed, however long that takes") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  const int fd = ::open((w.dir / "a.yaml").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, "we", 2) == 2);
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
  // another file's event causes a look, which leaves the unfinished one alone
  w.write("b.yaml", "db=1\n");
  w.notify();
  CHECK(w.wanted() == list{"db=1", "web=1"});

  SUBCASE("closed") {
    REQUIRE(::write(fd, "b=2\n", 4) == 4);
    ::close(fd);
    w.notify();
    CHECK(w.wanted() == list{"db=1", "web=2"});
  }
  SUBCASE("kept open") {
    REQUIRE(::write(fd, "b=3\n", 4) == 4); // by itself it would be a manifest
    w.notify();
    w.s.advance(20s);
    w.s.settle();
    CHECK(w.wanted() == list{"db=1", "web=1"});
    ::close(fd);
    w.notify();
    CHECK(w.wanted() == list{"db=1", "web=3"});
  }
  SUBCASE("never closed: a truncation by name, say") {
    REQUIRE(::write(fd, "b=4\n", 4) == 4);
    w.notify();
    w.s.advance(20s);
    w.s.settle();
    CHECK(w.wanted() == list{"db=1", "web=1"});
    w.s.advance(20s);
    w.s.settle();
    CHECK(w.wanted() == list{"db=1", "web=4"});
    ::close(fd);
  }
}

TEST_CASE("a file that was just created is not read before it is quiet") {
  world w;
  const int fd = ::open((w.dir / "a.yaml").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  REQUIRE(fd >= 0);
  w.notify();
  w.s.advance(99ms);
  w.s.settle();
  CHECK(w.files().empty());
  w.s.advance(1ms);
  w.s.settle();
  CHECK(w.files().size() == 1);
  ::close(fd);
}

TEST_CASE("an atomic replace, and a rename") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  w.write(".a.yaml.tmp", "web=2\n");
  w.notify();
  CHECK(w.wanted() == list{"web=1"}); // dotfiles are not manifests
  fs::rename(w.dir / ".a.yaml.tmp", w.dir / "a.yaml");
  w.notify();
  CHECK(w.wanted() == list{"web=2"});
  fs::rename(w.dir / "a.yaml", w.dir / "z.yaml");
  w.notify();
  CHECK(w.wanted() == list{"web=2"});
  CHECK(w.heard->back().pods->at("default/web").file == w.dir / "z.yaml");
  fs::rename(w.dir / "z.yaml", w.dir / "z.yaml.bak");
  w.notify_of_removal();
  CHECK(w.wanted().empty());
}

TEST_CASE("a file that goes and comes back in a moment was never gone") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  const auto words = w.heard->size();
  for (int save = 0; save < 3; ++save) {
    fs::rename(w.dir / "a.yaml", w.dir / "a.yaml~");
    w.notify();
    w.s.advance(249ms);
    w.s.settle();
    fs::copy_file(w.dir / "a.yaml~", w.dir / "a.yaml", fs::copy_options::overwrite_existing);
    w.notify();
    fs::remove(w.dir / "a.yaml~");
    w.notify();
  }
  w.s.advance(249ms);
  w.s.settle();
  CHECK(w.heard->size() == words);
  CHECK(w.files().size() == 1);
  // With another content it is an edit, and no removal.
  fs::remove(w.dir / "a.yaml");
  w.notify();
  w.write("a.yaml", "web=2\n");
  w.notify();
  CHECK(w.heard->size() == words + 1);
  CHECK(w.wanted() == list{"web=2"});
}

TEST_CASE("what is removed on purpose is gone at once, and may come back") {
  world w;
  for (int n = 0; n < 2; ++n) {
    w.write("a.yaml", "web=1\n");
    w.notify();
    REQUIRE(w.wanted() == list{"web=1"});
    const auto mark = w.dir / removal_mark("a.yaml");
    fs::rename(w.dir / "a.yaml", mark);
    fs::remove(mark);
    w.notify();
    CHECK(w.wanted().empty());
  }
  // The mark of a file that is there says nothing.
  w.write("a.yaml", "web=1\n");
  w.write(removal_mark("a.yaml"), "");
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
}

TEST_CASE("a malformed edit keeps the last good version, and the file says why") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  w.write("a.yaml", "!\n");
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
  const auto files = w.files();
  REQUIRE(files.size() == 1);
  CHECK(files[0].last_good_kept);
  CHECK(files[0].errors == list{(w.dir / "a.yaml").string() + ": syntax"});
}

TEST_CASE("deleted and recreated") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  fs::remove(w.dir / "a.yaml");
  w.notify_of_removal();
  CHECK(w.wanted().empty());
  w.write("a.yaml", "web=1\n");
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
}

TEST_CASE("a directory that does not exist yet, comes, goes and comes again") {
  world w{false};
  CHECK(w.wanted().empty());
  fs::create_directory(w.dir);
  w.write("a.yaml", "web=1\n"); // before the watcher has had time to look
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
  w.write("b.yaml", "db=1\n");
  w.notify();
  CHECK(w.wanted() == list{"db=1", "web=1"});
  fs::remove_all(w.dir);
  w.notify_of_removal();
  CHECK(w.wanted().empty());
  fs::create_directory(w.dir);
  w.notify();
  w.write("a.yaml", "web=2\n");
  w.notify();
  CHECK(w.wanted() == list{"web=2"});
}

TEST_CASE("a symlink's target changes: seen with the periodic look") {
  world w;
  const auto target = w.tmp.path / "target";
  std::ofstream(target) << "web=1\n";
  fs::create_symlink(target, w.dir / "a.yaml");
  w.notify();
  w.s.advance(100ms); // a bare create waits for what may follow
  w.s.settle();
  CHECK(w.wanted() == list{"web=1"});
  std::ofstream(target) << "web=22\n";
  w.notify();
  CHECK(w.wanted() == list{"web=1"});
  w.s.advance(20s);
  w.s.settle();
  CHECK(w.wanted() == list{"web=22"});
  fs::remove(target); // a dangling link is an error of the file, not the end of its pod
  w.s.advance(20s);
  w.s.settle();
  CHECK(w.wanted() == list{"web=22"});
  CHECK(w.files().at(0).last_good_kept);
}

TEST_CASE("what is not a regular file of at most 10 MiB is an error of that file alone") {
  world w;
  w.write("a.yaml", "web=1\n");
  REQUIRE(::mkfifo((w.dir / "b.yaml").c_str(), 0600) == 0);
  fs::create_directory(w.dir / "c.yaml");
  w.write("d.yaml", "");
  fs::resize_file(w.dir / "d.yaml", (10u << 20) + 1); // by name: no close tells of its end
  w.notify();
  for (int look = 0; look < 2; ++look) {
    w.s.advance(20s);
    w.s.settle();
  }
  CHECK(w.wanted() == list{"web=1"});
  const auto files = w.files();
  REQUIRE(files.size() == 4);
  for (std::size_t i = 1; i < 4; ++i) {
    CAPTURE(files[i].file);
    CHECK(files[i].errors.size() == 1);
  }
}

TEST_CASE("single files are sources too, whatever their name; their neighbours are not") {
  temporary_directory tmp;
  std::ofstream(tmp.path / "pod") << "web=1\n";
  std::ofstream(tmp.path / "other.yaml") << "other=1\n";
  world w{true, {tmp.path / "pod", tmp.path / "later.yaml"}};
  CHECK(w.wanted() == list{"web=1"});
  std::ofstream(tmp.path / "pod") << "web=2\n";
  w.notify();
  CHECK(w.wanted() == list{"web=2"});
  std::ofstream(tmp.path / "later.yaml") << "db=1\n";
  w.notify();
  CHECK(w.wanted() == list{"db=1", "web=2"});
  fs::remove(tmp.path / "pod");
  w.notify_of_removal();
  CHECK(w.wanted() == list{"db=1"});
}

TEST_CASE("a rescan on demand answers after the look") {
  world w;
  w.write("a.yaml", "web=1\n"); // no event is delivered
  const auto files = w.s.ask<file_list>(w.watcher, rescan_files{}).files;
  REQUIRE(files.size() == 1);
  CHECK(files[0].pods == list{"default/web"});
  CHECK(w.wanted() == list{"web=1"});
}

TEST_CASE("the periodic look says everything again, for a reconciler that was restarted") {
  world w;
  w.write("a.yaml", "web=1\n");
  w.notify();
  const auto words = w.heard->size();
  w.s.advance(20s);
  w.s.settle();
  CHECK(w.heard->size() == words + 1);
  CHECK(w.wanted() == list{"web=1"});
}

} // namespace manifest_watcher_test
