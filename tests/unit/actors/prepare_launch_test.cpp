#include "actors/manifest_set.hpp"
#include "actors/prepare_launch.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

using namespace tank;
namespace fs = std::filesystem;

TEST_CASE("hostPath types: each finds its own kind, makes what it may, refuses the rest") {
  std::string name = (fs::temp_directory_path() / "tank-prepare-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  const fs::path root = name;
  fs::create_directory(root / "dir");
  std::ofstream(root / "file") << "x";
  const auto check = [&](const char* path, const char* type) {
    return check_host_path({"data", root / path, type});
  };
  CHECK(check("dir", ""));
  CHECK(check("dir", "Directory"));
  CHECK(check("dir", "DirectoryOrCreate"));
  CHECK(check("file", "File"));
  CHECK(check("file", "FileOrCreate"));
  CHECK(check_host_path({"null", "/dev/null", "CharDevice"}));
  for (const char* type : {"Directory", "DirectoryOrCreate", "Socket", "CharDevice", "BlockDevice"})
    CHECK_FALSE(check("file", type));
  for (const char* type : {"File", "FileOrCreate", "Socket"})
    CHECK_FALSE(check("dir", type));
  for (const char* type : {"", "Directory", "File", "Socket", "CharDevice", "BlockDevice"})
    CHECK(check("missing", type).error().code == errc::not_found);
  CHECK(check("missing", "").error().message() ==
        "cannot use hostPath of volume 'data' '" + (root / "missing").string() +
            "': No such file or directory (create it, or set type: DirectoryOrCreate)");
  CHECK(check("new/deep", "DirectoryOrCreate"));
  CHECK(fs::is_directory(root / "new/deep"));
  CHECK_FALSE(check("absent/file", "FileOrCreate")); // the parent must exist
  CHECK(check("new/file", "FileOrCreate"));
  CHECK(fs::is_regular_file(root / "new/file"));
  CHECK(check("dir", "Nonsense").error().code == errc::invalid);
  fs::remove_all(root);
}

TEST_CASE("a manifest is judged: good ones have pods, wrong and unsupported ones only errors") {
  const std::string good = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n"
                           "spec: {containers: [{name: main, image: 'web:1'}]}\n";
  const auto ok = judge_manifest("a.yaml", good);
  REQUIRE(ok.pods.size() == 1);
  CHECK(ok.errors.empty());
  CHECK(ok.pods[0].key == "default/web");
  CHECK(ok.pods[0].desired.uid.size() == 36);
  // identity is content: a comment changes nothing, another image does
  CHECK(judge_manifest("b.yaml", "# hello\n" + good).pods.at(0).desired.uid ==
        ok.pods[0].desired.uid);
  auto other = good;
  other.replace(other.find("web:1"), 5, "web:2");
  CHECK(judge_manifest("a.yaml", other).pods.at(0).desired.uid != ok.pods[0].desired.uid);

  const auto twice = judge_manifest("a.yaml", good + "---\n" + other);
  CHECK(twice.pods.empty());
  CHECK_FALSE(twice.errors.empty());
  CHECK(judge_manifest("a.yaml", "").errors.size() == 1);
  auto unsafe = good;
  unsafe.replace(unsafe.find("name: web"), 9, "name: web, uid: ../../x");
  CHECK(judge_manifest("a.yaml", unsafe).pods.empty());
  auto unsupported = good;
  unsupported.replace(unsupported.find("spec: {"), 7, "spec: {hostPID: true, ");
  const auto refused = judge_manifest("a.yaml", unsupported);
  CHECK(refused.pods.empty());
  REQUIRE(refused.errors.size() == 1);
  CHECK(refused.errors[0].find("not supported yet: spec.hostPID") != std::string::npos);
}
