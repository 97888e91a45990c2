#include "base/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tank {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

std::size_t spelling_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t k = 1; k <= b.size(); ++k) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[k - 1]) ? 0 : 1);
      diagonal = std::exchange(row[k], std::min({replaced, row[k] + 1, row[k - 1] + 1}));
    }
  }
  return row.back();
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  if (word.size() > 64) return {};
  const std::string* best = nullptr;
  std::size_t best_distance = word.size() < 5 ? 2 : 3;
  for (const auto& candidate : known)
    if (const auto d = spelling_distance(word, candidate); d < best_distance)
      best = &candidate, best_distance = d;
  return best != nullptr ? *best : std::string{};
}

} // namespace tank
