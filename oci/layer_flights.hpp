/// Which layers are on their way: two pulls at once that share a layer bring it once.
#pragma once

#include "oci/cancellation.hpp"
#include "oci/digest.hpp"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace tank::oci {

/// Thread-safe. Of one process: across processes a layer may come twice, and the first one stays.
class layer_flights {
 public:
  /// What one pull brings; given back when it ends, well or not. A pull takes all that it needs in
  /// one step, so it only ever waits for pulls that took before it: no two wait for each other.
  class claim {
   public:
    claim(layer_flights& of, const std::vector<digest>& wanted);
    claim(const claim&) = delete;
    claim& operator=(const claim&) = delete;
    ~claim();

    /// Layers that somebody else is bringing.
    [[nodiscard]] const std::vector<digest>& elsewhere() const noexcept { return elsewhere_; }
    /// Waits until none of `elsewhere` is on its way any more; false when cancelled. They may have
    /// come or not.
    bool wait(cancellation& stop);
    /// Takes those of `elsewhere` that are free now; again as in the constructor.
    void take_again(const std::vector<digest>& wanted);

   private:
    layer_flights& of_;
    std::vector<digest> elsewhere_;
  };

 private:
  std::mutex mutex_; ///< guards what follows
  std::condition_variable landed_;
  std::map<digest, const claim*> flying_;
};

} // namespace tank::oci
