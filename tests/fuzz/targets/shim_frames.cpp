// What a shim says, as the daemon's end hears it: any packets in any order.
#include "../fuzz.hpp"

#include "kernel/session.hpp"

#include <cstring>
#include <set>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::fuzz {
namespace {

using namespace kernel;
using protocol::frame_type;

/// Takes what there is to hear. True when something was news.
bool hear(shim_session& session) {
  bool news = false;
  for (;;) {
    const auto event = session.next_event();
    FUZZ_CHECK(event);
    if (!event->has_value()) break;
    news = true;
  }
  std::set<std::string> names;
  const auto all = session.info();
  FUZZ_CHECK(all.size() <= protocol::max_containers);
  for (const auto& c : all)
    FUZZ_CHECK(names.insert(c.container).second && c.container.size() <= protocol::name_size);
  return news;
}

verdict run(std::string_view input) {
  int ends[2];
  FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  unique_fd shim{ends[1]};
  // This process itself: alive, and nobody's child here.
  unique_fd self{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
  const auto made = shim_session::make(unique_fd{ends[0]}, std::move(self), ::getpid(),
                                       std::make_shared<graveyard>());
  FUZZ_CHECK(made);
  auto& session = **made;
  dice d{input};
  if (d.byte() % 2 == 1) session.expect_greeting();
  bool news = false;
  for (int i = 0; i < 64 && !d.at_end(); ++i) {
    const std::size_t size = (d.byte() | d.byte() << 8) % (protocol::max_frame + 64);
    const auto bytes = d.take(size);
    // An empty packet would be the end.
    if (!bytes.empty() && ::send(shim.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) < 0) break;
    news = hear(session) || news;
  }
  shim.reset();
  hear(session);
  FUZZ_CHECK(!session.build("nobody"));
  return news ? verdict::accepted : verdict::refused;
}

template <class Frame>
std::string framed(const Frame& f) {
  std::string out{static_cast<char>(sizeof f & 255), static_cast<char>(sizeof f >> 8)};
  return out.append(reinterpret_cast<const char*>(&f), sizeof f);
}

std::vector<std::string> seeds() {
  const auto about = [](frame_type type, stage at, const char* name) {
    protocol::container_frame f{.head = {type}, .at = at, .host_pid = 7, .result = 1};
    std::strcpy(f.container, name);
    std::strcpy(f.step, "mount");
    std::strcpy(f.object, "/proc");
    return framed(f);
  };
  protocol::error_frame refused;
  refused.about = frame_type::build;
  std::strcpy(refused.container, "a");
  const auto hello = framed(protocol::hello_frame{});
  const auto end = framed(protocol::header{frame_type::info_end});
  return {std::string{'\1'} + hello + about(frame_type::state, stage::running, "a") + end +
              about(frame_type::exited, stage::exited, "a"),
          std::string{'\0'} + hello + about(frame_type::ready, stage::ready, "b") +
              about(frame_type::built, stage::built, "b") +
              about(frame_type::running, stage::running, "b") +
              about(frame_type::signaled, stage::signaled, "b") + framed(refused) +
              framed(protocol::header{frame_type::replaced}),
          std::string{'\0'} + about(frame_type::failed, stage::failed, "c")};
}

} // namespace
const target targets::shim_frames{"shim_frames", run, seeds};
} // namespace tank::fuzz
