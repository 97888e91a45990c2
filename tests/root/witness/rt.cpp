#include "tests/root/witness/rt.hpp"

#include <linux/time.h>

// The compiler may call these four for what it finds in the code.
extern "C" {
void* memcpy(void* to, const void* from, std::size_t n) {
  auto* t = static_cast<char*>(to);
  const auto* f = static_cast<const char*>(from);
  while (n-- > 0)
    *t++ = *f++;
  return to;
}
void* memset(void* to, int c, std::size_t n) {
  auto* t = static_cast<volatile char*>(to);
  while (n-- > 0)
    *t++ = static_cast<char>(c);
  return to;
}

// The kernel starts us with argc, argv, NULL, env, NULL on the stack.
void witness_start(long* stack);
#if defined(__x86_64__)
__asm__(".text\n.global _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n"
        " call witness_start\n hlt\n");
#elif defined(__aarch64__)
__asm__(".text\n.global _start\n_start:\n mov x29,#0\n mov x30,#0\n mov x0,sp\n"
        " bl witness_start\n brk #0\n");
#else
#error "teach tests/root/witness/rt.cpp this machine's system call"
#endif

static std::uint64_t clock_ns(long which) {
  __kernel_timespec now{};
  witness::sys(__NR_clock_gettime, which, witness::arg(&now));
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void witness_start(long* stack) {
  const auto raw = clock_ns(CLOCK_MONOTONIC_RAW);
  const auto real = clock_ns(CLOCK_REALTIME);
  const int argc = static_cast<int>(stack[0]);
  char** argv = reinterpret_cast<char**>(stack + 1);
  witness::leave(witness::run(argc, argv, argv + argc + 1, raw, real));
}
}

namespace witness {

long sys(long n, long a, long b, long c, long d, long e) noexcept {
#if defined(__x86_64__)
  long result = n;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
#endif
}

void leave(int code) noexcept {
  for (;;)
    sys(__NR_exit_group, code);
}

std::size_t length(const char* s) noexcept {
  std::size_t n = 0;
  while (s[n] != '\0')
    ++n;
  return n;
}

bool same(const char* a, const char* b) noexcept {
  while (*a != '\0' && *a == *b)
    ++a, ++b;
  return *a == *b;
}

bool starts_with(const char* s, const char* prefix) noexcept {
  while (*prefix != '\0') {
    if (*s++ != *prefix++) return false;
  }
  return true;
}

long number(const char* s) noexcept {
  long n = 0;
  for (; *s >= '0' && *s <= '9'; ++s)
    n = n * 10 + (*s - '0');
  return *s == '\0' ? n : 0;
}

void writer::flush() noexcept {
  std::size_t at = 0;
  while (at < used_) {
    const long n = sys(__NR_write, fd_, arg(buffer_ + at), static_cast<long>(used_ - at));
    if (n <= 0 && n != -4 /* EINTR */) break;
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  used_ = 0;
}

void writer::put(char c) noexcept {
  if (used_ == sizeof buffer_) flush();
  buffer_[used_++] = c;
}

writer& writer::raw(const char* s, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    put(s[i]);
  return *this;
}

writer& writer::raw(const char* s) noexcept {
  return raw(s, length(s));
}

writer& writer::num(long n) noexcept {
  if (n < 0) {
    put('-');
    n = -n;
  }
  char digits[24];
  int i = 0;
  do
    digits[i++] = static_cast<char>('0' + n % 10);
  while ((n /= 10) != 0);
  while (i > 0)
    put(digits[--i]);
  return *this;
}

writer& writer::oct(unsigned long n) noexcept {
  char digits[24];
  int i = 0;
  do
    digits[i++] = static_cast<char>('0' + n % 8);
  while ((n /= 8) != 0);
  while (i > 0)
    put(digits[--i]);
  return *this;
}

writer& writer::str(const char* s, std::size_t n) noexcept {
  static constexpr char hex[] = "0123456789abcdef";
  put('"');
  for (std::size_t i = 0; i < n; ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (c == '"' || c == '\\') put('\\');
    if (c < 0x20 || c >= 0x7f) {
      raw("\\u00");
      put(hex[c >> 4]);
      put(hex[c & 15]);
    } else {
      put(static_cast<char>(c));
    }
  }
  put('"');
  return *this;
}

writer& writer::str(const char* s) noexcept {
  return str(s, length(s));
}

} // namespace witness
