// Volumes whose content wants to lead a mount out of them: class 3.
#include "tests/attack/attack_fixture.hpp"

#include <cstdio>
#include <stop_token>
#include <thread>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace volumes_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

pod_text pod_of(const std::string& name, const fs::path& volume, const std::string& sub_path,
                std::vector<std::string> command) {
  return {.name = name,
          .command = std::move(command),
          .restart = "Never",
          .container_more =
              "    volumeMounts: [{name: v, mountPath: /v, subPath: " + sub_path + "}]\n",
          .spec_more = "  volumes: [{name: v, hostPath: {path: " + volume.string() + "}}]\n"};
}

/// Exchanges two names for ever, as fast as it can.
std::jthread swapping(const fs::path& one, const fs::path& other) {
  return std::jthread{[one, other](const std::stop_token& stop) {
    while (!stop.stop_requested())
      ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
  }};
}

struct looks {
  uid_t uid = 0;
  gid_t gid = 0;
  mode_t mode = 0;
  bool operator==(const looks&) const = default;
};

looks looks_of(const fs::path& path) {
  struct stat st {};
  REQUIRE_MESSAGE(::lstat(path.c_str(), &st) == 0, path.string());
  return {st.st_uid, st.st_gid, st.st_mode & 07777};
}

} // namespace

TEST_CASE("class 3: a link in a volume leads no subPath out of it (CVE-2017-1002101)") {
  arena a;
  const auto volume = a.root / "volume";
  fs::create_directories(volume / "inside");
  int n = 0;
  for (const auto& target :
       {a.outside, a.outside / "secret", fs::path{"../../../../../.." + a.outside.string()},
        fs::path{"/proc/1/root" + a.outside.string()}, fs::path{"/proc/self/root"},
        fs::path{"/"}}) {
    fs::remove(volume / "spot");
    fs::create_symlink(target, volume / "spot");
    for (const auto* sub : {"spot", "spot/secret", "spot/sub"}) {
      const auto name = "linked" + std::to_string(++n);
      const auto pod = a.run(pod_of(name, volume, sub,
                                    {"/bin/witness", "try-read", "/v", "--", "try-read",
                                     "/v/secret", "--", "try-write", "/v/made"}));
      CHECK(!has(a.stdout_of(pod), "the host's"));
      a.check_untouched();
    }
  }
  CHECK(n == 18);
  // A link that stays inside is one of the volume's own ways.
  fs::remove(volume / "spot");
  fs::create_symlink("inside", volume / "spot");
  a.run(pod_of("kept", volume, "spot", {"/bin/witness", "write", "/v/file", "x"}));
  CHECK(file_text(volume / "inside/file") == "x");
}

TEST_CASE(
    "class 3: a part of a volume that is exchanged meanwhile leads nowhere (CVE-2021-25741)") {
  arena a;
  const auto volume = a.root / "volume";
  fs::create_directories(volume / "spot/deep");
  fs::create_directory_symlink(a.outside, volume / "link");
  const auto attacker = swapping(volume / "spot", volume / "link");
  for (int i = 0; i < 20; ++i) {
    a.run(pod_of("raced" + std::to_string(i), volume, i % 2 == 0 ? "spot" : "spot/sub",
                 {"/bin/witness", "try-write", "/v/made", "--", "try-write", "/v/secret"}));
    a.check_untouched();
  }
}

TEST_CASE("class 3, without the defence: what was looked at is mounted by its path again") {
  arena a;
  const auto volume = a.root / "volume";
  const auto image = a.tree();
  fs::create_directories(volume / "spot");
  fs::create_directory(image / "v");
  fs::create_directory_symlink(a.outside, volume / "link");
  const auto escaped = without_defence([&] {
    struct stat st {};
    const auto spot = volume / "spot";
    if (::lstat(spot.c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return std::string{"refused"};
    // It is a directory, and good. Now somebody is quicker.
    ::renameat2(AT_FDCWD, spot.c_str(), AT_FDCWD, (volume / "link").c_str(), RENAME_EXCHANGE);
    ::mount(spot.c_str(), (image / "v").c_str(), nullptr, MS_BIND, nullptr);
    return file_text(image / "v/secret");
  });
  CHECK(escaped == "the host's");
}

TEST_CASE("below a volume's root dev, proc and sys are names like others: links are followed") {
  arena a;
  const auto volume = a.root / "volume";
  fs::create_directories(volume / "inside");
  fs::create_directories(volume / "dev");
  fs::create_symlink("../inside", volume / "dev/link");
  fs::create_symlink("inside", volume / "proc");
  fs::create_symlink("inside", volume / "sys");
  a.run(pod_of("one", volume, "dev/link", {"/bin/witness", "write", "/v/one", "1"}));
  a.run(pod_of("two", volume, "proc", {"/bin/witness", "write", "/v/two", "2"}));
  a.run(pod_of("three", volume, "sys/made", {"/bin/witness", "write", "/v/three", "3"}));
  CHECK(file_text(volume / "inside/one") == "1");
  CHECK(file_text(volume / "inside/two") == "2");
  CHECK(file_text(volume / "inside/made/three") == "3");
  // All that a volume of a ConfigMap shows are links.
  a.put("app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n"
                    "data: {dev: shown}\n");
  const auto said =
      a.say({.command = {"/bin/witness", "read", "/v"},
             .container_more = "    volumeMounts: [{name: v, mountPath: /v, subPath: dev}]\n",
             .spec_more = "  volumes: [{name: v, configMap: {name: app}}]\n"});
  CHECK_MESSAGE(has(said, "shown"), said);
}

TEST_CASE("each directory that a subPath makes has the mode and the owner of the volume's root") {
  arena a;
  const looks wanted{1000, 2000, 02770};
  for (const std::string users : {"", "  hostUsers: false\n"}) {
    const auto volume = a.root / (users.empty() ? "volume" : "mapped");
    fs::create_directories(volume / "there");
    fs::create_directory_symlink("there", volume / "link");
    REQUIRE(::chown(volume.c_str(), wanted.uid, wanted.gid) == 0);
    REQUIRE(::chmod(volume.c_str(), wanted.mode) == 0);
    const auto before = looks_of(volume / "there");
    for (const std::string sub : {"a/b", "link/c/d"}) {
      auto pod = pod_of({}, volume, sub, {"/bin/witness", "mode", "/v", "--", "owner", "/v"});
      pod.spec_more += users;
      CHECK(a.say(pod) == "42770\n1000 2000\n");
    }
    for (const auto* made : {"a", "a/b", "there/c", "there/c/d"})
      CHECK_MESSAGE(looks_of(volume / made) == wanted, made);
    CHECK(looks_of(volume / "there") == before); // it was there
  }
}

TEST_CASE("what is put in the place of a directory just made keeps its mode and its owner") {
  arena a;
  const auto volume = a.root / "volume";
  const auto kept = volume / "kept";
  const auto made = volume / "made";
  fs::create_directories(kept / "inside");
  REQUIRE(::chown(volume.c_str(), 1000, 1000) == 0);
  REQUIRE(::chmod(volume.c_str(), 0777) == 0);
  REQUIRE(::chmod(kept.c_str(), 0700) == 0);
  for (int i = 0; i < 20; ++i) {
    {
      const auto attacker = swapping(kept, made);
      a.run(pod_of("placed" + std::to_string(i), volume, "made", {"/bin/witness", "exit", "0"}));
    }
    const bool swapped = fs::exists(made / "inside");
    CHECK(looks_of(swapped ? made : kept) == looks{0, 0, 0700});
    fs::remove(swapped ? kept : made);
    if (swapped) fs::rename(made, kept);
  }
}

} // namespace volumes_test
