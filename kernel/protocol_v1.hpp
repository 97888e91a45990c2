/// The frames of protocol 1, as the shims of earlier Tanks still send and read them. Their layout
/// is fixed for as long as such a shim may run.
///
/// A container is a name; there are no attempts, no serials and no descriptor of the network. One
/// attempt of a name is followed by another one of the same name, so that a daemon of today asks
/// for none. Why a request is refused, and why a launch failed, is text alone: kernel/frames_v1.cpp
/// makes enums of it.
#pragma once

#include "kernel/stage.hpp"

#include <cstddef>
#include <cstdint>

namespace tank::kernel::protocol_v1 {

inline constexpr std::uint32_t version = 1;
inline constexpr unsigned max_containers = 16;
inline constexpr std::size_t name_size = 128;

enum class frame_type : std::uint32_t {
  // daemon -> shim
  sandbox = 1,
  create,
  build,
  proceed,
  abort,
  signal,
  kill,
  shutdown,
  // shim -> daemon
  hello = 101,
  state,    ///< a container_frame: all there is to know of one container, at connect
  info_end, ///< a header alone
  ready,    ///< container_frame, as are the next six
  built,
  running,
  exited,
  signaled,
  aborted,
  failed,
  error,
  replaced, ///< a header alone
};

struct header {
  frame_type type{};
};

struct request_frame {
  header head;
  std::int32_t value = 0; ///< of `signal`: its number
  char container[name_size] = {};
};
static_assert(sizeof(request_frame) == 136);

struct hello_frame {
  header head{frame_type::hello};
  std::uint32_t protocol = version;
  std::int32_t pid = 0; ///< the shim's
};
static_assert(sizeof(hello_frame) == 12);

struct container_frame {
  header head;
  stage at = stage::starting;
  std::uint8_t core_dumped = 0;
  std::int32_t host_pid = 0;
  std::int32_t result = 0; ///< exit code or signal
  std::int32_t sys = 0;    ///< of `failed`, as are the last three
  std::int32_t step_index = -1;
  std::int64_t started_ns = 0; ///< CLOCK_REALTIME
  std::int64_t finished_ns = 0;
  char container[name_size] = {};
  char step[64] = {};
  char object[960] = {};
};
static_assert(sizeof(container_frame) == 1192 && offsetof(container_frame, host_pid) == 8 &&
              offsetof(container_frame, started_ns) == 24 &&
              offsetof(container_frame, container) == 40);

struct error_frame {
  header head{frame_type::error};
  frame_type about{};
  std::int32_t sys = 0;
  char container[name_size] = {}; ///< empty when the request named none
  char step[128] = {};            ///< verb phrase
};
static_assert(sizeof(error_frame) == 268);

} // namespace tank::kernel::protocol_v1
