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
    for (const std::string& sub : {std::string{"spot"}, std::string{"spot/secret"},
                                   std::string{"spot/sub"}, std::string{"inside/../spot"}}) {
      if (sub.find("..") != std::string::npos) continue; // refused before anything is done
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
