/// What happens around one run of a pod, as a script: what its containers, its shim and its workers
/// do, and when somebody stops it, kills the daemon or cuts the connection.
#pragma once

#include "pod/pod_run.hpp"
#include "tests/model/kit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::model {

using ms = std::int64_t;

/// What one attempt of a container does. Empty times: never.
struct attempt_will {
  std::optional<image_problem> no_image;
  ms image_after = 0;
  bool prepares = true;
  bool is_created = true; ///< else it fails instead of being ready at once
  std::optional<ms> built_after = 0;
  bool is_built = true; ///< else it fails
  std::optional<ms> starts_after = 0;
  bool starts = true; ///< else it is killed before its first instruction
  std::optional<ms> runs_for;
  run::outcome ends_by = run::outcome::exited;
  int code = 0; ///< exit code or signal
  bool out_of_memory = false;
  std::optional<ms> obeys_after = 0;      ///< the stop signal, with exit code 0
  std::optional<ms> dies_after = 0;       ///< killed or aborted
  std::optional<ms> post_start_after = 0; ///< its hooks return, if it has them
  bool post_start_works = true;
  std::optional<ms> pre_stop_after = 0;
  std::optional<ms> startup_after = 0; ///< the verdict of its probes, if it has them
  bool startup_passes = true;
  std::optional<ms> liveness_fails_after;
  ms readiness_every = 0; ///< it passes, fails, passes, ...; 0: it passes once, at once
  bool operator==(const attempt_will&) const = default;
};

/// What a shim and the workers of a sandbox do.
struct sandbox_will {
  bool prepares = true;
  ms prepares_after = 0;      ///< each job
  bool sandbox_first = false; ///< of a job's answers
  bool starts = true;
  std::optional<ms> greets_after = 0;
  std::optional<ms> goes_after = 0; ///< told to
  std::optional<ms> ends_after = 0; ///< killed
  ms lag = 0;                       ///< of all it says
  bool operator==(const sandbox_will&) const = default;
};

/// What comes of an attempt to adopt a shim that is there.
enum class welcome : std::uint8_t { taken, busy, silent };

struct incident {
  enum class kind : std::uint8_t {
    stop,        ///< `grace`
    kill_daemon, ///< before the n-th action after this, n = `actions`; another one follows
    cut,         ///< the connection is lost, the shim lives
    kill_shim,
    fail_request, ///< the next request is refused by the session
  };
  kind what = kind::stop;
  ms at = 0;
  std::optional<std::chrono::seconds> grace;
  std::size_t actions = 0;
  bool operator==(const incident&) const = default;
};

/// A container as its manifest has it.
struct container_word {
  container_kind kind = container_kind::main;
  std::optional<restart_policy> policy; ///< instead of the pod's
  std::optional<int> again_on;          ///< an exit code for which it runs again
  std::optional<int> all_on;            ///< one for which all do
  bool significant = false;
  bool post_start = false, pre_stop = false;
  bool startup = false, liveness = false, readiness = false;
  std::optional<int> liveness_grace; ///< seconds
  bool operator==(const container_word&) const = default;
  [[nodiscard]] bool is_probed() const { return startup || liveness || readiness; }
};

struct history {
  std::size_t containers = 1;
  std::vector<container_word> words; ///< as many; init containers come first
  restart_strategy strategy = restart_strategy::one_for_one;
  restart_policy policy = restart_policy::always;
  bool first_at_once = false;
  std::uint32_t give_up = 0;       ///< ends within `give_up_period`; 0: never
  int grace = 0;                   ///< the manifest's, in seconds
  std::vector<attempt_will> wills; ///< of the n-th start of the c-th container: [(n + c) % size]
  std::vector<sandbox_will> sandboxes; ///< of the n-th sandbox
  std::vector<welcome> welcomes;       ///< of the n-th adoption
  std::vector<ms> lateness;            ///< of the n-th timer
  bool echoes = false;                 ///< timers that were replaced or disarmed fire all the same
  std::vector<incident> incidents;
  ms left_alone = 400; ///< after the last of them; then it is stopped, if it has not ended

  static history random(rng& r);
  [[nodiscard]] std::vector<history> simpler() const;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] run_settings settings() const;
  /// What counts for a container.
  [[nodiscard]] restart_policy policy_of(std::size_t who) const;
};

inline constexpr ms give_up_period = 300;

} // namespace tank::model
