#include "oci/layer_flights.hpp"

#include <algorithm>

namespace tank::oci {

layer_flights::claim::claim(layer_flights& of, const std::vector<digest>& wanted) : of_(of) {
  take_again(wanted);
}

void layer_flights::claim::take_again(const std::vector<digest>& wanted) {
  const std::lock_guard lock{of_.mutex_};
  elsewhere_.clear();
  for (const auto& id : wanted)
    if (const auto [it, fresh] = of_.flying_.emplace(id, this); !fresh && it->second != this)
      elsewhere_.push_back(id);
}

layer_flights::claim::~claim() {
  const std::lock_guard lock{of_.mutex_};
  std::erase_if(of_.flying_, [this](const auto& entry) { return entry.second == this; });
  of_.landed_.notify_all();
}

bool layer_flights::claim::wait(cancellation& stop) {
  bool stopped = false; // guarded by of_.mutex_
  const cancellation::subscription told{stop, [&] {
                                          const std::lock_guard lock{of_.mutex_};
                                          stopped = true;
                                          of_.landed_.notify_all();
                                        }};
  std::unique_lock lock{of_.mutex_};
  of_.landed_.wait(lock, [&] {
    return stopped || std::none_of(elsewhere_.begin(), elsewhere_.end(),
                                   [&](const digest& id) { return of_.flying_.contains(id); });
  });
  return !stopped;
}

} // namespace tank::oci
