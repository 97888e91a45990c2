/// Which layers this process is making: two images at once that share a layer make it once.
#pragma once

#include "oci/cancellation.hpp"
#include "oci/digest.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace tank::oci {

/// Thread-safe. Outlives its tickets. Between processes the layer's file lock does the same
/// (lock_layer); waiting here can be cancelled, waiting there cannot.
class layer_flights {
 public:
  /// The right to make one layer; given back when it ends, whether the layer came or not.
  class ticket {
   public:
    ticket(ticket&& other) noexcept : of_(std::exchange(other.of_, nullptr)), id_(other.id_) {}
    ticket& operator=(ticket&&) = delete;
    ~ticket();

   private:
    friend class layer_flights;
    ticket(layer_flights* of, const digest& id) : of_(of), id_(id) {}
    layer_flights* of_;
    digest id_;
  };

  /// Empty when somebody else has it. Who waits for a ticket must hold none.
  std::optional<ticket> take(const digest& id);

  /// How many tickets were given back so far: to be asked before `take` fails.
  [[nodiscard]] std::uint64_t landed() const;
  /// Waits until more than `seen` tickets were given back; false when cancelled.
  bool wait(std::uint64_t seen, cancellation& stop);

 private:
  mutable std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  std::set<digest> flying_;
  std::uint64_t landed_ = 0;
};

} // namespace tank::oci
