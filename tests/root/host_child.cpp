#include "tests/root/host_fixture.hpp"

#include <chrono>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::testing {
namespace {

using clock = std::chrono::steady_clock;

struct channel {
  unique_fd read;
  unique_fd write;
};
channel make_pipe() {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  for (const auto& w : words)
    all.push_back(const_cast<char*>(w.c_str()));
  all.push_back(nullptr);
  return all;
}

int left(clock::time_point deadline) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  return ms > 0 ? static_cast<int>(ms) : 0;
}

} // namespace

child::child(const std::vector<std::string>& argv, const std::vector<std::string>& env,
             std::string_view input) {
  auto in = make_pipe();
  auto out_pipe = make_pipe();
  auto err_pipe = make_pipe();
  // Soon full while a test does something else: nobody may depend on who reads a log.
  REQUIRE(::fcntl(err_pipe.write.get(), F_SETPIPE_SZ, 4096) >= 4096);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  ::posix_spawn_file_actions_adddup2(&actions, out_pipe.write.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err_pipe.write.get(), 2);
  const int failed = ::posix_spawn(&pid_, argv.front().c_str(), &actions, nullptr,
                                   pointers(argv).data(), pointers(env).data());
  ::posix_spawn_file_actions_destroy(&actions);
  REQUIRE_MESSAGE(failed == 0, "cannot start " << argv.front() << ": " << failed);
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  REQUIRE(pidfd_);
  out_fd_ = std::move(out_pipe.read);
  err_fd_ = std::move(err_pipe.read);
  for (const auto* fd : {&out_fd_, &err_fd_})
    ::fcntl(fd->get(), F_SETFL, O_NONBLOCK);
  // A manifest fits into a pipe.
  if (!input.empty())
    REQUIRE(::write(in.write.get(), input.data(), input.size()) ==
            static_cast<ssize_t>(input.size()));
}

child::~child() {
  if (ended() || pid_ < 0) return;
  signal(SIGKILL);
  while (!ended() && listen(10'000)) {
  }
}

void child::signal(int number) const {
  if (!ended()) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

bool child::take(unique_fd& from, std::string& to) const {
  bool any = false;
  while (from) {
    char buffer[16384];
    const auto n = ::read(from.get(), buffer, sizeof buffer);
    if (n < 0) return any;
    if (n == 0) from.reset();
    if (n > 0) to.append(buffer, static_cast<std::size_t>(n));
    any = true;
  }
  return any;
}

void child::collect() {
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  // What it said last; whoever holds the pipe beyond its end is not waited for.
  take(out_fd_, out);
  take(err_fd_, err);
  for (auto* fd : {&pidfd_, &out_fd_, &err_fd_})
    fd->reset();
}

bool child::listen(int milliseconds, int also) {
  pollfd fds[] = {{pidfd_.get(), POLLIN, 0},
                  {out_fd_.get(), POLLIN, 0},
                  {err_fd_.get(), POLLIN, 0},
                  {also, POLLIN, 0}};
  const int n = ::poll(fds, 4, milliseconds);
  if (n <= 0) return n < 0;
  take(out_fd_, out);
  take(err_fd_, err);
  if (pidfd_ && fds[0].revents != 0) collect();
  return true;
}

int child::wait(int milliseconds) {
  const auto deadline = clock::now() + std::chrono::milliseconds{milliseconds};
  while (!ended())
    if (!listen(left(deadline)) && left(deadline) == 0)
      FAIL("it did not end in time; stdout:\n" << out << "\nstderr:\n" << err);
  return *status_;
}

bool child::await(const std::string& text, int milliseconds) {
  const auto deadline = clock::now() + std::chrono::milliseconds{milliseconds};
  for (;;) {
    for (auto [stream, seen] : {std::pair{&out, &out_seen_}, std::pair{&err, &err_seen_}})
      if (const auto at = stream->find(text, *seen); at != std::string::npos) {
        *seen = at + text.size();
        return true;
      }
    if (ended() || (!listen(left(deadline)) && left(deadline) == 0)) return false;
  }
}

} // namespace tank::testing
