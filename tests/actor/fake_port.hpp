/// A kernel that records what it is asked for; the test says what happens.
///
/// Each pod's session is found by the uid of its sandbox. A test queues events with `happen` and
/// tells the owner by sending it fd_ready for the subscription (fake_fds below).
#pragma once

#include "actors/poller.hpp"
#include "kernel/port.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tank::testing {

/// What a fake session was asked and what it will say; outlives the session.
struct session_script {
  std::vector<std::string> calls; ///< "create main", "signal main 15", ...
  std::deque<kernel::session_event> events;
  std::map<std::string, error> refusals; ///< by verb: answered instead of success
  kernel::launch_plan plan;              ///< of create
  kernel::sandbox_spec sandbox;
  bool alive = true; ///< the session object exists
  int fd = -1;
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
  result<void> shutdown() override { return call("shutdown", ""); }
  void end() noexcept override { script_->calls.emplace_back("end"); }
  [[nodiscard]] std::vector<kernel::container_info> info() const override { return {}; }
  [[nodiscard]] pid_t shim_pid() const noexcept override { return 1000; }

 private:
  result<void> call(const std::string& verb, const std::string& what) {
    script_->calls.push_back(what.empty() ? verb : verb + " " + what);
    if (const auto it = script_->refusals.find(verb); it != script_->refusals.end())
      return failure{it->second};
    return {};
  }
  std::shared_ptr<session_script> script_;
};

class fake_port final : public kernel::port {
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
    return fail(errc::not_found, "adopt", run_dir, "nobody listens");
  }
  result<void> remove_tree(const std::filesystem::path& path) override {
    removed.push_back(path);
    return {};
  }
  result<void> make_upper(const std::filesystem::path&) override { return {}; }
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
  result<fd_subscription> watch(int fd, std::uint32_t, const caf::actor&) override {
    if (refuse) return failure{*refuse};
    const auto id = core_->next++;
    core_->by_fd[fd] = id;
    return fd_subscription{core_, id};
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
};

} // namespace tank::testing
