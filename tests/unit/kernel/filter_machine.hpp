/// Runs a seccomp filter as the kernel does, over one made-up system call: what a profile means is
/// what its program answers.
#pragma once

#include "kernel/launch_plan.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

namespace tank::kernel::testing {

/// Classic BPF as seccomp(2) has it: loads of seccomp_data, jumps, masks and returns.
inline std::uint32_t answer(const seccomp_filter& filter, const seccomp_data& call) {
  REQUIRE(filter.program.size() % sizeof(sock_filter) == 0);
  std::vector<sock_filter> code(filter.program.size() / sizeof(sock_filter));
  std::memcpy(code.data(), filter.program.data(), filter.program.size());
  std::uint32_t a = 0;
  for (std::size_t at = 0; at < code.size(); ++at) {
    const auto& i = code[at];
    const auto jump = [&](bool yes) { at += yes ? i.jt : i.jf; };
    switch (i.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      REQUIRE(i.k + sizeof a <= sizeof call);
      std::memcpy(&a, reinterpret_cast<const char*>(&call) + i.k, sizeof a);
      break;
    case BPF_JMP | BPF_JA:
      at += i.k;
      break;
    case BPF_JMP | BPF_JEQ | BPF_K:
      jump(a == i.k);
      break;
    case BPF_JMP | BPF_JGT | BPF_K:
      jump(a > i.k);
      break;
    case BPF_JMP | BPF_JGE | BPF_K:
      jump(a >= i.k);
      break;
    case BPF_JMP | BPF_JSET | BPF_K:
      jump((a & i.k) != 0);
      break;
    case BPF_ALU | BPF_AND | BPF_K:
      a &= i.k;
      break;
    case BPF_RET | BPF_K:
      return i.k;
    default:
      FAIL("an instruction of code " << i.code << " at " << at);
    }
  }
  FAIL("the program has no end");
  return 0;
}

inline std::uint32_t refuse(std::uint32_t error) {
  return SECCOMP_RET_ERRNO | error;
}

} // namespace tank::kernel::testing
