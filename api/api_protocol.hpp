/// The control socket's language: one JSON object a line, answered by one JSON object a line.
///
///     {"verb":"version"}                        -> {"ok":true,"version":"0.1.0","pid":812}
///     {"verb":"pods"}                           -> {"ok":true,"items":[<status>...]}
///     {"verb":"pods","key":"default/web","full":true}   one pod, with its manifest
///     {"verb":"files"}                          -> {"ok":true,"items":[<file>...]}
///     {"verb":"restart","key":"default/web"}    -> {"ok":true}
///     {"verb":"usage"}                          -> {"ok":true,"items":[<usage>...]}, see
///                                                  pod_usage.hpp; of the pods that run
///     {"verb":"watch"}                          -> {"ok":true,"items":[...]} now and at each change
///     anything else, or any failure             -> {"ok":false,"error":{"code":"not_found",
///                                                    "step":...,"object":...,"cause":...,"hint":...}}
///
/// A client may send the next request when it has the answer to the last one. Lines longer than
/// `max_line` end the connection. The socket is `run_dir/tank.sock`, 0600; only root and the
/// daemon's own user are served. Pure functions here; the actor is api.hpp, the client
/// cli/client.hpp.
///
/// <status> is what `tank get pods -o json` prints, documented in tank(1), "OUTPUT AS JSON":
/// fields are added, never renamed.
#pragma once

#include "base/error.hpp"
#include "pod/model.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tank::api {

inline constexpr std::size_t max_request = 1 << 20;
/// 10 000 pods with their manifests fit; a client takes no more.
inline constexpr std::size_t max_response = 256 << 20;

enum class verb : std::uint8_t { version, pods, files, restart, usage, watch };

struct request {
  api::verb verb = verb::version;
  std::string key;   ///< "namespace/name"; empty: all
  bool full = false; ///< with the manifest
  bool operator==(const request&) const = default;
};

/// One line, newline included.
std::string encode(const request& r);
result<request> decode_request(std::string_view line);

/// Answers, newline included.
std::string ok_version(std::string_view version, long pid);
std::string ok_items(const std::vector<pod_status>& pods, bool full);
std::string ok_items(const std::vector<file_status>& files);
std::string ok();
std::string refused(const error& e);

/// An answer's payload; the error of a refusal comes out as the result's error.
result<void> decode_ok(std::string_view line);
result<std::vector<pod_status>> decode_pods(std::string_view line);
result<std::vector<file_status>> decode_files(std::string_view line);
struct version_answer {
  std::string version;
  long pid = 0;
};
result<version_answer> decode_version(std::string_view line);

/// The documented documents: {"apiVersion":"tank/v1","kind":"PodStatusList","items":[...]}.
std::string status_document(const std::vector<pod_status>& pods, bool full, int indent);
std::string file_document(const std::vector<file_status>& files, int indent);
/// The same as YAML.
std::string status_yaml(const std::vector<pod_status>& pods, bool full);
std::string file_yaml(const std::vector<file_status>& files);
/// `text` is JSON.
std::string json_as_yaml(std::string_view text);

/// CLOCK_REALTIME nanoseconds <-> "2024-05-01T10:00:00.000000001Z"; 0 <-> "".
std::string format_time(std::int64_t ns);
std::int64_t parse_time(std::string_view text);

} // namespace tank::api
