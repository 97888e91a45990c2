/// The CLI's end of the control socket (protocol: api/api_protocol.hpp). Blocking.
#pragma once

#include "api/api_protocol.hpp"
#include "api/pod_usage.hpp"
#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tank::cli {

class client {
 public:
  /// errc::unavailable, with how to start a daemon, when nobody listens at `socket`.
  static result<client> connect(const std::filesystem::path& socket);

  result<std::vector<pod_status>> pods(const std::string& key = {}, bool full = false);
  result<std::vector<file_status>> files();
  result<api::version_answer> version();
  result<void> restart(const std::string& key);
  result<std::vector<pod_usage>> usage();

  /// Asks for the stream; `next_watch` then blocks for each answer.
  result<void> start_watch();
  result<std::vector<pod_status>> next_watch();
  /// Waits until `next_watch` has something to read; false when nobody reads `out_fd` any more.
  [[nodiscard]] bool await_watch(int out_fd) const;

  /// Readable when a watch's answer, or the daemon's end, is there.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  client(unique_fd fd, std::string name) : fd_{std::move(fd)}, name_{std::move(name)} {}

  result<std::string> ask(const api::request& what);
  result<void> send(std::string_view line);
  result<std::string> receive();

  unique_fd fd_;
  std::string name_;
  std::string rest_;
};

} // namespace tank::cli
