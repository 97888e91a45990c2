// Seccomp profiles of an operator: what is accepted is in range, and compiles or says why not.
#include "../fuzz.hpp"

#include "kernel/seccomp.hpp"

namespace tank::fuzz {
namespace seccomp_profile_target {
namespace {

using namespace kernel;

verdict run(std::string_view input) {
  const seccomp_conditions when{default_capabilities, "amd64", 6, 1};
  const auto profile = resolve_seccomp_profile(input, "p", when);
  if (!profile) return verdict::refused;
  std::size_t cost = 0;
  for (const auto& rule : profile->rules) {
    FUZZ_CHECK(!rule.names.empty() && rule.action.number <= 4095);
    cost += rule.names.size() * (1 + rule.arguments.size());
    for (const auto& a : rule.arguments)
      FUZZ_CHECK(a.index <= 5 && !a.op.empty());
  }
  // Compiling costs milliseconds: small ones only.
  if (cost > 40 || profile->architectures.size() > 3) return verdict::accepted;
  if (const auto made = compile_seccomp(*profile, "p"))
    FUZZ_CHECK(!made->program.empty() && made->program.size() % 8 == 0 &&
               made->program.size() / 8 <= 4096 && made->flags == profile->flags);
  return verdict::accepted;
}

} // namespace
} // namespace seccomp_profile_target
const target targets::seccomp_profile{"seccomp_profile", seccomp_profile_target::run};
} // namespace tank::fuzz
