/// A kernel that records what it is asked for; the test says what happens.
///
/// Each pod's session is found by the uid of its sandbox. A test says events with
/// session_script::say; fake_fds (fake_sources.hpp) tells who waits for them.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/port.hpp"
#include "tests/actor/cgroup_recorder.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <doctest/doctest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace tank::testing {

/// "web" for the first attempt, "web/1" for the next one.
inline std::string short_name(const kernel::instance& who) {
  return who.attempt == 0 ? who.container : who.container + "/" + std::to_string(who.attempt);
}

/// What a fake session was asked and what it will say; outlives the session, as a shim does.
struct session_script {
  std::vector<std::string> calls;         ///< "create main", "signal main/1 15", "shutdown", ...
  std::deque<kernel::session_event> said; ///< and not read yet
  /// By verb, or by the whole call: answered instead of success.
  std::map<std::string, error> refusals;
  std::function<void(const std::string& call)> on_call; ///< before it is answered
  std::map<kernel::instance, kernel::launch_plan> plans;
  kernel::sandbox_spec sandbox;
  /// As of the events handed out. A new attempt takes the place of the one before, as in a shim.
  std::map<kernel::instance, kernel::container_info> known;
  std::optional<kernel::session_down_event> down; ///< the same
  bool alive = true;                              ///< the session object exists
  std::uint32_t protocol = 2;
  const unique_fd readable{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  std::set<std::string> ttys; ///< containers that have a terminal
  /// The shim's ends of the streams that were opened last, by container.
  std::map<std::string, unique_fd> terminals;
  bool hold_terminals = false; ///< answers to open_terminal wait in `held`
  std::vector<kernel::session_event> held;

  /// The shim says something. What ends a container ends its terminal, as the end of the shim does.
  void say(kernel::session_event e) {
    std::visit(
        [this](const auto& event) {
          using type = std::decay_t<decltype(event)>;
          if constexpr (std::is_same_v<type, kernel::session_down_event>) {
            if (!event.shim_lives) terminals.clear();
          } else if constexpr (std::is_same_v<type, kernel::exited_event> ||
                               std::is_same_v<type, kernel::signaled_event>) {
            terminals.erase(event.who.container);
          }
        },
        e);
    said.push_back(std::move(e));
    ::eventfd_write(readable.get(), 1);
  }
  void answer_held() {
    for (auto& e : std::exchange(held, {}))
      say(std::move(e));
  }

  std::optional<kernel::session_event> next() {
    if (said.empty()) {
      eventfd_t count = 0;
      static_cast<void>(::eventfd_read(readable.get(), &count));
      return std::nullopt;
    }
    auto e = std::move(said.front());
    said.pop_front();
    note(e);
    return e;
  }

  /// What the session knows once this event was read, as the real one does.
  void note(const kernel::session_event& e) {
    using namespace kernel;
    const auto at = [&](const auto& event, stage s) -> container_info& {
      auto& info = known[event.who];
      info.who = event.who;
      info.at = s;
      return info;
    };
    if (const auto* ready = std::get_if<ready_event>(&e))
      at(*ready, stage::ready).host_pid = ready->host_pid;
    else if (const auto* built = std::get_if<built_event>(&e))
      at(*built, stage::built);
    else if (const auto* running = std::get_if<running_event>(&e))
      at(*running, stage::running).started_ns = running->started_ns;
    else if (const auto* exited = std::get_if<exited_event>(&e))
      set_end(at(*exited, stage::exited), exited->code, exited->finished_ns);
    else if (const auto* signaled = std::get_if<signaled_event>(&e))
      set_end(at(*signaled, stage::signaled), signaled->signal, signaled->finished_ns);
    else if (const auto* aborted = std::get_if<aborted_event>(&e))
      at(*aborted, stage::aborted);
    else if (const auto* failed = std::get_if<failed_event>(&e))
      at(*failed, stage::failed).step = failed->step;
    else if (const auto* no = std::get_if<refused_event>(&e); no && no->about == request::create)
      known.erase(no->who);
    else if (const auto* gone = std::get_if<session_down_event>(&e))
      down = *gone;
  }

 private:
  static void set_end(kernel::container_info& info, int result, std::int64_t finished_ns) {
    info.result = result;
    info.finished_ns = finished_ns;
  }
};

/// Refuses by what it knows, as the real one does.
class fake_session final : public kernel::session {
 public:
  explicit fake_session(std::shared_ptr<session_script> script) : script_(std::move(script)) {
    script_->alive = true;
  }
  ~fake_session() override { script_->alive = false; }

  [[nodiscard]] int poll_fd() const noexcept override { return script_->readable.get(); }
  result<std::optional<kernel::session_event>> next_event() override { return script_->next(); }
  result<void> create(const kernel::launch_plan& plan) override {
    const auto who = kernel::instance_of(plan);
    TANK_TRY(call("create", short_name(who)));
    for (const auto& [other, info] : script_->known)
      if (other.container == who.container &&
          (!kernel::is_terminal(info.at) || other.attempt >= who.attempt))
        return fail(errc::exists, "create", to_string(who), "an attempt of that name is there");
    std::erase_if(script_->known,
                  [&](const auto& k) { return k.first.container == who.container; });
    script_->known[who].who = who;
    script_->plans[who] = plan;
    return {};
  }
  result<void> build(const kernel::instance& who) override {
    return ask(kernel::request::build, "build", who);
  }
  result<void> proceed(const kernel::instance& who) override {
    return ask(kernel::request::proceed, "proceed", who);
  }
  result<void> abort(const kernel::instance& who) override {
    return ask(kernel::request::abort, "abort", who);
  }
  result<void> signal(const kernel::instance& who, int n) override {
    return ask(kernel::request::signal, "signal", who, " " + std::to_string(n));
  }
  result<void> kill(const kernel::instance& who) override {
    return ask(kernel::request::kill, "kill", who);
  }
  result<void> open_terminal(const kernel::instance& who, const kernel::window_size&) override {
    TANK_TRY(call("open", short_name(who)));
    auto answer = open(who);
    if (script_->hold_terminals)
      script_->held.push_back(std::move(answer));
    else
      script_->say(std::move(answer));
    return {};
  }
  result<void> shutdown() override { return call("shutdown", ""); }
  void end() noexcept override { script_->calls.emplace_back("end"); }
  [[nodiscard]] std::vector<kernel::container_info> info() const override {
    std::vector<kernel::container_info> all;
    for (const auto& [who, info] : script_->known)
      all.push_back(info);
    return all;
  }
  [[nodiscard]] std::optional<kernel::session_down_event> down() const override {
    return script_->down;
  }
  [[nodiscard]] pid_t shim_pid() const noexcept override { return 1000; }

 private:
  kernel::session_event open(const kernel::instance& who) {
    const auto it = script_->known.find(who);
    const auto why = it == script_->known.end() || kernel::is_terminal(it->second.at)
                         ? kernel::refusal::no_process
                     : !script_->ttys.contains(who.container)  ? kernel::refusal::no_pty
                     : it->second.at != kernel::stage::running ? kernel::refusal::not_running
                                                               : kernel::refusal::none;
    if (why != kernel::refusal::none)
      return kernel::refused_event{who, kernel::request::open_terminal, why, 0, ""};
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    script_->terminals[who.container] = unique_fd{ends[0]};
    return kernel::terminal_opened_event{who, std::make_shared<const unique_fd>(ends[1])};
  }
  result<void> ask(kernel::request what, const std::string& verb, const kernel::instance& who,
                   const std::string& more = "") {
    TANK_TRY(call(verb, short_name(who) + more));
    const auto it = script_->known.find(who);
    if (it == script_->known.end())
      return fail(errc::not_found, verb, to_string(who), "the pod has no such container");
    const auto judged = kernel::judge(it->second.at, what);
    if (judged.when == kernel::verdict::timing::never)
      return fail(errc::conflict, verb, to_string(who), std::string{to_string(judged.why)});
    return {};
  }
  result<void> call(const std::string& verb, const std::string& what) {
    const auto whole = what.empty() ? verb : verb + " " + what;
    script_->calls.push_back(whole);
    if (script_->on_call) script_->on_call(whole);
    for (const auto& key : {verb, whole})
      if (const auto it = script_->refusals.find(key); it != script_->refusals.end())
        return failure{it->second};
    return {};
  }
  std::shared_ptr<session_script> script_;
};

class fake_port final : public cgroup_recorder {
 public:
  /// The script of a pod, made when first asked for: set refusals before the pod starts.
  std::shared_ptr<session_script> of(const std::string& uid) {
    auto& s = scripts_[uid];
    if (!s) s = std::make_shared<session_script>();
    return s;
  }
  std::optional<error> refuse_start; ///< answered to every start_session
  std::optional<error> refuse_adopt; ///< answered to every adopt_session
  std::vector<std::string> removed;
  int adoptions = 0;       ///< tried
  bool shims_live = false; ///< and are adopted; else nobody listens

  /// Its first event is said already.
  result<std::unique_ptr<kernel::session>>
  start_session(const kernel::sandbox_spec& sandbox) override {
    if (refuse_start) return failure{*refuse_start};
    auto s = of(sandbox.uid);
    s->sandbox = sandbox;
    s->calls.emplace_back("start");
    s->say(kernel::sandbox_ready_event{s->protocol, nullptr});
    return std::make_unique<fake_session>(s);
  }
  /// The adopted_event is the test's to say.
  result<std::unique_ptr<kernel::session>>
  adopt_session(const std::filesystem::path& run_dir) override {
    ++adoptions;
    if (refuse_adopt) return failure{*refuse_adopt};
    if (!shims_live) return fail(errc::not_found, "adopt", run_dir, "nobody listens");
    auto s = of(run_dir.filename());
    s->down.reset();
    s->said.clear(); // what its predecessor has not heard `info` tells
    s->say(kernel::sandbox_ready_event{s->protocol, nullptr});
    return std::make_unique<fake_session>(s);
  }
  result<void> remove_tree(const std::filesystem::path& path) override {
    removed.push_back(path);
    return {};
  }

 private:
  std::map<std::string, std::shared_ptr<session_script>> scripts_;
};

} // namespace tank::testing
