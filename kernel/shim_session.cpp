#include "kernel/session.hpp"

#include "kernel/wire_encode.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

namespace tank::kernel {

using protocol::frame_type;

static constexpr idtype_t by_pidfd = static_cast<idtype_t>(3); // P_PIDFD

void graveyard::add(unique_fd pidfd) {
  const std::lock_guard lock{mutex_};
  pidfds_.push_back(std::move(pidfd));
}

void graveyard::sweep() {
  const std::lock_guard lock{mutex_};
  std::erase_if(pidfds_, [](const unique_fd& fd) {
    siginfo_t how{};
    const int rc = ::waitid(by_pidfd, static_cast<id_t>(fd.get()), &how, WEXITED | WNOHANG);
    return rc != 0 || how.si_pid != 0; // ECHILD: never ours, or reaped by somebody
  });
}

/// A frame from a packet that may be cut inside its last text, or be longer than we know.
template <class Frame>
static Frame read_frame(std::span<const char> packet) {
  Frame f{};
  std::memcpy(static_cast<void*>(&f), packet.data(), std::min(packet.size(), sizeof f));
  return f;
}

template <std::size_t N>
static std::string text_of(const char (&field)[N]) {
  return {field, ::strnlen(field, N)};
}

result<std::unique_ptr<shim_session>> shim_session::make(unique_fd connection, unique_fd pidfd,
                                                         pid_t pid,
                                                         std::shared_ptr<graveyard> graves) {
  std::unique_ptr<shim_session> s{new shim_session};
  s->connection_ = std::move(connection);
  s->pidfd_ = std::move(pidfd);
  s->pid_ = pid;
  s->graves_ = std::move(graves);
  s->poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (!s->poll_ ||
      ::epoll_ctl(s->poll_.get(), EPOLL_CTL_ADD, s->connection_.get(), &readable) != 0 ||
      ::epoll_ctl(s->poll_.get(), EPOLL_CTL_ADD, s->pidfd_.get(), &readable) != 0)
    return fail_errno(errno, "watch the shim", std::to_string(pid));
  return s;
}

shim_session::~shim_session() {
  if (!pidfd_) return;
  siginfo_t how{};
  if (::waitid(by_pidfd, static_cast<id_t>(pidfd_.get()), &how, WEXITED | WNOHANG) == 0 &&
      how.si_pid == 0)
    graves_->add(std::move(pidfd_));
}

// --- requests ----------------------------------------------------------------------------------

shim_session::entry* shim_session::find(const std::string& container) {
  const auto it = std::find_if(containers_.begin(), containers_.end(),
                               [&](const entry& e) { return e.known.container == container; });
  return it == containers_.end() ? nullptr : &*it;
}

result<void> shim_session::send(std::span<const char> bytes, int fd, const char* doing,
                                const std::string& container) {
  if (!connection_) return fail(errc::conflict, doing, container, "no_process");
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  if (::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
  if (errno == EPIPE || errno == ECONNRESET) // its end of file is on the way to next_event
    return fail(errc::conflict, doing, container, "no_process");
  auto failed = fail_errno(errno, doing, container);
  failed.value().code = errc::unavailable;
  return failed;
}

result<void> shim_session::request(frame_type type, const std::string& container, int value,
                                   const char* doing) {
  protocol::request_frame f;
  f.head.type = type;
  f.value = value;
  container.copy(f.container, sizeof f.container - 1);
  return send({reinterpret_cast<const char*>(&f), sizeof f}, -1, doing, container);
}

result<void> shim_session::create(const launch_plan& plan) {
  const auto& name = plan.container;
  if (name.size() >= protocol::name_size)
    return fail(errc::limit, "create container", name, "its name is longer than 127 bytes");
  const auto* old = find(name);
  if (old != nullptr && !is_terminal(old->known.at))
    return fail(errc::exists, "create container", name, "it exists already");
  if (old == nullptr && containers_.size() >= protocol::max_containers)
    return fail(errc::limit, "create container", name, "the pod has 16 containers");
  const auto bytes = TANK_TRY(wire::encode_plan(plan));
  const auto memfd = TANK_TRY(wire::make_sealed_memfd("tank-plan", bytes));
  const protocol::header head{frame_type::create};
  TANK_TRY(send({reinterpret_cast<const char*>(&head), sizeof head}, memfd.get(),
                "create container", name));
  std::erase_if(containers_, [&](const entry& e) { return e.known.container == name; });
  containers_.emplace_back().known.container = name;
  return {};
}

result<shim_session::entry*> shim_session::allowed(verb what, const char* doing,
                                                   const std::string& container) {
  auto* e = find(container);
  if (e == nullptr) return fail(errc::not_found, doing, container, "the pod has no such container");
  auto v = connection_ ? judge(e->known.at, what) : verdict::no_process;
  if (v == verdict::act || v == verdict::hold) {
    if (what == verb::build && e->build_sent) v = verdict::built;
    if (what == verb::proceed && e->proceed_sent) v = verdict::running;
  }
  if (const auto why = refusal(v); !why.empty())
    return fail(errc::conflict, doing, container, std::string{why});
  return e;
}

result<void> shim_session::build(const std::string& container) {
  auto* e = TANK_TRY(allowed(verb::build, "build", container));
  TANK_TRY(request(frame_type::build, container, 0, "build"));
  e->build_sent = true;
  return {};
}

result<void> shim_session::proceed(const std::string& container) {
  auto* e = TANK_TRY(allowed(verb::proceed, "let go", container));
  TANK_TRY(request(frame_type::proceed, container, 0, "let go"));
  e->proceed_sent = true;
  return {};
}

result<void> shim_session::abort(const std::string& container) {
  TANK_TRY(allowed(verb::abort, "abort", container));
  return request(frame_type::abort, container, 0, "abort");
}

result<void> shim_session::signal(const std::string& container, int signum) {
  if (signum < 1 || signum > 64)
    return fail(errc::invalid, "signal", container, "a signal's number is 1 to 64");
  auto* e = TANK_TRY(allowed(verb::signal, "signal", container));
  if (e->known.at < stage::running && ++e->held_signals > protocol::max_held_signals)
    return fail(errc::limit, "signal", container, "64 signals wait for it to run already");
  return request(frame_type::signal, container, signum, "signal");
}

result<void> shim_session::kill(const std::string& container) {
  TANK_TRY(allowed(verb::kill, "kill", container));
  return request(frame_type::kill, container, 0, "kill");
}

static failure no_terminals(const std::string& container) {
  return fail(errc::unsupported, "reach the terminal of", container, "tank-shim makes none yet");
}

result<void> shim_session::pty_listen(const std::string& container, bool) {
  return no_terminals(container);
}

result<std::size_t> shim_session::pty_write(const std::string& container, std::string_view) {
  return no_terminals(container);
}

result<void> shim_session::pty_resize(const std::string& container, const window_size&) {
  return no_terminals(container);
}

result<void> shim_session::shutdown() {
  return request(frame_type::shutdown, {}, 0, "shut down the shim");
}

void shim_session::end() noexcept {
  if (replaced_ || !pidfd_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::vector<container_info> shim_session::info() const {
  std::vector<container_info> all;
  all.reserve(containers_.size());
  for (const auto& e : containers_)
    all.push_back(e.known);
  return all;
}

// --- events ------------------------------------------------------------------------------------

static std::optional<session_event> event_of(frame_type type, const container_info& c,
                                             const protocol::container_frame& f) {
  switch (type) {
  case frame_type::ready:
    return ready_event{c.container, c.host_pid};
  case frame_type::built:
    return built_event{c.container};
  case frame_type::running:
    return running_event{c.container, c.host_pid, c.started_ns};
  case frame_type::exited:
    return exited_event{c.container, c.result, c.finished_ns};
  case frame_type::signaled:
    return signaled_event{c.container, c.result, f.core_dumped != 0, c.finished_ns};
  case frame_type::aborted:
    return aborted_event{c.container};
  case frame_type::failed:
    return failed_event{c.container, c.sys, c.step, c.object, f.step_index};
  default:
    return std::nullopt; // `state`: known now, not news
  }
}

std::optional<session_event> shim_session::take_container(const protocol::container_frame& f,
                                                          unique_fd process) {
  const auto name = text_of(f.container);
  auto* e = find(name);
  if (e == nullptr) {
    // No shim has more; one that says so is broken, and must not fill our memory.
    if (containers_.size() >= protocol::max_containers) return std::nullopt;
    e = &containers_.emplace_back();
    e->known.container = name;
  }
  if (process) e->process = std::move(process);
  if (is_terminal(f.at)) e->process.reset();
  // The shim tells facts as it has them now: an early event may carry a later event's values.
  auto& c = e->known;
  c.at = f.at;
  c.host_pid = f.host_pid;
  c.started_ns = f.started_ns;
  if (is_terminal(f.at)) {
    c.result = f.result;
    c.finished_ns = f.finished_ns;
    c.sys = f.sys;
    c.step = text_of(f.step);
    c.object = text_of(f.object);
  }
  return event_of(f.head.type, c, f);
}

std::optional<session_event> shim_session::take_error(const protocol::error_frame& f) {
  const auto name = text_of(f.container);
  last_error_ = fail_errno(f.sys, text_of(f.step), name).value().message();
  auto* e = find(name);
  if (f.about != frame_type::create || e == nullptr || e->known.at != stage::starting)
    return std::nullopt; // a refusal this end did not foresee: the stages already say why
  e->known.at = stage::failed;
  e->known.sys = f.sys;
  e->known.step = text_of(f.step);
  e->known.object = name;
  return failed_event{name, f.sys, e->known.step, name, -1};
}

std::optional<session_event> shim_session::take(std::span<const char> packet, unique_fd beside) {
  if (packet.size() < sizeof(protocol::header)) return std::nullopt;
  const auto type = read_frame<protocol::header>(packet).type;
  switch (type) {
  case frame_type::state:
  case frame_type::ready:
  case frame_type::built:
  case frame_type::running:
  case frame_type::exited:
  case frame_type::signaled:
  case frame_type::aborted:
  case frame_type::failed:
    return take_container(read_frame<protocol::container_frame>(packet), std::move(beside));
  case frame_type::error:
    return take_error(read_frame<protocol::error_frame>(packet));
  case frame_type::replaced:
    replaced_ = true;
    return std::nullopt;
  case frame_type::info_end:
    if (std::exchange(adopting_, false)) return adopted_event{};
    return std::nullopt;
  default:
    return std::nullopt; // hello, or a later version's news
  }
}

/// How long a shim that closed its connection may take to be dead: it closes by ending.
static constexpr itimerspec closing_time{.it_interval = {},
                                         .it_value = {.tv_sec = 1, .tv_nsec = 0}};

void shim_session::drop_connection() {
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, connection_.get(), nullptr);
  connection_.reset();
  if (replaced_) return;
  closing_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  epoll_event readable{.events = EPOLLIN, .data = {}};
  if (!closing_ || ::timerfd_settime(closing_.get(), 0, &closing_time, nullptr) != 0 ||
      ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, closing_.get(), &readable) != 0)
    closing_.reset(); // its death alone is waited for
}

/// It closed the connection and did not end: a shim in trouble, or one that could not greet.
bool shim_session::shim_stays() const {
  pollfd over{closing_.get(), POLLIN, 0};
  return closing_ && ::poll(&over, 1, 0) > 0;
}

/// recv, with the descriptor that may come along.
long shim_session::receive(std::span<char> packet, unique_fd& beside) {
  iovec data{packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const auto n = ::recvmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) return n;
  const auto* c = CMSG_FIRSTHDR(&message);
  if (c != nullptr && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
      c->cmsg_len == CMSG_LEN(sizeof(int))) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(c), sizeof fd);
    beside.reset(fd);
  }
  return n;
}

/// The shim is dead. A workload dies with it only as long as it has not cleared its parent-death
/// signal, which prctl or executing a set-user-ID program does.
void shim_session::end_processes() {
  for (auto& e : containers_) {
    if (e.process) ::syscall(SYS_pidfd_send_signal, e.process.get(), SIGKILL, nullptr, 0);
    e.process.reset();
  }
}

/// After the end of the connection: waits (by epoll) for the shim's death, so that it is reaped
/// here and the caller may remove what it held.
std::optional<session_event> shim_session::take_end() {
  if (down_) return std::nullopt;
  if (replaced_) {
    down_ = session_down_event{"another daemon took over the shim", true};
    return down_;
  }
  pollfd dead{pidfd_.get(), POLLIN, 0};
  if (::poll(&dead, 1, 0) <= 0) {
    if (!shim_stays()) return std::nullopt;
    down_ = session_down_event{"the shim closed the connection", true};
    return down_;
  }
  end_processes();
  siginfo_t how{};
  std::string why = "the shim is gone";
  if (::waitid(by_pidfd, static_cast<id_t>(pidfd_.get()), &how, WEXITED | WNOHANG) == 0 &&
      how.si_pid != 0) {
    if (how.si_code != CLD_EXITED)
      why = "the shim was killed by signal " + std::to_string(how.si_status);
    else if (how.si_status == 0)
      why = "the shim ended";
    else if (!last_error_.empty())
      why = last_error_;
    else
      why = "the shim exited with status " + std::to_string(how.si_status);
  }
  ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, pidfd_.get(), nullptr);
  pidfd_.reset();
  down_ = session_down_event{why};
  return down_;
}

result<std::optional<session_event>> shim_session::next_event() {
  alignas(8) char packet[protocol::max_frame];
  while (connection_) {
    unique_fd beside;
    const auto n = receive(packet, beside);
    // A peer that closed with our requests unread resets the connection, and the kernel says so,
    // once, before it hands out the frames that came first: they still count.
    if (n < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (n < 0 && errno == EAGAIN) return std::nullopt;
    if (n <= 0) {
      drop_connection();
      break;
    }
    if (auto event = take({packet, static_cast<std::size_t>(n)}, std::move(beside))) return event;
  }
  return take_end();
}

} // namespace tank::kernel
