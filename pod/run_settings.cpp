#include "pod/run_settings.hpp"

#include "config/pod.hpp"
#include "config/restart_rules.hpp"

#include <algorithm>

namespace tank {

std::size_t container_count(const config::pod& pod) {
  return pod.spec.init_containers.size() + pod.spec.containers.size();
}

const config::container& container_of(const config::pod& pod, run::index who) {
  const auto inits = pod.spec.init_containers.size();
  return who < inits ? pod.spec.init_containers[who] : pod.spec.containers.at(who - inits);
}

container_kind kind_of(const config::pod& pod, run::index who) {
  if (who >= pod.spec.init_containers.size()) return container_kind::main;
  return pod.spec.init_containers[who].restart_policy == "Always" ? container_kind::sidecar
                                                                  : container_kind::init;
}

bool is_rebuilt_whole(const config::pod& pod) {
  return container_count(pod) == 1;
}

// --- restarts ------------------------------------------------------------------------------------

static bool is_failure(const stop_reason& why) {
  return why.cls == stop_class::abnormal ||
         (why.cls == stop_class::shutdown && why.cause != stop_cause::shutdown &&
          why.cause != stop_cause::stopped);
}

after_end decide_after(const container_policy& policy, const stop_reason& why,
                       std::optional<int> exit_code) {
  if (exit_code)
    for (const auto& rule : policy.rules) {
      const bool listed =
          std::find(rule.codes.begin(), rule.codes.end(), *exit_code) != rule.codes.end();
      if (listed == rule.in) return rule.all ? after_end::all_again : after_end::again;
    }
  const bool again = policy.policy == restart_policy::always ||
                     (policy.policy == restart_policy::on_failure && is_failure(why));
  return again ? after_end::again : after_end::stay;
}

container_policy policy_of(const config::container& container, container_kind kind,
                           const config::pod& pod) {
  container_policy out;
  out.policy = parse_restart_policy(container.restart_policy.value_or(pod.spec.restart_policy));
  if (kind == container_kind::init && out.policy == restart_policy::always)
    out.policy = restart_policy::on_failure;
  for (const auto& rule : container.restart_policy_rules) {
    if (!rule.exit_codes) continue;
    out.rules.push_back({rule.exit_codes->op != "NotIn",
                         {rule.exit_codes->values.begin(), rule.exit_codes->values.end()},
                         rule.action == "RestartAllContainers"});
  }
  return out;
}

// --- the whole -----------------------------------------------------------------------------------

static std::optional<std::chrono::seconds> grace_of(const config::box<config::probe>& probe) {
  if (!probe || !probe->termination_grace_period_seconds) return std::nullopt;
  return std::chrono::seconds{*probe->termination_grace_period_seconds};
}

static run_container run_container_of(const config::pod& pod, run::index who) {
  const auto& c = container_of(pod, who);
  run_container out{.name = c.name, .kind = kind_of(pod, who), .tty = c.tty, .policy = {}};
  out.policy = policy_of(c, out.kind, pod);
  out.post_start = c.lifecycle && c.lifecycle->post_start;
  out.pre_stop = c.lifecycle && c.lifecycle->pre_stop;
  out.startup_probe = bool{c.startup_probe};
  out.liveness_probe = bool{c.liveness_probe};
  out.readiness_probe = bool{c.readiness_probe};
  out.startup_grace = grace_of(c.startup_probe);
  out.liveness_grace = grace_of(c.liveness_probe);
  return out;
}

run_settings run_settings_of(const std::string& key, const config::pod& pod,
                             const backoff_profile& daemons, run_limits limits) {
  run_settings s;
  s.name = key;
  const auto wishes = config::restart_wishes_of(pod.metadata.annotations);
  for (run::index i = 0; i < container_count(pod); ++i) {
    auto c = run_container_of(pod, i);
    c.significant = std::find(wishes.ends_with.begin(), wishes.ends_with.end(), c.name) !=
                    wishes.ends_with.end();
    s.containers.push_back(std::move(c));
  }
  if (wishes.strategy == "rest_for_one") s.strategy = restart_strategy::rest_for_one;
  if (wishes.strategy == "one_for_all") s.strategy = restart_strategy::one_for_all;
  s.profile = profile_of(pod, daemons);
  s.grace = std::chrono::seconds{pod.spec.termination_grace_period_seconds.value_or(30)};
  s.limits = limits;
  return s;
}

} // namespace tank
