#include "oci/registry_world.hpp"

#include "oci/helper_runner.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

#include <map>

#include <sys/stat.h>

namespace registry_world_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

namespace {

registry_rules rules(std::string_view text) {
  auto parsed = parse_registries_conf(text, "r.conf");
  REQUIRE_MESSAGE(parsed, parsed.error().message());
  return *std::move(parsed);
}

std::vector<std::string> places(const registry_rules& r, std::string_view name) {
  std::vector<std::string> out;
  const auto found = places_for(r, parse_reference(name).value()).value();
  for (const auto& p : found)
    out.push_back(p.host + "/" + p.repository + (p.insecure ? " insecure" : ""));
  return out;
}

using texts = std::vector<std::string>;

constexpr std::string_view example = R"(
unqualified-search-registries = ["quay.io", "docker.io"]
[aliases]
"web" = "ghcr.io/acme/web"
[[registry]]
prefix = "docker.io"
[[registry.mirror]]
location = "mirror.local:5000"
insecure = true
[[registry.mirror]]
location = "digests.local/hub"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "docker.io/acme"
location = "reg.acme.example/hub"
[[registry]]
prefix = "evil.example"
blocked = true
[[registry]]
prefix = "*.lan"
location = "cache.local/lan"
[[registry]]
location = "plain.local:80"
insecure = true
)";

credential_world with_files(std::map<std::string, std::string> files) {
  credential_world w;
  for (const auto& [path, text] : files)
    w.files.emplace_back(path);
  w.read = [files](const std::filesystem::path& path) -> result<std::string> {
    const auto it = files.find(path);
    if (it == files.end() || it->second == "absent")
      return fail(errc::not_found, "open", path, "no such file");
    return it->second;
  };
  return w;
}

} // namespace

TEST_CASE("registries.conf: the longest prefix counts, mirrors come first") {
  const auto r = rules(example);
  CHECK(places(r, "nginx:1") ==
        texts{"mirror.local:5000/library/nginx insecure", "registry-1.docker.io/library/nginx"});
  CHECK(places(r, "nginx@sha256:" + std::string(64, 'a')) ==
        texts{"mirror.local:5000/library/nginx insecure", "digests.local/hub/library/nginx",
              "registry-1.docker.io/library/nginx"});
  CHECK(places(r, "acme/web:1") == texts{"reg.acme.example/hub/web"});
  CHECK(places(r, "acmex/web:1") ==
        texts{"mirror.local:5000/acmex/web insecure", "registry-1.docker.io/acmex/web"});
  CHECK(places(r, "build.lan/a:1") == texts{"cache.local/lan/a"});
  CHECK(places(r, "plain.local:80/a:1") == texts{"plain.local:80/a insecure"});
  CHECK(places(r, "quay.io/a:1") == texts{"quay.io/a"});
  const auto blocked = places_for(r, parse_reference("evil.example/x:1").value());
  REQUIRE(!blocked);
  CHECK(blocked.error().code == errc::denied);
  CHECK(places({}, "nginx:1") == texts{"registry-1.docker.io/library/nginx"});
}

TEST_CASE("registries.conf: short names") {
  const auto r = rules(example);
  const auto names = [&](std::string_view text) {
    texts out;
    const auto found = expand_short_name(r, parse_reference(text).value()).value();
    for (const auto& n : found)
      out.push_back(n.to_string());
    return out;
  };
  CHECK(names("web:2") == texts{"ghcr.io/acme/web:2"});
  CHECK(names("nginx:1") == texts{"quay.io/nginx:1", "docker.io/library/nginx:1"});
  CHECK(is_short_name("nginx:1"));
  CHECK(is_short_name("acme/nginx"));
  CHECK_FALSE(is_short_name("localhost/nginx"));
  CHECK_FALSE(is_short_name("quay.io/nginx"));
  CHECK_FALSE(is_short_name("host:5000/nginx"));
}

TEST_CASE("registries.conf: what is wrong is named with its line") {
  const auto bad = [](std::string_view text) {
    const auto parsed = parse_registries_conf(text, "r.conf");
    return parsed ? std::string{"fine"} : parsed.error().message();
  };
  CHECK(bad("\n[[registry]]\nprefix = 7\n") == "cannot read 'r.conf:3': prefix: expected a string");
  CHECK(bad("[[registry]]\ninsecure = \"yes\"") ==
        "cannot read 'r.conf:2': insecure: expected true or false");
  CHECK(bad("[[registry]]\n").find("neither prefix nor location") != std::string::npos);
  CHECK(bad("registry = 3").find("expected [[registry]]") != std::string::npos);
  CHECK(bad("a = ").find("r.conf:1") != std::string::npos);
  CHECK(bad("[registries.search]\nregistries = []").find("version 1") != std::string::npos);
  CHECK(bad("unqualified-search-registries = \"x\"").find("list of strings") != std::string::npos);
  CHECK(bad("some-future-key = 1") == "fine");
  CHECK(bad("a = " + std::string(5000, '[')).starts_with("cannot read"));
  CHECK(bad("[\f r]").starts_with("cannot read 'r.conf")); // an assertion of the parser's
}

TEST_CASE("registries.conf: a drop-in replaces what it names") {
  scratch s;
  std::filesystem::create_directory(s.dir / "d");
  put(s.dir / "r.conf", "[[registry]]\nprefix='a.b'\nlocation='one.b'\n");
  put(s.dir / "d/10.conf", "[[registry]]\nprefix='a.b'\nlocation='two.b'\n");
  put(s.dir / "d/ignored.txt", "nonsense [[[");
  const auto r = read_registries({s.dir / "r.conf", {s.dir / "d", s.dir / "none"}, {}});
  REQUIRE_MESSAGE(r, r.error().message());
  CHECK(places(*r, "a.b/x:1") == texts{"two.b/x"});
  CHECK(read_registries({s.dir / "none.conf", {}, {}}));
}

TEST_CASE("a login is found by the longest key, in the first file that has one") {
  const auto w = with_files({
      {"1", "absent"},
      {"2", R"({"auths":{"quay.io":{"auth":"dTpw"},"quay.io/acme":{"auth":"YTpi"},
                 "https://index.docker.io/v1/":{"auth":"aDpo"}}})"},
      {"3", R"({"auths":{"quay.io":{"auth":"eDp4"},"reg:5000":{"username":"n","password":"m"}}})"},
  });
  const auto user = [&](const char* registry, const char* repository) {
    const auto found = find_credentials(w, registry, repository);
    REQUIRE_MESSAGE(found, found.error().message());
    return *found ? (*found)->user + ":" + (*found)->password : std::string{"-"};
  };
  CHECK(user("quay.io", "other/x") == "u:p");
  CHECK(user("quay.io", "acme/x") == "a:b");
  CHECK(user("quay.io", "acmex") == "u:p");
  CHECK(user("docker.io", "library/nginx") == "h:h");
  CHECK(user("reg:5000", "x") == "n:m");
  CHECK(user("reg:5001", "x") == "-");
  CHECK(user("evilquay.io", "x") == "-");
}

TEST_CASE("a broken login file is named, its content is not") {
  const auto said = [](const std::string& text) {
    const auto parsed = parse_auth_file(text, "config.json");
    return parsed ? std::string{"fine"} : parsed.error().message();
  };
  CHECK(said("{secret") == "cannot read credentials 'config.json': it is not proper JSON");
  const auto odd = said(R"({"auths":{"h":{"auth":"c2VjcmV0"}}})"); // "secret", without a colon
  CHECK(odd.find("base64 of user:password") != std::string::npos);
  CHECK(odd.find("c2VjcmV0") == std::string::npos);
  CHECK(said("") == "fine");
  CHECK(said(R"({"auths":{"h":{}},"HttpHeaders":{"x":"y"}})") == "fine");
}

TEST_CASE("a helper is asked for its host, and its words are understood") {
  auto w = with_files({{"1", R"({"credHelpers":{"ecr.aws":"ecr-login"},"credsStore":"desktop",
                                "auths":{"quay.io":{}}})"}});
  texts asked;
  w.run_helper = [&](const std::string& suffix,
                     const std::string& server) -> result<credential_world::answer> {
    asked.push_back(suffix + " " + server);
    if (server == "quay.io") return credential_world::answer{R"({"Username":"u","Secret":"p"})", 0};
    if (server == "ecr.aws")
      return credential_world::answer{R"({"Username":"<token>","Secret":"t"})", 0};
    return credential_world::answer{"credentials not found in native keychain\n", 1};
  };
  CHECK(find_credentials(w, "quay.io", "a").value() == credentials{"u", "p", ""});
  CHECK(find_credentials(w, "ecr.aws", "a").value() == credentials{"", "", "t"});
  CHECK(find_credentials(w, "docker.io", "library/a").value() == std::nullopt);
  CHECK(asked ==
        texts{"desktop quay.io", "ecr-login ecr.aws", "desktop https://index.docker.io/v1/"});
  CHECK(!parse_helper_answer("no bus", 2, "h"));
  CHECK(!parse_helper_answer("not json", 0, "h"));
  auto evil = with_files({{"1", R"({"credsStore":"../../bin/sh"})"}});
  evil.run_helper = w.run_helper;
  CHECK(find_credentials(evil, "a.b", "c").error().code == errc::invalid);
}

TEST_CASE("a helper program runs with our words only, and within its limits") {
  scratch s;
  const auto program = [&](const std::string& name, const std::string& body) {
    put(s.dir / ("docker-credential-" + name), "#!/bin/sh\n" + body);
    ::chmod((s.dir / ("docker-credential-" + name)).c_str(), 0755);
  };
  program("good", "read -r server\necho \"$1|$server|$MARK|${HOME-unset}\"\nexit 3\n");
  program("loud", "while :; do echo 0123456789012345678901234567890123456789; done\n");
  program("stuck", "exec sleep 1000\n");
  const auto path = "relative:" + s.dir.string() + ":/usr/bin:/bin";
  const auto run = helper_runner(path, {"PATH=" + path, "MARK=m"}, std::chrono::seconds{30});
  const auto good = run("good", "quay.io");
  REQUIRE_MESSAGE(good, good.error().message());
  CHECK(good->text == "get|quay.io|m|unset\n");
  CHECK(good->exit_code == 3);
  CHECK(run("loud", "x").error().code == errc::limit);
  CHECK(run("absent", "x").error().code == errc::not_found);
  const auto hasty = helper_runner(path, {"PATH=" + path}, std::chrono::milliseconds{50});
  CHECK(hasty("stuck", "x").error().code == errc::timeout);
}

TEST_CASE("the places of logins follow the environment") {
  const auto files = [](std::map<std::string, std::string> env) {
    texts out;
    for (const auto& p : credential_files(
             [env](const std::string& k) -> std::optional<std::string> {
               const auto it = env.find(k);
               return it == env.end() ? std::nullopt : std::optional{it->second};
             },
             0))
      out.push_back(p);
    return out;
  };
  CHECK(files({{"REGISTRY_AUTH_FILE", "/a.json"}, {"HOME", "/h"}}) == texts{"/a.json"});
  CHECK(files({{"XDG_RUNTIME_DIR", "/x"}, {"DOCKER_CONFIG", "/d"}, {"HOME", "/h"}}) ==
        texts{"/x/containers/auth.json", "/run/containers/0/auth.json",
              "/h/.config/containers/auth.json", "/d/config.json"});
  CHECK(files({{"HOME", "/h"}}) == texts{"/run/containers/0/auth.json",
                                         "/h/.config/containers/auth.json",
                                         "/h/.docker/config.json"});
  CHECK(files({}) == texts{"/run/containers/0/auth.json"});
}

TEST_CASE("logins of who asks come first, and run no program") {
  auto w = with_files({{"/a", R"({"auths": {"quay.io": {"username": "host", "password": "h"}}})"}});
  bool ran = false;
  w.run_helper = [&](const std::string&, const std::string&) -> result<credential_world::answer> {
    ran = true;
    return credential_world::answer{"{}", 0};
  };
  w.given.push_back(parse_auth_file(R"({"auths": {"ghcr.io/team": {"username": "pod",
    "password": "p"}}, "credHelpers": {"quay.io": "evil"}, "credsStore": "evil"})",
                                    "given")
                        .value());
  CHECK(find_credentials(w, "ghcr.io", "team/app").value() == credentials{"pod", "p", ""});
  CHECK(find_credentials(w, "ghcr.io", "other/app").value() == std::nullopt);
  CHECK(find_credentials(w, "quay.io", "x").value() == credentials{"host", "h", ""});
  CHECK_FALSE(ran);
}

TEST_CASE("certificates are those of the host, from the first directory that has it") {
  scratch s;
  std::filesystem::create_directories(s.dir / "a/other:1");
  std::filesystem::create_directories(s.dir / "b/h:5000");
  put(s.dir / "b/h:5000/ca.crt", "CA");
  put(s.dir / "b/h:5000/me.cert", "CERT");
  put(s.dir / "b/h:5000/me.key", "KEY");
  const auto t = read_trust({s.dir / "a", s.dir / "b"}, "h:5000");
  REQUIRE(t);
  CHECK(t->extra_authorities == "CA\n");
  CHECK(t->certificate == "CERT");
  CHECK(t->key == "KEY");
  CHECK(t->verify);
  CHECK(read_trust({s.dir / "a", s.dir / "b"}, "h").value() == tls_trust{});
}

} // namespace registry_world_test
