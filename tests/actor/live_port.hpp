/// A kernel whose pods come up and go down by themselves, for instances with real threads: every
/// workload runs until it is signalled or told to end. It outlives its session, and is adopted by
/// the name of its run directory. Thread-safe.
#pragma once

#include "base/unique_fd.hpp"
#include "kernel/port.hpp"
#include "tests/actor/cgroup_recorder.hpp"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <sys/eventfd.h>

namespace tank::testing {

class live_port final : public cgroup_recorder {
  struct pod {
    std::mutex mutex;
    std::deque<kernel::session_event> events;
    unique_fd ready{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    bool deaf = false;                                        ///< no signal ends it but a kill
    std::map<kernel::instance, kernel::container_info> known; ///< the last attempt of each
    bool gone = false;                                        ///< the shim is
    bool throws = false;
    pid_t pid = 0;

    void say(kernel::session_event e) {
      const std::lock_guard lock{mutex};
      note(e, kernel::stage::starting);
      gone = gone || std::holds_alternative<kernel::session_down_event>(e);
      events.push_back(std::move(e));
      ::eventfd_write(ready.get(), 1);
    }

   private:
    void note(const kernel::session_event& e, kernel::stage at) {
      kernel::instance who;
      int result = 0;
      if (const auto* ready_now = std::get_if<kernel::ready_event>(&e))
        who = ready_now->who, at = kernel::stage::ready;
      else if (const auto* built = std::get_if<kernel::built_event>(&e))
        who = built->who, at = kernel::stage::built;
      else if (const auto* running = std::get_if<kernel::running_event>(&e))
        who = running->who, at = kernel::stage::running;
      else if (const auto* exited = std::get_if<kernel::exited_event>(&e))
        who = exited->who, at = kernel::stage::exited, result = exited->code;
      else if (const auto* signaled = std::get_if<kernel::signaled_event>(&e))
        who = signaled->who, at = kernel::stage::signaled, result = signaled->signal;
      else
        return;
      known[who].at = at;
      known[who].result = result;
    }
  };

  class live_session final : public kernel::session {
   public:
    explicit live_session(std::shared_ptr<pod> p) : pod_{std::move(p)} {}
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
    /// The first container's process has the pid of its pod, the others have those behind it.
    result<void> create(const kernel::launch_plan& plan) override {
      const auto who = kernel::instance_of(plan);
      pid_t pid = 0;
      {
        const std::lock_guard lock{pod_->mutex};
        std::erase_if(pod_->known,
                      [&](const auto& k) { return k.first.container == who.container; });
        pid = pod_->pid + 10'000 * static_cast<pid_t>(pod_->known.size());
        pod_->known[who] = {.who = who, .host_pid = pid, .started_ns = 1'000, .finished_ns = 2'000};
      }
      pod_->say(kernel::ready_event{who, pid});
      return {};
    }
    result<void> build(const kernel::instance& who) override {
      pod_->say(kernel::built_event{who});
      return {};
    }
    result<void> proceed(const kernel::instance& who) override {
      pod_->say(kernel::running_event{who, pid_of(who), 1'000});
      return {};
    }
    result<void> abort(const kernel::instance& who) override {
      pod_->say(kernel::aborted_event{who});
      return {};
    }
    result<void> signal(const kernel::instance& who, int n) override {
      if (!pod_->deaf) pod_->say(kernel::signaled_event{who, n, false, 2'000});
      return {};
    }
    result<void> kill(const kernel::instance& who) override {
      pod_->say(kernel::signaled_event{who, 9, false, 2'000});
      return {};
    }
    result<void> open_terminal(const kernel::instance& who, const kernel::window_size&) override {
      pod_->say(kernel::refused_event{who, kernel::request::open_terminal, kernel::refusal::no_pty,
                                      0, ""});
      return {};
    }
    result<void> shutdown() override {
      pod_->say(kernel::session_down_event{"closed"});
      return {};
    }
    void end() noexcept override { pod_->say(kernel::session_down_event{"killed"}); }
    [[nodiscard]] std::vector<kernel::container_info> info() const override {
      const std::lock_guard lock{pod_->mutex};
      std::vector<kernel::container_info> all;
      for (const auto& [who, info] : pod_->known)
        all.push_back(info);
      return all;
    }
    [[nodiscard]] std::optional<kernel::session_down_event> down() const override {
      return std::nullopt;
    }
    [[nodiscard]] pid_t shim_pid() const noexcept override { return pod_->pid; }

   private:
    pid_t pid_of(const kernel::instance& who) const {
      const std::lock_guard lock{pod_->mutex};
      return pod_->known[who].host_pid;
    }
    std::shared_ptr<pod> pod_;
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
  /// The workload of a container ends while nobody may be listening.
  void exits(const std::string& uid, int code, const std::string& container = "main") {
    const std::lock_guard lock{mutex_};
    const auto& known = pods_.at(uid)->known;
    const auto it = std::find_if(known.begin(), known.end(),
                                 [&](const auto& k) { return k.first.container == container; });
    const auto who = it->first;
    pods_.at(uid)->say(kernel::exited_event{who, code, 2'000});
  }

  result<std::unique_ptr<kernel::session>>
  start_session(const kernel::sandbox_spec& sandbox) override {
    const std::lock_guard lock{mutex_};
    auto p = std::make_shared<pod>();
    p->deaf = deaf;
    pods_[sandbox.uid] = p;
    p->pid = 1000 + ++starts_;
    p->say(kernel::sandbox_ready_event{2, nullptr});
    return std::make_unique<live_session>(std::move(p));
  }
  result<std::unique_ptr<kernel::session>>
  adopt_session(const std::filesystem::path& run_dir) override {
    const std::lock_guard lock{mutex_};
    const auto it = pods_.find(run_dir.filename());
    if (it == pods_.end() || it->second->gone)
      return fail(errc::not_found, "adopt", run_dir, "nobody listens");
    auto& p = it->second;
    {
      const std::lock_guard events{p->mutex};
      p->events.clear(); // what its predecessor had not heard `info` tells
    }
    p->say(kernel::sandbox_ready_event{2, nullptr});
    p->say(kernel::adopted_event{});
    ++adoptions_;
    return std::make_unique<live_session>(p);
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
  result<void> make_directory(const std::filesystem::path& path, mode_t) override {
    std::filesystem::create_directories(path);
    return {};
  }
  result<void> make_empty_dir(const std::filesystem::path& path, mode_t, std::uint32_t,
                              std::uint32_t) override {
    std::filesystem::create_directories(path);
    return {};
  }
  result<void> write_pod_file(const std::filesystem::path& dir, const std::string& name,
                              std::string_view text, std::uint32_t, std::uint32_t) override {
    std::ofstream(dir / name) << text;
    return {};
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
