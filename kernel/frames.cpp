#include "kernel/frames.hpp"

#include "kernel/frame_bytes.hpp"
#include "kernel/frames_v1.hpp"
#include "kernel/protocol.hpp"

#include <cerrno>

namespace tank::kernel::frames {

using namespace protocol;

static heard read_container(const container_frame& f) {
  container c;
  c.news = f.head.type == frame_type::event;
  c.serial = f.serial;
  auto& now = c.now;
  now.who = {text_of(f.container), f.attempt};
  now.at = static_cast<unsigned>(f.at) < stages ? f.at : stage::failed;
  now.host_pid = f.host_pid;
  now.result = f.result;
  now.core_dumped = f.core_dumped != 0;
  now.out_of_memory = f.out_of_memory != 0;
  now.started_ns = f.started_ns;
  now.finished_ns = f.finished_ns;
  if (now.at != stage::failed) return c;
  now.code = static_cast<unsigned>(f.code) < launch_failures ? f.code : launch_failure::other;
  now.sys = f.sys;
  now.step = text_of(f.step);
  now.object = text_of(f.object);
  now.step_index = f.step_index;
  return c;
}

static heard read_refused(const refused_frame& f) {
  const bool known = f.why != refusal::none && static_cast<unsigned>(f.why) < refusals;
  return refused{{.who = {text_of(f.container), f.attempt},
                  .about = f.about,
                  .why = known ? f.why : refusal::failed,
                  .sys = f.sys,
                  .text = text_of(f.text)},
                 f.serial};
}

static heard read_trouble(const error_frame& f) {
  // So says a shim of protocol 1 to who is of another.
  const bool versions = f.sys == EPROTO && f.about == frame_type::sandbox;
  const auto hint = versions ? "the tank-shim that is installed is not this Tank's" : "";
  return trouble{fail_errno(f.sys, text_of(f.step), text_of(f.container), hint).value().message()};
}

/// What is the same in every version.
static std::optional<heard> read_any(std::span<const char> packet) {
  switch (from_packet<header>(packet).type) {
  case frame_type::hello:
    return hello{from_packet<hello_frame>(packet).protocol};
  case frame_type::info_end:
    return info_end{};
  case frame_type::replaced:
    return replaced{};
  case frame_type::error:
    return read_trouble(from_packet<error_frame>(packet));
  default:
    return std::nullopt;
  }
}

std::optional<heard> read(std::uint32_t version, std::span<const char> packet) {
  if (packet.size() < sizeof(header)) return std::nullopt;
  if (version == 1) return read_v1(packet);
  if (version != 2) return read_any(packet);
  switch (from_packet<header>(packet).type) {
  case frame_type::state:
  case frame_type::event:
    return read_container(from_packet<container_frame>(packet));
  case frame_type::refused:
    return read_refused(from_packet<refused_frame>(packet));
  case frame_type::terminal: {
    const auto f = from_packet<terminal_frame>(packet);
    return terminal{{text_of(f.container), f.attempt}, f.serial};
  }
  default:
    return read_any(packet);
  }
}

result<std::string> write(std::uint32_t version, const ask& wanted) {
  if (version == 1) return write_v1(wanted);
  if (wanted.what == request::shutdown)
    return to_packet(shutdown_frame{.head = {frame_type::shutdown}, .serial = wanted.serial});
  if (wanted.who.container.size() >= name_size)
    return fail(errc::limit, std::string{to_string(wanted.what)}, to_string(wanted.who),
                "its name is longer than 127 bytes");
  request_frame f;
  f.serial = wanted.serial;
  f.attempt = wanted.who.attempt;
  f.what = wanted.what;
  f.value = wanted.value;
  const auto& w = wanted.window;
  f.window[0] = w.rows;
  f.window[1] = w.columns;
  f.window[2] = w.x_pixels;
  f.window[3] = w.y_pixels;
  wanted.who.container.copy(f.container, sizeof f.container - 1);
  return to_packet(f);
}

} // namespace tank::kernel::frames
