#include "cli/signals.hpp"

#include <sys/signalfd.h>

namespace tank::cli {

result<termination_signals> termination_signals::take(bool ignore_hangup, bool resizes) {
  termination_signals taken;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  // Without `ignore_hangup` a lost terminal, or reader, is a wish to end, as Ctrl-C is.
  sigaddset(&set, SIGHUP);
  // A reader of the output that went away must not kill us with pods running.
  sigaddset(&set, SIGPIPE);
  if (resizes) sigaddset(&set, SIGWINCH);
  taken.hangup_ = ignore_hangup;
  if (const int sys = pthread_sigmask(SIG_BLOCK, &set, &taken.before_); sys != 0)
    return fail_errno(sys, "block", "signals");
  taken.fd_ = unique_fd{::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
  if (!taken.fd_) {
    const int sys = errno;
    pthread_sigmask(SIG_SETMASK, &taken.before_, nullptr);
    return fail_errno(sys, "wait for", "signals");
  }
  return taken;
}

termination_signals::~termination_signals() {
  if (!fd_) return;
  // What is still pending was meant for us: it must not kill the process at the unblocking.
  while (next() != 0) {
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

int termination_signals::next() {
  for (;;) {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return 0;
    if (hangup_ && (info.ssi_signo == SIGHUP || info.ssi_signo == SIGPIPE)) continue;
    // The pid is a sender's only where a process sent it.
    const bool sent = info.ssi_code == SI_USER || info.ssi_code == SI_TKILL;
    sender_ = sent ? static_cast<pid_t>(info.ssi_pid) : 0;
    return static_cast<int>(info.ssi_signo);
  }
}

bool wishes::is_new(int signal, pid_t sender, time now) {
  const bool key = signal == SIGINT && sender == 0;
  const auto of_terminal = [](int s) { return s == SIGHUP || s == SIGPIPE; };
  const bool together = sender == sender_ || of_terminal(signal) || of_terminal(signal_);
  if (!key && together && at_ && now - *at_ < one_wish) return false;
  signal_ = signal;
  sender_ = sender;
  at_ = now;
  return true;
}

} // namespace tank::cli
