#include "kernel/frames_v1.hpp"

#include "kernel/frame_bytes.hpp"
#include "kernel/protocol_v1.hpp"

#include <cerrno>
#include <string_view>

namespace tank::kernel::frames {

namespace v1 = protocol_v1;

namespace {

/// The texts are those of the shims that speak this version: nothing else ever says them.
launch_failure failure_of(std::string_view step, int index) {
  if (step == "map the ids of") return launch_failure::map_ids;
  if (index >= 0) return launch_failure::plan_step;
  constexpr struct {
    std::string_view step;
    launch_failure code;
  } known[] = {
      {"find the command", launch_failure::find_command},
      {"execute", launch_failure::execute},
      {"run the interpreter of", launch_failure::run_interpreter},
      {"change directory to", launch_failure::enter_cwd},
      {"open the log", launch_failure::open_log},
      {"join the cgroup", launch_failure::join_cgroup},
      {"set the resource limit", launch_failure::set_limits},
      {"set the OOM score of", launch_failure::set_limits},
      {"set the supplementary groups of", launch_failure::set_ids},
      {"set group", launch_failure::set_ids},
      {"set user", launch_failure::set_ids},
      {"limit the capabilities of", launch_failure::set_privileges},
      {"set the capabilities of user", launch_failure::set_privileges},
      {"install the seccomp filter of", launch_failure::set_privileges},
      {"execute under its seccomp profile", launch_failure::filtered},
      {"find the parked process of", launch_failure::killed},
  };
  for (const auto& k : known)
    if (step == k.step) return k.code;
  return launch_failure::other;
}

refusal refusal_of(const v1::error_frame& f, std::string_view text) {
  for (const auto r : {refusal::not_ready, refusal::built, refusal::running, refusal::no_process})
    if (f.sys == EBUSY && text == to_string(r)) return r;
  const bool create = f.about == v1::frame_type::create;
  switch (f.sys) {
  case ENOENT:
    return refusal::no_container;
  case EEXIST:
    return refusal::exists;
  case ENOSPC:
    return refusal::full;
  case ESHUTDOWN:
    return refusal::shutting_down;
  case EINVAL:
    return create ? refusal::bad_plan : refusal::bad_value;
  case EPROTO:
  case EBADMSG:
    return refusal::unknown_request;
  default:
    return refusal::failed;
  }
}

std::optional<request> request_of(v1::frame_type about) {
  switch (about) {
  case v1::frame_type::create:
    return request::create;
  case v1::frame_type::build:
    return request::build;
  case v1::frame_type::proceed:
    return request::proceed;
  case v1::frame_type::abort:
    return request::abort;
  case v1::frame_type::signal:
    return request::signal;
  case v1::frame_type::kill:
    return request::kill;
  default:
    return std::nullopt;
  }
}

std::optional<v1::frame_type> type_of(request what) {
  switch (what) {
  case request::build:
    return v1::frame_type::build;
  case request::proceed:
    return v1::frame_type::proceed;
  case request::abort:
    return v1::frame_type::abort;
  case request::signal:
    return v1::frame_type::signal;
  case request::kill:
    return v1::frame_type::kill;
  case request::create: // its plan would be one that the shim does not read
  case request::open_terminal:
  case request::shutdown:
    break;
  }
  return std::nullopt;
}

heard read_container(const v1::container_frame& f) {
  container c;
  c.news = f.head.type != v1::frame_type::state;
  auto& now = c.now;
  now.who = {text_of(f.container), 0};
  // An unknown stage would be a stage of ours in nobody's eyes.
  now.at = static_cast<unsigned>(f.at) < stages ? f.at : stage::failed;
  now.host_pid = f.host_pid;
  now.result = f.result;
  now.core_dumped = f.core_dumped != 0;
  now.started_ns = f.started_ns;
  now.finished_ns = f.finished_ns;
  if (now.at != stage::failed) return c;
  now.sys = f.sys;
  now.step = text_of(f.step);
  now.object = text_of(f.object);
  now.step_index = f.step_index;
  now.code = failure_of(now.step, now.step_index);
  return c;
}

heard read_error(const v1::error_frame& f) {
  const auto text = text_of(f.step);
  const auto about = request_of(f.about);
  if (!about) return trouble{fail_errno(f.sys, text, text_of(f.container)).value().message()};
  const auto why = refusal_of(f, text);
  return refused{{.who = {text_of(f.container), 0},
                  .about = *about,
                  .why = why,
                  .sys = why == refusal::failed ? f.sys : 0,
                  .text = text}};
}

} // namespace

std::optional<heard> read_v1(std::span<const char> packet) {
  if (packet.size() < sizeof(v1::header)) return std::nullopt;
  switch (from_packet<v1::header>(packet).type) {
  case v1::frame_type::hello:
    return hello{from_packet<v1::hello_frame>(packet).protocol};
  case v1::frame_type::state:
  case v1::frame_type::ready:
  case v1::frame_type::built:
  case v1::frame_type::running:
  case v1::frame_type::exited:
  case v1::frame_type::signaled:
  case v1::frame_type::aborted:
  case v1::frame_type::failed:
    return read_container(from_packet<v1::container_frame>(packet));
  case v1::frame_type::error:
    return read_error(from_packet<v1::error_frame>(packet));
  case v1::frame_type::info_end:
    return info_end{};
  case v1::frame_type::replaced:
    return replaced{};
  default:
    return std::nullopt;
  }
}

result<std::string> write_v1(const ask& wanted) {
  v1::request_frame f;
  if (wanted.what == request::shutdown) {
    f.head.type = v1::frame_type::shutdown;
    return to_packet(f);
  }
  const auto type = type_of(wanted.what);
  if (!type)
    return fail(errc::unsupported, std::string{to_string(wanted.what)}, to_string(wanted.who),
                "its shim was started by an earlier Tank and cannot do that",
                "restart the pod: it gets a new one");
  f.head.type = *type;
  f.value = wanted.value;
  wanted.who.container.copy(f.container, sizeof f.container - 1);
  return to_packet(f);
}

} // namespace tank::kernel::frames
