/// The layers of one pull, summed up for people.
#pragma once

#include "oci/pull.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// Not thread-safe.
class pull_totals {
 public:
  void take(const layer_progress& p);

  /// In the order in which they were first heard of.
  [[nodiscard]] const std::vector<layer_progress>& layers() const noexcept { return layers_; }
  [[nodiscard]] std::uint64_t done() const;
  [[nodiscard]] std::uint64_t total() const;
  /// Layers that are here, by download or before.
  [[nodiscard]] std::size_t here() const;
  /// "pulling image 'web:1': 12.0 of 150.2 MiB"; without a figure while there is none.
  [[nodiscard]] std::string text(std::string_view name) const;

 private:
  std::vector<layer_progress> layers_;
};

} // namespace tank::oci
