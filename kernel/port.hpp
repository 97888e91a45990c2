/// The kernel as the actors see it: a small port at intent level.
///
/// `make_port()` gives the real one. tests/actor holds a recording fake, tests/root a decorator
/// that fails any chosen call or step. Nothing here blocks longer than a vfork+exec or a few
/// metadata syscalls unless it says "blocking": then it is called from a worker thread.
#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "kernel/cgroup.hpp"
#include "kernel/launch_plan.hpp"
#include "kernel/stage.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/types.h>

namespace tank::kernel {

// --- events of a session; `container` is the plan's name ---------------------------------------

struct ready_event {
  std::string container;
  pid_t host_pid = 0;
  bool operator==(const ready_event&) const = default;
};
/// All launch steps are done; the child is still parked.
struct built_event {
  std::string container;
  bool operator==(const built_event&) const = default;
};
/// execve succeeded (and nothing died in between).
struct running_event {
  std::string container;
  pid_t host_pid = 0;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME
  bool operator==(const running_event&) const = default;
};
struct exited_event {
  std::string container;
  int code = 0; ///< 0..255
  std::int64_t finished_ns = 0;
  bool operator==(const exited_event&) const = default;
};
struct signaled_event {
  std::string container;
  int signal = 0;
  bool core_dumped = false;
  std::int64_t finished_ns = 0;
  bool operator==(const signaled_event&) const = default;
};
/// Ended at the checkpoint because it was told to.
struct aborted_event {
  std::string container;
  bool operator==(const aborted_event&) const = default;
};
/// Ended before its first instruction by a failure of ours: `step` is the verb phrase, `object` the
/// path or program, `sys` the errno; `step_index` is the plan's, -1 outside of the steps.
struct failed_event {
  std::string container;
  int sys = 0;
  std::string step;
  std::string object;
  int step_index = -1;
  bool operator==(const failed_event&) const = default;
};
/// Bytes from the terminal of a container, after pty_listen and until its end.
struct pty_output_event {
  std::string container;
  std::string bytes; ///< never empty, at most 16 KiB
  bool operator==(const pty_output_event&) const = default;
};
/// Bytes of pty_write that the terminal had no room for in a megabyte.
struct pty_input_dropped_event {
  std::string container;
  std::uint64_t bytes = 0;
  bool operator==(const pty_input_dropped_event&) const = default;
};
/// First event of an adopted session: the shim has told what it holds, and `info` says it.
struct adopted_event {
  bool operator==(const adopted_event&) const = default;
};
/// The connection is no more. Last event of a session, always. With `shim_lives` the shim and what
/// it holds go on (another connection took its place, or it closed this one): adopt it again.
struct session_down_event {
  std::string why;
  bool shim_lives = false;
  bool operator==(const session_down_event&) const = default;
};

/// Exactly one of exited, signaled, aborted, failed ends each container.
using session_event = std::variant<ready_event, built_event, running_event, exited_event,
                                   signaled_event, aborted_event, failed_event, pty_output_event,
                                   pty_input_dropped_event, adopted_event, session_down_event>;

/// Of a terminal. Zero pixels: unknown.
struct window_size {
  std::uint16_t rows = 0;
  std::uint16_t columns = 0;
  std::uint16_t x_pixels = 0;
  std::uint16_t y_pixels = 0;
  bool operator==(const window_size&) const = default;
};

/// What the shim knows of one container, at any time, also after its end.
struct container_info {
  std::string container;
  stage at = stage::starting;
  pid_t host_pid = 0;
  int result = 0; ///< exit code or signal, by stage
  int sys = 0;    ///< of `failed`
  std::string step;
  std::string object;
  std::int64_t started_ns = 0;
  std::int64_t finished_ns = 0;
  bool operator==(const container_info&) const = default;
};

/// The daemon's end of one shim. Owned by one runtime actor; not thread-safe. All verbs are
/// fire-and-forget: they queue a frame and return; refusals are those SEED.md lists
/// (`errc::conflict` with cause "not_ready" | "running" | "no_process"), decided from the stages
/// this end has seen.
///
/// Destroying a session closes the connection and leaves the shim alone: workloads run on.
class session {
 public:
  virtual ~session() = default;

  /// Readable when `next_event` has something; for the poller. Valid as long as the session.
  [[nodiscard]] virtual int poll_fd() const noexcept = 0;

  /// The next event, or nullopt when there is none now. Never blocks.
  virtual result<std::optional<session_event>> next_event() = 0;

  /// Clones the container's child and parks it: -> ready.
  virtual result<void> create(const launch_plan& plan) = 0;
  /// Lets the parked child carry out its steps: -> built. May be sent before `ready`.
  virtual result<void> build(const std::string& container) = 0;
  /// Lets it go: -> running.
  virtual result<void> proceed(const std::string& container) = 0;
  /// Ends it at the checkpoint: -> aborted. Buffered before ready; refused once running.
  virtual result<void> abort(const std::string& container) = 0;
  /// Signals its first process; before running: buffered, delivered in order at running. 1..64.
  virtual result<void> signal(const std::string& container, int signum) = 0;
  /// SIGKILLs every process of the container (the pid namespace's init, or the first process).
  virtual result<void> kill(const std::string& container) = 0;
  // The terminal of a container. Refused with the first of these that is so: "no_process" (it has
  // ended), "no_pty" (it has no terminal), "not_running" (not yet). No shim has terminals so far:
  // the live session answers errc::unsupported.

  /// From now on its output comes as pty_output_event, or no longer does. What was written while
  /// nobody listened is in the log only.
  virtual result<void> pty_listen(const std::string& container, bool on) = 0;
  /// Types into it. Takes as much as there is room for on the way to the shim and answers how much
  /// that was; for the rest poll_fd() becomes readable again.
  virtual result<std::size_t> pty_write(const std::string& container, std::string_view bytes) = 0;
  virtual result<void> pty_resize(const std::string& container, const window_size& size) = 0;

  /// Kills what still runs, then the shim exits: -> session_down.
  virtual result<void> shutdown() = 0;
  /// For when `shutdown` was refused or is not obeyed: SIGKILLs the shim and, with it, what runs:
  /// -> session_down once it is reaped. Does nothing when it is gone or another daemon's by now.
  virtual void end() noexcept = 0;

  /// As of the last events read; of an adopted session empty until its adopted_event.
  [[nodiscard]] virtual std::vector<container_info> info() const = 0;
  /// Why the shim is gone, once the session_down_event was read: for whoever did not read it.
  [[nodiscard]] virtual std::optional<session_down_event> down() const = 0;
  [[nodiscard]] virtual pid_t shim_pid() const noexcept = 0;
};

/// Which compiled filter is wanted.
struct seccomp_request {
  std::filesystem::path directory;  ///< of Localhost profiles
  std::string localhost;            ///< a path in it, without ".."; empty: RuntimeDefault
  capability_mask capabilities = 0; ///< the container's bounding set: profiles depend on it
  bool operator==(const seccomp_request&) const = default;
};

/// What this host can do; probed once.
struct host_facts {
  std::string hostname;
  std::string architecture;             ///< OCI's GOARCH name: amd64, arm64, ...
  std::vector<std::string> nameservers; ///< of the host's resolv.conf
  std::vector<std::string> searches;
  std::vector<std::string> resolver_options;
  std::string hosts_file; ///< the host's /etc/hosts
  /// What we hold and may hand on: "ALL" of a container's capabilities.
  capability_mask capabilities = all_capabilities;
  std::uint64_t memory = 0;       ///< bytes that the machine has; 0: not known
  std::int32_t oom_score_adj = 0; ///< ours; without CAP_SYS_RESOURCE nobody gets a lower one
  std::uint64_t max_open_files = 1048576;     ///< our hard RLIMIT_NOFILE
  std::uint64_t max_core = ~std::uint64_t{0}; ///< our hard RLIMIT_CORE, bytes
  bool operator==(const host_facts&) const = default;
};

class port {
 public:
  virtual ~port() = default;

  /// Starts a shim for one pod (vfork + exec of the static helper) and connects to it.
  virtual result<std::unique_ptr<session>> start_session(const sandbox_spec& sandbox) = 0;
  /// Connects to the shim that already serves `run_dir`: -> adopted. errc::not_found when there is
  /// none, errc::timeout when it takes no connection. A shim that accepts and says nothing is the
  /// caller's to give up on, by `end`.
  virtual result<std::unique_ptr<session>> adopt_session(const std::filesystem::path& run_dir) = 0;

  /// Removes a tree without following symlinks or crossing mounts. A missing tree is success.
  /// Blocking.
  virtual result<void> remove_tree(const std::filesystem::path& path) = 0;

  /// Makes a pod's writable directories {upper, work}; parents exist. Few syscalls. `owner` is the
  /// host's id of the pod's root.
  virtual result<void> make_upper(const std::filesystem::path& dir, std::uint32_t owner) = 0;

  /// The filter of a seccomp profile, compiled the first time and remembered. Blocking.
  virtual result<seccomp_filter> seccomp(const seccomp_request& wanted) = 0;

  // The cgroup driver: the functions of these names in kernel/cgroup.hpp. All but the last two are
  // blocking.
  virtual result<std::vector<std::filesystem::path>> open_cgroups(const cgroup_tree& tree,
                                                                  const std::string& instance) = 0;
  virtual result<void> make_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) = 0;
  virtual result<void> update_cgroup(const cgroup_tree& tree, const pod_cgroup& pod) = 0;
  virtual result<void> remove_cgroup(const cgroup_tree& tree,
                                     const std::filesystem::path& name) = 0;
  virtual result<cgroup_stats> read_cgroup(const cgroup_tree& tree,
                                           const std::filesystem::path& name) = 0;
  virtual std::uint64_t count_oom_kills(const cgroup_tree& tree,
                                        const std::filesystem::path& name) = 0;
};

/// The real kernel. `shim_path` is the tank-shim program. Thread-safe; outlives its sessions.
std::unique_ptr<port> make_port(std::filesystem::path shim_path);

/// Reads the host's files and uname once. Blocking.
result<host_facts> probe_host();

/// The devices below `dir` (the host's /dev) but for those that every container has of its own: the
/// usual ones, terminals of devpts, the console. At most 4000; sorted. Blocking.
result<std::vector<device_step>> probe_devices(const std::filesystem::path& dir);

} // namespace tank::kernel
