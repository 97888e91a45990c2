#include "api/api_protocol.hpp"

#include "api/container_json.hpp"
#include "pod/pod_phase.hpp"

#include "config/manifest.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include <nlohmann/json.hpp>

namespace tank::api {
namespace {

using json = nlohmann::ordered_json;

constexpr std::array<std::pair<verb, std::string_view>, 6> verbs{{{verb::version, "version"},
                                                                  {verb::pods, "pods"},
                                                                  {verb::files, "files"},
                                                                  {verb::restart, "restart"},
                                                                  {verb::usage, "usage"},
                                                                  {verb::watch, "watch"}}};

constexpr std::array states{pod_state::pending,  pod_state::starting,    pod_state::running,
                            pod_state::stopping, pod_state::backing_off, pod_state::terminal};

constexpr std::array codes{errc::invalid,     errc::not_found,   errc::exists,   errc::denied,
                           errc::unsupported, errc::limit,       errc::io,       errc::corrupt,
                           errc::timeout,     errc::unavailable, errc::conflict, errc::cancelled,
                           errc::internal};

json or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

/// Output of a workload and names of files are bytes; what is no UTF-8 becomes U+FFFD.
std::string dump(const json& value, int indent = -1) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

json to_json(const last_exit& how) {
  return {{"reason", how.reason},
          {"exitCode", how.exit_code},
          {"signal", how.signal},
          {"message", how.message},
          {"startedAt", or_null(format_time(how.started_ns))},
          {"finishedAt", or_null(format_time(how.finished_ns))}};
}

json to_json(const phase_times& t) {
  auto ms = [](std::chrono::microseconds us) { return static_cast<double>(us.count()) / 1000.0; };
  return {{"image", ms(t.image)},     {"spawn", ms(t.spawn)},   {"rootfs", ms(t.rootfs)},
          {"network", ms(t.network)}, {"limits", ms(t.limits)}, {"proceed", ms(t.proceed)}};
}

json images_json(const std::vector<config::container>& containers) {
  json out = json::array();
  for (const auto& c : containers)
    out.push_back({{"name", c.name}, {"image", c.image}});
  return out;
}

json to_json(const pod_status& p, bool full) {
  const auto slash = p.key.find('/');
  auto containers = p.pod ? images_json(p.pod->spec.containers) : json::array();
  json row{{"namespace", p.key.substr(0, slash)},
           {"name", slash == std::string::npos ? p.key : p.key.substr(slash + 1)},
           {"uid", p.uid},
           {"state", to_string(p.state)},
           {"message", p.message},
           // never 0: to `kill`, that is the caller's own process group
           {"pid", p.host_pid > 0 ? json(p.host_pid) : json(nullptr)},
           {"phase", to_string(phase_of(p))},
           {"reason", or_null(p.reason)},
           {"conditions", conditions_json(p)},
           {"restarts", total_restarts(p)},
           {"retries", p.retries},
           {"createdAt", or_null(format_time(p.created_ns))},
           {"startedAt", or_null(format_time(p.started_ns))},
           {"restartAt", or_null(format_time(p.restart_at_ns))},
           {"lastExit", p.last ? to_json(*p.last) : json(nullptr)},
           {"phasesMs", to_json(p.phases)},
           {"warnings", p.warnings},
           {"file", p.file},
           {"containers", std::move(containers)},
           {"containerStatuses", container_statuses_json(p)}};
  if (auto inits = container_statuses_json(p, true); !inits.empty()) {
    row["initContainerStatuses"] = std::move(inits);
    row["initContainers"] = p.pod ? images_json(p.pod->spec.init_containers) : json::array();
  }
  if (full && p.pod) row["pod"] = json::parse(config::to_json(*p.pod, -1));
  return row;
}

json to_json(const file_status& f) {
  return {{"file", f.file},     {"pods", f.pods},         {"documents", f.documents},
          {"errors", f.errors}, {"warnings", f.warnings}, {"lastGoodKept", f.last_good_kept}};
}

template <class Rows, class... Args>
json array_of(const Rows& rows, Args... args) {
  json items = json::array();
  for (const auto& row : rows)
    items.push_back(to_json(row, args...));
  return items;
}

json document(std::string_view kind, json items) {
  return {{"apiVersion", "tank/v1"}, {"kind", kind}, {"items", std::move(items)}};
}

last_exit exit_of(const json& j) {
  last_exit how;
  how.reason = j.value("reason", "");
  how.exit_code = j.value("exitCode", 0);
  how.signal = j.value("signal", 0);
  how.message = j.value("message", "");
  auto time = [&](const char* name) {
    return j.contains(name) && j[name].is_string() ? parse_time(j[name].get<std::string>()) : 0;
  };
  how.started_ns = time("startedAt");
  how.finished_ns = time("finishedAt");
  return how;
}

phase_times phases_of(const json& j) {
  auto us = [&](const char* name) {
    const double value = j.value(name, 0.0) * 1000.0 + 0.5;
    constexpr double day = 86400e6; // longer than any phase, and within an integer's range
    return std::chrono::microseconds{value >= 0 && value < day ? static_cast<std::int64_t>(value)
                                                               : 0};
  };
  return {us("image"), us("spawn"), us("rootfs"), us("network"), us("limits"), us("proceed")};
}

/// Without "pod", a Pod that has the names and images only: enough for tables.
std::shared_ptr<const config::pod> pod_of(const json& j) {
  if (j.contains("pod")) {
    auto parsed = config::parse_manifest(j["pod"].dump());
    if (!parsed.pods.empty())
      return std::make_shared<const config::pod>(std::move(parsed.pods.front().pod));
  }
  auto pod = std::make_shared<config::pod>();
  const auto read = [&](const char* list, std::vector<config::container>& into) {
    for (const auto& c : j.value(list, json::array())) {
      auto& container = into.emplace_back();
      container.name = c.value("name", "");
      container.image = c.value("image", "");
    }
  };
  read("initContainers", pod->spec.init_containers);
  read("containers", pod->spec.containers);
  return pod;
}

pod_status status_of(const json& j) {
  pod_status p;
  p.key = j.at("namespace").get<std::string>() + "/" + j.at("name").get<std::string>();
  p.uid = j.value("uid", "");
  p.file = j.value("file", "");
  if (const auto reason = j.find("reason"); reason != j.end() && reason->is_string())
    p.reason = reason->get<std::string>();
  const auto state = j.value("state", "");
  for (auto s : states)
    if (to_string(s) == state) p.state = s;
  if (const auto pid = j.find("pid"); pid != j.end() && pid->is_number()) p.host_pid = *pid;
  p.restarts = j.value("restarts", 0u);
  p.retries = j.value("retries", 0u);
  auto time = [&](const char* name) {
    return j.contains(name) && j[name].is_string() ? parse_time(j[name].get<std::string>()) : 0;
  };
  p.created_ns = time("createdAt");
  p.started_ns = time("startedAt");
  p.restart_at_ns = time("restartAt");
  if (j.contains("lastExit") && j["lastExit"].is_object()) p.last = exit_of(j["lastExit"]);
  p.phases = phases_of(j.value("phasesMs", json::object()));
  p.message = j.value("message", "");
  p.warnings = j.value("warnings", std::vector<std::string>{});
  p.containers = container_statuses_from(j);
  p.pod = pod_of(j);
  return p;
}

file_status file_of(const json& j) {
  file_status f;
  f.file = j.at("file").get<std::string>();
  f.pods = j.value("pods", f.pods);
  f.documents = j.value("documents", f.documents);
  f.errors = j.value("errors", f.errors);
  f.warnings = j.value("warnings", f.warnings);
  f.last_good_kept = j.value("lastGoodKept", false);
  return f;
}

error error_of(const json& j) {
  error e;
  e.code = errc::internal;
  const auto code = j.value("code", "");
  for (auto c : codes)
    if (to_string(c) == code) e.code = c;
  e.step = j.value("step", "");
  e.object = j.value("object", "");
  e.cause = j.value("cause", "");
  e.hint = j.value("hint", "");
  return e;
}

/// Runs `read` on the answer; whatever it throws means an answer that is not ours.
template <class F>
auto answer(std::string_view line, F read) -> result<decltype(read(std::declval<json&>()))> {
  try {
    auto j = json::parse(line);
    if (!j.value("ok", false)) return tl::make_unexpected(error_of(j.at("error")));
    return read(j);
  } catch (const json::exception& e) {
    return fail(errc::corrupt, "read the answer of", "the daemon", e.what());
  }
}

/// Block style; strings stay in JSON's quoting, which YAML shares.
void yaml(const json& value, int depth, std::string& to) {
  const std::string pad(static_cast<std::size_t>(depth) * 2, ' ');
  if (value.is_object() && !value.empty()) {
    for (const auto& [name, inner] : value.items()) {
      to += pad + name + ":";
      const bool nested = inner.is_structured() && !inner.empty();
      to += nested ? "\n" : " ";
      yaml(inner, depth + 1, to);
    }
  } else if (value.is_array() && !value.empty()) {
    for (const auto& inner : value) {
      std::string text;
      yaml(inner, depth + 1, text);
      const bool nested = inner.is_structured() && !inner.empty();
      to += pad + "- " + (nested ? text.substr(pad.size() + 2) : text);
    }
  } else {
    to += dump(value) + "\n";
  }
}

std::string to_yaml(const json& value) {
  std::string text;
  yaml(value, 0, text);
  return text;
}

} // namespace

std::string encode(const request& r) {
  json j;
  for (const auto& [v, name] : verbs)
    if (v == r.verb) j["verb"] = name;
  if (!r.key.empty()) j["key"] = r.key;
  if (r.full) j["full"] = true;
  return dump(j) + "\n";
}

result<request> decode_request(std::string_view line) {
  const auto j = json::parse(line, nullptr, false);
  auto bad = [](std::string cause) {
    return fail(errc::invalid, "read", "request", std::move(cause));
  };
  if (!j.is_object()) return bad("it is not a JSON object");
  request r;
  bool known = false;
  for (const auto& [name, value] : j.items()) {
    if (name == "verb" && value.is_string()) {
      for (const auto& [v, text] : verbs) {
        if (text != value.get_ref<const std::string&>()) continue;
        r.verb = v;
        known = true;
      }
      if (!known) return bad("unknown verb " + dump(value));
    } else if (name == "key" && value.is_string()) {
      r.key = value.get<std::string>();
    } else if (name == "full" && value.is_boolean()) {
      r.full = value.get<bool>();
    } else {
      return bad("unknown or wrong field " + dump(json(name)));
    }
  }
  if (!known) return bad("it has no verb");
  return r;
}

std::string ok_version(std::string_view version, long pid) {
  return dump({{"ok", true}, {"version", version}, {"pid", pid}}) + "\n";
}
std::string ok_items(const std::vector<pod_status>& pods, bool full) {
  return dump({{"ok", true}, {"items", array_of(pods, full)}}) + "\n";
}
std::string ok_items(const std::vector<file_status>& files) {
  return dump({{"ok", true}, {"items", array_of(files)}}) + "\n";
}
std::string ok() {
  return "{\"ok\":true}\n";
}
std::string refused(const error& e) {
  json j{{"code", to_string(e.code)},
         {"step", e.step},
         {"object", e.object},
         {"cause", e.cause.empty() && e.sys != 0 ? errno_text(e.sys) : e.cause},
         {"hint", e.hint}};
  return dump({{"ok", false}, {"error", std::move(j)}}) + "\n";
}

result<void> decode_ok(std::string_view line) {
  TANK_TRY(answer(line, [](json&) { return true; }));
  return {};
}
result<std::vector<pod_status>> decode_pods(std::string_view line) {
  return answer(line, [](json& j) {
    std::vector<pod_status> pods;
    for (const auto& item : j.at("items"))
      pods.push_back(status_of(item));
    return pods;
  });
}
result<std::vector<file_status>> decode_files(std::string_view line) {
  return answer(line, [](json& j) {
    std::vector<file_status> files;
    for (const auto& item : j.at("items"))
      files.push_back(file_of(item));
    return files;
  });
}
result<version_answer> decode_version(std::string_view line) {
  return answer(line, [](json& j) {
    return version_answer{j.at("version").get<std::string>(), j.at("pid").get<long>()};
  });
}

std::string status_document(const std::vector<pod_status>& pods, bool full, int indent) {
  return dump(document("PodStatusList", array_of(pods, full)), indent);
}
std::string file_document(const std::vector<file_status>& files, int indent) {
  return dump(document("FileStatusList", array_of(files)), indent);
}
std::string status_yaml(const std::vector<pod_status>& pods, bool full) {
  return to_yaml(document("PodStatusList", array_of(pods, full)));
}
std::string json_as_yaml(std::string_view text) {
  return to_yaml(json::parse(text));
}
std::string file_yaml(const std::vector<file_status>& files) {
  return to_yaml(document("FileStatusList", array_of(files)));
}

std::string format_time(std::int64_t ns) {
  if (ns == 0) return {};
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<int>(ns % 1'000'000'000));
  return text.data();
}

std::int64_t parse_time(std::string_view text) {
  std::tm utc{};
  int nanoseconds = 0;
  const std::string copy{text};
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%9dZ", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &nanoseconds) != 7)
    return 0;
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  std::int64_t ns = 0; // of a year that 64 bits hold: 1678 to 2261
  if (__builtin_mul_overflow(::timegm(&utc), std::int64_t{1'000'000'000}, &ns) ||
      __builtin_add_overflow(ns, nanoseconds, &ns))
    return 0;
  return ns;
}

} // namespace tank::api
