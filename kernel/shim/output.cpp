#include "kernel/shim/output.hpp"

#include "kernel/shim/syscalls.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/ioctl.h>

namespace tank::kernel::shim {

// A read's size decides how much stack a chatty pod dirties for good; four reads a wakeup still
// empty a default pipe.
static constexpr std::size_t read_size = 16384;
static constexpr unsigned reads_per_wakeup = 4;
static constexpr const char names[2][7] = {"stdout", "stderr"};

int output::open(const wire::plan_view& plan, std::uint32_t first_id, step_failure* out) noexcept {
  held_[0].size = held_[1].size = 0;
  const auto& log = plan.log;
  if (log.path.empty()) return 0;
  if (!log_.open(log.path.c_str(), log.max_bytes, log.max_files))
    return out->set(errno, "open the log", log.path.c_str(), launch_failure::open_log);
  for (unsigned i = 0; i < 2; ++i) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      return out->set(errno, "make the output pipes of", plan.container.c_str(),
                      launch_failure::clone);
    read_[i].reset(ends[0]);
    write_[i].reset(ends[1]);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK); // our end's description only
    ::fchown(ends[1], first_id + plan.process.uid, first_id + plan.process.gid);
  }
  return 0;
}

void output::close_childs_ends() noexcept {
  write_[0].reset();
  write_[1].reset();
}

void output::close() noexcept {
  close_childs_ends();
  for (auto& end : read_)
    end.reset();
  log_.close();
}

output::progress output::read_some(unsigned stream, std::size_t limit, std::size_t* got) noexcept {
  char data[read_size];
  const auto n = ::read(read_[stream].get(), data, limit < sizeof data ? limit : sizeof data);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return progress::none;
  if (n <= 0) {
    finish(stream);
    read_[stream].reset();
    if (!read_[0] && !read_[1]) log_.close(); // so that its filesystem can be unmounted
    return progress::none;
  }
  *got += static_cast<std::size_t>(n);
  cri_writer writer{log_, held_[stream], names[stream], realtime_ns()};
  writer.feed(data, static_cast<std::size_t>(n));
  return progress::more;
}

void output::on_readable(unsigned stream) noexcept {
  std::size_t got = 0;
  for (unsigned i = 0; i < reads_per_wakeup; ++i) {
    const std::size_t before = got;
    if (read_some(stream, read_size, &got) == progress::none) return;
    if (got - before < read_size) return; // empty now: spares the read that would say so
  }
}

void output::finish(unsigned stream) noexcept {
  cri_writer{log_, held_[stream], names[stream], realtime_ns()}.finish();
}

void output::drain() noexcept {
  for (unsigned stream = 0; stream < 2; ++stream) {
    int waiting = 0;
    if (!read_[stream] || ::ioctl(read_[stream].get(), FIONREAD, &waiting) != 0) continue;
    std::size_t got = 0;
    const auto all = static_cast<std::size_t>(waiting);
    while (got < all && read_some(stream, all - got, &got) == progress::more) {
    }
    // One more look: mostly the end of file, which closes our end.
    if (read_[stream] && got == all) read_some(stream, read_size, &got);
    if (read_[stream]) finish(stream);
  }
}

} // namespace tank::kernel::shim
