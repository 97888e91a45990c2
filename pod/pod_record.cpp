#include "pod/pod_record.hpp"

#include "config/manifest.hpp"
#include "config/restart_rules.hpp"
#include "pod/manifest_set.hpp"
#include "pod/pod_instance.hpp"

#include <nlohmann/json.hpp>

namespace tank {

using nlohmann::json;

namespace {

constexpr int record_version = 2;
constexpr int first_version = 1; ///< that is read

json to_json(const last_exit& e) {
  return {{"reason", e.reason},   {"exitCode", e.exit_code},   {"signal", e.signal},
          {"message", e.message}, {"startedNs", e.started_ns}, {"finishedNs", e.finished_ns}};
}

last_exit exit_from(const json& j) {
  return {j.at("reason"),  j.at("exitCode"),  j.at("signal"),
          j.at("message"), j.at("startedNs"), j.at("finishedNs")};
}

json to_json(const stop_reason& r) {
  return {{"class", static_cast<int>(r.cls)},
          {"what", to_string(r.cause)},
          {"code", r.code},
          {"text", r.text}};
}

template <class Enum>
Enum enum_from(const json& j, Enum last) {
  const auto n = j.get<std::int64_t>();
  if (n < 0 || n > static_cast<std::int64_t>(last)) throw std::out_of_range{"an unknown word"};
  return static_cast<Enum>(n);
}

stop_reason reason_from(const json& j) {
  const auto cause = stop_cause_of(j.at("what").get_ref<const std::string&>());
  return {enum_from(j.at("class"), stop_class::abnormal), cause.value_or(stop_cause::error),
          j.at("code"), j.at("text")};
}

json to_json(const phase_times& t) {
  return {t.image.count(),   t.spawn.count(),  t.rootfs.count(),
          t.network.count(), t.limits.count(), t.proceed.count()};
}

phase_times phases_from(const json& j) {
  const auto at = [&](std::size_t n) {
    return std::chrono::microseconds{j.at(n).get<std::int64_t>()};
  };
  return {at(0), at(1), at(2), at(3), at(4), at(5)};
}

json to_json(const run_end& e) {
  return {{"why", to_json(e.why)}, {"how", to_json(e.how)}};
}

run_end end_from(const json& j) {
  return {reason_from(j.at("why")), exit_from(j.at("how"))};
}

run_facts facts_from(const json& j) {
  run_facts f;
  f.stop_signal = j.at("stopSignal");
  if (f.stop_signal < 1 || f.stop_signal > 64) throw std::out_of_range{"no signal's number"};
  f.env = j.at("env").get<std::vector<std::string>>();
  f.secret_env = j.value("secretEnv", false);
  f.working_dir = j.at("workingDir");
  return f;
}

std::vector<std::int64_t> ends_from(const json& j) {
  auto ends = j.get<std::vector<std::int64_t>>();
  if (ends.size() > config::give_up_rule::most_runs) throw std::out_of_range{"too many ends"};
  return ends;
}

json to_json(const container_record& c) {
  json j{{"name", c.name},
         {"attempt", c.attempt},
         {"phase", static_cast<int>(c.phase)},
         {"stopSignal", c.facts.stop_signal},
         {"env", c.facts.secret_env ? std::vector<std::string>{} : c.facts.env},
         {"secretEnv", c.facts.secret_env},
         {"workingDir", c.facts.working_dir},
         {"restarts", c.restarts},
         {"retries", c.retries},
         {"releasedAt", c.released_at},
         {"passed", c.passed},
         {"postStarted", c.post_started},
         {"startupPassed", c.startup_passed},
         {"readinessPassed", c.readiness_passed}};
  if (c.restart_at != 0) {
    j["restartAt"] = c.restart_at;
    j["restartAtNs"] = c.restart_at_ns;
    j["waiting"] = c.waiting;
    j["message"] = c.message;
  }
  if (c.last) j["last"] = to_json(*c.last);
  if (!c.ends.empty()) j["ends"] = c.ends;
  if (c.end) j["end"] = to_json(*c.end);
  return j;
}

container_record container_from(const json& j) {
  container_record c;
  c.name = j.at("name");
  c.attempt = j.at("attempt");
  c.phase = enum_from(j.at("phase"), run_phase::ended);
  c.facts = facts_from(j);
  c.restarts = j.at("restarts");
  c.retries = j.at("retries");
  c.released_at = j.at("releasedAt");
  c.restart_at = j.value("restartAt", std::int64_t{0});
  c.restart_at_ns = j.value("restartAtNs", std::int64_t{0});
  c.waiting = j.value("waiting", "");
  // Not in the first records of this version: then it had nothing but main containers.
  c.passed = j.value("passed", c.phase != run_phase::starting);
  c.post_started = j.value("postStarted", true);
  c.startup_passed = j.value("startupPassed", true);
  c.readiness_passed = j.value("readinessPassed", true);
  c.message = j.value("message", "");
  if (j.contains("last")) c.last = exit_from(j.at("last"));
  if (j.contains("ends")) c.ends = ends_from(j.at("ends"));
  if (j.contains("end")) c.end = end_from(j.at("end"));
  if ((c.phase == run_phase::ended) != c.end.has_value())
    throw std::out_of_range{"an end that is not told"};
  return c;
}

json to_json(const group_record& g) {
  return {{"from", g.from},
          {"all", g.all},
          {"stopBy", g.stop_by},
          {"leastMs", g.least_ms},
          {"due", g.due}};
}

/// Times that are reckoned with.
std::int64_t time_from(const json& j) {
  const std::int64_t ns = j;
  if (ns < 0) throw std::out_of_range{"a time before the start of the machine"};
  return ns;
}

group_record group_from(const json& j) {
  constexpr std::int64_t most_ms = 60'000; // far more than any that is written
  group_record out{j.at("from"), j.at("all"), time_from(j.at("stopBy")), j.at("leastMs"),
                   time_from(j.at("due"))};
  if (out.least_ms < 0 || out.least_ms > most_ms) throw std::out_of_range{"no time of a stop"};
  return out;
}

json to_json(const run_record& r) {
  json j{{"number", r.number},
         {"phase", static_cast<int>(r.phase)},
         {"releasedAt", r.released_at},
         {"containers", json::array()}};
  for (const auto& c : r.containers)
    j["containers"].push_back(to_json(c));
  if (r.phases != phase_times{}) j["phasesUs"] = to_json(r.phases);
  if (r.end) j["end"] = to_json(*r.end);
  if (r.final) j["final"] = true;
  if (r.group) j["group"] = to_json(*r.group);
  if (r.retries != 0) j["retries"] = r.retries;
  if (r.all_passed_at != 0) j["allPassedAt"] = r.all_passed_at;
  if (!r.ends.empty()) j["ends"] = r.ends;
  return j;
}

run_record run_from(const json& j) {
  run_record r;
  r.number = j.at("number");
  r.phase = enum_from(j.at("phase"), run_phase::ended);
  r.released_at = j.at("releasedAt");
  if (j.contains("phasesUs")) r.phases = phases_from(j.at("phasesUs"));
  if (j.contains("end")) r.end = end_from(j.at("end"));
  if ((r.phase == run_phase::ended) != r.end.has_value())
    throw std::out_of_range{"an end that is not told"};
  r.final = j.value("final", false);
  if (j.contains("group")) r.group = group_from(j.at("group"));
  r.retries = j.value("retries", 0U);
  r.all_passed_at = j.value("allPassedAt", std::int64_t{0});
  if (j.contains("ends")) r.ends = ends_from(j.at("ends"));
  for (const auto& c : j.value("containers", json::array())) // none in version 1
    r.containers.push_back(container_from(c));
  if (r.group && r.group->from >= r.containers.size())
    throw std::out_of_range{"a group that has no members"};
  return r;
}

/// Version 1 knew pods of one container, whose facts were the run's.
void add_container_of_v1(run_record& r, const json& j, const std::string& name) {
  container_record c;
  c.name = name;
  c.phase = r.phase == run_phase::released ? run_phase::released : run_phase::starting;
  c.facts = facts_from(j);
  c.released_at = r.released_at;
  c.passed = c.phase != run_phase::starting;
  c.post_started = c.startup_passed = c.readiness_passed = true;
  r.containers = {std::move(c)};
}

json to_json(const desired_pod& d) {
  return {{"uid", d.uid},
          {"file", d.file},
          {"warnings", d.warnings},
          {"manifest", config::to_json(*d.pod, -1)}};
}

desired_pod desired_from(const json& j, const std::string& key) {
  desired_pod d;
  d.uid = j.at("uid");
  d.file = j.at("file");
  d.warnings = j.at("warnings").get<std::vector<std::string>>();
  if (!is_safe_uid(d.uid)) throw std::out_of_range{"a uid that names no directory"};
  const auto parsed = config::parse_manifest(j.at("manifest").get_ref<const std::string&>(),
                                             {.max_bytes = max_record_bytes});
  // What it is judged as now does not matter: it runs.
  if (parsed.pods.size() != 1 || parsed.pods[0].pod.spec.containers.empty())
    throw std::out_of_range{"no pod"};
  d.pod = std::make_shared<const config::pod>(parsed.pods[0].pod);
  if (d.pod->metadata.ns + "/" + d.pod->metadata.name != key)
    throw std::out_of_range{"another pod"};
  if (const auto deadline = d.pod->spec.active_deadline_seconds;
      deadline && (*deadline < 1 || *deadline > INT32_MAX))
    throw std::out_of_range{"a deadline that no pod can have"};
  d.hash = config::content_hash(*d.pod);
  d.instance = instance_hash(*d.pod);
  return d;
}

pod_record record_from(const json& j) {
  pod_record r;
  r.key = j.at("key");
  r.what = desired_from(j.at("what"), r.key);
  if (j.contains("next")) r.next = desired_from(j.at("next"), r.key);
  r.state = enum_from(j.at("state"), pod_state::terminal);
  if (r.state == pod_state::pending) throw std::out_of_range{"a state that is never kept"};
  r.leaving = j.at("leaving");
  r.restarts = j.at("restarts");
  r.retries = j.at("retries");
  r.crashes = j.at("crashes");
  r.created_ns = j.at("createdNs");
  r.restart_at = j.at("restartAt");
  r.restart_at_ns = j.at("restartAtNs");
  // Not in the first records of this version.
  r.limits_edited = j.value("limitsEdited", false);
  r.stop_by = j.value("stopBy", std::int64_t{0});
  r.deadline_at = time_from(j.value("deadlineAt", json(0)));
  r.deadline_over = j.value("deadlineOver", false);
  if ((r.deadline_at != 0 || r.deadline_over) && !r.what.pod->spec.active_deadline_seconds)
    throw std::out_of_range{"a deadline that its pod does not have"};
  if (j.contains("ends")) r.ends = ends_from(j.at("ends"));
  if (j.contains("containerRestarts"))
    r.container_restarts = j.at("containerRestarts").get<std::vector<std::uint32_t>>();
  if (j.contains("last")) r.last = exit_from(j.at("last"));
  r.message = j.at("message");
  r.run = run_from(j.at("run"));
  if (j.at("version") == first_version)
    add_container_of_v1(r.run, j.at("run"), r.what.pod->spec.containers.front().name);
  return r;
}

} // namespace

std::string encode_record(const pod_record& r, std::string_view boot) {
  json j{{"version", record_version},
         {"boot", boot},
         {"key", r.key},
         {"what", to_json(r.what)},
         {"state", static_cast<int>(r.state)},
         {"leaving", r.leaving},
         {"limitsEdited", r.limits_edited},
         {"restarts", r.restarts},
         {"retries", r.retries},
         {"crashes", r.crashes},
         {"createdNs", r.created_ns},
         {"restartAt", r.restart_at},
         {"restartAtNs", r.restart_at_ns},
         {"stopBy", r.stop_by},
         {"ends", r.ends},
         {"message", r.message},
         {"run", to_json(r.run)}};
  if (!r.container_restarts.empty()) j["containerRestarts"] = r.container_restarts;
  if (r.deadline_at != 0) j["deadlineAt"] = r.deadline_at;
  if (r.deadline_over) j["deadlineOver"] = true;
  if (r.next) j["next"] = to_json(*r.next);
  if (r.last) j["last"] = to_json(*r.last);
  // Texts of workloads and of the kernel are in it: whatever their bytes, it is a whole line.
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

result<pod_record> decode_record(std::string_view text, std::string_view boot) {
  const auto broken = [](const std::string& why) {
    return fail(errc::corrupt, "read", "a pod's record", why);
  };
  if (text.size() > max_record_bytes) return broken("it is too large");
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object()) return broken("it is no JSON object");
  try { // the library's accessors throw; what they read is a file
    if (j.at("version") != record_version && j.at("version") != first_version)
      return fail(errc::unsupported, "read", "a pod's record", "it is of another version of tank");
    if (j.at("boot") != boot)
      return fail(errc::conflict, "read", "a pod's record", "it is from before the last boot");
    return record_from(j);
  } catch (const std::exception& e) {
    return broken(e.what());
  }
}

} // namespace tank
