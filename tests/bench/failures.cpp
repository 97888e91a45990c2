#include "tests/bench/failures.hpp"

#include <cstdio>

namespace tank::bench {

static constexpr int most_failures = 3;

void failures::add(const std::string& who, const std::string& step, const std::string& why) {
  const std::lock_guard lock{mutex_};
  auto& at = seen_[{who, step}];
  if (at.times++ == 0) at.why = why;
}

bool failures::hopeless(const std::string& who, const std::string& step) const {
  const std::lock_guard lock{mutex_};
  const auto at = seen_.find({who, step});
  return at != seen_.end() && at->second.times >= most_failures;
}

void failures::print() const {
  const std::lock_guard lock{mutex_};
  for (const auto& [key, value] : seen_) {
    std::printf("\n%s failed %d times to %s%s; the first time:\n", key.first.c_str(), value.times,
                key.second.c_str(),
                value.times >= most_failures ? ", and was not measured further" : "");
    std::printf("%s%s", value.why.c_str(), value.why.ends_with('\n') ? "" : "\n");
  }
}

} // namespace tank::bench
