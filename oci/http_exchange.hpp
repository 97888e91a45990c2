/// One request on its way: what the thread of libcurl fills and a reader empties. Private to
/// http_curl.
#pragma once

#include "base/error.hpp"
#include "oci/http.hpp"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// Thread-safe: one writer, one reader.
class http_exchange {
 public:
  http_exchange(http_request request, std::size_t window)
      : request_(std::move(request))
      , window_(window) {}

  // --- the writer ---
  /// One line of the head, with its end of line. False: the head is too large.
  bool take_header(std::string_view line);
  /// A piece of the body. False: nobody wants it any more.
  bool take_body(std::span<const std::byte> bytes);
  /// The reader is behind by a window or more. It will ask to go on; until then nothing more should
  /// be taken from the network.
  bool full();
  void finish(std::optional<error> why);
  /// Whose address the connection has, when it is no proxy's.
  void set_peer(std::string_view address);

  // --- the reader ---
  /// Waits for the head.
  result<http_response> head();
  /// The next bytes, swapped into `piece`; false at the end. `resume` says that the writer was
  /// `full` and may go on.
  result<bool> next(std::vector<std::byte>& piece, bool& resume);

  [[nodiscard]] const http_request& request() const noexcept { return request_; }
  /// Of the writer's thread alone: an address that the request may not go to.
  std::optional<net_zone> refused;

 private:
  [[nodiscard]] std::size_t worth_waking() const;

  const http_request request_;
  const std::size_t window_;
  std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  int status_ = 0;
  int version_ = 0;
  std::size_t head_size_ = 0;
  http_headers headers_;
  std::string peer_;
  bool head_done_ = false;
  std::deque<std::vector<std::byte>> pieces_;
  std::vector<std::byte> spare_;
  std::size_t queued_ = 0;
  bool paused_ = false;
  bool done_ = false;
  std::optional<error> why_;
};

} // namespace tank::oci
