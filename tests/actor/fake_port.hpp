/// A kernel that records what it is asked for; the test says what happens.
///
/// Each pod's session is found by the uid of its sandbox. A test queues events with `happen` and
/// tells the owner by sending it fd_ready for the subscription (fake_fds below).
#pragma once

#include "actors/poller.hpp"
#include "kernel/port.hpp"
#include "tests/actor/cgroup_recorder.hpp"

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tank::testing {

/// What a fake session was asked and what it will say; outlives the session.
struct session_script {
  std::vector<std::string> calls; ///< "create main", "signal main 15", ...
  std::deque<kernel::session_event> events;
  std::map<std::string, error> refusals; ///< by verb: answered instead of success
  kernel::launch_plan plan;              ///< of create
  kernel::sandbox_spec sandbox;
  std::map<std::string, kernel::container_info> known; ///< as of the events handed out
  std::optional<kernel::session_down_event> down;      ///< the same
  bool alive = true;                                   ///< the session object exists
  int fd = -1;

  // a terminal, when `tty`
  bool tty = false;
  bool listening = false;
  std::string typed;                  ///< what pty_write took
  std::size_t room = ~std::size_t{0}; ///< how much it still takes
  kernel::window_size window;

  /// What the session knows once this event was read, as the real one does.
  void note(const kernel::session_event& e) {
    using namespace kernel;
    const auto at = [&](const auto& event, stage s) -> container_info& {
      auto& info = known[event.container];
      info.container = event.container;
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
    else if (const auto* gone = std::get_if<session_down_event>(&e))
      down = *gone;
  }

 private:
  static void set_end(kernel::container_info& info, int result, std::int64_t finished_ns) {
    info.result = result;
    info.finished_ns = finished_ns;
  }
};

class fake_session final : public kernel::session {
 public:
  explicit fake_session(std::shared_ptr<session_script> script) : script_(std::move(script)) {}
  ~fake_session() override { script_->alive = false; }

  [[nodiscard]] int poll_fd() const noexcept override { return script_->fd; }
  result<std::optional<kernel::session_event>> next_event() override {
    if (script_->events.empty()) return std::nullopt;
    auto e = std::move(script_->events.front());
    script_->events.pop_front();
    script_->note(e);
    return e;
  }
  result<void> create(const kernel::launch_plan& plan) override {
    script_->plan = plan;
    return call("create", plan.container);
  }
  result<void> build(const std::string& c) override { return call("build", c); }
  result<void> proceed(const std::string& c) override { return call("proceed", c); }
  result<void> abort(const std::string& c) override { return call("abort", c); }
  result<void> signal(const std::string& c, int n) override {
    return call("signal", c + " " + std::to_string(n));
  }
  result<void> kill(const std::string& c) override { return call("kill", c); }
  result<void> pty_listen(const std::string& c, bool on) override {
    TANK_TRY(call(on ? "listen" : "unlisten", c));
    TANK_TRY(terminal(c));
    script_->listening = on;
    return {};
  }
  result<std::size_t> pty_write(const std::string& c, std::string_view bytes) override {
    TANK_TRY(terminal(c));
    const auto n = std::min(bytes.size(), script_->room);
    script_->typed.append(bytes, 0, n);
    script_->room -= n;
    return n;
  }
  result<void> pty_resize(const std::string& c, const kernel::window_size& size) override {
    TANK_TRY(terminal(c));
    script_->window = size;
    return {};
  }
  result<void> shutdown() override { return call("shutdown", ""); }
  void end() noexcept override { script_->calls.emplace_back("end"); }
  [[nodiscard]] std::vector<kernel::container_info> info() const override {
    std::vector<kernel::container_info> all;
    for (const auto& [name, info] : script_->known)
      all.push_back(info);
    return all;
  }
  [[nodiscard]] std::optional<kernel::session_down_event> down() const override {
    return script_->down;
  }
  [[nodiscard]] pid_t shim_pid() const noexcept override { return 1000; }

 private:
  [[nodiscard]] result<void> terminal(const std::string& c) const {
    const auto at = script_->known[c].at;
    const char* why = script_->down || kernel::is_terminal(at) ? "no_process"
                      : !script_->tty                          ? "no_pty"
                      : at != kernel::stage::running           ? "not_running"
                                                               : nullptr;
    if (why != nullptr) return fail(errc::conflict, "reach the terminal of", c, why);
    return {};
  }
  result<void> call(const std::string& verb, const std::string& what) {
    script_->calls.push_back(what.empty() ? verb : verb + " " + what);
    if (const auto it = script_->refusals.find(verb); it != script_->refusals.end())
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
    if (!s) {
      s = std::make_shared<session_script>();
      s->fd = next_fd_++;
    }
    return s;
  }
  std::optional<error> refuse_start; ///< answered to every start_session
  std::vector<std::string> removed;
  int adoptions = 0;       ///< tried
  bool shims_live = false; ///< and are adopted; else nobody listens

  result<std::unique_ptr<kernel::session>>
  start_session(const kernel::sandbox_spec& sandbox) override {
    if (refuse_start) return failure{*refuse_start};
    auto s = of(sandbox.uid);
    s->sandbox = sandbox;
    s->calls.emplace_back("start");
    return std::make_unique<fake_session>(s);
  }
  result<std::unique_ptr<kernel::session>>
  adopt_session(const std::filesystem::path& run_dir) override {
    ++adoptions;
    if (shims_live) {
      auto s = of(run_dir.filename());
      s->down.reset();
      return std::make_unique<fake_session>(s);
    }
    return fail(errc::not_found, "adopt", run_dir, "nobody listens");
  }
  result<void> remove_tree(const std::filesystem::path& path) override {
    removed.push_back(path);
    return {};
  }
  result<void> make_upper(const std::filesystem::path&, std::uint32_t) override { return {}; }
  result<kernel::seccomp_filter> seccomp(const kernel::seccomp_request&) override {
    return kernel::seccomp_filter{};
  }

 private:
  std::map<std::string, std::shared_ptr<session_script>> scripts_;
  int next_fd_ = 1000;
};

/// Descriptors that are never really polled: the test sends fd_ready{id_of(fd)} itself.
class fake_fds final : public fd_source {
 public:
  result<fd_subscription> watch(int fd, std::uint32_t, const caf::actor& owner) override {
    if (refuse) return failure{*refuse};
    if (core_->by_fd.count(fd) > 0) return fail(errc::exists, "watch", std::to_string(fd), "twice");
    const auto id = core_->next++;
    core_->by_fd[fd] = id;
    owners_[fd] = owner.address();
    return fd_subscription{core_, id};
  }
  /// Empty when nobody watches it, or when it has ended.
  caf::actor owner_of(int fd) const {
    if (id_of(fd) == 0) return {};
    return caf::actor_cast<caf::actor>(owners_.at(fd));
  }
  /// 0 when nobody watches it.
  std::uint64_t id_of(int fd) const {
    const auto it = core_->by_fd.find(fd);
    return it == core_->by_fd.end() ? 0 : it->second;
  }
  [[nodiscard]] std::vector<std::uint64_t> ids() const {
    std::vector<std::uint64_t> out;
    for (const auto& [fd, id] : core_->by_fd)
      out.push_back(id);
    return out;
  }
  [[nodiscard]] std::size_t watched() const { return core_->by_fd.size(); }
  std::optional<error> refuse;

 private:
  struct core final : detail::fd_registry {
    std::map<int, std::uint64_t> by_fd;
    std::uint64_t next = 1;
    result<void> rearm(std::uint64_t, std::uint32_t) override { return {}; }
    void forget(std::uint64_t id) noexcept override {
      std::erase_if(by_fd, [&](const auto& e) { return e.second == id; });
    }
  };
  std::shared_ptr<core> core_ = std::make_shared<core>();
  std::map<int, caf::actor_addr> owners_; ///< weak: the last one of each
};

} // namespace tank::testing
