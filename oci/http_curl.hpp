/// The transport that moves bytes: libcurl's multi interface in one thread.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/http.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace tank::oci {

struct http_settings {
  std::chrono::milliseconds connect_limit = std::chrono::seconds{15}; ///< name, TCP and TLS
  std::chrono::milliseconds whole_limit = std::chrono::seconds{60};   ///< of what is not bulk
  std::chrono::seconds stall_limit{30}; ///< at least 1 s; slower than `stall_rate` for so long
  std::uint32_t stall_rate = 512;       ///< bytes per second
  std::size_t window = 1u << 20;        ///< bytes read ahead of each body's reader
  /// As in the environment of that name; empty: none. Given, never read from the environment.
  std::string http_proxy;
  std::string https_proxy;
  std::string no_proxy;
  std::string agent = "tank";
};

/// Connections are kept and used again while the transport lives. Documents may share one HTTP/2
/// connection; bulk transfers take an HTTP/1.1 connection each, because libcurl keeps up to 32 MiB
/// of a paused HTTP/2 stream in memory while a paused HTTP/1.1 one stays with the sender.
///
/// Memory: about `window` + 256 KiB for each open body. Bodies may outlive the transport; reads
/// then fail with errc::cancelled.
class curl_transport final : public http_transport {
 public:
  /// `stop` outlives the transport. Starts the thread.
  static result<std::unique_ptr<curl_transport>> start(http_settings settings, cancellation& stop);
  ~curl_transport() override;

  result<http_response> send(const http_request& request) override;

 private:
  class engine;
  explicit curl_transport(std::unique_ptr<engine> e);
  std::unique_ptr<engine> engine_;
};

} // namespace tank::oci
