#include "cli/context.hpp"
#include "kernel/port.hpp"
#include "tests/unit/cli/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <map>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace run_test {

using namespace tank;
using namespace tank::cli;

namespace {

/// One command line in a private tree.
struct session {
  temp_dir dir;
  std::ostringstream out;
  std::ostringstream err;
  std::map<std::string, std::string> env;
  bool root = true;

  session() {
    for (const auto* name : {"MANIFEST", "STATE", "RUN", "LOG"})
      env[std::string{"TANK_"} + name + "_DIR"] = dir.path() / name;
  }
  int tank(std::vector<std::string> args) {
    out.str("");
    err.str("");
    cli_context context{out, err};
    context.is_root = root;
    context.env = [this](const std::string& name) -> std::optional<std::string> {
      const auto at = env.find(name);
      return at == env.end() ? std::nullopt : std::optional{at->second};
    };
    context.realtime_ns = [] { return std::int64_t{1'700'000'000'000'000'000}; };
    context.make_port = [](auto) { return std::unique_ptr<kernel::port>{}; };
    return run(context, std::move(args));
  }
  std::string file(const std::string& name, const std::string& text) {
    append(dir.path() / name, text);
    return dir.path() / name;
  }
};

bool one_line(const std::string& text) {
  return !text.empty() && text.find('\n') == text.size() - 1;
}

const std::string web =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  hostNetwork: true\n"
    "  containers:\n  - {name: c, image: \"a:1\"}\n";

} // namespace

TEST_CASE("a wrong command line is one clear line and status 2") {
  session s;
  for (const std::vector<std::string>& args : {std::vector<std::string>{},
                                               {"frobnicate"},
                                               {"get"},
                                               {"get", "nodes"},
                                               {"ps", "--frob"},
                                               {"logs"},
                                               {"logs", "web", "--tail", "many"},
                                               {"logs", "web", "--tail", "-3"},
                                               {"logs", "a", "b"},
                                               {"help", "frob"},
                                               {"--run-dir"},
                                               {"delete", "-n", "x"},
                                               {"delete", "a", "-f", "b"},
                                               {"up", "x", "--timeout", "5"},
                                               {"up", "x", "--wait=ready", "--timeout", "5x"},
                                               {"image"},
                                               {"image", "frob"},
                                               {"apply"},
                                               {"delete"},
                                               {"up"},
                                               {"validate", "x", "-o", "xml"},
                                               {"describe", "pod"}}) {
    CHECK_MESSAGE(s.tank(args) == exit_usage, (args.empty() ? "" : args.back()));
    CHECK_MESSAGE(one_line(s.err.str()), s.err.str());
    CHECK(s.err.str().starts_with("tank: "));
    CHECK(s.out.str().empty());
  }
  CHECK(s.tank({"\x1b[2J"}) == exit_usage);
  CHECK(s.err.str().find('\x1b') == std::string::npos);
  s.tank({"frobnicate"});
  CHECK(s.err.str() == "tank: unknown command 'frobnicate' (see: tank --help)\n");
}

TEST_CASE("a wrong word comes with the one that was meant, or with all there are") {
  session s;
  auto said = [&s](std::vector<std::string> args) {
    s.tank(std::move(args));
    return s.err.str();
  };
  CHECK(said({"aply"}) ==
        "tank: unknown command 'aply', did you mean 'apply'? (see: tank --help)\n");
  CHECK(said({"image", "lst"}) ==
        "tank: unknown command 'lst', did you mean 'list'? (see: tank image --help)\n");
  CHECK(said({"ps", "--wach"}) ==
        "tank: unknown option '--wach', did you mean '--watch'? (see: tank ps --help)\n");
  CHECK(said({"ps", "-o", "xml"}) == "tank: --output: must be table, wide, json, yaml or name, not "
                                     "'xml' (see: tank ps --help)\n");
  CHECK(said({"ps", "-o"}) == "tank: --output needs a value (see: tank ps --help)\n");
  CHECK(said({"ps", "-o", "json", "-o", "yaml"}) ==
        "tank: --output is given more than once (see: tank ps --help)\n");
  CHECK(said({"--run-dir", "", "ps"}) ==
        "tank: --run-dir: the path is empty (an unset variable?) (see: tank ps --help)\n");
  CHECK(said({"get", "files", "web"}) ==
        "tank: a NAME is for pods, not for files (see: tank get --help)\n");
  CHECK(said({"image"}) == "tank: a command is missing: one of pull, import, load, save, list, "
                           "inspect, rm, prune, verify (see: tank image --help)\n");
}

TEST_CASE("help and version are also found where people look for them") {
  session s;
  REQUIRE(s.tank({"logs", "--help"}) == exit_ok);
  const auto page = s.out.str();
  CHECK(page.find("Usage: tank logs NAME [OPTIONS]") != std::string::npos);
  CHECK(s.tank({"help", "logs"}) == exit_ok);
  CHECK(s.out.str() == page);
  CHECK(s.tank({"--version"}) == exit_ok);
  const auto version = s.out.str();
  CHECK(s.tank({"version"}) == exit_ok);
  CHECK(s.out.str() == version);
  CHECK(s.tank({"logs", "help"}) == exit_failed); // a pod may be called so
}

TEST_CASE("every command has help with an example") {
  session s;
  for (const std::vector<std::string>& verb : {std::vector<std::string>{},
                                               {"up"},
                                               {"daemon"},
                                               {"apply"},
                                               {"delete"},
                                               {"get"},
                                               {"ps"},
                                               {"describe"},
                                               {"logs"},
                                               {"restart"},
                                               {"validate"},
                                               {"image", "import"},
                                               {"image", "load"},
                                               {"image", "list"},
                                               {"image", "rm"},
                                               {"version"}}) {
    auto args = verb;
    args.push_back("--help");
    CHECK(s.tank(args) == exit_ok);
    CHECK_MESSAGE(s.out.str().find("Examples:\n  tank") != std::string::npos, s.out.str());
    CHECK(s.err.str().empty());
  }
}

TEST_CASE("without a daemon the message says how to start one") {
  session s;
  for (const std::vector<std::string>& args : {std::vector<std::string>{"get", "pods"},
                                               {"ps"},
                                               {"describe", "pod", "web"},
                                               {"restart", "web"}}) {
    CHECK(s.tank(args) == exit_failed);
    CHECK(s.err.str().starts_with("tank: cannot reach the daemon at '" +
                                  (s.dir.path() / "RUN/tank.sock").string() + "': "));
    CHECK(s.err.str().find("tank daemon") != std::string::npos);
    CHECK(one_line(s.err.str()));
  }
}

TEST_CASE("validate says where and why, and prints the normalised pod on request") {
  session s;
  CHECK(s.tank({"validate", s.file("web.yaml", web)}) == exit_ok);
  CHECK(s.out.str().empty());
  CHECK(s.tank({"validate", "-o", "json", s.dir.path() / "web.yaml"}) == exit_ok);
  CHECK(s.out.str().find("\"restartPolicy\": \"Always\"") != std::string::npos);
  const auto bad = s.file("bad.yaml", web + "  frob: 1\n");
  CHECK(s.tank({"validate", bad}) == exit_failed);
  CHECK(s.out.str().starts_with(bad + ":8:3: spec.frob: "));
  CHECK(s.tank({"validate", s.dir.path() / "none.yaml"}) == exit_failed);
  CHECK(one_line(s.err.str()));
}

TEST_CASE("apply and delete change the watch directory and say so") {
  session s;
  const auto file = s.file("web.yaml", web);
  CHECK(s.tank({"apply", "-f", file}) == exit_ok);
  CHECK(s.out.str() == "pod/web applied\n");
  CHECK(slurp(s.dir.path() / "MANIFEST/web.yaml") == web);
  CHECK(s.tank({"apply", "-f", file}) == exit_ok);
  CHECK(s.out.str() == "pod/web unchanged\n");
  CHECK(s.tank({"apply", "-f", s.file("web2.yaml", web + "  hostIPC: true\n")}) == exit_ok);
  CHECK(s.out.str() == "pod/web updated\n");
  CHECK(s.tank({"apply", "-f", s.file("bad.yaml", web + "  frob: 1\n")}) == exit_failed);
  CHECK(s.err.str().find("spec.frob") != std::string::npos);
  CHECK(s.tank({"delete", "web"}) == exit_ok);
  CHECK(s.out.str() == "pod/web deleted\n");
  CHECK(s.tank({"delete", "pod/web"}) == exit_failed);
  CHECK(one_line(s.err.str()));
}

TEST_CASE("apply takes several files, and directories of them") {
  session s;
  const auto one = s.file("web.yaml", web);
  auto text = web;
  text.replace(text.find("web"), 3, "db");
  std::filesystem::create_directory(s.dir.path() / "many");
  const auto two = s.file("many/b.yaml", text);
  s.file("many/a.yaml", web + "  frob: 1\n");
  s.file("many/readme.txt", "no manifest");
  CHECK(s.tank({"apply", "-f", one, "-f", two}) == exit_ok);
  CHECK(s.out.str() == "pod/web applied\npod/db applied\n");
  CHECK(s.tank({"delete", "db", "none", "web"}) == exit_failed);
  CHECK(s.out.str() == "pod/db deleted\npod/web deleted\n");
  CHECK(one_line(s.err.str()));
  // What is wrong with one is told, and the next is applied.
  CHECK(s.tank({"apply", "-f", (s.dir.path() / "many").string()}) == exit_failed);
  CHECK(s.err.str().find("spec.frob") != std::string::npos);
  CHECK(s.out.str() == "pod/db applied\n");
  std::filesystem::create_directory(s.dir.path() / "none");
  CHECK(s.tank({"apply", "-f", (s.dir.path() / "none").string()}) == exit_failed);
  CHECK(one_line(s.err.str()));
}

TEST_CASE("output that cannot be written is a failure") {
  session s;
  s.out.setstate(std::ios::badbit);
  CHECK(s.tank({"version"}) == exit_failed);
  CHECK(s.err.str().starts_with("tank: cannot write the output"));
  CHECK(s.tank({"--help"}) == exit_failed);
}

TEST_CASE("who is not root is told so at once") {
  session s;
  s.root = false;
  const auto file = s.file("web.yaml", web);
  for (const std::vector<std::string>& args : {std::vector<std::string>{"up", file}, {"daemon"}}) {
    CHECK(s.tank(args) == exit_failed);
    CHECK(s.err.str() == "tank: cannot run pods: only root can (use sudo)\n");
  }
}

TEST_CASE("a manifest may come through a pipe that has a name") {
  session s;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  unique_fd reader{ends[0]};
  unique_fd writer{ends[1]};
  REQUIRE(::write(writer.get(), web.data(), web.size()) == static_cast<ssize_t>(web.size()));
  writer.reset();
  CHECK(s.tank({"apply", "-f", "/proc/self/fd/" + std::to_string(reader.get())}) == exit_ok);
  CHECK(slurp(s.dir.path() / "MANIFEST/web.yaml") == web);
}

TEST_CASE("names from outside cannot break the one line of a failure") {
  session s;
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"apply", "-f", "a\n\x1b[2J"},
        {"validate", "b\nc"},
        {"up", "d\ne"},
        {"logs", "f\ng"},
        {"image", "rm", "h\ni"},
        {"validate", ""},
        {"validate", "/"},
        {"apply", "-f", ""},
        {"logs", ""},
        {"up", ""}}) {
    CHECK(s.tank(args) == exit_failed);
    CHECK_MESSAGE(one_line(s.err.str()), s.err.str());
    CHECK(s.err.str().find('\x1b') == std::string::npos);
    CHECK(s.err.str().starts_with("tank: cannot "));
  }
}

TEST_CASE("a flag beats the environment, before and behind the command") {
  session s;
  const auto other = s.dir.path() / "other";
  const auto file = s.file("web.yaml", web);
  CHECK(s.tank({"apply", "-f", file, "--manifest-dir", other}) == exit_ok);
  CHECK(std::filesystem::exists(other / "web.yaml"));
  CHECK(s.tank({"--manifest-dir", other, "delete", "web"}) == exit_ok);
  CHECK_FALSE(std::filesystem::exists(other / "web.yaml"));
}

TEST_CASE("logs needs no daemon, and names of pods lead nowhere else") {
  session s;
  const auto dir = s.dir.path() / "LOG/pods/default_web_u/c";
  std::filesystem::create_directories(dir);
  append(dir / "0.log", "T stdout F one\nT stderr F two\nT stdout F three\n");
  CHECK(s.tank({"logs", "web"}) == exit_ok);
  CHECK(s.out.str() == "one\nthree\n");
  CHECK(s.err.str() == "two\n");
  CHECK(s.tank({"logs", "web", "--tail", "1", "--timestamps"}) == exit_ok);
  CHECK(s.out.str() == "T three\n");
  for (const auto* name : {"../x", "a/../b", "", "..", "a b", "pod/"})
    CHECK(s.tank({"logs", name}) != exit_ok);
}

TEST_CASE(
    "image prune --all spares the images that manifests name, and stops where it cannot tell") {
  session s;
  const auto tar = s.file("empty.tar", "");
  for (const auto* name : {"a:1", "localhost/other:1"})
    REQUIRE_MESSAGE(s.tank({"image", "import", tar, name}) == exit_ok, s.err.str());
  std::filesystem::create_directories(s.dir.path() / "MANIFEST");
  s.file("MANIFEST/web.yaml", web);
  const auto broken = s.file("MANIFEST/broken.yaml", "apiVersion: v1\nkind: Pod\n");
  CHECK(s.tank({"image", "prune", "--all"}) == exit_failed);
  CHECK(one_line(s.err.str()));
  CHECK(s.err.str().find("broken.yaml") != std::string::npos);
  std::filesystem::remove(broken);
  CHECK(s.tank({"image", "prune", "--all"}) == exit_ok);
  CHECK(s.out.str().find("localhost/other:1 removed") != std::string::npos);
  CHECK(s.tank({"image", "list", "-o", "name"}) == exit_ok);
  CHECK(s.out.str() == "docker.io/library/a:1\n");
}

} // namespace run_test
