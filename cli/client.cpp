#include "cli/client.hpp"

#include <array>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace tank::cli {

result<client> client::connect(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = socket.string();
  if (name.size() >= sizeof address.sun_path)
    return fail(errc::limit, "reach the daemon at", name, "the path is longer than 107 bytes");
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return fail_errno(errno, "reach the daemon at", name);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int sys = errno;
    if (sys == ENOENT || sys == ECONNREFUSED)
      return fail(errc::unavailable, "reach the daemon at", name, errno_text(sys),
                  "start it with: tank daemon, or systemctl start tank");
    if (sys == EACCES || sys == EPERM)
      return fail_errno(sys, "reach the daemon at", name, "run this as root");
    return fail_errno(sys, "reach the daemon at", name);
  }
  return client{std::move(fd), name};
}

result<std::vector<pod_status>> client::pods(const std::string& key, bool full) {
  return api::decode_pods(TANK_TRY(ask({api::verb::pods, key, full})));
}
result<std::vector<file_status>> client::files() {
  return api::decode_files(TANK_TRY(ask({api::verb::files, "", false})));
}
result<api::version_answer> client::version() {
  return api::decode_version(TANK_TRY(ask({api::verb::version, "", false})));
}
result<void> client::restart(const std::string& key) {
  return api::decode_ok(TANK_TRY(ask({api::verb::restart, key, false})));
}
result<std::vector<pod_usage>> client::usage() {
  return api::decode_usage(TANK_TRY(ask({api::verb::usage, "", false})));
}
result<void> client::start_watch() {
  return send(api::encode({api::verb::watch, "", false}));
}
result<std::vector<pod_status>> client::next_watch() {
  return api::decode_pods(TANK_TRY(receive()));
}

bool client::await_watch(int out_fd) const {
  if (rest_.find('\n') != std::string::npos) return true;
  std::array<pollfd, 2> fds{pollfd{fd_.get(), POLLIN, 0}, pollfd{out_fd, 0, 0}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  return (fds[1].revents & (POLLERR | POLLHUP)) == 0;
}

result<std::string> client::ask(const api::request& what) {
  TANK_TRY(send(api::encode(what)));
  return receive();
}

result<void> client::send(std::string_view line) {
  while (!line.empty()) {
    const auto n = ::send(fd_.get(), line.data(), line.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "talk to the daemon at", name_);
    line.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

result<std::string> client::receive() {
  std::size_t searched = 0;
  std::array<char, 65536> buffer;
  for (;;) {
    if (const auto end = rest_.find('\n', searched); end != std::string::npos) {
      std::string line = rest_.substr(0, end);
      rest_.erase(0, end + 1);
      return line;
    }
    searched = rest_.size();
    if (searched > api::max_response)
      return fail(errc::limit, "read the answer of", name_, "it is too long");
    const auto n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno(errno, "talk to the daemon at", name_);
    if (n == 0)
      return fail(errc::unavailable, "talk to the daemon at", name_, "it closed the connection");
    rest_.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

} // namespace tank::cli
