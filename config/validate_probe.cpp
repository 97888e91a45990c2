#include "config/validate_common.hpp"

#include <algorithm>

namespace tank::config::rules {
namespace {

void check_port(const int_or_string& port, const path& at, findings& out) {
  if (const auto* number = port.number()) {
    for (const auto& problem : port_number(*number))
      out.invalid(at, *number, problem);
  } else {
    out.name(at, *port.text(), port_name(*port.text()));
  }
}

/// The names of header fields are tokens of HTTP.
bool header_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void check_http(const http_get_action& h, const path& at, findings& out) {
  if (h.path.empty()) out.required(at.child("path"));
  check_port(h.port, at.child("port"), out);
  out.one_of(at.child("scheme"), h.scheme, {"HTTP", "HTTPS"});
  for (std::size_t i = 0; i < h.http_headers.size(); ++i)
    if (!header_name(h.http_headers[i].name))
      out.invalid(at.child("httpHeaders").index(i).child("name"), h.http_headers[i].name,
                  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
                  "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')");
}

void check_exec(const exec_action& e, const path& at, findings& out) {
  if (e.command.empty()) out.required(at.child("command"));
}

/// The handlers that probes and hooks share. Counts, and forbids the second.
class handlers {
 public:
  handlers(path at, findings& out) : at_(std::move(at)), out_(out) {}

  /// True when this one is to be looked into.
  bool take(bool set, std::string_view key) {
    if (!set) return false;
    if (++count_ > 1) out_.forbidden(at_.child(key), "may not specify more than 1 handler type");
    return count_ == 1;
  }
  void finish() {
    if (count_ == 0) out_.required(at_, "must specify a handler type");
  }

 private:
  path at_;
  findings& out_;
  int count_ = 0;
};

template <class T>
void check_common(const T& h, handlers& seen, const path& at, findings& out) {
  if (seen.take(h.exec.has_value(), "exec")) check_exec(*h.exec, at.child("exec"), out);
  if (seen.take(h.http_get.has_value(), "httpGet"))
    check_http(*h.http_get, at.child("httpGet"), out);
  if (seen.take(h.tcp_socket.has_value(), "tcpSocket"))
    check_port(h.tcp_socket->port, at.child("tcpSocket.port"), out);
}

void check_hook(const lifecycle_handler& h, std::int64_t grace, const path& at, findings& out) {
  handlers seen{at, out};
  check_common(h, seen, at, out);
  if (seen.take(h.sleep.has_value(), "sleep") && (h.sleep->seconds < 0 || h.sleep->seconds > grace))
    out.invalid(at.child("sleep"), h.sleep->seconds,
                "must be non-negative and less than or equal to terminationGracePeriodSeconds (" +
                    std::to_string(grace) + ")");
  seen.finish();
}

/// SIGTERM and the like, and the real-time signals SIGRTMIN, SIGRTMIN+1..+15, SIGRTMAX-14..-1,
/// SIGRTMAX.
bool known_signal(std::string_view text) {
  constexpr std::string_view plain[] = {
      "SIGABRT", "SIGALRM", "SIGBUS",   "SIGCHLD",   "SIGCLD",  "SIGCONT", "SIGFPE",    "SIGHUP",
      "SIGILL",  "SIGINT",  "SIGIO",    "SIGIOT",    "SIGKILL", "SIGPIPE", "SIGPOLL",   "SIGPROF",
      "SIGPWR",  "SIGQUIT", "SIGSEGV",  "SIGSTKFLT", "SIGSTOP", "SIGSYS",  "SIGTERM",   "SIGTRAP",
      "SIGTSTP", "SIGTTIN", "SIGTTOU",  "SIGURG",    "SIGUSR1", "SIGUSR2", "SIGVTALRM", "SIGWINCH",
      "SIGXCPU", "SIGXFSZ", "SIGRTMIN", "SIGRTMAX"};
  if (std::find(std::begin(plain), std::end(plain), text) != std::end(plain)) return true;
  const bool up = text.starts_with("SIGRTMIN+");
  if (!up && !text.starts_with("SIGRTMAX-")) return false;
  const auto offset = text.substr(9);
  for (int i = 1; i <= (up ? 15 : 14); ++i)
    if (offset == std::to_string(i)) return true;
  return false;
}

} // namespace

void check_probe(const probe& p, const path& at, findings& out) {
  handlers seen{at, out};
  check_common(p, seen, at, out);
  if (seen.take(p.grpc.has_value(), "grpc"))
    for (const auto& problem : port_number(p.grpc->port))
      out.invalid(at.child("grpc.port"), p.grpc->port, problem);
  seen.finish();
  out.not_negative(at.child("initialDelaySeconds"), p.initial_delay_seconds);
  out.not_negative(at.child("timeoutSeconds"), p.timeout_seconds);
  out.not_negative(at.child("periodSeconds"), p.period_seconds);
  out.not_negative(at.child("successThreshold"), p.success_threshold);
  out.not_negative(at.child("failureThreshold"), p.failure_threshold);
  if (p.termination_grace_period_seconds && *p.termination_grace_period_seconds <= 0)
    out.invalid(at.child("terminationGracePeriodSeconds"), *p.termination_grace_period_seconds,
                "must be greater than 0");
}

void check_lifecycle(const lifecycle& l, const pod_spec& pod, const path& at, findings& out) {
  const auto grace = pod.termination_grace_period_seconds.value_or(30);
  if (l.post_start) check_hook(*l.post_start, grace, at.child("postStart"), out);
  if (l.pre_stop) check_hook(*l.pre_stop, grace, at.child("preStop"), out);
  if (!l.stop_signal) return;
  if (!pod.os)
    out.forbidden(at.child("stopSignal"),
                  "may not be set for containers with empty `spec.os.name`");
  else if (!known_signal(*l.stop_signal) ||
           (pod.os->name == "windows" && *l.stop_signal != "SIGTERM" &&
            *l.stop_signal != "SIGKILL"))
    out.add(at.child("stopSignal"), "Unsupported value: " + rules::quoted(*l.stop_signal) +
                                        ": supported values: a signal's name, as \"SIGTERM\" or "
                                        "\"SIGRTMIN+3\"");
}

} // namespace tank::config::rules
