// Files that appear all at once: the layout, what is left alone, and what never shows.
#include "kernel/volumes.hpp"

#include "base/file.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

namespace projection_test {

using namespace tank;
using namespace tank::kernel;
namespace fs = std::filesystem;

namespace {

struct room {
  fs::path root;
  fs::path dir;
  room() {
    std::string name = (fs::temp_directory_path() / "tank-project-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
    dir = root / "v";
  }
  ~room() { fs::remove_all(root); }

  static projection of(const std::map<std::string, std::string>& files, std::uint32_t mode = 0644) {
    projection out;
    out.uid = ::geteuid();
    out.gid = ::getegid();
    for (const auto& [path, content] : files)
      out.files.push_back({path, content, mode, out.uid, out.gid});
    return out;
  }
  void show(const std::map<std::string, std::string>& files, std::uint32_t mode = 0644) const {
    const auto done = project(dir, of(files, mode));
    REQUIRE_MESSAGE(done, done.error().message());
  }
  [[nodiscard]] std::string text(const std::string& path) const {
    return read_file(dir / path, 1000).value_or("nothing");
  }
  [[nodiscard]] std::string version() const { return fs::read_symlink(dir / "..data"); }
  /// All names but those of versions.
  [[nodiscard]] std::string names() const {
    std::map<std::string, int> all;
    for (const auto& e : fs::directory_iterator(dir))
      ++all[e.path().filename()];
    std::string out;
    for (const auto& [name, n] : all)
      if (!name.starts_with("..") || name == "..data") out += name + " ";
    return out;
  }
  [[nodiscard]] std::size_t versions() const {
    std::size_t n = 0;
    for (const auto& e : fs::directory_iterator(dir))
      n += e.path().filename().string().starts_with("..") && !fs::is_symlink(e.path());
    return n;
  }
};

} // namespace

TEST_CASE("each name leads through one link to the files of one version") {
  const room r;
  r.show({{"a", "one"}, {"etc/b", "two"}, {"etc/deep/c", "three"}});
  CHECK(r.names() == "..data a etc ");
  CHECK(fs::read_symlink(r.dir / "a") == "..data/a");
  CHECK(fs::read_symlink(r.dir / "etc") == "..data/etc");
  CHECK(r.text("a") == "one");
  CHECK(r.text("etc/deep/c") == "three");
  CHECK(r.versions() == 1);
}

TEST_CASE("a change makes a new version; names come and go with it, the old one is removed") {
  const room r;
  r.show({{"a", "one"}, {"b", "two"}});
  const auto first = r.version();
  r.show({{"b", "other"}, {"c", "three"}});
  CHECK(r.version() != first);
  CHECK(r.names() == "..data b c ");
  CHECK(r.text("b") == "other");
  CHECK(r.versions() == 1);
  r.show({});
  CHECK(r.names() == "..data ");
}

TEST_CASE("what is there already stays as it is: content, modes") {
  const room r;
  r.show({{"a", "one"}});
  const auto first = r.version();
  r.show({{"a", "one"}});
  CHECK(r.version() == first);
  r.show({{"a", "one"}}, 0600); // the mode alone is a change
  CHECK(r.version() != first);
  struct stat st {};
  REQUIRE(::stat((r.dir / "a").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0600);
}

TEST_CASE("what a process that was killed in between has left is put in order") {
  const room r;
  r.show({{"a", "one"}, {"b", "two"}});
  // Killed before the links: the version is whole, its names are not there; and beside it half of
  // the next one.
  fs::remove(r.dir / "b");
  fs::create_symlink("..data/gone", r.dir / "gone");
  fs::create_directory(r.dir / "..77");
  fs::create_symlink("..77", r.dir / "..data_tmp");
  r.show({{"a", "one"}, {"b", "two"}});
  CHECK(r.names() == "..data a b ");
  CHECK(r.text("b") == "two");
  CHECK(r.versions() == 1);
  CHECK_FALSE(fs::exists(fs::symlink_status(r.dir / "..data_tmp")));
  // Killed within a version that is shown: some file is not there.
  fs::remove(r.dir / r.version() / "a");
  r.show({{"a", "one"}, {"b", "two"}});
  CHECK(r.text("a") == "one");
}

TEST_CASE("a link that somebody puts into the directory leads nowhere") {
  const room r;
  fs::create_directory(r.root / "outside");
  fs::create_directory_symlink(r.root / "outside", r.dir);
  CHECK_FALSE(project(r.dir, room::of({{"a", "one"}})));
  CHECK(fs::is_empty(r.root / "outside"));
}

TEST_CASE("a reader never sees a mix of two versions, whenever it looks") {
  const room r;
  r.show({{"left", "0"}, {"right", "0"}});
  std::atomic<bool> done{false};
  std::atomic<int> mixed{0};
  std::thread reader{[&] {
    const auto data = r.dir / "..data";
    while (!done) {
      std::error_code ec;
      const auto version = fs::read_symlink(data, ec);
      const auto left = read_file(r.dir / version / "left", 100);
      const auto right = read_file(r.dir / version / "right", 100);
      if (left && right && *left != *right) ++mixed;
      // The link itself is always there, and so is what it names when it is read.
      if (ec) ++mixed;
    }
  }};
  for (int i = 1; i <= 2000; ++i)
    r.show({{"left", std::to_string(i)}, {"right", std::to_string(i)}});
  done = true;
  reader.join();
  CHECK(mixed == 0);
  CHECK(r.versions() == 1);
}

} // namespace projection_test
