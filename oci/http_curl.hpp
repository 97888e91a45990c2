/// The transport that moves bytes: libcurl's multi interface, in threads of its own.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"
#include "oci/http.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

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

/// HTTP/2 where a server offers it over TLS, else HTTP/1.1. Connections are kept and used again
/// while the transport lives. Documents share one HTTP/2 connection; bulk transfers take a
/// connection and a thread each: what its reader does not take stays with the sender, while of a
/// paused stream among others libcurl would keep up to 32 MiB in memory.
///
/// Memory: about `window` + 2 MiB for each open body. Bodies may outlive the transport; reads then
/// fail with errc::cancelled.
class curl_transport final : public http_transport {
 public:
  /// `stop` outlives the transport. Starts the thread.
  static result<std::unique_ptr<curl_transport>> start(http_settings settings, cancellation& stop);
  ~curl_transport() override;

  result<http_response> send(const http_request& request) override;

 private:
  class engine;
  curl_transport(http_settings settings, cancellation& stop);
  result<engine*> bulk_engine();

  const http_settings settings_;
  cancellation& stop_;
  std::unique_ptr<engine> documents_;
  std::mutex mutex_; ///< guards bulk_
  std::vector<std::unique_ptr<engine>> bulk_;
};

} // namespace tank::oci
