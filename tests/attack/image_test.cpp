// Content and configuration of images that reach for the host: classes 7, 12, 13 and 14.
#include "tests/attack/attack_fixture.hpp"

#include <algorithm>
#include <fstream>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace image_test {

using namespace tank;
using namespace tank::testing;
using nlohmann::json;
using oci::testing::tar_builder;
using oci::testing::tar_entry;
namespace fs = std::filesystem;

namespace {

const std::string up = "../../../../../../../..";

/// Archives that want something below `outside`, by what they do.
std::map<std::string, std::vector<tar_entry>> breakouts(const std::string& outside) {
  const auto link = [&](std::string to) {
    return tar_entry{.name = "link", .type = '2', .link = std::move(to)};
  };
  const auto file = [](std::string name) {
    return tar_entry{.name = std::move(name), .content = "evil"};
  };
  return {
      {"dots", {file(up + outside + "/made")}},
      {"absolute", {file(outside + "/made")}},
      {"dots behind a directory", {file("./etc/" + up + outside + "/made")}},
      {"through a link", {link(outside), file("link/made")}},
      {"through a link with dots", {link(up + outside), file("link/made")}},
      {"through two links",
       {link("second"), {.name = "second", .type = '2', .link = outside}, file("link/made")}},
      {"over a link to a file", {link(outside + "/secret"), file("link")}},
      {"directory through a link", {link(outside), {.name = "link/made", .type = '5'}}},
      {"link through a link", {link(outside), {.name = "link/made", .type = '2', .link = "/"}}},
      {"hard link to it",
       {{.name = "hard", .type = '1', .link = up + outside + "/secret"}, file("hard")}},
      {"hard link through a link",
       {link(outside), {.name = "hard", .type = '1', .link = "link/secret"}, file("hard")}},
      {"mode through a link",
       {link(outside + "/sub"), {.name = "link", .type = '5', .mode = 01777}}},
      {"whiteout through a link", {link(outside), {.name = "link/.wh.secret"}}},
      {"whiteout of dots", {{.name = "etc/.wh.."}, {.name = up + outside + "/.wh.secret"}}},
      {"fifo through a link", {link(outside), {.name = "link/made", .type = '6'}}},
  };
}

/// Unpacks as one would who trusts the names.
std::string unpack_carelessly(const fs::path& root, const std::vector<tar_entry>& entries) {
  std::error_code ec;
  for (const auto& e : entries) {
    const auto at = root.string() + "/" + e.name; // `/` of a path would do as well: it is no join
    const auto name = fs::path{e.name}.filename().string();
    if (name.starts_with(".wh."))
      fs::remove(fs::path{at}.parent_path() / name.substr(4), ec);
    else if (e.type == '2')
      fs::create_symlink(e.link, at, ec);
    else if (e.type == '1')
      ::link((root.string() + "/" + e.link).c_str(), at.c_str());
    else if (e.type == '6')
      ::mkfifo(at.c_str(), 0644);
    else if (e.type == '5')
      fs::create_directory(at, ec), ::chmod(at.c_str(), e.mode);
    else
      std::ofstream{at[root.string().size() + 1] == '/' ? e.name : at} << e.content;
  }
  return "unpacked";
}

std::string user_refusal(arena& a, const std::string& image, const std::string& more = {}) {
  return a.refusal(
      {.command = {"/bin/witness", "exit", "0"}, .image = image, .container_more = more});
}

} // namespace

TEST_CASE("class 7: what an archive names lands in its layer, or the image is refused") {
  arena a;
  int ran = 0;
  for (const auto& [what, entries] : breakouts(a.outside.string())) {
    CAPTURE(what);
    tar_builder tar;
    tar.dir("etc");
    for (const auto& e : entries)
      tar.add(e);
    const auto pod =
        a.run({.command = {"/bin/witness", "ls", "/"}, .image = a.image({tar.bytes()})});
    ran += pod.last->reason == "Completed";
    a.check_untouched();
  }
  CHECK(ran > 0); // not all are refused: some names are only odd
}

TEST_CASE("class 7, without the defence: each of these archives changes the host") {
  arena a;
  int changed = 0;
  for (const auto& [what, entries] : breakouts(a.outside.string())) {
    const auto before = oci::testing::snapshot(a.outside);
    const auto root = a.tree();
    CHECK(without_defence([&, &entries = entries] { return unpack_carelessly(root, entries); }) ==
          "unpacked");
    const bool hit = oci::testing::snapshot(a.outside) != before;
    CHECK_MESSAGE(hit, what);
    changed += hit;
    if (hit) a.restore_outside();
  }
  CHECK(changed == 15);
}

TEST_CASE("class 12: labels, volumes, paths and variables of an image steer nothing outside") {
  arena a;
  const auto target = up + a.outside.string();
  const json config{
      {"Labels",
       {{"containerd.io/restart.loguri", "binary:///bin/touch?" + a.outside.string() + "/made"},
        {"io.kubernetes.container.logPath", (a.outside / "made").string()},
        {"io.podman.annotations.privileged", "TRUE"},
        {"tank/privileged", "true"},
        {"tank.hostNetwork", "true"}}},
      {"Volumes", {{"/" + target, json::object()}, {"/" + target + "/sub", json::object()}}},
      {"WorkingDir", "/" + target + "/stray"},
      {"Env",
       {"LD_PRELOAD=" + a.outside.string() + "/evil.so",
        "NOTIFY_SOCKET=" + a.outside.string() + "/made", "TANK_STATE_DIR=" + a.outside.string(),
        "HOME=" + target}},
      {"StopSignal", "SIGTERM"}};
  const auto said = a.say({.name = "steered",
                           .command = {"/bin/witness", "report", "--", "ls", a.outside.string()},
                           .image = a.image({}, config)});
  a.check_untouched();
  const auto r = json::parse(said.substr(0, said.find('\n')));
  // Made in the container, where it now is all there is of that path.
  CHECK(r["cwd"] == (a.outside / "stray").string());
  CHECK(said.substr(said.find('\n') + 1) == "stray\n");
  CHECK(r["interfaces"] == json{"lo"});
  CHECK(r["status"]["CapEff"] == r["status"]["CapBnd"]);
  CHECK(r["status"]["Seccomp"] == "2");
  for (const auto& m : r["mounts"])
    CHECK_MESSAGE(!has(m.get<std::string>(), "outside"), m.dump());
  // Its log is where logs are, and the daemon works on.
  CHECK(a.say({.command = {"/bin/witness", "print", "well"}}) == "well\n");
}

TEST_CASE(
    "class 12, without the defence: the image makes directories and copies files of the host") {
  arena a;
  const auto image = a.tree().string();
  const auto target = up + a.outside.string();
  CHECK(without_defence([&] { return file_text(image + "/" + target + "/secret"); }) ==
        "the host's");
  without_defence(
      [&] { return errno_name(::mkdir((image + "/" + target + "/made").c_str(), 0755)); });
  CHECK(fs::exists(a.outside / "made"));
  a.restore_outside();
}

TEST_CASE("class 13: an image's /etc/passwd that leads to the host names nobody") {
  arena a;
  const auto passwd = (a.outside / "passwd").string();
  const json evil{{"User", "evil"}};
  for (const auto& to : {passwd, up + passwd, up + up + passwd, "/proc/1/root" + passwd}) {
    const auto why = user_refusal(
        a, a.image({tar_builder{}.dir("etc").symlink("etc/passwd", to).bytes()}, evil));
    CHECK_MESSAGE(has(why, "evil"), to << ": " << why);
  }
  // The directory above it is the link.
  user_refusal(a, a.image({tar_builder{}.symlink("etc", a.outside.string()).bytes()}, evil));
  a.check_untouched();
}

TEST_CASE("class 13: an image's /etc/passwd that is a pipe, a device or endless holds up nobody") {
  arena a;
  const json evil{{"User", "evil"}};
  const auto with = [&](const tar_entry& e) { return tar_builder{}.dir("etc").add(e).bytes(); };
  for (const auto& e :
       {tar_entry{.name = "etc/passwd", .type = '6'}, tar_entry{.name = "etc/passwd", .type = '5'},
        tar_entry{.name = "etc/passwd", .type = '2', .link = "passwd"}}) {
    const auto pod =
        a.run({.command = {"/bin/witness", "exit", "0"}, .image = a.image({with(e)}, evil)});
    CHECK(pod.last->reason == "StartError");
    if (e.type == '6') CHECK(has(pod.last->message, "not a regular file"));
  }
  // A gigabyte of nothing, in a directory that is an image.
  const auto image = a.tree();
  for (const auto* name : {"etc/passwd", "etc/group"}) {
    std::ofstream{image / name} << "app:x:1000:1000::/:\n";
    fs::resize_file(image / name, 1UL << 30);
  }
  const auto most = status_number(a.daemon().pid(), "VmHWM");
  CHECK(most > 0);
  const auto text = a.refusal({.command = {"/bin/witness", "exit", "0"},
                               .image = "rootfs:" + image.string(),
                               .container_more = "    securityContext: {runAsUser: 1000}\n"});
  CHECK_MESSAGE(has(text, "larger than"), text);
  CHECK(status_number(a.daemon().pid(), "VmHWM") - most < 64 * 1024);
}

TEST_CASE("class 13, without the defence: the host's file is read, and all of it") {
  arena a;
  const auto image = a.tree();
  fs::create_symlink(a.outside / "passwd", image / "etc/passwd");
  CHECK(has(without_defence([&] { return file_text(image / "etc/passwd"); }), "evil:x:4242"));
  std::ofstream{image / "etc/group"} << "app:x:1000:\n";
  fs::resize_file(image / "etc/group", 256UL << 20);
  const auto cost = without_defence([&] {
    const auto text = file_text(image / "etc/group");
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    return std::to_string(text.empty() ? 0 : used.ru_maxrss);
  });
  CHECK(std::stol(cost) > 256 * 1024);
}

TEST_CASE("class 14: a user that is no number, or too large, is nobody, and never root") {
  arena a;
  for (const std::string user : {"4294967296",
                                 "4294967295",
                                 "18446744073709551616",
                                 "-1",
                                 "-0",
                                 "+0",
                                 "0x0",
                                 "1e3",
                                 "01000",
                                 "00",
                                 " 0",
                                 "0 ",
                                 "1000:",
                                 ":0",
                                 ":",
                                 "0:0:0",
                                 "1000:4294967296",
                                 "1000:-1",
                                 "root\n",
                                 "ro ot",
                                 "toor",
                                 "1000:nogroup",
                                 "%s",
                                 "\xff"}) {
    const auto at = a.image({tar_builder{}
                                 .dir("etc")
                                 .file("etc/passwd", "root:x:0:0::/:\nwrap:x:4294967296:0::/:\n")
                                 .file("etc/group", "root:x:0:\n")
                                 .bytes()},
                            {{"User", user == "\xff" ? "\xc3\xbf" : user}});
    const auto why = user_refusal(a, at);
    CHECK_MESSAGE(has(why, "cannot resolve user"), user << ": " << why);
  }
  // Written in the image's own file.
  user_refusal(
      a, a.image({tar_builder{}.dir("etc").file("etc/passwd", "wrap:x:4294967296:0::/:\n").bytes()},
                 {{"User", "wrap"}}));
  // The manifest: judged before anything starts.
  for (const std::string id :
       {"4294967296", "2147483648", "-1", "1000.5", "'0'", "18446744073709551616"}) {
    auto text = manifest({.name = "wrong"});
    text += "    securityContext: {runAsUser: " + id + "}\n";
    const auto said = a.tank({"validate", "-"}, text);
    CHECK_MESSAGE(said.code == 1, id << said.out);
    CHECK(has(said.out + said.err, "runAsUser"));
  }
  const auto r = json::parse(
      a.say({.command = {"/bin/witness", "report"},
             .container_more =
                 "    securityContext: {runAsUser: 2147483647, runAsGroup: 2147483647}\n"}));
  CHECK(r["uid"] == json{2147483647, 2147483647, 2147483647});
}

TEST_CASE("class 14, without the defence: a large number is root") {
  for (const auto* user : {"4294967296", "18446744069414584320", "-0", "toor", " 0"})
    CHECK(without_defence([&] {
            const auto uid = static_cast<uid_t>(std::strtoull(user, nullptr, 10));
            return std::to_string(::setuid(uid) == 0 ? ::getuid() : 1);
          }) == "0");
}

TEST_CASE(
    "class 8: variables that grow without measure, and an archive that is a pipe, hold up nobody") {
  arena a;
  std::string env = "env:\n    - {name: VA, value: \"0123456789\"}\n";
  for (char c = 'B'; c <= 'Z'; ++c) {
    const std::string before = "$(V" + std::string{static_cast<char>(c - 1)} + ")";
    env += "    - {name: V" + std::string{c} + ", value: \"" + before + before + before + "\"}\n";
  }
  a.put("grows.yaml", manifest({.name = "grows", .container_more = "    " + env}));
  CHECK(a.daemon().await("once their variables are expanded"));
  // Who just expands them has this after half of the lines, and three times as much with the next.
  CHECK(without_defence([] {
          std::string value = "0123456789";
          for (int i = 0; i < 12; ++i)
            value = value + value + value;
          return std::to_string(value.size());
        }) == "5314410");
  const auto pipe = (a.root / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (int i = 0; i < 8; ++i) // as many as there may be threads for it
    a.put("pipe" + std::to_string(i) + ".yaml",
          manifest({.name = "pipe" + std::to_string(i), .image = "oci-archive:" + pipe}));
  const auto refused =
      a.await_pod("pipe7", "is refused", [](const pod_status& p) { return !!p.last; });
  CHECK_MESSAGE(has(refused.last->message, "neither a file nor a directory"),
                refused.last->message);
  CHECK(a.say({.command = {"/bin/witness", "print", "well"}}) == "well\n");
}

} // namespace image_test
