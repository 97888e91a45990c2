#include "oci/http_exchange.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

namespace tank::oci {

namespace {

constexpr std::size_t max_head = 64 * 1024;
constexpr std::size_t piece_size = 256 * 1024;

/// "HTTP/1.1 200 OK" or "HTTP/2 200".
int status_of(std::string_view line) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos || line.size() < space + 4) return 0;
  int status = 0;
  for (const char c : line.substr(space + 1, 3)) {
    if (c < '0' || c > '9') return 0;
    status = status * 10 + (c - '0');
  }
  return status;
}

/// 11 of "HTTP/1.1 ...", 20 of "HTTP/2 ...".
int version_of(std::string_view line) {
  constexpr std::size_t begin = 5;
  if (line.size() < begin + 2 || line[begin] < '0' || line[begin] > '9') return 0;
  const int major = line[begin] - '0';
  const bool has_minor = line[begin + 1] == '.' && line.size() > begin + 2;
  return major * 10 + (has_minor ? line[begin + 2] - '0' : 0);
}

} // namespace

std::size_t http_exchange::worth_waking() const {
  return std::min(piece_size / 2, window_);
}

bool http_exchange::take_header(std::string_view line) {
  const std::lock_guard lock{mutex_};
  if (head_done_) return true; // trailers say nothing that we ask for
  head_size_ += line.size();
  if (head_size_ > max_head) return false;
  if (line.starts_with("HTTP/")) {
    status_ = status_of(line);
    version_ = version_of(line);
    headers_.clear();
    return true;
  }
  const auto text = trimmed(line);
  if (text.empty()) {
    if (status_ < 200) return true; // 1xx: another head follows
    head_done_ = true;
    changed_.notify_all();
    return true;
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return true;
  std::string name{text.substr(0, colon)};
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  headers_.emplace_back(std::move(name), trimmed(text.substr(colon + 1)));
  return true;
}

bool http_exchange::full() {
  const std::lock_guard lock{mutex_};
  paused_ = !done_ && queued_ >= window_;
  return paused_;
}

bool http_exchange::take_body(std::span<const std::byte> bytes) {
  const std::lock_guard lock{mutex_};
  if (done_) return false;
  if (pieces_.empty() || pieces_.back().size() + bytes.size() > piece_size) {
    pieces_.push_back(std::exchange(spare_, {}));
    pieces_.back().clear();
    pieces_.back().reserve(piece_size);
  }
  pieces_.back().insert(pieces_.back().end(), bytes.begin(), bytes.end());
  const bool was_little = queued_ < worth_waking();
  queued_ += bytes.size();
  if (was_little && queued_ >= worth_waking()) changed_.notify_all();
  return true;
}

void http_exchange::finish(std::optional<error> why) {
  const std::lock_guard lock{mutex_};
  if (done_) return;
  done_ = true;
  why_ = std::move(why);
  changed_.notify_all();
}

void http_exchange::set_peer(std::string_view address) {
  const std::lock_guard lock{mutex_};
  peer_ = address;
}

result<http_response> http_exchange::head() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return head_done_ || done_; });
  if (!head_done_ && why_) return tl::make_unexpected(*why_);
  if (!head_done_)
    return fail(errc::unavailable, "reach", request_.url.origin(), "it sent no proper answer");
  return http_response{status_, version_, headers_, nullptr, peer_};
}

result<bool> http_exchange::next(std::vector<std::byte>& piece, bool& resume) {
  std::unique_lock lock{mutex_};
  // Not for each packet: a wake-up costs more than the bytes in it.
  changed_.wait(lock, [this] { return done_ || queued_ >= worth_waking(); });
  resume = false;
  if (done_ && why_ && why_->code == errc::cancelled) return tl::make_unexpected(*why_);
  if (pieces_.empty()) {
    if (why_) return tl::make_unexpected(*why_);
    return false;
  }
  if (piece.capacity() > spare_.capacity()) spare_ = std::move(piece);
  piece = std::move(pieces_.front());
  pieces_.pop_front();
  queued_ -= piece.size();
  resume = paused_ && queued_ < window_ / 2;
  if (resume) paused_ = false;
  return true;
}

} // namespace tank::oci
