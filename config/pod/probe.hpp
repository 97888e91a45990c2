/// Probes and lifecycle hooks: what is asked of a running container.
///
/// Kubernetes `core/v1` as values, every field; names are those of the API in snake_case. An absent
/// optional is an absent key. config/schema_*.cpp binds each field to its key.
#pragma once

#include "config/box.hpp"
#include "config/scalars.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tank::config {

/// A command in the container; not a shell. `$(VAR)` is expanded.
struct exec_action {
  std::vector<std::string> command;
  bool operator==(const exec_action&) const = default;
};

/// A header of an HTTP probe.
struct http_header {
  std::string name;
  std::string value;
  bool operator==(const http_header&) const = default;
};

/// GET; 200..399 is success.
struct http_get_action {
  std::string path; ///< "/" once defaulted
  int_or_string port;
  std::string host;   ///< the pod's address when empty
  std::string scheme; ///< HTTP | HTTPS
  std::vector<http_header> http_headers;
  std::optional<std::string> protocol;
  bool operator==(const http_get_action&) const = default;
};

/// Success is a connection.
struct tcp_socket_action {
  int_or_string port;
  std::string host;
  bool operator==(const tcp_socket_action&) const = default;
};

/// The gRPC health checking protocol, v1.
struct grpc_action {
  std::int32_t port = 0;
  std::optional<std::string> service;
  std::optional<std::string> mode;
  bool operator==(const grpc_action&) const = default;
};

/// Waits.
struct sleep_action {
  std::int64_t seconds = 0;
  bool operator==(const sleep_action&) const = default;
};

/// One question, repeated; exactly one handler is set.
struct probe {
  std::optional<exec_action> exec;
  std::optional<http_get_action> http_get;
  std::optional<tcp_socket_action> tcp_socket;
  std::optional<grpc_action> grpc;
  std::int32_t initial_delay_seconds = 0;
  std::int32_t timeout_seconds = 0;   ///< seconds; 1 once defaulted
  std::int32_t period_seconds = 0;    ///< seconds; 10 once defaulted
  std::int32_t success_threshold = 0; ///< 1 once defaulted
  std::int32_t failure_threshold = 0; ///< 3 once defaulted
  std::optional<std::int64_t> termination_grace_period_seconds;
  bool operator==(const probe&) const = default;
};

/// A hook; exactly one is set.
struct lifecycle_handler {
  std::optional<exec_action> exec;
  std::optional<http_get_action> http_get;
  std::optional<tcp_socket_action> tcp_socket;
  std::optional<sleep_action> sleep;
  bool operator==(const lifecycle_handler&) const = default;
};

/// Hooks around a container's life, and the signal that asks it to stop.
struct lifecycle {
  box<lifecycle_handler> post_start;
  box<lifecycle_handler> pre_stop;
  std::optional<std::string> stop_signal; ///< "SIGTERM", "SIGRTMIN+3"; the image's when absent
  bool operator==(const lifecycle&) const = default;
};

} // namespace tank::config
