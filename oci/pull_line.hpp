/// Who pulls now, when there are more pulls than there may be at a time: no registry that hardly
/// sends anything keeps the others waiting (SECURITY.md class 19).
///
///  * A free place goes to the registry that has the fewest pulls under way; within one, first come,
///    first served.
///  * A pull that got less than a useful rate over a whole window gives way while others wait. What
///    it has downloaded whole stays for its next attempt.
#pragma once

#include "base/error.hpp"
#include "oci/cancellation.hpp"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tank::oci {

struct pull_line_rules {
  unsigned places = 3;                   ///< at least 1
  std::uint64_t useful_rate = 16 * 1024; ///< bytes per second
  std::chrono::milliseconds window = std::chrono::seconds{20};
};

/// The decisions. Pure but for what it remembers.
class pull_order {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  using id = std::uint64_t;

  explicit pull_order(const pull_line_rules& rules) : rules_(rules) {}

  id enter(std::string registry);
  void leave(id who);
  /// How far a pull is. One that has all its bytes is not measured any more.
  void came(id who, std::uint64_t done, std::uint64_t total);

  struct verdict {
    std::vector<id> begin;                ///< they have a place from now on
    std::optional<id> give_way;           ///< still has its place, until it leaves
    std::optional<time_point> look_again; ///< when one may have to; unset: nothing to wait for
  };
  verdict decide(time_point now);

 private:
  struct entry {
    std::string registry;
    bool has_place = false;
    bool gives_way = false;
    bool complete = false;
    time_point since{};       ///< of the window
    std::uint64_t before = 0; ///< bytes at its begin
    std::uint64_t done = 0;
  };
  [[nodiscard]] unsigned pulls_of(const std::string& registry) const;

  const pull_line_rules rules_;
  std::map<id, entry> entries_; ///< in the order in which they came
  id last_ = 0;
};

/// The same for threads. Thread-safe.
class pull_line {
 public:
  explicit pull_line(const pull_line_rules& rules) : order_(rules) {}
  pull_line(const pull_line&) = delete;
  pull_line& operator=(const pull_line&) = delete;

  using progress = std::function<void(std::uint64_t done, std::uint64_t total)>;
  /// Waits for a place and runs `pull` there, which tells how far it is and ends soon when its
  /// `stop` is cancelled: by the one given here, or because it gives way, and then the error is
  /// errc::timeout. errc::cancelled when it never had a place.
  template <class Result>
  Result run(const std::string& registry, cancellation& stop,
             const std::function<Result(const progress&, cancellation& stop)>& pull) {
    const place mine{*this, registry, stop};
    if (!mine.begun()) return fail(errc::cancelled, "pull from", registry, "nobody wants it");
    auto done = pull([&](auto have, auto all) { mine.came(have, all); }, mine.stop());
    if (!done && mine.gave_way())
      return fail(errc::timeout, "pull from", registry,
                  "it sends too little, and others wait: they go first");
    return done;
  }

 private:
  struct waiting {
    cancellation stop;
    bool begun = false;
    bool gave_way = false;
  };
  class place {
   public:
    place(pull_line& line, const std::string& registry, cancellation& stop);
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();
    [[nodiscard]] bool begun() const;
    [[nodiscard]] bool gave_way() const;
    [[nodiscard]] cancellation& stop() const { return mine_->stop; }
    void came(std::uint64_t done, std::uint64_t total) const;

   private:
    pull_line& line_;
    std::shared_ptr<waiting> mine_ = std::make_shared<waiting>();
    pull_order::id id_ = 0;
    cancellation::subscription forward_;
  };

  bool look(std::unique_lock<std::mutex>& lock, std::optional<pull_order::time_point>* again);

  std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  pull_order order_;
  std::map<pull_order::id, std::shared_ptr<waiting>> all_;
};

} // namespace tank::oci
