// Every build's share of the fuzzing: the corpus, with all that was once found, through every
// target.
#include "corpus.hpp"

#include <doctest/doctest.h>

namespace corpus_test {

using namespace tank::fuzz;

#define X(name)                                                                                    \
  TEST_CASE("fuzz corpus: " #name) {                                                               \
    for (const auto& line : replay(targets::name, TANK_FUZZ_CORPUS))                               \
      FAIL_CHECK(line);                                                                            \
  }
TANK_FUZZ_TARGETS
#undef X

} // namespace corpus_test
