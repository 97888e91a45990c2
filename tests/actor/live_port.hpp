/// A kernel whose pods come up and go down by themselves, for instances with real threads: every
/// workload runs until it is signalled or told to end. It outlives its session, and is adopted by
/// the name of its run directory. Thread-safe.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/port.hpp"
#include "tests/actor/cgroup_recorder.hpp"

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <sys/eventfd.h>

namespace tank::testing {

class live_port final : public cgroup_recorder {
  struct pod {
    std::mutex mutex;
    std::deque<kernel::session_event> events;
    unique_fd ready{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    bool deaf = false; ///< no signal ends it but a kill
    kernel::container_info known;
    bool gone = false; ///< the shim is
    bool throws = false;

    void say(kernel::session_event e) {
      const std::lock_guard lock{mutex};
      if (std::holds_alternative<kernel::ready_event>(e)) known.at = kernel::stage::ready;
      if (std::holds_alternative<kernel::built_event>(e)) known.at = kernel::stage::built;
      if (std::holds_alternative<kernel::running_event>(e)) known.at = kernel::stage::running;
      if (const auto* end = std::get_if<kernel::exited_event>(&e)) {
        known.at = kernel::stage::exited;
        known.result = end->code;
      }
      if (const auto* end = std::get_if<kernel::signaled_event>(&e)) {
        known.at = kernel::stage::signaled;
        known.result = end->signal;
      }
      gone = gone || std::holds_alternative<kernel::session_down_event>(e);
      events.push_back(std::move(e));
      ::eventfd_write(ready.get(), 1);
    }
  };

  class live_session final : public kernel::session {
   public:
    live_session(std::shared_ptr<pod> p, pid_t pid) : pod_{std::move(p)}, pid_{pid} {
      const std::lock_guard lock{pod_->mutex};
      name_ = pod_->known.container;
    }
    [[nodiscard]] int poll_fd() const noexcept override { return pod_->ready.get(); }
    result<std::optional<kernel::session_event>> next_event() override {
      const std::lock_guard lock{pod_->mutex};
      if (std::exchange(pod_->throws, false)) throw std::runtime_error{"on purpose"};
      if (pod_->events.empty()) {
        eventfd_t count = 0;
        ::eventfd_read(pod_->ready.get(), &count);
        return std::nullopt;
      }
      auto e = std::move(pod_->events.front());
      pod_->events.pop_front();
      return e;
    }
    result<void> create(const kernel::launch_plan& plan) override {
      name_ = plan.container;
      {
        const std::lock_guard lock{pod_->mutex};
        pod_->known.container = name_;
        pod_->known.host_pid = pid_;
        pod_->known.started_ns = 1'000;
        pod_->known.finished_ns = 2'000;
      }
      pod_->say(kernel::ready_event{name_, pid_});
      return {};
    }
    result<void> build(const std::string&) override {
      pod_->say(kernel::built_event{name_});
      return {};
    }
    result<void> proceed(const std::string&) override {
      pod_->say(kernel::running_event{name_, pid_, 1'000});
      return {};
    }
    result<void> abort(const std::string&) override {
      pod_->say(kernel::aborted_event{name_});
      return {};
    }
    result<void> signal(const std::string&, int n) override {
      if (!pod_->deaf) pod_->say(kernel::signaled_event{name_, n, false, 2'000});
      return {};
    }
    result<void> kill(const std::string&) override {
      pod_->say(kernel::signaled_event{name_, 9, false, 2'000});
      return {};
    }
    result<void> pty_listen(const std::string& c, bool) override { return no_terminal(c); }
    result<std::size_t> pty_write(const std::string& c, std::string_view) override {
      return no_terminal(c);
    }
    result<void> pty_resize(const std::string& c, const kernel::window_size&) override {
      return no_terminal(c);
    }
    result<void> shutdown() override {
      pod_->say(kernel::session_down_event{"closed"});
      return {};
    }
    void end() noexcept override { pod_->say(kernel::session_down_event{"killed"}); }
    [[nodiscard]] std::vector<kernel::container_info> info() const override {
      const std::lock_guard lock{pod_->mutex};
      if (pod_->known.container.empty()) return {};
      return {pod_->known};
    }
    [[nodiscard]] std::optional<kernel::session_down_event> down() const override {
      return std::nullopt;
    }
    [[nodiscard]] pid_t shim_pid() const noexcept override { return pid_; }

   private:
    static failure no_terminal(const std::string& c) {
      return fail(errc::conflict, "reach the terminal of", c, "no_pty");
    }
    std::shared_ptr<pod> pod_;
    pid_t pid_;
    std::string name_;
  };

 public:
  bool deaf = false; ///< of the pods that start from now on

  /// Whoever looks for its next event meets an exception, once.
  void throws(const std::string& uid) {
    const std::lock_guard lock{mutex_};
    const std::lock_guard events{pods_.at(uid)->mutex};
    pods_.at(uid)->throws = true;
    ::eventfd_write(pods_.at(uid)->ready.get(), 1);
  }
  /// A workload ends while nobody may be listening.
  void exits(const std::string& uid, int code) {
    const std::lock_guard lock{mutex_};
    pods_.at(uid)->say(kernel::exited_event{pods_.at(uid)->known.container, code, 2'000});
  }

  result<std::unique_ptr<kernel::session>>
  start_session(const kernel::sandbox_spec& sandbox) override {
    const std::lock_guard lock{mutex_};
    auto p = std::make_shared<pod>();
    p->deaf = deaf;
    pods_[sandbox.uid] = p;
    ++starts_;
    return std::make_unique<live_session>(std::move(p), 1000 + starts_);
  }
  result<std::unique_ptr<kernel::session>>
  adopt_session(const std::filesystem::path& run_dir) override {
    const std::lock_guard lock{mutex_};
    const auto it = pods_.find(run_dir.filename());
    if (it == pods_.end() || it->second->gone)
      return fail(errc::not_found, "adopt", run_dir, "nobody listens");
    auto& p = it->second;
    const auto pid = p->known.host_pid;
    {
      const std::lock_guard events{p->mutex};
      p->events.clear(); // what its predecessor had not heard `info` tells
    }
    p->say(kernel::adopted_event{});
    ++adoptions_;
    return std::make_unique<live_session>(p, pid);
  }
  result<void> remove_tree(const std::filesystem::path& path) override {
    std::error_code ec;
    std::filesystem::remove_all(path, ec);
    return {};
  }
  result<void> make_upper(const std::filesystem::path& dir, std::uint32_t) override {
    std::filesystem::create_directories(dir / "upper");
    std::filesystem::create_directories(dir / "work");
    return {};
  }
  result<kernel::seccomp_filter> seccomp(const kernel::seccomp_request&) override {
    return kernel::seccomp_filter{};
  }
  int starts() {
    const std::lock_guard lock{mutex_};
    return starts_;
  }
  int adoptions() {
    const std::lock_guard lock{mutex_};
    return adoptions_;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<pod>> pods_;
  int starts_ = 0;
  int adoptions_ = 0;
};

} // namespace tank::testing
