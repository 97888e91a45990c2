/// What both model checks need: reproducible randomness, seeds, and the search for the smallest
/// scenario that still fails.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace tank::model {

/// splitmix64: a few lines, the same everywhere. Not for secrets.
class rng {
 public:
  explicit rng(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// 0..n-1
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class C>
  auto pick(const C& from) {
    return from[below(std::size(from))];
  }

 private:
  std::uint64_t state_;
};

/// Ten fixed ones, and those of TANK_MODEL_SEEDS (numbers with spaces between).
inline std::vector<std::uint64_t> seeds() {
  std::vector<std::uint64_t> out{1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
  if (const char* more = std::getenv("TANK_MODEL_SEEDS")) {
    std::istringstream in{more};
    for (std::uint64_t seed = 0; in >> seed;)
      out.push_back(seed);
  }
  return out;
}

/// Of each seed.
inline constexpr std::size_t sequences = 10'000;

/// The smallest scenario reachable by simplifying steps that still fails. A Scenario has
/// `std::vector<Scenario> simpler() const`, the boldest first.
template <class Scenario, class Fails>
Scenario shrink(Scenario failing, Fails fails) {
  for (bool again = true; again;) {
    again = false;
    for (auto& candidate : failing.simpler()) {
      if (!fails(candidate)) continue;
      failing = std::move(candidate);
      again = true;
      break;
    }
  }
  return failing;
}

/// Without the n/k-th part of a list, for k = 2, 4, ... down to single elements.
template <class T, class Make>
void without_parts(const std::vector<T>& list, Make make) {
  for (std::size_t size = list.size(); size > 0; size /= 2)
    for (std::size_t from = 0; from < list.size(); from += size) {
      auto rest = list;
      const auto first = rest.begin() + static_cast<std::ptrdiff_t>(from);
      rest.erase(first,
                 rest.begin() + static_cast<std::ptrdiff_t>(std::min(list.size(), from + size)));
      make(std::move(rest));
    }
}

} // namespace tank::model
