#include "api/api.hpp"

#include "actors/messages.hpp"
#include "actors/role.hpp"
#include "api/api_protocol.hpp"
#include "api/pod_usage.hpp"
#include "tests/actor/test_messages.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

namespace api_test {

using namespace tank;
namespace fs = std::filesystem;

namespace {

using tank::testing::add_pod;

pod_status named(const std::string& key) {
  pod_status p;
  p.key = key;
  p.uid = "uid-of-" + key;
  if (key == "default/web" || key == "default/gone") p.host_pid = 4711;
  return p;
}

/// Stands for the reconciler: a list, and one watcher.
class stub_reconciler final : public role {
 public:
  explicit stub_reconciler(caf::actor_config& cfg) : role(cfg) {}
  caf::behavior make_behavior() override {
    return {
        [this](const list_pods&) { return pod_list{pods_}; },
        [](const get_pod& m) -> caf::result<pod_status> {
          if (m.key == "default/web") return named(m.key);
          return to_error(error{errc::not_found, 0, "get", m.key, "no such pod", {}});
        },
        [](const restart_pod& m) { return named(m.key); },
        [this](const watch_pods& m) { watcher_ = m.to; },
        [this](const add_pod& m) {
          pods_.push_back(named(m.key));
          compat::send(this, watcher_, pod_changed{pods_.back()});
        },
    };
  }
  void on_exit() override { watcher_ = nullptr; }

 private:
  std::vector<pod_status> pods_{named("default/web")};
  caf::actor watcher_;
};

class stub_watcher final : public role {
 public:
  explicit stub_watcher(caf::actor_config& cfg) : role(cfg) {}
  caf::behavior make_behavior() override {
    return {[](const get_files&) {
      return file_list{{file_status{.file = "/m/a.yaml", .errors = {"wrong"}}}};
    }};
  }
};

struct socket_dir {
  fs::path root;
  socket_dir() {
    std::string name = (fs::temp_directory_path() / "tank-api-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
  }
  ~socket_dir() { fs::remove_all(root); }
};

/// Talks as a program without our library would. The time limit only keeps a broken build from
/// hanging.
class peer {
 public:
  explicit peer(const fs::path& socket) : fd_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, socket.c_str());
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  bool say(std::string_view text) {
    while (!text.empty()) {
      const auto n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// One line; empty: the server has closed, or said nothing in time.
  std::string hear() {
    for (;;) {
      if (const auto end = rest_.find('\n'); end != std::string::npos) {
        auto line = rest_.substr(0, end);
        rest_.erase(0, end + 1);
        return line;
      }
      std::array<char, 4096> buffer;
      const auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
      closed = n == 0 || (n < 0 && errno == ECONNRESET);
      if (n <= 0) return {};
      rest_.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  std::string ask(const std::string& line) {
    REQUIRE(say(line + "\n"));
    return hear();
  }
  bool closed = false;

 private:
  unique_fd fd_;
  std::string rest_;
};

struct world {
  socket_dir dir;
  fs::path socket = dir.root / "tank.sock";
  std::shared_ptr<fd_source> fds = *poller::create();
  system_config config;
  caf::actor_system sys{config};
  caf::actor reconciler = sys.spawn<stub_reconciler>();
  caf::actor watcher = sys.spawn<stub_watcher>();
  caf::actor server;
  std::shared_ptr<std::vector<std::string>> usage_reads =
      std::make_shared<std::vector<std::string>>();

  static result<kernel::cgroup_stats> answer_usage(const std::string& uid) {
    if (uid == "uid-of-default/gone") return fail(errc::not_found, "open cgroup", uid, "none");
    return kernel::cgroup_stats{.cpu_us = 1000, .memory = 4096};
  }

  world(std::size_t max_clients = 256) {
    auto listener = listen_control_socket(socket);
    REQUIRE(listener.has_value());
    server = spawn_api(sys, {.listener = std::make_shared<const unique_fd>(*std::move(listener)),
                             .fds = fds,
                             .reconciler = [a = reconciler] { return a; },
                             .watcher = [a = watcher] { return a; },
                             .version = "1.2",
                             .jobs = std::make_shared<inline_runner>(),
                             .read_usage =
                                 [read = usage_reads](const std::string& uid) {
                                   read->push_back(uid);
                                   return answer_usage(uid);
                                 },
                             .monotonic_ns = [] { return std::int64_t{42}; },
                             .max_clients = max_clients});
  }
  ~world() {
    for (auto* a : {&server, &reconciler, &watcher}) {
      compat::send_exit(*a, caf::make_error(caf::exit_reason::kill));
      *a = nullptr;
    }
  }
};

} // namespace

TEST_CASE("each verb is answered, in one conversation") {
  world w;
  peer p{w.socket};
  CHECK(p.ask(R"({"verb":"version"})").starts_with(R"({"ok":true,"version":"1.2","pid":)"));
  const auto pods = api::decode_pods(p.ask(R"({"verb":"pods"})"));
  REQUIRE(pods.has_value());
  REQUIRE(pods->size() == 1);
  CHECK(pods->at(0).key == "default/web");
  CHECK(api::decode_pods(p.ask(R"({"verb":"pods","key":"default/web"})"))->size() == 1);
  const auto none = api::decode_pods(p.ask(R"({"verb":"pods","key":"default/no"})"));
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().code == errc::not_found);
  CHECK(none.error().message() == "cannot get 'default/no': no such pod");
  const auto files = api::decode_files(p.ask(R"({"verb":"files"})"));
  REQUIRE(files.has_value());
  CHECK(files->at(0).errors == std::vector<std::string>{"wrong"});
  CHECK(api::decode_ok(p.ask(R"({"verb":"restart","key":"default/web"})")).has_value());
}

TEST_CASE("cgroups are read when somebody asks, of the pods that run, and at no other time") {
  world w;
  peer p{w.socket};
  CHECK(p.ask(R"({"verb":"pods"})").find("default") != std::string::npos);
  CHECK(w.usage_reads->empty());
  const auto got = api::decode_usage(p.ask(R"({"verb":"usage"})"));
  REQUIRE(got.has_value());
  REQUIRE(got->size() == 1);
  CHECK(got->front() == pod_usage{.key = "default/web",
                                  .uid = "uid-of-default/web",
                                  .started_ns = 0,
                                  .at_ns = 42,
                                  .counted = {.cpu_us = 1000, .memory = 4096}});
  compat::anon_send(w.reconciler, add_pod{"default/gone"}); // it has ended since it was listed
  const auto more = api::decode_usage(p.ask(R"({"verb":"usage"})"));
  REQUIRE(more.has_value());
  REQUIRE(more->size() == 2);
  CHECK(more->at(1).key == "default/gone");
  CHECK(more->at(1).counted == kernel::cgroup_stats{});
  compat::anon_send(w.reconciler, add_pod{"default/ended"});
  CHECK(api::decode_usage(p.ask(R"({"verb":"usage"})"))->size() == 2);
}

TEST_CASE("only the owner may connect") {
  world w;
  struct stat st {};
  REQUIRE(::stat(w.socket.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("nonsense is refused in words, and the conversation goes on") {
  world w;
  peer p{w.socket};
  for (const char* line : {"", "hello", "[]", "{}", R"({"verb":"reboot"})", R"({"verb":1})",
                           R"({"verb":"pods","key":7})", R"({"verb":"pods","extra":true})", "\xff"})
    CHECK_MESSAGE(api::decode_ok(p.ask(line)).error().code == errc::invalid, line);
  CHECK(p.ask(R"({"verb":"version"})").find("1.2") != std::string::npos);
}

TEST_CASE("a request in pieces is a request; many in one piece are answered in order") {
  world w;
  peer p{w.socket};
  REQUIRE(p.say(R"({"verb":)"));
  peer other{w.socket}; // served meanwhile
  CHECK(other.ask(R"({"verb":"version"})").find("1.2") != std::string::npos);
  CHECK(p.ask(R"("version"})").find("1.2") != std::string::npos);

  constexpr int many = 20'000;
  std::string text;
  for (int i = 0; i < many; ++i)
    text += i % 100 == 99 ? "{\"verb\":\"pods\"}\n" : "{\"verb\":\"version\"}\n";
  auto sent = std::async(std::launch::async, [&] { return p.say(text); });
  int wrong = 0;
  for (int i = 0; i < many; ++i)
    if ((p.hear().find(i % 100 == 99 ? "items" : "version") == std::string::npos)) ++wrong;
  CHECK(wrong == 0);
  CHECK(sent.get());
}

TEST_CASE("a line without an end ends its connection and no other") {
  world w;
  peer good{w.socket};
  peer bad{w.socket};
  (void)bad.say(std::string(api::max_request + 70'000, 'x'));
  CHECK(bad.hear().empty());
  CHECK(bad.closed);
  CHECK(good.ask(R"({"verb":"version"})").find("1.2") != std::string::npos);
}

TEST_CASE("a client that hangs up in the middle harms nobody") {
  world w;
  for (int i = 0; i < 20; ++i) {
    peer p{w.socket};
    REQUIRE(p.say("{\"verb\":\"pods\"}\n{\"verb\":"));
  }
  peer p{w.socket};
  CHECK(p.ask(R"({"verb":"version"})").find("1.2") != std::string::npos);
}

TEST_CASE("more clients than allowed are turned away") {
  world w{1};
  {
    peer first{w.socket};
    CHECK(first.ask(R"({"verb":"version"})").find("1.2") != std::string::npos);
    peer second{w.socket};
    (void)second.say("{\"verb\":\"version\"}\n");
    CHECK(second.hear().empty());
    CHECK(second.closed);
  }
}

TEST_CASE("a watcher hears the list now and at each change") {
  world w;
  peer p{w.socket};
  CHECK(api::decode_pods(p.ask(R"({"verb":"watch"})"))->size() == 1);
  compat::anon_send(w.reconciler, add_pod{"default/second"});
  const auto after = api::decode_pods(p.hear());
  REQUIRE(after.has_value());
  REQUIRE(after->size() == 2);
  CHECK(after->at(1).key == "default/second");
}

TEST_CASE("a path that is too long for a socket is refused with what to do") {
  const auto refused = listen_control_socket(fs::path{"/tmp"} / std::string(120, 'x'));
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message().find("choose a shorter --run-dir") != std::string::npos);
}

} // namespace api_test
