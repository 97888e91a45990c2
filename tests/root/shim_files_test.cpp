// Directories and files of pods, made by root: whose they are, and whom nobody can lead elsewhere.
#include "kernel/port.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace shim_files_test {

using namespace tank;
using namespace tank::kernel;
namespace fs = std::filesystem;

namespace {
struct scratch {
  fs::path dir;
  std::unique_ptr<port> kernel = make_port("/no/such/tank-shim");
  const mode_t umask = ::umask(0077); // nothing here depends on it

  scratch() {
    char name[] = "/tmp/tank-files-test.XXXXXX";
    dir = ::mkdtemp(name);
  }
  ~scratch() {
    ::umask(umask);
    CHECK(kernel->remove_tree(dir));
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
};

struct stat look(const fs::path& path) {
  struct stat st {};
  REQUIRE_MESSAGE(::lstat(path.c_str(), &st) == 0, path.string());
  return st;
}

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

std::size_t entries(const fs::path& dir) {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& e : fs::directory_iterator(dir))
    ++n;
  return n;
}

/// A link that another user has put there.
void strangers_link(const fs::path& target, const fs::path& link) {
  fs::create_symlink(target, link);
  REQUIRE(::lchown(link.c_str(), 1000, 1000) == 0);
}
} // namespace

TEST_CASE("a directory is made with those above it, with the mode that was asked for") {
  scratch s;
  REQUIRE(s.kernel->make_directory(s.dir / "a/b/c", 0751));
  for (const char* made : {"a", "a/b", "a/b/c"})
    CHECK((look(s.dir / made).st_mode & 07777) == 0751);
  REQUIRE(s.kernel->make_directory(s.dir / "a/b", 0700)); // exists: left as it is
  CHECK((look(s.dir / "a/b").st_mode & 07777) == 0751);
}

TEST_CASE("a link of root's on the way is followed, as /var/run is") {
  scratch s;
  fs::create_directory(s.dir / "run");
  fs::create_symlink("run", s.dir / "var-run");
  fs::create_symlink(s.dir / "run", s.dir / "absolute");
  REQUIRE(s.kernel->make_directory(s.dir / "var-run/tank/pod", 0700));
  CHECK(fs::is_directory(s.dir / "run/tank/pod"));
  REQUIRE(s.kernel->make_directory(s.dir / "absolute/other", 0700));
  CHECK(fs::is_directory(s.dir / "run/other"));
  fs::create_symlink("loop", s.dir / "loop");
  CHECK(s.kernel->make_directory(s.dir / "loop/x", 0700).error().sys == ELOOP);
}

TEST_CASE("a link of a stranger's leads nowhere, and is named") {
  scratch s;
  fs::create_directory(s.dir / "victim");
  strangers_link(s.dir / "victim", s.dir / "way");
  const auto made = s.kernel->make_directory(s.dir / "way/x", 0700);
  REQUIRE(!made);
  CHECK(made.error().code == errc::denied);
  CHECK(made.error().cause == "the symbolic link '" + (s.dir / "way").string() +
                                  "' is not followed: it belongs to user 1000");
  CHECK(!s.kernel->make_empty_dir(s.dir / "way/x", 0777, 0, 0));
  CHECK(!s.kernel->write_pod_file(s.dir / "way", "hosts", "x", 0, 0));
  CHECK(!s.kernel->make_upper(s.dir / "way/x", 0));
  CHECK(entries(s.dir / "victim") == 0);
}

TEST_CASE("a path that is not absolute, or has dots, is refused") {
  scratch s;
  for (const fs::path& bad : {fs::path{"a"}, s.dir / "a/../b"}) {
    CAPTURE(bad);
    CHECK(s.kernel->make_directory(bad, 0700).error().code == errc::invalid);
    CHECK(s.kernel->make_empty_dir(bad, 0700, 0, 0).error().code == errc::invalid);
  }
}

TEST_CASE("an emptyDir has its mode and owner; one that is there is the pod's to keep") {
  scratch s;
  const auto dir = s.dir / "pod/volumes/cache";
  REQUIRE(s.kernel->make_empty_dir(dir, 02777, 70000, 70001));
  CHECK((look(dir).st_mode & 07777) == 02777);
  CHECK(look(dir).st_uid == 70000);
  CHECK(look(dir).st_gid == 70001);
  CHECK((look(s.dir / "pod/volumes").st_mode & 07777) == 0700);
  CHECK(look(s.dir / "pod/volumes").st_uid == 0);
  std::ofstream{dir / "kept"} << "data";
  REQUIRE(::chown(dir.c_str(), 5, 6) == 0); // the workload's doing
  REQUIRE(s.kernel->make_empty_dir(dir, 0700, 1, 1));
  CHECK((look(dir).st_mode & 07777) == 02777);
  CHECK(look(dir).st_uid == 5);
  CHECK(text_of(dir / "kept") == "data");
  CHECK(entries(s.dir / "pod/volumes") == 1);
}

TEST_CASE("an emptyDir that was left unfinished is made anew") {
  scratch s;
  fs::create_directories(s.dir / ".cache.new/half"); // as when this process was killed
  REQUIRE(s.kernel->make_empty_dir(s.dir / "cache", 0777, 0, 0));
  CHECK(entries(s.dir / "cache") == 0);
  CHECK(!fs::exists(s.dir / ".cache.new"));
}

TEST_CASE("what is no directory is not taken for an emptyDir") {
  scratch s;
  std::ofstream{s.dir / "file"} << "x";
  CHECK(s.kernel->make_empty_dir(s.dir / "file", 0777, 0, 0).error().sys == ENOTDIR);
  fs::create_symlink("/", s.dir / "link");
  CHECK(s.kernel->make_empty_dir(s.dir / "link", 0777, 0, 0).error().sys == ENOTDIR);
}

TEST_CASE("a pod's file is written whole, is its owner's, and replaces the one before at once") {
  scratch s;
  const std::string large(1u << 20, 'x');
  REQUIRE(s.kernel->write_pod_file(s.dir, "hosts", large, 70000, 70001));
  CHECK(text_of(s.dir / "hosts") == large);
  CHECK((look(s.dir / "hosts").st_mode & 07777) == 0644);
  CHECK(look(s.dir / "hosts").st_uid == 70000);
  CHECK(look(s.dir / "hosts").st_gid == 70001);
  std::ifstream open{s.dir / "hosts"}; // as a container has it mounted
  REQUIRE(s.kernel->write_pod_file(s.dir, "hosts", "new", 0, 0));
  CHECK(text_of(s.dir / "hosts") == "new");
  CHECK(look(s.dir / "hosts").st_uid == 0);
  std::string before;
  std::getline(open, before);
  CHECK(before == large);
  CHECK(entries(s.dir) == 1);
  const auto missing = s.kernel->write_pod_file(s.dir / "none", "hosts", "x", 0, 0);
  REQUIRE(!missing);
  CHECK(missing.error().code == errc::not_found);
}

TEST_CASE("a link in the place of a pod's file is replaced, not written through") {
  scratch s;
  std::ofstream{s.dir / "victim"} << "old";
  fs::create_symlink(s.dir / "victim", s.dir / "hosts");
  fs::create_symlink(s.dir / "victim", s.dir / ".hosts.new");
  REQUIRE(s.kernel->write_pod_file(s.dir, "hosts", "new", 0, 0));
  CHECK(text_of(s.dir / "victim") == "old");
  CHECK(look(s.dir / "hosts").st_mode == (S_IFREG | 0644));
}

TEST_CASE("a path of the host is checked, and made when that is wanted") {
  scratch s;
  using enum host_path_type;
  const auto check = [&](const fs::path& name, host_path_type type, bool create = false) {
    return s.kernel->resolve_host_path(s.dir / name, type, create, {});
  };
  fs::create_directory(s.dir / "dir");
  std::ofstream{s.dir / "file"} << "kept";
  fs::create_symlink("dir", s.dir / "to-dir");
  strangers_link("file", s.dir / "to-file");
  CHECK(check("dir", directory));
  CHECK(check("to-dir", directory) == s.dir / "dir"); // the host's own business
  CHECK(check("to-file", file).error().code == errc::denied);
  CHECK(check("file", anything));
  CHECK(check("file", file, true));
  CHECK(text_of(s.dir / "file") == "kept");
  CHECK(s.kernel->resolve_host_path("/dev/null", character_device, false, {}));
  const unique_fd listening{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (s.dir / "socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(check("socket", socket));

  const auto wrong = check("file", directory, true);
  REQUIRE(!wrong);
  CHECK(wrong.error().code == errc::invalid);
  CHECK(wrong.error().message() ==
        "cannot use '" + (s.dir / "file").string() + "': it is a file, not a directory");
  CHECK(check("dir", socket).error().code == errc::invalid);
  CHECK(check("dir", block_device).error().code == errc::invalid);
  const auto missing = check("none", anything);
  REQUIRE(!missing);
  CHECK(missing.error().code == errc::not_found);

  CHECK(check("new/dir", directory, true));
  CHECK((look(s.dir / "new/dir").st_mode & 07777) == 0755);
  CHECK(check("new/file", file, true));
  CHECK((look(s.dir / "new/file").st_mode & 07777) == 0644);
  CHECK(!check("absent/file", file, true)); // no directory is made for a file
}

TEST_CASE("the devices of the host but for those that every container has") {
  scratch s;
  const auto devices = s.kernel->probe_devices("/dev");
  REQUIRE(devices);
  for (const auto& d : *devices) {
    CHECK(d.target.starts_with("/dev/"));
    CHECK(d.target != "/dev/null");
  }
}

} // namespace shim_files_test
