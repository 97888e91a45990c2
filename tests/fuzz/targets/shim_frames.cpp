// What a shim says, as the daemon's end hears it: any packets in any order.
#include "../fuzz.hpp"

#include "kernel/protocol.hpp"
#include "kernel/protocol_v1.hpp"
#include "kernel/shim_session.hpp"

#include <cstring>
#include <set>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tank::fuzz {
namespace shim_frames_target {
namespace {

using namespace kernel;

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
    FUZZ_CHECK(names.insert(c.who.container).second &&
               c.who.container.size() <= protocol::name_size);
  return news;
}

/// What a daemon does meanwhile, so that there is something to answer.
void ask(shim_session& session, unsigned char what) {
  const instance who{"a", 0};
  launch_plan plan{.container = "a"};
  plan.process.argv = {"x"};
  if (what == 1) static_cast<void>(session.create(plan));
  if (what == 2) static_cast<void>(session.build(who));
  if (what == 3) static_cast<void>(session.proceed(who));
  if (what == 4) static_cast<void>(session.open_terminal(who, {}));
  if (what == 5) static_cast<void>(session.signal(who, 15));
}

verdict run(std::string_view input) {
  int ends[2];
  FUZZ_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  unique_fd shim{ends[1]};
  // This process itself: alive, and nobody's child here.
  unique_fd self{static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0))};
  auto connection = shim_connection::make(unique_fd{ends[0]}, std::move(self), ::getpid(),
                                          std::make_shared<shim_reaper>());
  FUZZ_CHECK(connection);
  dice d{input};
  using origin = shim_session::origin;
  shim_session session{*std::move(connection),
                       d.byte() % 2 == 1 ? origin::adopted : origin::started};
  bool news = false;
  for (int i = 0; i < 64 && !d.at_end(); ++i) {
    const unsigned head = d.byte() | d.byte() << 8;
    const std::size_t size = head % (protocol::max_frame + 64);
    ask(session, static_cast<unsigned char>(head / (protocol::max_frame + 64)));
    const auto bytes = d.take(size);
    // An empty packet would be the end.
    if (!bytes.empty() && ::send(shim.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) < 0) break;
    news = hear(session) || news;
  }
  shim.reset();
  hear(session);
  FUZZ_CHECK(!session.build({"nobody"}));
  return news ? verdict::accepted : verdict::refused;
}

template <class Frame>
std::string framed(const Frame& f, unsigned asked = 0) {
  const std::size_t head = sizeof f + asked * (protocol::max_frame + 64);
  std::string out{static_cast<char>(head & 255), static_cast<char>(head >> 8)};
  return out.append(reinterpret_cast<const char*>(&f), sizeof f);
}

/// What a shim of today says.
std::vector<std::string> new_seeds() {
  using protocol::frame_type;
  const auto about = [](frame_type type, stage at, const char* name, unsigned asked = 0) {
    protocol::container_frame f{.head = {type}, .serial = 1, .at = at, .host_pid = 7, .result = 1};
    std::strcpy(f.container, name);
    std::strcpy(f.step, "mount");
    std::strcpy(f.object, "/proc");
    return framed(f, asked);
  };
  protocol::refused_frame refused;
  refused.serial = 2;
  refused.about = request::build;
  refused.why = refusal::not_ready;
  std::strcpy(refused.container, "a");
  const auto hello = framed(protocol::hello_frame{});
  const auto end = framed(protocol::header{frame_type::info_end});
  return {std::string{'\1'} + hello + about(frame_type::state, stage::running, "a") + end +
              about(frame_type::event, stage::exited, "a"),
          std::string{'\0'} + hello + framed(protocol::header{}, 1) +
              about(frame_type::event, stage::ready, "a", 2) + framed(refused, 2) +
              about(frame_type::event, stage::built, "a", 3) +
              about(frame_type::event, stage::running, "a") +
              about(frame_type::event, stage::signaled, "a") +
              framed(protocol::header{frame_type::replaced}),
          std::string{'\0'} + hello + about(frame_type::event, stage::failed, "c")};
}

/// What a shim of protocol 1 says.
std::vector<std::string> old_seeds() {
  using protocol_v1::frame_type;
  const auto about = [](frame_type type, stage at, unsigned asked = 0) {
    protocol_v1::container_frame f{.head = {type}, .at = at, .host_pid = 7, .result = 1};
    std::strcpy(f.container, "a");
    std::strcpy(f.step, "execute");
    std::strcpy(f.object, "/bin/sh");
    return framed(f, asked);
  };
  protocol_v1::error_frame refused;
  refused.about = frame_type::build;
  refused.sys = 16;
  std::strcpy(refused.container, "a");
  std::strcpy(refused.step, "not_ready");
  const auto greeting = framed(protocol_v1::hello_frame{}) +
                        about(frame_type::state, stage::ready) +
                        framed(protocol_v1::header{frame_type::info_end});
  return {std::string{'\1'} + greeting + framed(protocol_v1::header{}, 2) + framed(refused, 5) +
              about(frame_type::built, stage::built, 3) +
              about(frame_type::running, stage::running) + about(frame_type::exited, stage::exited),
          std::string{'\1'} + greeting + about(frame_type::failed, stage::failed)};
}

std::vector<std::string> seeds() {
  auto all = new_seeds();
  for (auto& one : old_seeds())
    all.push_back(std::move(one));
  return all;
}

} // namespace
} // namespace shim_frames_target
const target targets::shim_frames{"shim_frames", shim_frames_target::run,
                                  shim_frames_target::seeds};
} // namespace tank::fuzz
