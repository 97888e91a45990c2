/// A kernel port for tests that fails where it is told to; everything else is the real one's.
#pragma once

#include "kernel/port.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>

#include <signal.h>
#include <unistd.h>

namespace tank::kernel {

/// What goes wrong, and what was called: shared by the port and its sessions. Calls are counted
/// from 0 over all of them, in the order they are made; `info`, `next_event` and the cheap getters
/// do not count. Thread-safe.
class fault_script {
 public:
  /// The call with this number fails and does nothing.
  void fail_call(unsigned number, error with) {
    const std::lock_guard lock{mutex_};
    failing_.emplace(number, std::move(with));
  }
  /// The shim dies right after the call with this number (of a session) was made.
  void kill_shim_after(unsigned number) {
    const std::lock_guard lock{mutex_};
    kill_after_ = number;
  }
  /// Every plan created from now on gets a step that fails with `sys` before the one at `index`
  /// (at its end when it is shorter).
  void fault_step_at(std::size_t index, int sys) {
    const std::lock_guard lock{mutex_};
    step_ = {index, sys};
  }
  /// This process is killed when it comes to the call with this number, before it is made.
  void die_at(unsigned number) {
    const std::lock_guard lock{mutex_};
    die_at_ = number;
  }
  void clear() {
    const std::lock_guard lock{mutex_};
    die_at_.reset();
    failing_.clear();
    kill_after_.reset();
    step_.reset();
    names_.clear();
  }
  /// The calls made so far, by name: what a test iterates over.
  [[nodiscard]] std::vector<std::string> calls() const {
    const std::lock_guard lock{mutex_};
    return names_;
  }

  // --- for the decorators ---
  result<void> enter(const char* call, pid_t* kill_shim = nullptr) {
    const std::lock_guard lock{mutex_};
    const auto number = static_cast<unsigned>(names_.size());
    names_.emplace_back(call);
    if (die_at_ == number) ::kill(::getpid(), SIGKILL);
    if (kill_shim != nullptr && kill_after_ != number) *kill_shim = 0;
    if (const auto it = failing_.find(number); it != failing_.end())
      return tl::make_unexpected(it->second);
    return {};
  }
  launch_plan spoil(launch_plan plan) const {
    const std::lock_guard lock{mutex_};
    if (step_) {
      const auto at = std::min(step_->first, plan.steps.size());
      plan.steps.insert(plan.steps.begin() + static_cast<std::ptrdiff_t>(at),
                        fault_step{step_->second});
    }
    return plan;
  }

 private:
  mutable std::mutex mutex_;
  std::map<unsigned, error> failing_;
  std::optional<unsigned> kill_after_;
  std::optional<unsigned> die_at_;
  std::optional<std::pair<std::size_t, int>> step_;
  std::vector<std::string> names_;
};

class fault_session final : public session {
 public:
  fault_session(std::unique_ptr<session> inner, std::shared_ptr<fault_script> script)
      : inner_(std::move(inner))
      , script_(std::move(script)) {}

  [[nodiscard]] int poll_fd() const noexcept override { return inner_->poll_fd(); }
  result<std::optional<session_event>> next_event() override { return inner_->next_event(); }
  result<void> create(const launch_plan& plan) override {
    return call("create", [&] { return inner_->create(script_->spoil(plan)); });
  }
  result<void> build(const instance& who) override {
    return call("build", [&] { return inner_->build(who); });
  }
  result<void> proceed(const instance& who) override {
    return call("proceed", [&] { return inner_->proceed(who); });
  }
  result<void> abort(const instance& who) override {
    return call("abort", [&] { return inner_->abort(who); });
  }
  result<void> signal(const instance& who, int n) override {
    return call("signal", [&] { return inner_->signal(who, n); });
  }
  result<void> kill(const instance& who) override {
    return call("kill", [&] { return inner_->kill(who); });
  }
  result<void> open_terminal(const instance& who, const window_size& size) override {
    return call("open_terminal", [&] { return inner_->open_terminal(who, size); });
  }
  result<void> shutdown() override {
    return call("shutdown", [&] { return inner_->shutdown(); });
  }
  void end() noexcept override { inner_->end(); } // cannot fail, so no call to count
  [[nodiscard]] std::vector<container_info> info() const override { return inner_->info(); }
  [[nodiscard]] std::optional<kernel::session_down_event> down() const override {
    return inner_->down();
  }
  [[nodiscard]] pid_t shim_pid() const noexcept override { return inner_->shim_pid(); }

 private:
  template <class F>
  std::invoke_result_t<F> call(const char* name, F&& forward) {
    pid_t victim = inner_->shim_pid();
    TANK_TRY(script_->enter(name, &victim));
    auto answer = forward();
    if (victim > 0) ::kill(victim, SIGKILL);
    return answer;
  }

  std::unique_ptr<session> inner_;
  std::shared_ptr<fault_script> script_;
};

class fault_port final : public port {
 public:
  fault_port(std::shared_ptr<port> inner, std::shared_ptr<fault_script> script)
      : inner_(std::move(inner))
      , script_(std::move(script)) {}

  result<std::unique_ptr<session>> start_session(const sandbox_spec& sandbox) override {
    TANK_TRY(script_->enter("start_session"));
    return wrap_session(inner_->start_session(sandbox));
  }
  result<std::unique_ptr<session>> adopt_session(const std::filesystem::path& dir) override {
    TANK_TRY(script_->enter("adopt_session"));
    return wrap_session(inner_->adopt_session(dir));
  }
  result<void> remove_tree(const std::filesystem::path& path) override {
    TANK_TRY(script_->enter("remove_tree"));
    return inner_->remove_tree(path);
  }
  result<void> make_upper(const std::filesystem::path& dir, std::uint32_t owner) override {
    TANK_TRY(script_->enter("make_upper"));
    return inner_->make_upper(dir, owner);
  }
  result<void> make_directory(const std::filesystem::path& path, mode_t mode) override {
    TANK_TRY(script_->enter("make_directory"));
    return inner_->make_directory(path, mode);
  }
  result<void> make_empty_dir(const std::filesystem::path& path, mode_t mode, std::uint32_t uid,
                              std::uint32_t gid) override {
    TANK_TRY(script_->enter("make_empty_dir"));
    return inner_->make_empty_dir(path, mode, uid, gid);
  }
  result<void> write_pod_file(const std::filesystem::path& dir, const std::string& name,
                              std::string_view text, std::uint32_t uid,
                              std::uint32_t gid) override {
    TANK_TRY(script_->enter("write_pod_file"));
    return inner_->write_pod_file(dir, name, text, uid, gid);
  }
  result<std::filesystem::path> resolve_host_path(const std::filesystem::path& path,
                                                  host_path_type type, bool create,
                                                  const untrusted_directory& untrusted) override {
    TANK_TRY(script_->enter("resolve_host_path"));
    return inner_->resolve_host_path(path, type, create, untrusted);
  }
  result<std::vector<device_step>> probe_devices(const std::filesystem::path& dir) override {
    TANK_TRY(script_->enter("probe_devices"));
    return inner_->probe_devices(dir);
  }
  result<void> mount_memory(const std::filesystem::path& dir, const memory_mount& what) override {
    TANK_TRY(script_->enter("mount_memory"));
    return inner_->mount_memory(dir, what);
  }
  result<void> unmount_memory(const std::filesystem::path& dir) override {
    TANK_TRY(script_->enter("unmount_memory"));
    return inner_->unmount_memory(dir);
  }
  result<void> project(const std::filesystem::path& dir, const projection& what) override {
    TANK_TRY(script_->enter("project"));
    return inner_->project(dir, what);
  }
  result<seccomp_filter> compile_filter(const seccomp_request& wanted) override {
    TANK_TRY(script_->enter("compile_filter"));
    return inner_->compile_filter(wanted);
  }
  result<std::vector<std::filesystem::path>> open_cgroups(const cgroup_tree& tree,
                                                          const std::string& instance) override {
    TANK_TRY(script_->enter("open_cgroups"));
    return inner_->open_cgroups(tree, instance);
  }
  result<void> make_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) override {
    TANK_TRY(script_->enter("make_cgroup"));
    return inner_->make_cgroup(tree, pod);
  }
  result<void> update_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) override {
    TANK_TRY(script_->enter("update_cgroup"));
    return inner_->update_cgroup(tree, pod);
  }
  result<void> remove_cgroup(const cgroup_tree& tree, const std::filesystem::path& name) override {
    TANK_TRY(script_->enter("remove_cgroup"));
    return inner_->remove_cgroup(tree, name);
  }
  result<cgroup_stats> read_cgroup(const cgroup_tree& tree,
                                   const std::filesystem::path& name) override {
    TANK_TRY(script_->enter("read_cgroup"));
    return inner_->read_cgroup(tree, name);
  }
  result<void> make_container_cgroup(const cgroup_tree& tree, const std::filesystem::path& pod,
                                     const pod_cgroup::member& container) override {
    TANK_TRY(script_->enter("make_container_cgroup"));
    return inner_->make_container_cgroup(tree, pod, container);
  }
  result<void> remove_container_cgroup(const cgroup_tree& tree, const std::filesystem::path& pod,
                                       const std::string& container) override {
    TANK_TRY(script_->enter("remove_container_cgroup"));
    return inner_->remove_container_cgroup(tree, pod, container);
  }

 private:
  result<std::unique_ptr<session>> wrap_session(result<std::unique_ptr<session>> made) {
    if (!made) return made;
    return std::make_unique<fault_session>(std::move(*made), script_);
  }

  std::shared_ptr<port> inner_;
  std::shared_ptr<fault_script> script_;
};

} // namespace tank::kernel
