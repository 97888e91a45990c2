/// A registry that misbehaves as it is told: a small HTTP(S) server on loopback, one thread for
/// each connection, that records what it is sent.
#pragma once

#include "base/unique_fd.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tank::testing {

struct seen_request {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers; ///< names in lower case
  std::string body;
  [[nodiscard]] std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
};

struct reply {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  /// Bytes of the body that are sent before the connection is cut.
  std::size_t cut = std::numeric_limits<std::size_t>::max();
  bool hang = false;        ///< after `cut` nothing more comes, and the connection stays
  bool chunked = false;     ///< no Content-Length
  std::uint64_t repeat = 1; ///< the body so often; chunked
};

class fault_registry {
 public:
  using handler = std::function<reply(const seen_request&)>;

  /// `tls`: with a certificate of its own for localhost and 127.0.0.1.
  explicit fault_registry(handler answer, bool tls = false);
  ~fault_registry();
  fault_registry(const fault_registry&) = delete;
  fault_registry& operator=(const fault_registry&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string at(const std::string& host = "127.0.0.1") const {
    return host + ":" + std::to_string(port_);
  }
  [[nodiscard]] const std::string& certificate() const noexcept { return certificate_; } ///< PEM
  [[nodiscard]] std::vector<seen_request> seen() const;
  [[nodiscard]] std::size_t count(const std::string& part_of_target) const;
  [[nodiscard]] std::size_t connections() const; ///< that were made so far
  /// Blocks until a request whose target holds `part` was seen.
  void await(const std::string& part) const;

 private:
  class connection;
  void accept_loop();
  void note(const seen_request& r);

  handler answer_;
  std::string certificate_;
  std::shared_ptr<void> tls_; ///< SSL_CTX
  unique_fd listener_;
  unique_fd stop_; ///< readable for ever once it ends
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable news_;
  std::vector<seen_request> seen_;
  std::size_t connections_ = 0;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

} // namespace tank::testing
