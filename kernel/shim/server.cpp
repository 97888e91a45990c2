#include "kernel/shim/server.hpp"

#include "kernel/peer.hpp"
#include "kernel/protocol_v1.hpp"

#include <cerrno>
#include <cstddef>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

namespace tank::kernel::shim {

using protocol::frame_type;

// --- frames ------------------------------------------------------------------------------------

server::read_status server::read_frame(packet* out, int flags) noexcept {
  alignas(cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
  iovec data{out->bytes, sizeof out->bytes};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  std::memset(out->bytes, 0, sizeof out->bytes);
  const auto n = ::recvmsg(connection_.get(), &message, flags | MSG_CMSG_CLOEXEC);
  // ECONNRESET: the daemon closed the connection with events unread. It is reported once; the last
  // requests and the end of file can still be read.
  if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)) return read_status::none;
  if (n <= 0) return read_status::gone;
  for (auto* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
      int fd = -1;
      std::memcpy(&fd, reinterpret_cast<char*>(c) + at, sizeof fd);
      out->fd.reset(fd); // only one is expected; a surplus one closes its predecessor
    }
  }
  out->size = static_cast<std::size_t>(n);
  protocol::header head;
  std::memcpy(&head, out->bytes, sizeof head);
  out->type = head.type;
  return read_status::frame;
}

template <class Frame>
bool server::send_frame(const Frame& frame, std::size_t size, int beside) noexcept {
  iovec data{const_cast<Frame*>(&frame), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof beside)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (beside >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof beside);
    std::memcpy(CMSG_DATA(c), &beside, sizeof beside);
  }
  return ::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         static_cast<ssize_t>(size);
}

// The object is the last field and mostly short: its unused part is not sent.
template <class Frame>
static std::size_t size_of(const Frame& frame) noexcept {
  return offsetof(Frame, object) + strnlen(frame.object, sizeof frame.object - 1) + 1;
}

bool server::send_container(const protocol::container_frame& frame, int process) noexcept {
  return send_frame(frame, size_of(frame), process);
}

// A daemon of protocol 1 ignores the frames of version 2, and waits for info_end. This frame, in the
// layout of version 1, makes it see the container as failed, for a reason that it can print. It then
// shuts this shim down, and starts the pod anew.
bool server::send_old_state(const container& c) noexcept {
  protocol_v1::container_frame f;
  f.head.type = protocol_v1::frame_type::state;
  f.at = stage::failed;
  f.sys = EPROTONOSUPPORT;
  copy_text(f.container, c.name());
  copy_text(f.step, "use the newer protocol of the shim of");
  copy_text(f.object, c.name());
  return send_frame(f, size_of(f));
}

void server::send_error(int sys, const char* step) noexcept {
  protocol::error_frame f;
  f.about = frame_type::sandbox;
  f.sys = sys;
  copy_text(f.step, step);
  send_frame(f);
}

void server::send_refused(const protocol::request_frame& about, refusal why, int sys,
                          const char* text) noexcept {
  protocol::refused_frame f;
  f.serial = about.serial;
  f.attempt = about.attempt;
  f.about = about.what;
  f.why = why;
  f.sys = sys;
  copy_text(f.container, about.container);
  copy_text(f.text, text);
  send_frame(f);
}

// --- containers --------------------------------------------------------------------------------

container** server::find(const char* name) noexcept {
  for (auto& c : containers_)
    if (c != nullptr && std::strcmp(c->name(), name) == 0) return &c;
  return nullptr;
}

container** server::find_room() noexcept {
  for (auto& slot : containers_)
    if (slot == nullptr) return &slot;
  return nullptr;
}

// In a mapping of its own, since most of its pages are never touched. Null with errno.
static container* make_container(const protocol::request_frame& wanted) noexcept {
  void* room = ::mmap(nullptr, sizeof(container), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return nullptr;
  return new (room) container(wanted.container, wanted.attempt);
}

static void forget_container(container* c) noexcept {
  if (c == nullptr) return;
  c->~container();
  ::munmap(c, sizeof(container));
}

namespace {
/// The plan as the daemon sealed it; private, so that parsing may fill its pointer tables in.
class mapped_plan {
 public:
  explicit mapped_plan(int fd) noexcept {
    constexpr int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat is {};
    if (fd < 0 || (::fcntl(fd, F_GET_SEALS) & sealed) != sealed || ::fstat(fd, &is) != 0) return;
    size_ = static_cast<std::size_t>(is.st_size);
    base_ = size_ == 0 ? MAP_FAILED
                       : ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  }
  ~mapped_plan() {
    if (base_ != MAP_FAILED) ::munmap(base_, size_);
  }
  mapped_plan(const mapped_plan&) = delete;
  mapped_plan& operator=(const mapped_plan&) = delete;

  const char* parse(wire::plan_view* out) noexcept {
    if (base_ == MAP_FAILED) return "no sealed plan came with the request";
    return wire::parse_plan(static_cast<char*>(base_), size_, out);
  }

 private:
  void* base_ = MAP_FAILED;
  std::size_t size_ = 0;
};
} // namespace

void server::create(const protocol::request_frame& wanted, int plan_fd) noexcept {
  if (shutting_down_) return send_refused(wanted, refusal::shutting_down);
  mapped_plan mapped{plan_fd};
  wire::plan_view plan;
  if (const char* why = mapped.parse(&plan)) return send_refused(wanted, refusal::bad_plan, 0, why);
  if (std::strcmp(plan.container.c_str(), wanted.container) != 0 || plan.attempt != wanted.attempt)
    return send_refused(wanted, refusal::bad_plan, 0, "the plan is another container's");
  container** slot = find(wanted.container);
  if (slot != nullptr && (!(*slot)->ended() || (*slot)->attempt() >= wanted.attempt))
    return send_refused(wanted, refusal::exists);
  if (slot == nullptr) slot = find_room();
  if (slot == nullptr) return send_refused(wanted, refusal::full);
  container* made = make_container(wanted);
  if (made == nullptr) return send_refused(wanted, refusal::failed, errno, "make room for it");
  forget_container(*slot); // whose successor it is, if there was one
  *slot = made;
  made->start(plan, sandbox_.users, wanted.serial);
}

// --- requests ----------------------------------------------------------------------------------

void server::handle(packet& p) noexcept {
  protocol::request_frame wanted;
  std::memcpy(static_cast<void*>(&wanted), p.bytes, sizeof wanted);
  wanted.container[sizeof wanted.container - 1] = '\0';
  const bool whole = p.size >= sizeof(protocol::header);
  if (whole && p.type == frame_type::shutdown) return begin_shutdown();
  if (!whole || p.type != frame_type::request) {
    const protocol::request_frame none;
    return send_refused(none, refusal::unknown_request, whole ? EPROTO : EBADMSG,
                        whole ? "a frame of unknown type" : "a frame that is too short");
  }
  if (static_cast<unsigned>(wanted.what) >= requests || wanted.what == request::shutdown)
    return send_refused(wanted, refusal::unknown_request);
  if (wanted.what == request::create) return create(wanted, p.fd.get());
  container** found = find(wanted.container);
  if (found == nullptr || (*found)->attempt() < wanted.attempt)
    return send_refused(wanted, refusal::no_container);
  if ((*found)->attempt() > wanted.attempt) // its successor is there, so it has ended
    return send_refused(wanted, refusal::no_process);
  const auto outcome = (*found)->ask(wanted.what, wanted.value, wanted.serial);
  if (outcome.when == verdict::timing::never) send_refused(wanted, outcome.why);
}

void server::on_connection() noexcept {
  packet p;
  // Bounded, so that a chatty daemon cannot starve the logs.
  for (int i = 0; i < 32; ++i) {
    switch (read_frame(&p, MSG_DONTWAIT)) {
    case read_status::none:
      return;
    case read_status::gone:
      connection_.reset();
      return;
    case read_status::frame:
      handle(p);
      p.fd.reset();
    }
  }
}

bool server::greet() noexcept {
  protocol::hello_frame hello;
  hello.pid = ::getpid();
  bool sent = send_frame(hello, sizeof hello, sandbox_.network.get());
  for (auto* c : containers_) {
    if (c == nullptr) continue;
    c->forget_serials();
    sent = sent && send_container(c->describe(), c->process());
    c->told_all();
  }
  unsigned old_ones = 0; // a daemon of protocol 1 keeps that many
  for (auto* c : containers_)
    if (c != nullptr && old_ones++ < protocol_v1::max_containers) sent = sent && send_old_state(*c);
  return sent && send_frame(protocol::header{frame_type::info_end});
}

void server::on_listener() noexcept {
  unique_fd peer{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
  // Without a free descriptor the connection stays in the queue, and would wake poll all the time.
  if (!peer)
    no_descriptors_ = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
  if (!peer) return;
  ucred who{};
  if (!is_of_this_host(peer.get(), &who) || who.uid != ::geteuid()) return;
  if (connection_) send_frame(protocol::header{frame_type::replaced});
  connection_ = std::move(peer);
  if (!greet()) connection_.reset();
}

// --- children ----------------------------------------------------------------------------------

void server::on_children() noexcept {
  signalfd_siginfo ignored;
  while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
  }
  for (;;) {
    siginfo_t how{};
    if (::waitid(P_ALL, 0, &how, WEXITED | WNOHANG | WNOWAIT) != 0) {
      childless_ = errno == ECHILD;
      return;
    }
    childless_ = false;
    if (how.si_pid == 0) return;
    for (auto* c : containers_)
      if (c != nullptr && c->pid() == how.si_pid) c->on_exit(how);
    // It is reaped after on_exit, which needs its /proc entry. A process that is no container's first
    // one was orphaned by its parent, and came to the shim as its subreaper.
    ::waitid(P_PID, static_cast<id_t>(how.si_pid), &how, WEXITED | WNOHANG);
    if (shutting_down_) kill_orphans();
  }
}

void server::begin_shutdown() noexcept {
  shutting_down_ = true;
  for (auto* c : containers_)
    if (c != nullptr && c->ask(request::abort, 0, 0) == refuse(refusal::running))
      c->ask(request::kill, 0, 0);
  kill_orphans();
  on_children(); // without children no SIGCHLD will come
}

// Without a pid namespace, processes of a container can outlive its first one. They have become
// children of the shim, and must not outlive that.
void server::kill_orphans() noexcept {
  const unique_fd fd{::open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC)};
  char text[1024]; // those that do not fit are found when these have died
  const auto n = fd ? ::read(fd.get(), text, sizeof text) : -1;
  if (n < 0) childless_ = true; // a kernel without this file: do not wait for what cannot be seen
  pid_t pid = 0;
  for (ssize_t i = 0; i < n; ++i) {
    if (text[i] >= '0' && text[i] <= '9') {
      pid = pid * 10 + (text[i] - '0');
      continue;
    }
    bool ours = false; // a container's first process: begin_shutdown has ended it
    for (auto* c : containers_)
      ours = ours || (c != nullptr && c->pid() == pid);
    if (pid > 0 && !ours) ::kill(pid, SIGKILL); // our unreaped child: the number is still its own
    pid = 0;
  }
}

// --- the loop ----------------------------------------------------------------------------------

void server::flush() noexcept {
  protocol::container_frame frame;
  for (auto* c : containers_) {
    if (c == nullptr) continue;
    while (connection_ && c->untold(&frame)) {
      if (!send_container(frame, frame.at == stage::ready ? c->process() : -1)) {
        // Full: told when it drains. Anything else is the end of this daemon, which poll will show.
        return;
      }
      c->told(frame.at);
    }
  }
}

bool server::any_untold() const noexcept {
  protocol::container_frame ignored;
  for (const auto* c : containers_)
    if (c != nullptr && c->untold(&ignored)) return true;
  return false;
}

bool server::finished() const noexcept {
  bool any = false;
  bool live = false;
  for (const auto* c : containers_) {
    any = any || c != nullptr;
    live = live || (c != nullptr && !c->ended());
  }
  if (shutting_down_) return !live && childless_;
  return !connection_ && !any;
}

bool server::start() noexcept {
  ::fcntl(connection_.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(listener_.get(), F_SETFD, FD_CLOEXEC);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_SETMASK, &child, nullptr);
  children_.reset(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  packet first;
  if (!children_ || read_frame(&first, 0) != read_status::frame) return false;
  protocol::sandbox_frame wanted;
  std::memcpy(static_cast<void*>(&wanted), first.bytes, sizeof wanted);
  wanted.hostname[sizeof wanted.hostname - 1] = '\0';
  // The daemon goes on without its restart while the program of its shims was exchanged.
  if (first.type != frame_type::sandbox || wanted.protocol != protocol::version) {
    send_error(EPROTONOSUPPORT, "serve a Tank of another version than tank-shim is (restart it)");
    return false;
  }
  if (const char* step = enter_sandbox(wanted, &sandbox_)) {
    send_error(errno, step);
    return false;
  }
  if (::listen(listener_.get(), 4) != 0) {
    send_error(errno, "listen on the shim's socket");
    return false;
  }
  return greet();
}

void server::serve() noexcept {
  constexpr unsigned fixed = 3;
  constexpr unsigned each = 3;  // of a container: its checkpoint, stdout, stderr
  constexpr int retry_ms = 500; // no event says that a descriptor is free again
  while (!finished()) {
    pollfd polled[fixed + each * protocol::max_containers];
    const short wanted = any_untold() ? POLLIN | POLLOUT : POLLIN;
    polled[0] = {children_.get(), POLLIN, 0};
    polled[1] = {connection_.get(), wanted, 0};
    polled[2] = {no_descriptors_ ? -1 : listener_.get(), POLLIN, 0};
    unsigned n = fixed;
    for (auto* c : containers_) {
      if (c == nullptr) continue;
      polled[n++] = {c->checkpoint_fd(), POLLIN, 0};
      polled[n++] = {c->streams().poll_fd(0), POLLIN, 0};
      polled[n++] = {c->streams().poll_fd(1), POLLIN, 0};
    }
    const int ready = ::poll(polled, n, no_descriptors_ ? retry_ms : -1);
    no_descriptors_ = false;
    if (ready < 0) continue; // EINTR
    const pollfd* at = polled + fixed;
    for (auto* c : containers_) { // the same ones: nothing came or went since
      if (c == nullptr) continue;
      if (at[0].revents != 0) c->on_checkpoint();
      if (at[1].revents != 0) c->streams().on_readable(0);
      if (at[2].revents != 0) c->streams().on_readable(1);
      at += each;
    }
    if (polled[0].revents != 0) on_children();
    if (polled[1].revents & (POLLIN | POLLHUP | POLLERR)) on_connection();
    if (polled[2].revents != 0) on_listener();
    flush();
  }
  for (auto* c : containers_)
    if (c != nullptr) c->streams().drain(); // what those wrote that have just been killed
}

} // namespace tank::kernel::shim
