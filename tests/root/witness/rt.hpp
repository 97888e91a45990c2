/// What a program without a C library needs: system calls, a start, a buffered writer.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asm/unistd.h>

namespace witness {

/// Raw: the result, or -errno.
long sys(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) noexcept;

template <class T>
long arg(T* p) noexcept {
  return reinterpret_cast<long>(p);
}

[[noreturn]] void leave(int code) noexcept;

std::size_t length(const char* s) noexcept;
bool same(const char* a, const char* b) noexcept;
bool starts_with(const char* s, const char* prefix) noexcept;
long number(const char* s) noexcept; ///< decimal; 0 for anything else

/// Buffers and writes to one descriptor, all of it, however the pipe takes it.
class writer {
 public:
  explicit writer(int fd) noexcept : fd_(fd) {}
  ~writer() { flush(); }
  writer& raw(const char* s) noexcept;
  writer& raw(const char* s, std::size_t n) noexcept;
  writer& num(long n) noexcept;
  writer& oct(unsigned long n) noexcept;
  /// A JSON string, with its quotes.
  writer& str(const char* s) noexcept;
  writer& str(const char* s, std::size_t n) noexcept;
  void flush() noexcept;

 private:
  void put(char c) noexcept;
  int fd_;
  std::size_t used_ = 0;
  char buffer_[4096];
};

/// Writes the report (see main.cpp) as one line of JSON.
void report(writer& out, char** argv, char** env) noexcept;
void report_probes(writer& out) noexcept; ///< a part of it
/// Verbs that attack; -1 when `verb` is none of them.
int attack(const char* verb, const char* first, const char* second) noexcept;

int run(int argc, char** argv, char** env, std::uint64_t first_raw,
        std::uint64_t first_real) noexcept;

} // namespace witness
