#include "api/api.hpp"

#include "actors/manifests/messages.hpp"
#include "actors/reconcile/messages.hpp"
#include "actors/role.hpp"
#include "actors/run_job.hpp"
#include "api/api_protocol.hpp"
#include "api/pod_usage.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "kernel/peer.hpp"

#include <array>
#include <cstring>
#include <map>

#include <ctime>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace tank {

// --- what it tells itself ---

/// The cgroups are read for this client.
struct usage_read {
  std::uint64_t client = 0;
  std::vector<pod_usage> pods;
};

} // namespace tank

#define TANK_CONTROL_MESSAGES(M, O, b) O(b, usage_read)
TANK_PRIVATE_MESSAGES(tank_control, ::tank::compat::roles::api, TANK_CONTROL_MESSAGES);

namespace tank {

result<unique_fd> listen_control_socket(const std::filesystem::path& path) {
  const std::string name = path.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path)
    return fail(errc::limit, "listen on", name, "the path is longer than 107 bytes",
                "choose a shorter --run-dir");
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  unique_fd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return fail_errno(errno, "listen on", name);
  if (::unlink(name.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "replace", name);
  // Its directory is 0700, so nobody gets in between bind and chmod.
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(name.c_str(), 0600) != 0 || ::listen(fd.get(), 128) != 0)
    return fail_errno(errno, "listen on", name);
  return fd;
}

namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;

std::int64_t system_monotonic_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

struct client_state {
  unique_fd fd;
  fd_subscription subscription; // after fd: it must end first
  std::string in;
  std::string out;
  bool busy = false; ///< an answer is being made
  bool watching = false;
  bool stale = false; ///< a watcher that has not seen the newest state
};

class api_server final : public role {
 public:
  api_server(caf::actor_config& cfg, api_options options)
      : role(cfg)
      , options_(std::move(options))
      , log_(log_or_none(options_.logger)) {
    if (!options_.monotonic_ns) options_.monotonic_ns = system_monotonic_ns;
  }

  const char* name() const override { return "tank.api"; }

  caf::behavior make_behavior() override {
    auto subscribed = options_.fds->watch(options_.listener->get(), EPOLLIN, self());
    if (!subscribed) {
      stop(stop_failed(subscribed.error()));
      return {[](const fd_ready&) {}};
    }
    listening_ = *std::move(subscribed);
    compat::send(this, options_.reconciler(), watch_pods{self()});
    return {
        [this](const fd_ready& m) { on_ready(m); },
        [this](const usage_read& m) { answer(m.client, api::ok_usage(m.pods)); },
        [this](const pod_changed&) { on_change(); },
        [this](const pod_removed&) { on_change(); },
    };
  }

  void on_exit() override {
    clients_.clear();
    listening_.reset();
    options_.jobs.reset();
    options_.listener.reset(); // a timer may keep this object for longer
  }

 private:
  void on_ready(const fd_ready& m) {
    if (m.id == listening_.id()) return accept_all();
    const auto at = clients_.find(m.id);
    if (at == clients_.end()) return;
    auto& client = at->second;
    const bool alive = (m.events & (EPOLLERR | EPOLLHUP)) == 0 && flush(client) &&
                       ((m.events & EPOLLIN) == 0 || receive(client));
    if (!alive) {
      clients_.erase(at);
      return;
    }
    // What changed while a long list was on its way is told by nobody else, if it was the last.
    if (client.watching && client.stale && !client.busy && client.out.empty()) send_list(m.id);
    serve(m.id);
  }

  void accept_all() {
    for (;;) {
      unique_fd fd{
          ::accept4(options_.listener->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (!fd && errno == EINTR) continue;
      if (!fd) break;
      if (const auto why = kernel::refuse_peer(fd.get(), options_.cgroups); !why.empty()) {
        log_->warn("event=client_refused reason={}", in_quotes(why));
        continue;
      }
      if (clients_.size() >= options_.max_clients) {
        log_->warn("event=client_refused connected={}", clients_.size());
        continue;
      }
      auto subscribed = options_.fds->watch(fd.get(), EPOLLIN, self());
      if (!subscribed) continue;
      const auto id = subscribed->id();
      auto& client = clients_[id];
      client.fd = std::move(fd);
      client.subscription = *std::move(subscribed);
    }
    if (auto armed = listening_.rearm(EPOLLIN); !armed) stop(stop_failed(armed.error()));
  }

  /// False: the client is gone, or says too much.
  bool receive(client_state& client) {
    std::array<char, 16384> buffer;
    while (client.in.size() <= api::max_request) {
      const auto n = ::recv(client.fd.get(), buffer.data(), buffer.size(), 0);
      if (n > 0) {
        client.in.append(buffer.data(), static_cast<std::size_t>(n));
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      return n < 0 && errno == EAGAIN;
    }
    return client.in.find('\n') <= api::max_request;
  }

  bool flush(client_state& client) {
    while (!client.out.empty()) {
      const auto n = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno == EAGAIN;
      client.out.erase(0, static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Takes the next request when the last one is answered, then waits for what is due.
  void serve(std::uint64_t id) {
    const auto at = clients_.find(id);
    if (at == clients_.end()) return;
    auto& client = at->second;
    serving_ = id;
    while (!client.busy && client.out.empty()) {
      const auto end = client.in.find('\n');
      if (end == std::string::npos) break;
      const auto line = client.in.substr(0, end);
      client.in.erase(0, end + 1);
      client.busy = true;
      handle(id, line);
      if (!clients_.contains(id)) break;
    }
    serving_ = 0;
    if (!clients_.contains(id)) return;
    std::uint32_t events = 0;
    if (!client.out.empty()) events |= EPOLLOUT;
    if (client.in.size() <= api::max_request && !client.busy) events |= EPOLLIN;
    if (client.watching) events |= EPOLLIN; // to see it go
    if (auto armed = client.subscription.rearm(events); !armed) clients_.erase(id);
  }

  void handle(std::uint64_t id, std::string_view line) {
    auto asked = api::decode_request(line);
    if (!asked) return answer(id, api::refused(asked.error()));
    switch (asked->verb) {
    case api::verb::version:
      return answer(id, api::ok_version(options_.version, ::getpid()));
    case api::verb::pods:
      return answer_pods(id, *asked);
    case api::verb::files:
      return relay(id, options_.watcher(), get_files{},
                   [](const file_list& got) { return api::ok_items(got.files); });
    case api::verb::restart:
      return relay(id, options_.reconciler(), restart_pod{asked->key},
                   [](const pod_status&) { return api::ok(); });
    case api::verb::usage:
      return answer_usage(id);
    case api::verb::watch:
      clients_[id].watching = true;
      return send_list(id);
    }
  }

  void answer_pods(std::uint64_t id, const api::request& asked) {
    if (!asked.key.empty())
      return relay(id, options_.reconciler(), get_pod{asked.key},
                   [full = asked.full](const pod_status& got) {
                     return api::ok_items(std::vector{got}, full);
                   });
    relay(id, options_.reconciler(), list_pods{},
          [full = asked.full](const pod_list& got) { return api::ok_items(got.pods, full); });
  }

  /// Only on demand: nothing is sampled while nobody looks.
  void answer_usage(std::uint64_t id) {
    compat::request(this, options_.reconciler(), patience, list_pods{})
        .then([this, id](const pod_list& got) { read_usage(id, got.pods); },
              [this, id](const caf::error& e) { answer(id, api::refused(error_of(e))); });
  }

  void read_usage(std::uint64_t id, const std::vector<pod_status>& pods) {
    std::vector<pod_usage> wanted;
    for (const auto& p : pods)
      if (p.host_pid > 0) wanted.push_back({p.key, p.uid, p.started_ns, 0, {}});
    if (!options_.jobs || !options_.read_usage) return answer(id, api::ok_usage(wanted));
    run_job(*options_.jobs, self(),
            [id, wanted = std::move(wanted), read = options_.read_usage,
             clock = options_.monotonic_ns]() mutable {
              for (auto& pod : wanted) {
                // One that has just ended, or has no cgroup, has no figures.
                if (auto counted = read(pod.uid)) pod.counted = *std::move(counted);
                pod.at_ns = clock();
              }
              return usage_read{id, std::move(wanted)};
            });
  }

  template <class Message, class Show>
  void relay(std::uint64_t id, const caf::actor& to, Message what, Show show) {
    relay_as(id, to, std::move(what), std::function{show});
  }
  template <class Message, class Answer>
  void relay_as(std::uint64_t id, const caf::actor& to, Message what,
                std::function<std::string(const Answer&)> show) {
    compat::request(this, to, patience, std::move(what))
        .then([this, id, show](const Answer& got) { answer(id, show(got)); },
              [this, id](const caf::error& e) { answer(id, api::refused(error_of(e))); });
  }

  void answer(std::uint64_t id, std::string text) {
    const auto at = clients_.find(id);
    if (at == clients_.end()) return; // it did not wait
    auto& client = at->second;
    client.busy = false;
    client.out += text;
    if (!flush(client)) {
      clients_.erase(at);
      return;
    }
    if (client.watching && client.stale && client.out.empty()) return send_list(id);
    // An answer at once, of many requests in one read: `serve` goes on by itself. Calling it from
    // here would go one deeper for each of them.
    if (serving_ != id) serve(id);
  }

  void send_list(std::uint64_t id) {
    auto& client = clients_[id];
    client.busy = true;
    client.stale = false;
    relay(id, options_.reconciler(), list_pods{},
          [](const pod_list& got) { return api::ok_items(got.pods, false); });
  }

  void on_change() {
    std::vector<std::uint64_t> due;
    for (auto& [id, client] : clients_) {
      if (!client.watching) continue;
      client.stale = true;
      if (!client.busy && client.out.empty()) due.push_back(id);
    }
    for (const auto id : due)
      send_list(id);
  }

  api_options options_;
  log_ptr log_;
  fd_subscription listening_;
  std::map<std::uint64_t, client_state> clients_;
  std::uint64_t serving_ = 0; ///< whose requests are being taken now; no subscription has id 0
};

} // namespace

caf::actor spawn_api(caf::actor_system& sys, api_options options) {
  return sys.spawn<api_server>(std::move(options));
}

} // namespace tank
