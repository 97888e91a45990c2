/// What the end-to-end suites share: a private tree of directories, the real program `tank` as
/// child processes, and waiting for what they say: output, ends, the control socket's stream.
#pragma once

#include "base/paths.hpp"
#include "base/unique_fd.hpp"
#include "pod/model.hpp"
#include "tests/root/host_snapshot.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank::testing {

/// How long an event may take on a machine with too much to do. Passing tests do not wait for it.
inline constexpr int patience_ms = 60'000;

/// A program of ours; its output is heard as it comes.
class child {
 public:
  child(const std::vector<std::string>& argv, const std::vector<std::string>& env,
        std::string_view input = {});
  ~child(); ///< kills it when it still runs
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  void signal(int number) const;
  /// Exit code, or -signal. Fails the case when it does not end in time.
  int wait(int milliseconds = patience_ms);
  /// Until stdout or stderr holds `text`, at or behind what the last `await` found there. False
  /// when it never will: it ended, or the time is over.
  bool await(const std::string& text, int milliseconds = patience_ms);
  /// Takes what came, waits at most `milliseconds` for more, or for `also` to be readable.
  /// False: the time is over.
  bool listen(int milliseconds, int also = -1);
  [[nodiscard]] bool ended() const { return status_.has_value(); }
  [[nodiscard]] pid_t pid() const { return pid_; }

  std::string out;
  std::string err;

 private:
  bool take(unique_fd& from, std::string& to) const;
  void collect();

  pid_t pid_ = -1;
  unique_fd pidfd_;
  unique_fd out_fd_;
  unique_fd err_fd_;
  std::optional<int> status_;
  std::size_t out_seen_ = 0;
  std::size_t err_seen_ = 0;
};

struct output {
  int code = -1;
  std::string out;
  std::string err;
};

/// What a Pod of one container is made of; `manifest` writes it as YAML.
struct pod_text {
  std::string name;
  std::vector<std::string> command{"/bin/witness", "sleep"};
  std::string restart = "Always";
  std::string image = "localhost/witness:1";
  std::string container_more{}; ///< further lines of the container, indented by 4
  std::string spec_more{};      ///< further lines of the spec, indented by 2
};
std::string manifest(const pod_text& pod);
/// A pod whose busybox script notes in `shared`: NAME.log with "start WORD" and "term WORD",
/// NAME.overlap when two ran at once; SIGTERM ends it with 0, once "start" is written.
pod_text living_pod(const std::string& name, const std::string& word,
                    const std::filesystem::path& shared);

class host {
 public:
  explicit host(std::string more_settings = {});
  ~host();
  host(const host&) = delete;
  host& operator=(const host&) = delete;

  std::filesystem::path root;   ///< of all that follows
  directories dirs;             ///< named by the settings file, which TANK_CONFIG names
  std::filesystem::path shared; ///< for hostPath volumes
  std::map<std::string, std::string> environment; ///< beside TANK_CONFIG and PATH
  std::string program;                            ///< the `tank` that runs

  /// Runs `tank args...` to its end.
  output tank(const std::vector<std::string>& args, std::string_view input = {});
  /// The same, and it must succeed; its stdout.
  std::string hear(const std::vector<std::string>& args, std::string_view input = {});
  /// `tank args...` in the background.
  std::unique_ptr<child> spawn(const std::vector<std::string>& args);

  /// `tank daemon`, up to its READY=1; then connects to its control socket.
  void start_daemon(const std::vector<std::string>& args = {"daemon"});
  /// SIGTERM; it must end with 0.
  void stop_daemon();
  /// SIGKILL.
  void kill_daemon();
  [[nodiscard]] child& daemon() const { return *daemon_; }

  /// Writes a manifest as an editor should: beside, then rename.
  void put(const std::string& file, const std::string& text) const;
  void put(const pod_text& pod) const { put(pod.name + ".yaml", manifest(pod)); }
  void remove(const std::string& file) const;

  using pods = std::map<std::string, pod_status>; ///< by name, namespace "default"
  /// Until `good` holds of what the daemon streams; fails the case with the last state otherwise.
  const pods& await(const std::string& what, const std::function<bool(const pods&)>& good);
  /// Until pod `name` is there and `good`; a copy of its row.
  pod_status await_pod(const std::string& name, const std::string& what,
                       const std::function<bool(const pod_status&)>& good);
  /// Until it runs and its uid is not `not_uid`.
  pod_status await_running(const std::string& name, const std::string& not_uid = {});
  void await_gone(const std::string& name);
  [[nodiscard]] const pods& seen() const { return seen_; }
  /// When it returns, all changes of the directory made before have been looked at: it drops a
  /// manifest, waits for its pod to have ended, and removes it.
  void barrier();

  [[nodiscard]] std::filesystem::path log_dir(const pod_status& pod) const;
  [[nodiscard]] std::string shared_text(const std::string& file) const;
  /// Of all that pods could leave; for `settle_ms` see take_snapshot().
  [[nodiscard]] host_snapshot snapshot(int settle_ms = 10'000) const;

 private:
  [[nodiscard]] std::vector<std::string> env() const;
  static std::string cgroup_root(); ///< of this test program
  void write_settings(const std::string& more) const;
  void import_image();
  void connect();
  bool next_state(int milliseconds);

  unique_fd notify_;
  std::unique_ptr<child> daemon_;
  unique_fd stream_;
  std::string unread_;
  pods seen_;
  int barriers_ = 0;
};

std::string file_text(const std::filesystem::path& path);
/// Until `good` holds of the file's content, looked at after each change in its directory. False
/// when the time is over.
bool await_file(const std::filesystem::path& path,
                const std::function<bool(const std::string&)>& good);
/// SIGKILL to a pod's first process; a failure when it has none.
void kill_workload(const pod_status& pod);
/// The text of one stream of all a container's CRI log file, lines joined.
std::string log_text(const std::filesystem::path& file, std::string_view stream = "stdout");

} // namespace tank::testing
