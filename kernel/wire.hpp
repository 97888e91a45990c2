/// A `launch_plan` as the shim reads it: one flat buffer, read in place.
///
/// The daemon encodes a plan once (kernel/wire_encode.hpp) into a sealed memfd; the shim maps it
/// privately and writable, checks it once with `parse_plan`, and from then on views point into the
/// mapping. Nothing is allocated: string lists come with their pointer table already in the buffer,
/// ready for execve. This header and wire.cpp use neither the heap nor exceptions nor libstdc++'s
/// runtime, so that the parked child may use them between clone and exec.
///
/// Layout, native byte order (both ends are one machine):
///     u32 magic, version, bytes, 0 | container | flags | list cgroups | u32 steps | step... |
///         process | log
///     text  u32 size, size bytes without NUL, NUL
///     list  u32 count, pad to 8, count+1 u64 slots (room for pointers), text...
///     bytes u32 size, pad to 8, size bytes
///     u32s  u32 count, u32...            rlimits  u32 count, pad to 8, {u64 resource, soft,
///     hard}...
/// Every read is checked against the end of the buffer; a buffer that lies is refused as a whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tank::kernel::wire {

inline constexpr std::uint32_t plan_magic = 0x504b4e54; // "TNKP"
inline constexpr std::uint32_t plan_version = 4;
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

struct id_list {
  const std::uint32_t* items = nullptr;
  std::uint32_t count = 0;
};

// --- one view per kind of step; the meaning of the fields is launch_plan.hpp's -----------------

/// Values are the variant's indices in launch_plan.hpp.
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
};
inline constexpr std::uint32_t step_kinds = 11;

struct overlay_view {
  text_list lower;
  text upper;
  text work;
  bool mapped = false;
};
struct filesystem_view {
  text type;
  text target;
  std::uint32_t flags = 0;
  text data;
};
struct bind_view {
  text source;
  text target;
  bool read_only = false;
  bool recursive = false;
  std::uint32_t flags = 0;
  bool mapped = false;
};
struct device_view {
  text target;
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0;
  bool block = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
struct symlink_view {
  text target;
  text link;
};
struct directory_view {
  text target;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
struct mask_view {
  text target;
};
struct read_only_view {
  text target;
};
struct pivot_view {
  bool read_only_root = false;
};
struct fault_view {
  std::int32_t sys = 0;
};
struct sysctl_view {
  text path;
  text value;
};

/// Only the member that `kind` names is set.
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
};

struct rlimit_view {
  std::uint64_t resource = 0;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

struct capability_view {
  std::uint64_t bounding = 0;
  std::uint64_t permitted = 0;
  std::uint64_t effective = 0;
  std::uint64_t inheritable = 0;
  std::uint64_t ambient = 0;
};

struct process_view {
  text_list argv; ///< at least one
  text_list env;
  text cwd;
  bool create_cwd = false;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  id_list groups;
  std::uint32_t umask = 0022;
  bool no_new_privs = false;
  const rlimit_view* rlimits = nullptr;
  std::uint32_t rlimit_count = 0;
  capability_view capabilities;
  byte_view filter; ///< struct sock_filter[]; empty: none
  std::uint32_t filter_flags = 0;
  bool set_oom_score = false;
  std::int32_t oom_score_adj = 0;
};

struct log_view {
  text path;
  std::uint64_t max_bytes = 0;
  std::uint32_t max_files = 0;
};

/// Reads values one after the other. After the first one that does not fit, everything reads as
/// empty and `ok()` stays false.
class reader {
 public:
  reader() = default;
  /// `base` is 8-aligned, writable (pointer tables are filled in) and outlives all views.
  reader(char* base, std::size_t size) noexcept : base_(base), size_(size) {}

  std::uint32_t u32() noexcept;
  std::uint64_t u64() noexcept;
  bool flag() noexcept; ///< a u32 that must be 0 or 1
  text str() noexcept;
  text_list list() noexcept;
  id_list ids() noexcept;
  const rlimit_view* rlimits(std::uint32_t* count) noexcept;
  byte_view bytes() noexcept;

  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] bool at_end() const noexcept { return at_ == size_; }
  void refuse() noexcept { ok_ = false; }

 private:
  /// Reserves `count` items of `width` bytes at the next multiple of `align`; nullptr when they do
  /// not fit.
  char* take(std::size_t count, std::size_t width, std::size_t align) noexcept;

  char* base_ = nullptr;
  std::size_t size_ = 0;
  std::size_t at_ = 0;
  bool ok_ = true;
};

/// Walks the steps in order:  `step_view s; for (auto c = plan.steps(); c.next(&s);) ...`
class step_cursor {
 public:
  step_cursor() = default;
  step_cursor(reader at, std::uint32_t count) noexcept : at_(at), left_(count) {}
  /// False at the end (or, before `parse_plan` has approved the buffer, at a step that lies).
  bool next(step_view* out) noexcept;
  [[nodiscard]] const reader& position() const noexcept { return at_; }

 private:
  reader at_;
  std::uint32_t left_ = 0;
};

struct plan_view {
  text container;
  bool new_pid_ns = true;
  bool new_cgroup_ns = true;
  text_list cgroups;
  step_cursor first_step;
  std::uint32_t step_count = 0;
  process_view process;
  log_view log;

  [[nodiscard]] step_cursor steps() const noexcept { return first_step; }
};

/// Checks the whole buffer and fills `out`. Returns nullptr, or why it is refused (static text).
const char* parse_plan(char* base, std::size_t size, plan_view* out) noexcept;

} // namespace tank::kernel::wire
