#include "oci/pull_totals.hpp"

#include "oci/unpack.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace tank::oci {

void pull_totals::take(const layer_progress& p) {
  const auto it =
      std::find_if(layers_.begin(), layers_.end(), [&](const auto& l) { return l.blob == p.blob; });
  if (it == layers_.end())
    layers_.push_back(p);
  else
    *it = p;
}

std::uint64_t pull_totals::done() const {
  std::uint64_t sum = 0;
  for (const auto& l : layers_)
    sum += l.done;
  return sum;
}

std::uint64_t pull_totals::total() const {
  std::uint64_t sum = 0;
  for (const auto& l : layers_)
    sum += l.total;
  return sum;
}

std::size_t pull_totals::here() const {
  return static_cast<std::size_t>(std::count_if(layers_.begin(), layers_.end(), [](const auto& l) {
    return l.state == layer_state::done || l.state == layer_state::present;
  }));
}

std::string pull_totals::text(std::string_view name) const {
  std::string out = "pulling image '" + for_message(name) + "'";
  if (layers_.empty()) return out;
  constexpr double mebi = 1024.0 * 1024.0;
  std::array<char, 64> figures{};
  std::snprintf(figures.data(), figures.size(), ": %.1f of %.1f MiB",
                static_cast<double>(done()) / mebi, static_cast<double>(total()) / mebi);
  return out + figures.data();
}

} // namespace tank::oci
