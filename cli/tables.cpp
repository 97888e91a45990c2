#include "cli/tables.hpp"

#include "config/pod.hpp"
#include "pod/pod_phase.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace tank::cli {
namespace {

using row = std::vector<std::string>;

std::string cut(const std::string& text, std::size_t width) {
  if (width == 0 || columns(text) <= width) return text;
  std::size_t at = 0;
  for (std::size_t used = 0; at < text.size(); ++at) {
    if ((text[at] & 0xC0) != 0x80 && ++used > width) break;
  }
  return text.substr(0, at);
}

std::string clock_text(std::int64_t ns) {
  if (ns == 0) return "-";
  const std::time_t seconds = ns / 1'000'000'000;
  std::tm local{};
  ::localtime_r(&seconds, &local);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &local);
  return text.data();
}

std::string time_of_day(std::int64_t ns) {
  const auto text = clock_text(ns);
  const auto space = text.find(' ');
  return space == std::string::npos ? text : text.substr(space + 1);
}

std::string exit_text(const last_exit& how) {
  if (how.signal != 0) return "killed by signal " + std::to_string(how.signal);
  if (how.started_ns == 0 && how.exit_code != 0 && how.reason != "Completed" &&
      how.reason != "Error")
    return "failed";
  return "exited " + std::to_string(how.exit_code);
}

std::string image_of(const pod_status& pod) {
  if (!pod.pod || pod.pod->spec.containers.empty()) return "-";
  std::string images;
  for (const auto& c : pod.pod->spec.containers)
    images += (images.empty() ? "" : ",") + printable(c.image);
  return images;
}

std::string reason_of(const pod_status& pod) {
  // "stopping: stopping" says it twice.
  if (!pod.message.empty() && pod.message != to_string(pod.state)) return printable(pod.message);
  if (pod.state == pod_state::running || !pod.last) return "";
  return printable(pod.last->message.empty() ? pod.last->reason : pod.last->message);
}

/// The same for a table: a back-off as what is left of it, or in absolute times until when.
std::string short_reason_of(const pod_status& pod, std::int64_t now_ns, bool absolute) {
  if (pod.state != pod_state::backing_off || !pod.last) return reason_of(pod);
  const auto& why = pod.last->message.empty() ? pod.last->reason : pod.last->message;
  if (pod.restart_at_ns == 0) return printable(why);
  if (absolute) return "again at " + time_of_day(pod.restart_at_ns) + ": " + printable(why);
  // Rounded up: "0s" would look as if it were over.
  const auto left = std::max<std::int64_t>(pod.restart_at_ns - now_ns, 0) + 999'999'999;
  return "again in " + age_text(left) + ": " + printable(why);
}

std::string milliseconds(std::chrono::microseconds us) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3f ms", static_cast<double>(us.count()) / 1000.0);
  return text.data();
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& w : words)
    text += (text.empty() ? "" : ", ") + w;
  return text.empty() ? "-" : text;
}

} // namespace

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string aligned(const std::vector<row>& rows, std::size_t width) {
  std::vector<std::size_t> widths;
  for (const auto& r : rows) {
    widths.resize(std::max(widths.size(), r.size()));
    for (std::size_t i = 0; i < r.size(); ++i)
      widths[i] = std::max(widths[i], columns(r[i]));
  }
  std::string text;
  for (const auto& r : rows) {
    std::string line;
    for (std::size_t i = 0; i < r.size(); ++i) {
      line += r[i];
      if (i + 1 < r.size()) line.append(widths[i] - columns(r[i]) + 3, ' ');
    }
    while (line.ends_with(' '))
      line.pop_back();
    text += cut(line, width) + "\n";
  }
  return text;
}

std::string short_name(const std::string& key) {
  return key.starts_with("default/") ? key.substr(8) : key;
}

std::string age_text(std::int64_t ns) {
  const auto seconds = std::max<std::int64_t>(ns, 0) / 1'000'000'000;
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

std::string state_text(const pod_status& pod, std::int64_t now_ns) {
  switch (pod.state) {
  case pod_state::backing_off: {
    if (pod.restart_at_ns == 0 || now_ns == 0) return "backing off";
    // Rounded up: "0s" would look as if it were over.
    const auto left = std::max<std::int64_t>(pod.restart_at_ns - now_ns, 0) + 999'999'999;
    return "backing off " + age_text(left);
  }
  case pod_state::terminal:
    return pod.last ? exit_text(*pod.last) : "ended";
  default:
    return std::string{to_string(pod.state)};
  }
}

std::string pod_table(const std::vector<pod_status>& pods, std::int64_t now_ns,
                      const table_style& style) {
  row head{"NAME", "READY", "STATUS", "RESTARTS", style.absolute ? "SINCE" : "AGE", "REASON"};
  if (style.wide)
    head = {"NAME", "READY", "STATUS", "RESTARTS", "AGE", "PID", "IMAGE", "UID", "FILE", "REASON"};
  std::vector<row> rows{head};
  for (const auto& pod : pods) {
    row r{short_name(pod.key), ready_text(pod), printable(status_word(pod)),
          std::to_string(total_restarts(pod))};
    if (style.absolute && !style.wide) {
      r.push_back(time_of_day(pod.started_ns != 0 ? pod.started_ns : pod.created_ns));
    } else {
      r.push_back(pod.created_ns == 0 ? "-" : age_text(now_ns - pod.created_ns));
    }
    if (style.wide) {
      r.push_back(pod.host_pid > 0 ? std::to_string(pod.host_pid) : "-");
      r.push_back(image_of(pod));
      r.push_back(pod.uid);
      r.push_back(printable(pod.file));
    }
    r.push_back(short_reason_of(pod, now_ns, style.absolute));
    rows.push_back(std::move(r));
  }
  return aligned(rows, style.width);
}

std::string file_table(const std::vector<file_status>& files) {
  std::vector<row> rows{{"FILE", "STATUS", "PODS"}};
  for (const auto& file : files) {
    std::string status = "ok";
    if (!file.errors.empty()) status = file.last_good_kept ? "error, last good kept" : "error";
    std::vector<std::string> names;
    for (const auto& key : file.pods)
      names.push_back(short_name(key));
    rows.push_back({printable(file.file), status, joined(names)});
  }
  std::string text = aligned(rows, 0);
  for (const auto& file : files) {
    for (const auto& e : file.errors)
      text += printable(e) + "\n";
    for (const auto& w : file.warnings)
      text += "warning: " + printable(w) + "\n";
  }
  return text;
}

/// "running, pid 812, 2 restarts", "waiting: CrashLoopBackOff: back-off 10s: exited with code 1".
static std::string container_text(const container_status& c) {
  std::string text{to_string(c.state)};
  if (c.host_pid > 0) text += ", pid " + std::to_string(c.host_pid);
  if (c.terminated) text += ": " + exit_text(*c.terminated) + " (" + c.terminated->reason + ")";
  if (c.state == container_phase::waiting && !c.reason.empty()) {
    text += ": " + c.reason;
    if (!c.message.empty()) text += ": " + printable(c.message);
  }
  if (c.restarts > 0)
    text += ", " + std::to_string(c.restarts) + (c.restarts == 1 ? " restart" : " restarts");
  return text;
}

std::string describe_pod(const pod_status& pod, std::int64_t now_ns) {
  const auto slash = pod.key.find('/');
  std::vector<row> rows;
  auto add = [&](std::string name, std::string value) {
    rows.push_back({std::move(name), value.empty() ? "-" : std::move(value)});
  };
  add("Name:", pod.key.substr(slash + 1));
  add("Namespace:", pod.key.substr(0, slash));
  add("UID:", pod.uid);
  add("File:", printable(pod.file));
  if (pod.pod) {
    for (const auto& c : pod.pod->spec.init_containers)
      add("Init container:", c.name + ", image " + printable(c.image));
    for (const auto& c : pod.pod->spec.containers)
      add("Container:", c.name + ", image " + printable(c.image));
    if (pod.containers.size() > 1)
      for (const auto& c : pod.containers)
        add("  " + c.name + ":", container_text(c));
    add("Restart policy:", std::string{pod.pod->spec.restart_policy});
  }
  add("State:", state_text(pod, now_ns));
  add("Message:", printable(pod.message));
  add("PID:", pod.host_pid > 0 ? std::to_string(pod.host_pid) : "");
  add("Restarts:", std::to_string(total_restarts(pod)));
  add("Created:", clock_text(pod.created_ns));
  add("Started:", clock_text(pod.started_ns));
  if (pod.last) {
    add("Last exit:", exit_text(*pod.last) + " (" + pod.last->reason + ")");
    if (!pod.last->message.empty()) add("", printable(pod.last->message));
    add("  Started:", clock_text(pod.last->started_ns));
    add("  Finished:", clock_text(pod.last->finished_ns));
  }
  const auto& t = pod.phases;
  add("Bring-up:", milliseconds(t.image + t.spawn + t.rootfs + t.network + t.limits + t.proceed));
  add("  Image:", milliseconds(t.image));
  add("  Spawn:", milliseconds(t.spawn));
  add("  Rootfs:", milliseconds(t.rootfs));
  add("  Network:", milliseconds(t.network));
  add("  Limits:", milliseconds(t.limits));
  add("  Proceed:", milliseconds(t.proceed));
  if (pod.warnings.empty()) add("Warnings:", "none");
  std::string text = aligned(rows, 0);
  if (!pod.warnings.empty()) text += "Warnings:\n";
  for (const auto& w : pod.warnings)
    text += "  " + printable(w) + "\n";
  return text;
}

bool ends_now(const pod_status& pod) {
  return pod.state == pod_state::running && pod.host_pid <= 0;
}

std::string state_line(const pod_status& pod) {
  std::string text = "pod/" + short_name(pod.key) + " " + state_text(pod, 0);
  if (pod.state == pod_state::running && pod.host_pid > 0)
    text += ", pid " + std::to_string(pod.host_pid);
  auto why = reason_of(pod);
  // A line for each step, not for each MiB.
  if (pod.state == pod_state::starting && why.starts_with("pulling image '"))
    why = why.substr(0, std::min(why.find("': "), why.size() - 1) + 1);
  if (!why.empty()) text += ": " + why;
  return text;
}

} // namespace tank::cli
