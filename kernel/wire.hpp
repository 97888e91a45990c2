/// A `launch_plan` as the shim reads it: one flat buffer, read in place.
///
/// The daemon encodes a plan once (kernel/wire_encode.hpp) into a sealed memfd; the shim maps it
/// privately and writable, checks it once with `parse_plan`, and from then on views point into the
/// mapping. Nothing is allocated: string lists come with their pointer table already in the buffer,
/// ready for execve. This header and wire.cpp use neither the heap nor exceptions nor libstdc++'s
/// runtime, so that the parked child may use them between clone and exec.
///
/// Layout, native byte order (both ends are one machine):
///     u32 magic, version, bytes, 0 | the fields of plan::launch, in the order of its list
///
///     flag    u32, 0 or 1            numbers of 32 and 64 bits as they are
///     text    u32 size, size bytes without NUL, NUL
///     texts   u32 count, pad to 8, count+1 u64 slots (room for pointers), text...
///     bytes   u32 size, pad to 8, size bytes
///     numbers u32 count, u32...
///     rlimits u32 count, pad to 8, rlimit...
///     maybe   flag whether there is a number, the number
///     steps   u32 count, each: u32 kind, its fields
///     a part  its fields
/// Every read is checked against the end of the buffer; a buffer that lies is refused as a whole.
#pragma once

#include "kernel/plan_parts.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tank::kernel::wire {

inline constexpr std::uint32_t plan_magic = 0x504b4e54; // "TNKP"
inline constexpr std::uint32_t plan_version = 5;
/// Far above any real plan (argv and env are limited by the kernel to about 2 MiB together).
inline constexpr std::size_t max_plan_bytes = 8u << 20;
inline constexpr std::uint32_t max_steps = 4096;
inline constexpr std::uint32_t max_filter = 4096; ///< instructions: the kernel's BPF_MAXINSNS

/// A string inside the buffer; always NUL-terminated and without NUL inside.
struct text {
  const char* data = "";
  std::uint32_t size = 0;
  [[nodiscard]] const char* c_str() const noexcept { return data; }
  [[nodiscard]] bool empty() const noexcept { return size == 0; }
  [[nodiscard]] std::string_view view() const noexcept { return {data, size}; }
};

/// Strings of the buffer with a NULL-terminated pointer table: `items` is what execve wants.
struct text_list {
  char* const* items = nullptr;
  std::uint32_t count = 0;
};

/// Bytes of the buffer, 8-aligned.
struct byte_view {
  const char* data = nullptr;
  std::uint32_t size = 0;
};

struct number_list {
  const std::uint32_t* items = nullptr;
  std::uint32_t count = 0;
};

struct rlimit_list {
  const plan::rlimit* items = nullptr;
  std::uint32_t count = 0;
};

struct maybe_number {
  bool there = false;
  std::int32_t value = 0; ///< 0 when it is not there
};

struct step_list;

/// Reads fields one after the other. After the first one that does not fit, everything reads as
/// empty and `ok()` stays false.
class reader {
 public:
  reader() = default;
  /// `base` is 8-aligned, writable (pointer tables are filled in) and outlives all views.
  reader(char* base, std::size_t size) noexcept : base_(base), size_(size) {}

  void read(std::uint32_t& to) noexcept { copy_to(&to, sizeof to); }
  void read(std::uint64_t& to) noexcept { copy_to(&to, sizeof to); }
  void read(std::int32_t& to) noexcept { copy_to(&to, sizeof to); }
  void read(bool& to) noexcept;
  void read(text& to) noexcept;
  void read(text_list& to) noexcept;
  void read(number_list& to) noexcept;
  void read(rlimit_list& to) noexcept;
  void read(maybe_number& to) noexcept;
  void read(plan::raw_field<byte_view> to) noexcept;
  void read(step_list& to) noexcept;
  template <plan::part P>
  void read(P& to) noexcept {
    P::fields(to, [this](auto&&... field) { (this->read(field), ...); });
  }

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return at_ == size_; }
  void refuse() noexcept { ok_ = false; }

 private:
  /// Reserves `count` items of `width` bytes at the next multiple of `align`; nullptr when they do
  /// not fit.
  char* take(std::size_t count, std::size_t width, std::size_t align) noexcept;
  void copy_to(void* to, std::size_t size) noexcept;

  char* base_ = nullptr;
  std::size_t size_ = 0;
  std::size_t at_ = 0;
  bool ok_ = true;
};

class step_cursor;

/// All steps, unread.
struct step_list {
  reader first;
  std::uint32_t count = 0;
  [[nodiscard]] step_cursor walk() const noexcept;
};

/// The form of a plan that is a view into its buffer.
struct plan_views {
  using text = wire::text;
  using path = wire::text;
  using texts = text_list;
  using paths = text_list;
  using numbers = number_list;
  using rlimits = rlimit_list;
  using bytes = byte_view;
  using maybe_number = wire::maybe_number;
  using steps = step_list;
  static constexpr std::uint64_t usual_capabilities = 0;
};

using overlay_view = plan::overlay<plan_views>;
using filesystem_view = plan::filesystem<plan_views>;
using bind_view = plan::bind<plan_views>;
using device_view = plan::device<plan_views>;
using symlink_view = plan::symlink<plan_views>;
using directory_view = plan::directory<plan_views>;
using mask_view = plan::mask<plan_views>;
using read_only_view = plan::read_only<plan_views>;
using pivot_view = plan::pivot<plan_views>;
using fault_view = plan::fault<plan_views>;
using sysctl_view = plan::sysctl<plan_views>;
using volume_view = plan::volume<plan_views>;
using process_view = plan::process<plan_views>;
using log_view = plan::log<plan_views>;
using plan_view = plan::launch<plan_views>;

/// The places of the kinds in plan::steps_of.
enum class step_kind : std::uint32_t {
  overlay,
  filesystem,
  bind,
  device,
  symlink,
  directory,
  mask,
  read_only,
  pivot,
  fault,
  sysctl,
  volume,
};
inline constexpr std::uint32_t step_kinds = 12;

/// One step, read. Only the member that `kind` names means anything.
struct step_view {
  step_kind kind = step_kind::fault;
  overlay_view overlay;
  filesystem_view filesystem;
  bind_view bind;
  device_view device;
  symlink_view symlink;
  directory_view directory;
  mask_view mask;
  read_only_view read_only;
  pivot_view pivot;
  fault_view fault;
  sysctl_view sysctl;
  volume_view volume;

  /// Calls `f` with that member; false when there is no such kind.
  constexpr bool visit(auto&& f);
};

constexpr bool step_view::visit(auto&& f) {
  switch (kind) {
  case step_kind::overlay:
    return f(overlay), true;
  case step_kind::filesystem:
    return f(filesystem), true;
  case step_kind::bind:
    return f(bind), true;
  case step_kind::device:
    return f(device), true;
  case step_kind::symlink:
    return f(symlink), true;
  case step_kind::directory:
    return f(directory), true;
  case step_kind::mask:
    return f(mask), true;
  case step_kind::read_only:
    return f(read_only), true;
  case step_kind::pivot:
    return f(pivot), true;
  case step_kind::fault:
    return f(fault), true;
  case step_kind::sysctl:
    return f(sysctl), true;
  case step_kind::volume:
    return f(volume), true;
  }
  return false;
}

/// Walks the steps in order:  `step_view s; for (auto c = plan.steps.walk(); c.next(&s);) ...`
class step_cursor {
 public:
  step_cursor(reader at, std::uint32_t count) noexcept : at_(at), left_(count) {}
  /// False at the end (or, before `parse_plan` has approved the buffer, at a step that lies).
  bool next(step_view* out) noexcept;
  [[nodiscard]] const reader& position() const noexcept { return at_; }

 private:
  reader at_;
  std::uint32_t left_ = 0;
};

inline step_cursor step_list::walk() const noexcept {
  return {first, count};
}

/// Checks the whole buffer and fills `out`. Returns nullptr, or why it is refused (static text).
const char* parse_plan(char* base, std::size_t size, plan_view* out) noexcept;

} // namespace tank::kernel::wire
