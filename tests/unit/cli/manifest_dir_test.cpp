#include "cli/manifest_dir.hpp"
#include "config/pod.hpp"
#include "pod/manifest_set.hpp"
#include "tests/unit/cli/temp_dir.hpp"

#include <doctest/doctest.h>

namespace manifest_dir_test {

using namespace tank;
using namespace tank::cli;

namespace {

std::string manifest(const std::string& name, const std::string& image = "a:1",
                     const std::string& ns = "default") {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", namespace: " + ns +
         "}\nspec:\n  containers:\n  - {name: c, image: \"" + image + "\"}\n";
}

result<std::vector<apply_outcome>> apply_text(const temp_dir& dir, const std::string& text) {
  return apply_manifest(dir.path(), text, config::parse_manifest(text));
}

} // namespace

TEST_CASE("an applied pod gets a file of its own with the text as given") {
  temp_dir dir;
  const auto text = "# mine\n" + manifest("web");
  const auto got = apply_text(dir, text);
  REQUIRE(got);
  CHECK(got->at(0).what == applied::created);
  CHECK(slurp(dir.path() / "web.yaml") == text);
  REQUIRE(apply_text(dir, manifest("web", "a:1", "prod")));
  CHECK(std::filesystem::exists(dir.path() / "prod.web.yaml"));
}

TEST_CASE("equal content leaves the file alone, other content replaces it where it is") {
  temp_dir dir;
  append(dir.path() / "other-name.yml", manifest("web"));
  CHECK(apply_text(dir, "# comment\n" + manifest("web"))->at(0).what == applied::unchanged);
  CHECK(slurp(dir.path() / "other-name.yml") == manifest("web"));
  const auto got = apply_text(dir, manifest("web", "a:2"));
  CHECK(got->at(0).what == applied::updated);
  CHECK(slurp(dir.path() / "other-name.yml") == manifest("web", "a:2"));
  CHECK_FALSE(std::filesystem::exists(dir.path() / "web.yaml"));
}

TEST_CASE("several pods of one manifest are split, and each can be deleted") {
  temp_dir dir;
  const auto got = apply_text(dir, manifest("a") + "---\n" + manifest("b"));
  REQUIRE(got);
  CHECK(got->size() == 2);
  const auto again = apply_text(dir, manifest("a") + "---\n" + manifest("b"));
  CHECK(again->at(0).what == applied::unchanged);
  CHECK(again->at(1).what == applied::unchanged);
  REQUIRE(delete_manifests(dir.path(), {"default/a"}, {}));
  CHECK_FALSE(std::filesystem::exists(dir.path() / "a.yaml"));
  CHECK_FALSE(std::filesystem::exists(dir.path() / removal_mark("a.yaml")));
  CHECK(std::filesystem::exists(dir.path() / "b.yaml"));
}

TEST_CASE("a file whose name is too long to be marked is deleted too") {
  temp_dir dir;
  const auto file = dir.path() / (std::string(250, 'x') + ".yaml");
  append(file, manifest("a"));
  const auto got = delete_manifests(dir.path(), {"default/a"}, {});
  REQUIRE(got);
  CHECK_FALSE(got->at(0).why);
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a file that cannot go stays, with an error, and the others go") {
  temp_dir dir;
  const auto stuck = dir.path() / "a.yaml"; // a directory now, which is no file to delete
  std::filesystem::create_directory(stuck);
  append(dir.path() / "z.yaml", manifest("z"));
  const kept_by kept = [&](const std::string& key) -> std::optional<held_file> {
    return held_file{stuck, {key}, {}};
  };
  const auto got = delete_manifests(dir.path(), {"default/a", "default/z"}, kept);
  REQUIRE(got);
  REQUIRE(got->size() == 2);
  REQUIRE(got->at(0).why);
  CHECK(got->at(0).why->message().find("a.yaml") != std::string::npos);
  CHECK_FALSE(got->at(1).why);
  CHECK(std::filesystem::is_directory(stuck));
  CHECK_FALSE(std::filesystem::exists(dir.path() / "z.yaml"));
}

TEST_CASE("a file that holds further pods is neither changed nor deleted") {
  temp_dir dir;
  const auto both = manifest("a") + "---\n" + manifest("b");
  append(dir.path() / "both.yaml", both);
  const auto applied = apply_text(dir, manifest("a", "a:2"));
  REQUIRE(!applied);
  CHECK(applied.error().code == errc::conflict);
  const auto deleted = delete_manifests(dir.path(), {"default/a"}, {});
  REQUIRE(deleted);
  REQUIRE(deleted->at(0).why);
  CHECK(deleted->at(0).why->message().find("also holds pod/b") != std::string::npos);
  CHECK(slurp(dir.path() / "both.yaml") == both);
  CHECK(delete_manifests(dir.path(), {"default/a", "default/b"}, {}));
  CHECK_FALSE(std::filesystem::exists(dir.path() / "both.yaml"));
}

TEST_CASE("deleting what nobody holds names it, and goes on with the others") {
  temp_dir dir;
  append(dir.path() / ".hidden.yaml", manifest("h"));
  append(dir.path() / "x.yaml.bak", manifest("x"));
  for (const auto* key : {"default/h", "default/x", "default/no"}) {
    append(dir.path() / "a.yaml", manifest("a"));
    const auto got = delete_manifests(dir.path(), {"default/a", key}, {});
    REQUIRE(got);
    REQUIRE(got->size() == 2);
    CHECK_FALSE(got->at(0).why);
    CHECK(got->at(1).why->code == errc::not_found);
    CHECK_FALSE(std::filesystem::exists(dir.path() / "a.yaml"));
  }
  CHECK(std::filesystem::exists(dir.path() / ".hidden.yaml"));
}

TEST_CASE("a pod that is kept by the last good version of a file goes with that file") {
  temp_dir dir;
  const auto broken = dir.path() / "broken.yaml";
  append(broken, "kind: [");
  append(dir.path() / "good.yaml", manifest("good"));
  const auto held = [&](std::vector<std::string> keys, std::filesystem::path file) {
    return [=](const std::string&) { return std::optional{held_file{file, keys, {}}}; };
  };
  const auto remove = [&](const kept_by& kept) {
    return delete_manifests(dir.path(), {"default/a"}, kept).value().at(0);
  };
  CHECK(remove(held({"default/a", "default/b"}, broken)).why->code == errc::conflict);
  // A file that can be read says itself what it holds.
  CHECK(remove(held({"default/a"}, dir.path() / "good.yaml")).why->code == errc::not_found);
  CHECK(remove(held({"default/a"}, "/etc/passwd")).why->code == errc::not_found);
  CHECK(std::filesystem::exists(broken));
  const auto gone = remove(held({"default/a"}, broken));
  CHECK_FALSE(gone.why);
  CHECK(gone.broken == broken);
  CHECK_FALSE(std::filesystem::exists(broken));
  CHECK(std::filesystem::exists(dir.path() / "good.yaml"));
}

} // namespace manifest_dir_test
