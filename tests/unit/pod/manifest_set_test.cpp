#include "pod/manifest_set.hpp"

#include <doctest/doctest.h>

namespace manifest_set_test {

using namespace tank;

namespace {

/// A version of a file as the judge would return it: pods by "name=content".
std::shared_ptr<const parsed_file> good(const std::string& file,
                                        const std::vector<std::string>& pods) {
  auto out = std::make_shared<parsed_file>();
  for (const auto& text : pods) {
    const auto name = text.substr(0, text.find('='));
    parsed_pod p;
    p.key = "default/" + name;
    p.desired.hash = text;
    p.desired.uid = "uid-" + text;
    p.desired.file = file;
    out->pods.push_back(p);
  }
  return out;
}

std::shared_ptr<const parsed_file> bad(const std::string& line) {
  auto out = std::make_shared<parsed_file>();
  out->errors.push_back(line);
  return out;
}

scanned_file file(const std::string& name, const std::vector<std::string>& pods) {
  return {name, good(name, pods)};
}
scanned_file same(const std::string& name) {
  return {name, nullptr};
}

/// "key:hash@file" of everything desired.
std::vector<std::string> wanted(const manifest_set& set) {
  std::vector<std::string> out;
  for (const auto& [key, pod] : *set.desired().pods)
    out.push_back(pod.hash + "@" + pod.file);
  return out;
}

using list = std::vector<std::string>;

} // namespace

TEST_CASE("files become pods, an empty directory none") {
  manifest_set set;
  CHECK_FALSE(set.apply({}).desired);
  const auto change = set.apply({file("b.yaml", {"db=1", "web=1"}), file("a.yaml", {"job=1"})});
  CHECK(change.desired);
  CHECK(change.files);
  CHECK(wanted(set) == list{"db=1@b.yaml", "job=1@a.yaml", "web=1@b.yaml"});
  REQUIRE(set.files().size() == 2);
  CHECK(set.files()[1].pods == list{"default/db", "default/web"});
}

TEST_CASE("an edit changes the pod; a touch or an identical rewrite changes nothing") {
  manifest_set set;
  set.apply({file("a.yaml", {"web=1"})});
  CHECK_FALSE(set.apply({same("a.yaml")}).desired);
  CHECK_FALSE(set.apply({file("a.yaml", {"web=1"})}).desired);
  CHECK(set.apply({file("a.yaml", {"web=2"})}).desired);
  CHECK(wanted(set) == list{"web=2@a.yaml"});
}

TEST_CASE("a malformed edit keeps the last good version and says so") {
  manifest_set set;
  set.apply({file("a.yaml", {"web=1", "db=1"})});
  const auto change = set.apply({{"a.yaml", bad("a.yaml:3:1: did not parse")}});
  CHECK_FALSE(change.desired);
  CHECK(change.files);
  CHECK(set.files()[0].last_good_kept);
  CHECK(set.files()[0].errors == list{"a.yaml:3:1: did not parse"});
  CHECK(set.files()[0].pods == list{"default/db", "default/web"});
  // mended, with one pod less
  CHECK(set.apply({file("a.yaml", {"web=1"})}).desired);
  CHECK(wanted(set) == list{"web=1@a.yaml"});
  CHECK(set.files()[0].errors.empty());
  CHECK_FALSE(set.files()[0].last_good_kept);
}

TEST_CASE("a file that was never good contributes nothing") {
  manifest_set set;
  const auto change = set.apply({{"a.yaml", bad("broken")}, file("b.yaml", {"web=1"})});
  CHECK(change.desired);
  CHECK(wanted(set) == list{"web=1@b.yaml"});
  CHECK_FALSE(set.files()[0].last_good_kept);
}

TEST_CASE("a deleted file takes its pods along, also one whose last edit was malformed") {
  manifest_set set;
  set.apply({file("a.yaml", {"web=1"}), file("b.yaml", {"db=1"})});
  set.apply({{"a.yaml", bad("broken")}, same("b.yaml")});
  CHECK(wanted(set) == list{"db=1@b.yaml", "web=1@a.yaml"});
  CHECK(set.apply({same("b.yaml")}).desired);
  CHECK(wanted(set) == list{"db=1@b.yaml"});
  CHECK(set.apply({}).desired);
  CHECK(set.desired().pods->empty());
  CHECK(set.files().empty());
}

TEST_CASE("deleted and recreated, the last good version is forgotten") {
  manifest_set set;
  set.apply({file("a.yaml", {"web=1"})});
  set.apply({});
  CHECK_FALSE(set.apply({{"a.yaml", bad("broken")}}).desired);
  CHECK(set.desired().pods->empty());
  CHECK(set.apply({file("a.yaml", {"web=1"})}).desired);
}

TEST_CASE("a renamed file keeps its pods' content and identity") {
  manifest_set set;
  set.apply({file("a.yaml", {"web=1"})});
  set.apply({file("z.yaml", {"web=1"})});
  const auto& pod = set.desired().pods->at("default/web");
  CHECK(pod.hash == "web=1");
  CHECK(pod.uid == "uid-web=1");
  CHECK(pod.file == "z.yaml");
}

TEST_CASE("a name in two files: who runs stays, both files name the other") {
  manifest_set set;
  set.apply({file("b.yaml", {"web=1"})});
  const auto change = set.apply({file("a.yaml", {"web=2", "db=1"}), same("b.yaml")});
  CHECK(change.desired); // db is new
  CHECK(wanted(set) == list{"db=1@a.yaml", "web=1@b.yaml"});
  const auto& a = set.files()[0];
  const auto& b = set.files()[1];
  REQUIRE(a.errors.size() == 1);
  REQUIRE(b.errors.size() == 1);
  CHECK(a.errors[0] == "a.yaml: pod 'default/web' is also in 'b.yaml', which is in force (remove "
                       "one of them)");
  CHECK(b.errors[0] == "b.yaml: pod 'default/web' is also in 'a.yaml'; this one is in force "
                       "(remove one of them)");
  CHECK(a.pods == list{"default/db"});

  // the incumbent is edited: still the incumbent
  set.apply({same("a.yaml"), file("b.yaml", {"web=3"})});
  CHECK(wanted(set) == list{"db=1@a.yaml", "web=3@b.yaml"});
  // the incumbent goes: the other takes over, and nobody complains any more
  set.apply({same("a.yaml")});
  CHECK(wanted(set) == list{"db=1@a.yaml", "web=2@a.yaml"});
  CHECK(set.files()[0].errors.empty());
}

TEST_CASE("a name in two new files: the first name wins, both are told") {
  manifest_set set;
  set.apply({file("b.yaml", {"web=2"}), file("a.yaml", {"web=1"})});
  CHECK(wanted(set) == list{"web=1@a.yaml"});
  CHECK(set.files()[0].errors.size() == 1);
  CHECK(set.files()[1].errors.size() == 1);
}

TEST_CASE("two pods may not share a uid: it names their directories") {
  manifest_set set;
  auto a = std::make_shared<parsed_file>(*good("a.yaml", {"web=1"}));
  auto b = std::make_shared<parsed_file>(*good("b.yaml", {"db=1"}));
  a->pods[0].desired.uid = b->pods[0].desired.uid = "same";
  set.apply({{"a.yaml", a}, {"b.yaml", b}});
  CHECK(wanted(set) == list{"web=1@a.yaml"});
  CHECK(set.files()[1].errors[0].find("metadata.uid 'same' is also in 'a.yaml'") !=
        std::string::npos);
}

TEST_CASE("names that are manifests") {
  for (const char* yes : {"a.yaml", "a.yml", "a.json", "a.b.yaml"})
    CHECK(is_manifest_name(yes));
  for (const char* no : {"", ".a.yaml", ".yaml", "a.yaml~", "a.yaml.bak", "a.yaml.swp", "#a.yaml#",
                         "yaml", "a.txt", "4913"})
    CHECK_FALSE(is_manifest_name(no));
  CHECK_FALSE(is_manifest_name(removal_mark("a.yaml")));
  CHECK(removed_by(removal_mark("a.yaml")) == "a.yaml");
  CHECK_FALSE(removed_by("a.yaml"));
}

TEST_CASE("a derived uid has the shape of a UUID and follows the content") {
  const std::string hash = "0123456789abcdef0123456789abcdef0123456789abcdef";
  const auto uid = derive_uid(hash);
  CHECK(uid == "01234567-89ab-8def-8123-456789abcdef");
  CHECK(uid == derive_uid(hash));
  CHECK(uid != derive_uid("1" + hash.substr(1)));
  CHECK(is_safe_uid(uid));
  for (const char* no : {"", "..", ".x", "a/b", "../x", "a b", "a_b"})
    CHECK_FALSE(is_safe_uid(no));
  CHECK_FALSE(is_safe_uid(std::string(65, 'a')));
}

} // namespace manifest_set_test
