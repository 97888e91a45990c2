// What becomes of a running pod when its manifest is edited, touched, renamed, replaced, half
// written, broken, doubled, deleted: by the real daemon, on real files.
#include "tests/root/host_fixture.hpp"

#include <nlohmann/json.hpp>

#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace e2e_manifests_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

/// A host with a daemon and one living pod "web" from web.yaml.
struct room : host {
  host_snapshot before;
  pod_status web;

  room() : host("backoff: {base: 20ms, max: 200ms}\nresync: 1h\n"), before(snapshot()) {
    start_daemon();
    put(living_pod("web", "one", shared));
    web = await_running("web");
    await_shared("web.log", "start one\n");
  }
  ~room() {
    CHECK_MESSAGE(!fs::exists(shared / "web.overlap"), "two runs of the pod lived at once");
    stop_daemon();
    CHECK(difference(before, snapshot()) == "");
  }

  [[nodiscard]] fs::path file(const std::string& name) const { return dirs.manifest_dir / name; }

  /// The script writes right after it runs; a log of its output tells when.
  void await_shared(const std::string& name, const std::string& text);

  void check_untouched(const std::string& what) {
    barrier();
    INFO(what << "; the daemon said:\n" << daemon().err);
    const auto& now = seen().at("web");
    CHECK(now.state == pod_state::running);
    CHECK(now.host_pid == web.host_pid);
    CHECK(now.uid == web.uid);
    CHECK(now.restarts == 0);
    CHECK(shared_text("web.log") == "start one\n");
  }

  nlohmann::json files() {
    return nlohmann::json::parse(hear({"get", "files", "-o", "json"}))["items"];
  }
  nlohmann::json file_row(const std::string& name) {
    for (auto& row : files())
      if (row["file"] == file(name).string()) return row;
    return nullptr;
  }
  /// All its errors, one after the other.
  std::string errors_of(const std::string& name) {
    std::string text;
    const auto row = file_row(name);
    for (const auto& e : row["errors"])
      text += e.get<std::string>() + "\n";
    return text;
  }
};

void room::await_shared(const std::string& name, const std::string& text) {
  CHECK(await_file(shared / name, [&](const std::string& now) { return now == text; }));
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("an edit stops the old pod gracefully, then starts the new one, never both at once") {
  room h;
  std::string log = "start one\n";
  std::string last = "one";
  for (const std::string word : {"two", "three"}) {
    const auto old = h.seen().at("web").uid;
    h.put(living_pod("web", word, h.shared));
    const auto now = h.await_running("web", old);
    CHECK(now.restarts == 0); // another pod, not a restart
    log += "term " + last + "\nstart " + word + "\n";
    h.await_shared("web.log", log);
    last = word;
  }
}

TEST_CASE("an edit in place counts when the file is closed, whole") {
  room h;
  const auto text = manifest(living_pod("web", "two", h.shared));
  const int fd = ::open(h.file("web.yaml").c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  REQUIRE(fd >= 0);
  // The first part alone is a Pod too: the worst case.
  const auto half = static_cast<ssize_t>(text.find("    imagePullPolicy"));
  REQUIRE(::write(fd, text.data(), static_cast<std::size_t>(half)) == half);
  for (int i = 0; i < 3; ++i)
    h.check_untouched("half written, and still open");
  const auto rest = text.substr(static_cast<std::size_t>(half));
  REQUIRE(::write(fd, rest.data(), rest.size()) == static_cast<ssize_t>(rest.size()));
  ::close(fd);
  h.await_running("web", h.web.uid);
  h.await_shared("web.log", "start one\nterm one\nstart two\n");
  CHECK(h.errors_of("web.yaml") == "");
}

TEST_CASE("touch, chmod, identical rewrites and identical replacements do nothing") {
  room h;
  REQUIRE(::utimensat(AT_FDCWD, h.file("web.yaml").c_str(), nullptr, 0) == 0);
  h.check_untouched("touch");
  REQUIRE(::chmod(h.file("web.yaml").c_str(), 0600) == 0);
  h.check_untouched("chmod");
  std::ofstream{h.file("web.yaml")} << manifest(living_pod("web", "one", h.shared));
  h.check_untouched("identical rewrite");
  h.put(living_pod("web", "one", h.shared));
  h.check_untouched("identical atomic replacement");
  h.put("web.yaml", "# a comment is no content\n" + manifest(living_pod("web", "one", h.shared)));
  h.check_untouched("only a comment");
}

TEST_CASE("a renamed file is the same pod: it runs on, under its new file") {
  room h;
  fs::rename(h.file("web.yaml"), h.file("other.yml"));
  h.await_pod("web", "is of other.yml",
              [&](const pod_status& p) { return p.file == h.file("other.yml").string(); });
  h.check_untouched("rename");
  CHECK(h.file_row("web.yaml") == nullptr);
  // Out of the directory and in again by another name, with a look in between, is a new pod.
  fs::rename(h.file("other.yml"), h.root / "aside.yaml");
  h.await_gone("web");
  fs::rename(h.root / "aside.yaml", h.file("back.json.yaml"));
  h.await_running("web");
  h.await_shared("web.log", "start one\nterm one\nstart one\n");
}

TEST_CASE(
    "a malformed edit shows as an error of its file, and its pod runs on until it is mended") {
  room h;
  h.put("web.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [\n");
  REQUIRE(h.daemon().await("web.yaml:"));
  h.check_untouched("broken syntax");
  CHECK(h.errors_of("web.yaml") != "");
  CHECK(h.file_row("web.yaml")["lastGoodKept"] == true);
  CHECK(has(h.hear({"get", "files"}), "error, last good kept"));

  h.put("web.yaml", manifest(living_pod("web", "one", h.shared)) + "    typo: true\n");
  REQUIRE(h.daemon().await("typo"));
  h.check_untouched("unknown field");
  CHECK(has(h.errors_of("web.yaml"), "spec.containers[0].typo"));

  h.put(living_pod("web", "one", h.shared));
  h.check_untouched("mended, the same content");
  CHECK(h.errors_of("web.yaml") == "");
  h.put("web.yaml", "");
  REQUIRE(h.daemon().await("web.yaml: no Pod"));
  h.check_untouched("emptied");
  h.put(living_pod("web", "two", h.shared));
  h.await_running("web", h.web.uid);
  h.await_shared("web.log", "start one\nterm one\nstart two\n");
}

TEST_CASE("a name in two files is an error of both; the one that runs stays until its file goes") {
  room h;
  h.put("again.yaml", manifest(living_pod("web", "two", h.shared)));
  REQUIRE(h.daemon().await("is also in"));
  h.check_untouched("doubled, by a file that sorts before");
  CHECK(has(h.errors_of("web.yaml"), "again.yaml"));
  CHECK(has(h.errors_of("again.yaml"), "web.yaml"));
  h.remove("again.yaml");
  h.check_untouched("healed");
  CHECK(h.errors_of("web.yaml") == "");

  h.put("zz.yaml", manifest(living_pod("web", "two", h.shared)));
  REQUIRE(h.daemon().await("is also in"));
  h.check_untouched("doubled, by a file that sorts behind");
  h.remove("web.yaml");
  h.await_running("web", h.web.uid);
  h.await_shared("web.log", "start one\nterm one\nstart two\n");
  CHECK(h.errors_of("zz.yaml") == "");
}

TEST_CASE("a deleted file stops its pod gracefully") {
  room h;
  h.remove("web.yaml");
  h.await_gone("web");
  CHECK(h.shared_text("web.log") == "start one\nterm one\n");
  CHECK(fs::is_empty(h.dirs.pod_runs()));
  CHECK(log_text(h.log_dir(h.web) / "0.log") == "one\n"); // the log outlives the pod
}

TEST_CASE("a pod that ignores SIGTERM is killed when its grace period is over") {
  room h;
  h.put({.name = "stubborn",
         .command = {"/bin/witness", "ignore-term"},
         .spec_more = "  terminationGracePeriodSeconds: 2\n"});
  const auto pod = h.await_running("stubborn");
  h.remove("stubborn.yaml");
  h.await_pod("stubborn", "stops",
              [](const pod_status& p) { return p.state == pod_state::stopping; });
  CHECK(fs::exists("/proc/" + std::to_string(pod.host_pid)));
  h.await_gone("stubborn");
  CHECK(!fs::exists("/proc/" + std::to_string(pod.host_pid)));
  h.check_untouched("a neighbour's end");
}

TEST_CASE("deleting and creating again at once never runs two, whatever comes in between") {
  room h;
  // A stop may meet it before it can hear: the grace period is short.
  const auto again = [&](const std::string& word) {
    auto pod = living_pod("again", word, h.shared);
    pod.command = {"/bin/witness", "lock", "/shared/again.lock", "--", "print", word,
                   "--",           "sleep"};
    pod.spec_more = "  terminationGracePeriodSeconds: 2\n" +
                    pod.spec_more.substr(pod.spec_more.find("  volumes"));
    return pod;
  };
  h.put(again("one"));
  const auto first = h.await_running("again");
  for (int i = 0; i < 5; ++i) {
    h.remove("again.yaml");
    h.put(again("one"));
  }
  h.barrier();
  h.await_running("again");
  h.remove("again.yaml");
  h.put(again("two"));
  h.barrier();
  h.await_running("again", first.uid);
  for (const auto& log : fs::recursive_directory_iterator(h.dirs.log_dir))
    if (log.is_regular_file()) CHECK(log_text(log.path(), "stderr") == ""); // a lock was held
  h.check_untouched("a restless neighbour");
}

TEST_CASE("a field that is not supported yet is said, and the pod is not started") {
  room h;
  const std::string unsupported = "  shareProcessNamespace: true\n";
  h.put(pod_text{.name = "two", .spec_more = unsupported});
  REQUIRE(h.daemon().await("not supported yet"));
  h.check_untouched("a neighbour that is refused");
  CHECK(!h.seen().contains("two"));
  CHECK(has(h.errors_of("two.yaml"), "not supported yet: spec.shareProcessNamespace"));
  // As an edit of a running pod it changes nothing either.
  auto edited = living_pod("web", "one", h.shared);
  edited.spec_more += unsupported;
  h.put(edited);
  REQUIRE(h.daemon().await("web.yaml"));
  h.check_untouched("an edit to something unsupported");
}

TEST_CASE("the directory may go and come back") {
  room h;
  fs::remove_all(h.dirs.manifest_dir);
  h.await_gone("web");
  CHECK(h.shared_text("web.log") == "start one\nterm one\n");
  fs::create_directory(h.dirs.manifest_dir);
  h.put(living_pod("web", "two", h.shared));
  h.await_running("web");
  h.await_shared("web.log", "start one\nterm one\nstart two\n");
  h.barrier(); // events come as before
}

TEST_CASE("droppings of editors, hidden files, other names and directories are no manifests") {
  room h;
  for (const auto* name : {".hidden.yaml", "pod.yaml~", "pod.yaml.bak", ".pod.yaml.swp", "4913",
                           "#pod.yaml#", "README.txt", "pod.yaml.tmp", "pod", ".yaml"})
    std::ofstream{h.file(name)} << manifest({.name = "ghost"});
  fs::create_directory(h.file("sub"));
  std::ofstream{h.file("sub") / "pod.yaml"} << manifest({.name = "ghost"});
  h.check_untouched("droppings");
  CHECK(!h.seen().contains("ghost"));
  CHECK(h.files().size() == 1);
}

TEST_CASE("tank apply, restart and delete act through the directory") {
  room h;
  const auto text = manifest(living_pod("db", "one", h.shared));
  CHECK(h.hear({"apply", "-f", "-"}, text) == "pod/db applied\n");
  const auto first = h.await_running("db");
  h.await_shared("db.log", "start one\n");
  CHECK(h.hear({"apply", "-f", "-"}, text) == "pod/db unchanged\n");
  h.barrier();
  CHECK(h.seen().at("db").host_pid == first.host_pid);
  CHECK(h.hear({"apply", "-f", "-"}, manifest(living_pod("db", "two", h.shared))) ==
        "pod/db updated\n");
  const auto second = h.await_running("db", first.uid);
  h.await_shared("db.log", "start one\nterm one\nstart two\n");

  h.hear({"restart", "db"});
  const auto third = h.await_pod("db", "runs again", [&](const pod_status& p) {
    return p.state == pod_state::running && p.host_pid != second.host_pid;
  });
  CHECK(third.uid == second.uid);
  CHECK(third.restarts == 1);
  h.await_shared("db.log", "start one\nterm one\nstart two\nterm two\nstart two\n");

  const auto refused = h.tank({"apply", "-f", "-"}, "apiVersion: v1\nkind: Pod\nspec: {}\n");
  CHECK(refused.code == 1);
  CHECK(has(refused.err, "metadata.name"));
  CHECK(has(h.hear({"delete", "db"}), "pod/db deleted"));
  h.await_gone("db");
  CHECK(has(h.shared_text("db.log"), "term two\nstart two\nterm two\n"));
  CHECK(!fs::exists(h.shared / "db.overlap"));
  const auto missing = h.tank({"delete", "db"});
  CHECK(missing.code == 1);
  h.check_untouched("all that happened to a neighbour");
}

} // namespace e2e_manifests_test
