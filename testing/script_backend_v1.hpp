/// script.hpp's scheduler and clock for CAF >= 1.0, whose own fixture needs its own test runner.
/// Uses a detail namespace of CAF to install them: accepted for tests only.
#pragma once

#include "actors/caf_compat.hpp"

#include <caf/action.hpp>
#include <caf/actor_clock.hpp>
#include <caf/detail/actor_system_access.hpp>
#include <caf/scheduler.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace tank::testing {

/// Time moves only by advance().
class script_clock : public caf::actor_clock {
 public:
  using caf::actor_clock::schedule;
  time_point now() const noexcept override { return now_; }
  caf::disposable schedule(time_point at, caf::action what) override {
    due_.emplace(at, what);
    return std::move(what).as_disposable();
  }
  std::size_t advance(duration_type by) {
    const auto until = now_ + by;
    std::size_t fired = 0;
    while (!due_.empty() && due_.begin()->first <= until) {
      auto [at, what] = *due_.begin();
      due_.erase(due_.begin());
      if (what.disposed()) continue;
      now_ = std::max(now_, at);
      what.run();
      ++fired;
    }
    now_ = until;
    return fired;
  }
  void cancel_all() { due_.clear(); }

 private:
  time_point now_{std::chrono::hours{1}};
  std::multimap<time_point, caf::action> due_;
};

/// Runs nothing by itself; one resume handles one message (max-throughput is 1).
class script_scheduler : public caf::scheduler {
 public:
  void schedule(caf::resumable* what) override { jobs_.push_back(what); }
  void delay(caf::resumable* what) override { jobs_.push_back(what); }
  void start() override {}
  void stop() override { run_all(); }

  bool run(caf::resumable* wanted) {
    const auto it = std::find(jobs_.begin(), jobs_.end(), wanted);
    if (it == jobs_.end()) return false;
    jobs_.erase(it);
    jobs_.push_front(wanted);
    run_front();
    return true;
  }
  void run_all() {
    while (!jobs_.empty())
      run_front();
  }
  [[nodiscard]] std::size_t pending() const { return jobs_.size(); }

 private:
  void run_front() {
    auto* job = jobs_.front();
    jobs_.pop_front();
    if (job->resume(this, 1) == caf::resumable::resume_later)
      jobs_.push_back(job);
    else
      intrusive_ptr_release(job);
  }
  std::deque<caf::resumable*> jobs_;
};

class script_system : public caf::actor_system {
 public:
  struct parts {
    script_clock* clock = nullptr;
    script_scheduler* scheduler = nullptr;
  };
  script_system(caf::actor_system_config& config, parts& made)
      : caf::actor_system(config, &install, &made) {}

 private:
  static void install(caf::actor_system& sys, caf::actor_system_config&, void* into) {
    auto& made = *static_cast<parts*>(into);
    caf::detail::actor_system_access access{sys};
    auto clock = std::make_unique<script_clock>();
    made.clock = clock.get();
    access.clock(std::move(clock));
    auto scheduler = std::make_unique<script_scheduler>();
    made.scheduler = scheduler.get();
    access.scheduler(std::move(scheduler));
  }
};

class script_backend {
  struct config : caf::actor_system_config {
    config() {
      caf::core::init_global_meta_objects(); // a test may have no message types of its own
      set("caf.scheduler.max-throughput", 1);
    }
  };
  config config_;
  script_system::parts parts_;

 public:
  script_system sys{config_, parts_};

  script_backend() = default;
  script_backend(const script_backend&) = delete;
  script_backend& operator=(const script_backend&) = delete;
  ~script_backend() {
    parts_.clock->cancel_all();
    settle();
  }

  std::optional<std::pair<caf::strong_actor_ptr, caf::message>> peek(const caf::actor& to) {
    auto* element = caf::actor_cast<caf::abstract_actor*>(to)->peek_at_next_mailbox_element();
    if (element == nullptr) return std::nullopt;
    return std::pair{element->sender, element->payload};
  }
  bool step(const caf::actor& to) {
    return parts_.scheduler->run(
        dynamic_cast<caf::resumable*>(caf::actor_cast<caf::abstract_actor*>(to)));
  }
  [[nodiscard]] std::size_t pending() { return parts_.scheduler->pending(); }
  void settle() { parts_.scheduler->run_all(); }
  std::size_t advance(std::chrono::nanoseconds by) { return parts_.clock->advance(by); }
};

} // namespace tank::testing
