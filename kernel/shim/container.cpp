#include "kernel/shim/container.hpp"

#include "kernel/shim/cgroup.hpp"
#include "kernel/shim/privileges.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace tank::kernel::shim {

// Opened at clone, while descriptors are free: also a shim that gets no more of them has to tell
// whether the container runs.
static unique_fd open_stat(pid_t pid) noexcept {
  char path[40] = "/proc/";
  std::strcpy(put_decimal(path + 6, static_cast<std::uint64_t>(pid)), "/stat");
  return unique_fd{::open(path, O_RDONLY | O_CLOEXEC)};
}

// Whether execve passed its point of no return in the process of `stat`. A closed checkpoint alone
// does not say so: a child killed between proceed and execve closes it too. The kernel clears
// PF_FORKNOEXEC before it closes CLOEXEC fds, and a zombie still shows its flags.
static bool has_executed(const unique_fd& stat) noexcept {
  constexpr unsigned long fork_no_exec = 0x40;
  char text[512];
  const auto n = ::pread(stat.get(), text, sizeof text - 1, 0);
  if (n <= 0) return false;
  text[n] = '\0';
  const char* at = std::strrchr(text, ')'); // the name before it may hold anything
  if (at == nullptr) return false;
  // ") S ppid pgrp session tty tpgid flags": flags is the seventh blank-separated word.
  for (int blanks = 0; *at != '\0' && blanks < 7; ++at)
    blanks += *at == ' ';
  unsigned long flags = 0;
  for (; *at >= '0' && *at <= '9'; ++at)
    flags = flags * 10 + static_cast<unsigned long>(*at - '0');
  return (flags & fork_no_exec) == 0;
}

void container::finish_as(stage s) noexcept {
  finished_ns_ = realtime_ns();
  enter(s);
}

void container::fail(int sys, const char* step, launch_failure code) noexcept {
  why_.set(sys, step, name_, code);
  finish_as(stage::failed);
}

void container::start(const wire::plan_view& plan, const user_space& users,
                      std::uint32_t serial) noexcept {
  serials_[static_cast<unsigned>(request::create)] = serial;
  if (launch(plan, users)) return enter(stage::ready);
  memory_.close();
  checkpoint_.reset();
  output_.close();
  finish_as(stage::failed);
}

static pid_t clone_child(const user_space& users, const sources& opened, const clone_setup& child,
                         int* pidfd) noexcept {
  return users ? clone_in_user_namespace(users, opened, child, pidfd)
               : clone_into(child.namespaces, pidfd, child.cgroup);
}

// Of v2 a child can be born in its cgroup; of v1, and of kernels before 5.7, it has to be moved.
static pid_t clone_joined(const user_space& users, const sources& opened, clone_setup& child,
                          int* pidfd, bool* joined) noexcept {
  const auto& cgroups = child.plan->cgroups;
  if (cgroups.count == 1) {
    const unique_fd cgroup{::open(cgroups.items[0], O_PATH | O_DIRECTORY | O_CLOEXEC)};
    child.cgroup = cgroup.get();
    const pid_t pid = cgroup ? clone_child(users, opened, child, pidfd) : -1;
    *joined = pid >= 0;
    if (pid >= 0) return pid;
    child.cgroup = -1;
  }
  return clone_child(users, opened, child, pidfd);
}

// False with `why_` filled.
bool container::launch(const wire::plan_view& plan, const user_space& users) noexcept {
  if (output_.open(plan, users.first, &why_) != 0) return false;
  sources opened;
  if (users && opened.open(plan, users.ns.get(), &why_) != 0) return false;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return why_.set(errno, "make the checkpoint of", name_, launch_failure::clone) == 0;
  checkpoint_.reset(ends[0]);
  const unique_fd childs_end{ends[1]};
  int pidfd = -1;
  clone_setup child{&plan, childs_end.get(), output_.childs_end(0), output_.childs_end(1),
                    CLONE_NEWNS | (plan.new_pid_ns ? std::uint64_t{CLONE_NEWPID} : 0)};
  memory_.begin(plan.cgroups);
  bool joined = plan.cgroups.count == 0;
  const pid_t pid = clone_joined(users, opened, child, &pidfd, &joined);
  if (pid == 0) run_child(plan, child.checkpoint, child.output, child.errors, nullptr);
  if (pid < 0) return why_.set(errno, "clone the process of", name_, launch_failure::clone) == 0;
  output_.close_childs_ends();
  pid_ = pid;
  pidfd_.reset(pidfd);
  stat_ = open_stat(pid);
  char number[21];
  *put_decimal(number, static_cast<std::uint64_t>(pid)) = '\0';
  if (!stat_) {
    why_.set(errno, "watch the process of", name_, launch_failure::clone);
    give_up();
  } else if (!joined && join_cgroups(plan.cgroups, pid, &why_) != 0) {
    give_up();
  } else if (users && set_oom_score(plan.process, number, &why_) != 0) {
    give_up();
  }
  return true;
}

// With `why_` filled: told when the child is gone.
void container::give_up() noexcept {
  has_failed_ = true;
  send_signal(pidfd_.get(), SIGKILL);
}

void container::send(command wanted) noexcept {
  // A child that is gone already shows in on_exit; the socket holds far more than two commands.
  ::send(checkpoint_.get(), &wanted, sizeof wanted, MSG_NOSIGNAL | MSG_DONTWAIT);
}

verdict container::ask(request what, std::int32_t value, std::uint32_t serial) noexcept {
  if (what == request::signal && (value < 1 || value > 64)) return refuse(refusal::bad_value);
  // None has a terminal so far.
  if (what == request::open_terminal)
    return refuse(ended() ? refusal::no_process : refusal::no_pty);
  const verdict v = judge(at_, what);
  if (v.when == verdict::timing::never) return v;
  if (proceeding_ && (what == request::proceed || what == request::abort))
    return refuse(refusal::running);
  if (building_ && what == request::build) return refuse(refusal::built);
  serials_[static_cast<unsigned>(what)] = serial;
  switch (what) {
  case request::build:
    building_ = true;
    send(command::build);
    break;
  case request::proceed:
    proceeding_ = true;
    send(command::proceed);
    break;
  case request::abort:
    aborting_ = true;
    send_signal(pidfd_.get(), SIGKILL);
    break;
  case request::signal:
    if (v == act)
      send_signal(pidfd_.get(), value);
    else if (held_count_ < protocol::max_held_signals)
      held_[held_count_++] = static_cast<std::uint8_t>(value);
    else
      return refuse(refusal::too_many);
    break;
  case request::kill:
    killed_ = true;
    send_signal(pidfd_.get(), SIGKILL);
    break;
  case request::create:
  case request::open_terminal:
  case request::shutdown:
    break;
  }
  return v;
}

void container::run() noexcept {
  started_ns_ = realtime_ns();
  stat_.reset();
  enter(stage::running);
  for (unsigned i = 0; i < held_count_; ++i)
    send_signal(pidfd_.get(), held_[i]);
  held_count_ = 0;
}

void container::on_checkpoint() noexcept {
  while (checkpoint_) {
    report said;
    const auto n = ::recv(checkpoint_.get(), &said, sizeof said, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      checkpoint_.reset();
      if (proceeding_ && !has_failed_ && at_ == stage::built && has_executed(stat_)) run();
      return;
    }
    if (said.failed != 0) {
      has_failed_ = true;
      why_ = said.why;
    } else {
      building_ = false;
      enter(stage::built);
    }
  }
}

void container::on_exit(const siginfo_t& how) noexcept {
  on_checkpoint(); // what the child reported before it ended
  checkpoint_.reset();
  pidfd_.reset();
  stat_.reset();
  output_.drain();
  result_ = how.si_status;
  out_of_memory_ = memory_.end(at_ == stage::running && how.si_code == CLD_EXITED && result_ == 0);
  core_dumped_ = how.si_code == CLD_DUMPED;
  if (at_ == stage::running)
    finish_as(how.si_code == CLD_EXITED ? stage::exited : stage::signaled);
  else if (aborting_)
    finish_as(stage::aborted);
  else if (has_failed_)
    finish_as(stage::failed);
  else if (killed_)
    finish_as(stage::signaled);
  else if (proceeding_ && how.si_code != CLD_EXITED && how.si_status == SIGSYS)
    fail(EPERM, "execute under its seccomp profile", launch_failure::filtered);
  else // by somebody else, or by the kernel for want of memory
    fail(ESRCH, "find the parked process of", launch_failure::killed);
}

protocol::container_frame container::describe() const noexcept {
  protocol::container_frame f;
  f.head.type = protocol::frame_type::state;
  f.attempt = attempt_;
  f.at = at_;
  f.core_dumped = core_dumped_;
  f.out_of_memory = out_of_memory_;
  f.host_pid = pid_;
  f.result = result_;
  f.started_ns = started_ns_;
  f.finished_ns = finished_ns_;
  copy_text(f.container, name_);
  if (at_ == stage::failed) {
    f.code = why_.code;
    f.sys = why_.sys;
    f.step_index = why_.step_index;
    copy_text(f.step, why_.step);
    copy_text(f.object, why_.object);
  }
  return f;
}

/// The request that a stage answers. A failure answers the last one that was under way.
std::uint32_t container::serial_of(stage s) const noexcept {
  const auto of = [this](request what) { return serials_[static_cast<unsigned>(what)]; };
  switch (s) {
  case stage::ready:
    return of(request::create);
  case stage::built:
    return of(request::build);
  case stage::running:
    return of(request::proceed);
  case stage::aborted:
    return of(request::abort);
  case stage::failed:
    for (const auto what : {request::proceed, request::build})
      if (of(what) != 0) return of(what);
    return of(request::create);
  case stage::starting:
  case stage::exited:
  case stage::signaled:
    break;
  }
  return 0;
}

bool container::untold(protocol::container_frame* out) const noexcept {
  for (auto s = static_cast<unsigned>(stage::ready); s < stages; ++s) {
    if ((pending_ & (1u << s)) == 0) continue;
    *out = describe();
    out->at = static_cast<stage>(s);
    out->head.type = protocol::frame_type::event;
    out->serial = serial_of(out->at);
    return true;
  }
  return false;
}

} // namespace tank::kernel::shim
