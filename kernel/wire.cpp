#include "kernel/wire.hpp"

#include <cstring>

namespace tank::kernel::wire {

char* reader::take(std::size_t count, std::size_t width, std::size_t align) noexcept {
  const std::size_t start = (at_ + align - 1) & ~(align - 1);
  if (!ok_ || start > size_ || count > (size_ - start) / width) {
    ok_ = false;
    return nullptr;
  }
  at_ = start + count * width;
  return base_ + start;
}

std::uint32_t reader::u32() noexcept {
  std::uint32_t value = 0;
  if (const char* p = take(1, sizeof value, 1)) std::memcpy(&value, p, sizeof value);
  return value;
}

std::uint64_t reader::u64() noexcept {
  std::uint64_t value = 0;
  if (const char* p = take(1, sizeof value, 1)) std::memcpy(&value, p, sizeof value);
  return value;
}

bool reader::flag() noexcept {
  const std::uint32_t value = u32();
  if (value > 1) ok_ = false;
  return value == 1;
}

text reader::str() noexcept {
  const std::uint32_t size = u32();
  const char* p = take(std::size_t{size} + 1, 1, 1);
  if (p == nullptr) return {};
  // A NUL inside would make the C string that the kernel sees differ from the one that was checked.
  if (p[size] != '\0' || std::memchr(p, '\0', size) != nullptr) {
    ok_ = false;
    return {};
  }
  return {p, size};
}

text_list reader::list() noexcept {
  const std::uint32_t count = u32();
  char* table = take(std::size_t{count} + 1, sizeof(std::uint64_t), alignof(std::uint64_t));
  if (table == nullptr) return {};
  static_assert(sizeof(char*) <= sizeof(std::uint64_t));
  auto* items = reinterpret_cast<char**>(table);
  for (std::uint32_t i = 0; i < count; ++i) {
    items[i] = const_cast<char*>(str().data);
    if (!ok_) return {};
  }
  items[count] = nullptr;
  return {items, count};
}

id_list reader::ids() noexcept {
  const std::uint32_t count = u32();
  const char* p = take(count, sizeof(std::uint32_t), alignof(std::uint32_t));
  if (p == nullptr) return {};
  return {reinterpret_cast<const std::uint32_t*>(p), count};
}

const rlimit_view* reader::rlimits(std::uint32_t* count) noexcept {
  const std::uint32_t n = u32();
  const char* p = take(n, sizeof(rlimit_view), alignof(rlimit_view));
  *count = p == nullptr ? 0 : n;
  return reinterpret_cast<const rlimit_view*>(p);
}

byte_view reader::bytes() noexcept {
  const std::uint32_t size = u32();
  const char* p = take(size, 1, 8);
  if (p == nullptr) return {};
  return {p, size};
}

// Every kind is one line: the order of fields is the order in which wire_encode.cpp writes them.
static void read_step(reader& r, step_view* out) noexcept {
  step_view s;
  const std::uint32_t kind = r.u32();
  s.kind = static_cast<step_kind>(kind);
  switch (s.kind) {
  case step_kind::overlay:
    s.overlay.lower = r.list();
    s.overlay.upper = r.str();
    s.overlay.work = r.str();
    s.overlay.mapped = r.flag();
    break;
  case step_kind::filesystem:
    s.filesystem.type = r.str();
    s.filesystem.target = r.str();
    s.filesystem.flags = r.u32();
    s.filesystem.data = r.str();
    break;
  case step_kind::bind:
    s.bind.source = r.str();
    s.bind.target = r.str();
    s.bind.read_only = r.flag();
    s.bind.recursive = r.flag();
    s.bind.flags = r.u32();
    s.bind.mapped = r.flag();
    break;
  case step_kind::device:
    s.device.target = r.str();
    s.device.major = r.u32();
    s.device.minor = r.u32();
    s.device.mode = r.u32();
    s.device.block = r.flag();
    s.device.uid = r.u32();
    s.device.gid = r.u32();
    break;
  case step_kind::symlink:
    s.symlink.target = r.str();
    s.symlink.link = r.str();
    break;
  case step_kind::directory:
    s.directory.target = r.str();
    s.directory.mode = r.u32();
    s.directory.uid = r.u32();
    s.directory.gid = r.u32();
    break;
  case step_kind::mask:
    s.mask.target = r.str();
    break;
  case step_kind::read_only:
    s.read_only.target = r.str();
    break;
  case step_kind::pivot:
    s.pivot.read_only_root = r.flag();
    break;
  case step_kind::fault:
    s.fault.sys = static_cast<std::int32_t>(r.u32());
    break;
  case step_kind::sysctl:
    s.sysctl.path = r.str();
    s.sysctl.value = r.str();
    break;
  default:
    r.refuse();
  }
  *out = s;
}

bool step_cursor::next(step_view* out) noexcept {
  if (left_ == 0) return false;
  --left_;
  read_step(at_, out);
  return at_.ok();
}

static process_view read_process(reader& r) noexcept {
  process_view p;
  p.argv = r.list();
  p.env = r.list();
  p.cwd = r.str();
  p.create_cwd = r.flag();
  p.uid = r.u32();
  p.gid = r.u32();
  p.groups = r.ids();
  p.umask = r.u32();
  p.no_new_privs = r.flag();
  p.rlimits = r.rlimits(&p.rlimit_count);
  p.capabilities = {r.u64(), r.u64(), r.u64(), r.u64(), r.u64()};
  p.filter = r.bytes();
  p.filter_flags = r.u32();
  p.set_oom_score = r.flag();
  p.oom_score_adj = static_cast<std::int32_t>(r.u32());
  return p;
}

// What the kernel takes is a whole number of instructions, and not too many.
static bool is_filter(const byte_view& filter) noexcept {
  constexpr std::uint32_t instruction = 8;
  return filter.size % instruction == 0 && filter.size / instruction <= max_filter;
}

const char* parse_plan(char* base, std::size_t size, plan_view* out) noexcept {
  if (size > max_plan_bytes) return "the plan is larger than 8 MiB";
  reader r{base, size};
  if (r.u32() != plan_magic) return "not a launch plan";
  if (r.u32() != plan_version) return "a launch plan of another version";
  if (r.u32() != size || r.u32() != 0) return "the plan's size is not what its header says";
  plan_view plan;
  plan.container = r.str();
  plan.new_pid_ns = r.flag();
  plan.new_cgroup_ns = r.flag();
  plan.cgroups = r.list();
  plan.step_count = r.u32();
  if (plan.step_count > max_steps) return "the plan has more than 4096 steps";
  plan.first_step = {r, plan.step_count};
  step_cursor steps = plan.first_step;
  for (step_view ignored; steps.next(&ignored);) {
  }
  r = steps.position();
  plan.process = read_process(r);
  plan.log.path = r.str();
  plan.log.max_bytes = r.u64();
  plan.log.max_files = r.u32();
  if (!r.ok() || !r.at_end()) return "the plan contradicts itself";
  if (plan.container.empty()) return "the plan names no container";
  if (plan.process.argv.count == 0) return "the plan has no program to run";
  if (!is_filter(plan.process.filter)) return "the plan's seccomp filter is none";
  *out = plan;
  return nullptr;
}

} // namespace tank::kernel::wire
