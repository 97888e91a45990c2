#include "cli/screen.hpp"
#include "cli/tables.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

namespace screen_test {

using namespace tank;
using namespace tank::cli;

namespace {

pod_status pod(const std::string& name, pod_state state) {
  pod_status p;
  p.key = "default/" + name;
  p.state = state;
  p.host_pid = state == pod_state::running ? 4711 : 0;
  container_status c;
  c.name = "web";
  c.state = p.host_pid != 0 ? container_phase::running : container_phase::waiting;
  p.containers.push_back(std::move(c));
  return p;
}

instance::view view(std::vector<pod_status> pods) {
  instance::view v;
  v.pods = std::move(pods);
  v.synced = true;
  return v;
}

struct terminal {
  std::ostringstream out;
  std::ostringstream err;
  cli_context context{out, err};

  explicit terminal(bool tty) {
    context.out_is_tty = tty;
    context.out_fd = -1; // 80 x 24 then
    context.realtime_ns = [] { return std::int64_t{0}; };
  }
  std::string said() {
    auto text = out.str();
    out.str("");
    return text;
  }
};

} // namespace

TEST_CASE("without a terminal each change is one line, and nothing is said twice") {
  terminal t{false};
  screen s{t.context};
  s.show(view({pod("a", pod_state::starting)}));
  CHECK(t.said() == "pod/a starting\n");
  s.show(view({pod("a", pod_state::starting)}));
  CHECK(t.said().empty());
  s.show(view({pod("a", pod_state::running)}));
  CHECK(t.said() == "pod/a running, pid 4711\nthe pod is up\n");
  auto ending = pod("a", pod_state::running);
  ending.host_pid = 0;
  s.show(view({ending}));
  CHECK(t.said().empty());
  s.show(view({}));
  CHECK(t.said() == "pod/a is gone\n");
}

TEST_CASE("a table is drawn over the last one, and only when it changed") {
  terminal t{true};
  {
    screen s{t.context};
    CHECK(t.said() == "\x1b[?25l");
    s.show(view({pod("a", pod_state::starting)}));
    const auto first = t.said();
    CHECK(first.find("\x1b[2A") == std::string::npos);
    s.show(view({pod("a", pod_state::starting)}));
    CHECK(t.said().empty());
    s.show(view({pod("a", pod_state::running)}));
    CHECK(t.said().starts_with("\r\x1b[2A\x1b[J")); // head and one pod
    s.say("a line that stays");
    const auto said = t.said();
    CHECK(said.starts_with("\r\x1b[2A\x1b[Ja line that stays\n"));
    CHECK(said.find("Running") != std::string::npos);
    s.resized();
    s.show(view({pod("a", pod_state::running)}));
    CHECK_FALSE(t.said().empty());
  }
  CHECK(t.said() == "\x1b[?25h");
}

TEST_CASE("what is wrong with the files is said once") {
  terminal t{false};
  screen s{t.context};
  auto v = view({});
  v.files.push_back({"x.yaml", {}, {}, {"x.yaml:1:1: bad\x1b[2J"}, {}, false});
  s.show(v);
  CHECK(t.said() == "x.yaml:1:1: bad\\x1b[2J\n");
  s.show(v);
  CHECK(t.said().empty());
}

TEST_CASE("a table higher than the terminal ends in dots") {
  terminal t{true};
  screen s{t.context};
  std::vector<pod_status> pods;
  for (int i = 0; i < 100; ++i)
    pods.push_back(pod("p" + std::to_string(i), pod_state::running));
  t.said();
  s.show(view(pods));
  const auto text = t.said();
  CHECK(std::count(text.begin(), text.end(), '\n') == 23);
  CHECK(text.find("...\n") != std::string::npos);
}

} // namespace screen_test
