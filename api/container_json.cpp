#include "api/container_json.hpp"

#include "api/api_protocol.hpp"
#include "config/pod.hpp"
#include "pod/pod_phase.hpp"

#include <utility>

namespace tank::api {

static nlohmann::json time_json(std::int64_t ns) {
  auto text = format_time(ns);
  return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(std::move(text));
}

static std::int64_t time_from(const nlohmann::json& j, const char* name) {
  const auto it = j.find(name);
  return it != j.end() && it->is_string() ? parse_time(it->get_ref<const std::string&>()) : 0;
}

static nlohmann::json terminated_json(const last_exit& e) {
  return {{"exitCode", e.exit_code},
          {"signal", e.signal},
          {"reason", e.reason},
          {"message", e.message},
          {"startedAt", time_json(e.started_ns)},
          {"finishedAt", time_json(e.finished_ns)}};
}

static last_exit terminated_from(const nlohmann::json& j) {
  last_exit e;
  e.exit_code = j.value("exitCode", 0);
  e.signal = j.value("signal", 0);
  e.reason = j.value("reason", "");
  e.message = j.value("message", "");
  e.started_ns = time_from(j, "startedAt");
  e.finished_ns = time_from(j, "finishedAt");
  return e;
}

static nlohmann::json state_json(const container_status& c) {
  switch (c.state) {
  case container_phase::running:
    return {{"running", {{"startedAt", time_json(c.started_ns)}}}};
  case container_phase::terminated:
    return {
        {"terminated", c.terminated ? terminated_json(*c.terminated) : nlohmann::json::object()}};
  case container_phase::waiting:
    break;
  }
  nlohmann::json waiting{{"reason", c.reason}, {"message", c.message}};
  if (c.restart_at_ns != 0) waiting["restartAt"] = time_json(c.restart_at_ns);
  return {{"waiting", std::move(waiting)}};
}

static std::string image_of(const pod_status& pod, const std::string& container) {
  if (!pod.pod) return {};
  for (const auto* list : {&pod.pod->spec.containers, &pod.pod->spec.init_containers})
    for (const auto& c : *list)
      if (c.name == container) return c.image;
  return {};
}

nlohmann::json container_statuses_json(const pod_status& pod, bool init) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& c : pod.containers) {
    if ((c.kind != container_kind::main) != init) continue;
    nlohmann::json one{
        {"name", c.name},
        {"image", image_of(pod, c.name)},
        {"ready", c.ready},
        {"started", c.started},
        {"restartCount", c.restarts},
        {"state", state_json(c)},
        {"lastState", nlohmann::json::object()},
        // never 0: to `kill`, that is the caller's own process group
        {"pid", c.host_pid > 0 ? nlohmann::json(c.host_pid) : nlohmann::json(nullptr)}};
    if (init)
      one["restartPolicy"] =
          c.kind == container_kind::sidecar ? nlohmann::json("Always") : nlohmann::json(nullptr);
    if (c.last) one["lastState"]["terminated"] = terminated_json(*c.last);
    out.push_back(std::move(one));
  }
  return out;
}

static container_status container_from(const nlohmann::json& j, bool init) {
  container_status c;
  if (init)
    c.kind = j.value("restartPolicy", nlohmann::json()).is_string() ? container_kind::sidecar
                                                                    : container_kind::init;
  c.name = j.value("name", "");
  c.ready = j.value("ready", false);
  c.started = j.value("started", false);
  c.restarts = j.value("restartCount", 0U);
  if (const auto pid = j.find("pid"); pid != j.end() && pid->is_number()) c.host_pid = *pid;
  const auto state = j.value("state", nlohmann::json::object());
  if (state.contains("running")) {
    c.state = container_phase::running;
    c.started_ns = time_from(state["running"], "startedAt");
  } else if (state.contains("terminated")) {
    c.state = container_phase::terminated;
    c.terminated = terminated_from(state["terminated"]);
  } else if (state.contains("waiting")) {
    c.reason = state["waiting"].value("reason", "");
    c.message = state["waiting"].value("message", "");
    c.restart_at_ns = time_from(state["waiting"], "restartAt");
  }
  const auto last = j.value("lastState", nlohmann::json::object());
  if (last.contains("terminated")) c.last = terminated_from(last["terminated"]);
  return c;
}

std::vector<container_status> container_statuses_from(const nlohmann::json& pod) {
  std::vector<container_status> out;
  for (const auto& j : pod.value("initContainerStatuses", nlohmann::json::array()))
    out.push_back(container_from(j, true));
  for (const auto& j : pod.value("containerStatuses", nlohmann::json::array()))
    out.push_back(container_from(j, false));
  return out;
}

nlohmann::json conditions_json(const pod_status& pod) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& c : conditions_of(pod)) {
    nlohmann::json one{{"type", c.type}, {"status", c.met ? "True" : "False"}};
    if (!c.reason.empty()) one["reason"] = c.reason;
    if (!c.message.empty()) one["message"] = c.message;
    out.push_back(std::move(one));
  }
  return out;
}

} // namespace tank::api
