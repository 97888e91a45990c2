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

void reader::copy_to(void* to, std::size_t size) noexcept {
  if (const char* p = take(1, size, 1))
    std::memcpy(to, p, size);
  else
    std::memset(to, 0, size);
}

void reader::read(bool& to) noexcept {
  std::uint32_t value = 0;
  read(value);
  if (value > 1) ok_ = false;
  to = value == 1;
}

void reader::read(text& to) noexcept {
  to = {};
  std::uint32_t size = 0;
  read(size);
  const char* p = take(std::size_t{size} + 1, 1, 1);
  if (p == nullptr) return;
  // A NUL inside would make the C string that the kernel sees differ from the one that was checked.
  if (p[size] != '\0' || std::memchr(p, '\0', size) != nullptr)
    ok_ = false;
  else
    to = {p, size};
}

void reader::read(text_list& to) noexcept {
  to = {};
  std::uint32_t count = 0;
  read(count);
  char* table = take(std::size_t{count} + 1, sizeof(std::uint64_t), alignof(std::uint64_t));
  if (table == nullptr) return;
  static_assert(sizeof(char*) <= sizeof(std::uint64_t));
  auto* items = reinterpret_cast<char**>(table);
  for (std::uint32_t i = 0; i < count; ++i) {
    text one;
    read(one);
    if (!ok_) return;
    items[i] = const_cast<char*>(one.data);
  }
  items[count] = nullptr;
  to = {items, count};
}

void reader::read(number_list& to) noexcept {
  std::uint32_t count = 0;
  read(count);
  const char* p = take(count, sizeof(std::uint32_t), alignof(std::uint32_t));
  to = {reinterpret_cast<const std::uint32_t*>(p), p == nullptr ? 0 : count};
}

void reader::read(rlimit_list& to) noexcept {
  std::uint32_t count = 0;
  read(count);
  const char* p = take(count, sizeof(plan::rlimit), alignof(plan::rlimit));
  to = {reinterpret_cast<const plan::rlimit*>(p), p == nullptr ? 0 : count};
}

void reader::read(maybe_number& to) noexcept {
  read(to.there);
  read(to.value);
  if (!to.there && to.value != 0) ok_ = false;
}

void reader::read(plan::raw_field<byte_view> to) noexcept {
  std::uint32_t size = 0;
  read(size);
  const char* p = take(size, 1, 8);
  to.value = {p, p == nullptr ? 0 : size};
}

// Walked here, so that all are checked and what comes behind them is found; whoever carries them
// out walks them again.
void reader::read(step_list& to) noexcept {
  to = {};
  std::uint32_t count = 0;
  read(count);
  if (count > max_steps) ok_ = false;
  to = {*this, count};
  step_cursor steps = to.walk();
  for (step_view ignored; steps.next(&ignored);) {
  }
  *this = steps.position();
}

bool step_cursor::next(step_view* out) noexcept {
  if (left_ == 0) return false;
  --left_;
  std::uint32_t kind = 0;
  at_.read(kind);
  out->kind = static_cast<step_kind>(kind);
  if (!out->visit([this](auto& step) { at_.read(step); })) at_.refuse();
  return at_.ok();
}

// What the kernel takes is a whole number of instructions, and not too many.
static bool is_filter(const byte_view& filter) noexcept {
  constexpr std::uint32_t instruction = 8;
  return filter.size % instruction == 0 && filter.size / instruction <= max_filter;
}

const char* parse_plan(char* base, std::size_t size, plan_view* out) noexcept {
  if (size > max_plan_bytes) return "the plan is larger than 8 MiB";
  reader r{base, size};
  std::uint32_t magic = 0;
  std::uint32_t version = 0;
  std::uint32_t bytes = 0;
  std::uint32_t zero = 0;
  r.read(magic);
  if (magic != plan_magic) return "not a launch plan";
  r.read(version);
  if (version != plan_version) return "a launch plan of another version";
  r.read(bytes);
  r.read(zero);
  if (bytes != size || zero != 0) return "the plan's size is not what its header says";
  plan_view plan;
  r.read(plan);
  if (!r.ok() || !r.at_end()) return "the plan contradicts itself";
  if (plan.container.empty()) return "the plan names no container";
  if (plan.process.argv.count == 0) return "the plan has no program to run";
  if (!is_filter(plan.process.seccomp.program)) return "the plan's seccomp filter is none";
  *out = plan;
  return nullptr;
}

} // namespace tank::kernel::wire
