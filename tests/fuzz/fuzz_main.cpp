// One target as libFuzzer wants it. `--seeds CORPUS OUT` goes through the corpus instead, and
// writes its inputs into OUT.
#include "corpus.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include FUZZ_SOURCE // targets/*.cpp

static const auto& target = tank::fuzz::targets::FUZZ_TARGET;

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc != 4 || std::strcmp((*argv)[1], "--seeds") != 0) return 0;
  const auto wrong = tank::fuzz::replay(target, (*argv)[2], (*argv)[3]);
  for (const auto& line : wrong)
    std::fprintf(stderr, "%s: %s\n", target.name, line.c_str());
  std::exit(wrong.empty() ? 0 : 1);
}

// An exception that leaves a target is a find too: hence noexcept.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) noexcept {
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
