/// What went wrong in a benchmark, told once with the reason instead of a missing figure.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace tank::bench {

/// May be used by several threads at once.
class failures {
 public:
  /// Of the same contender and step the first reason is kept, and how often it failed.
  void add(const std::string& who, const std::string& step, const std::string& why);
  /// Whether it has failed so often in this that there is no use in trying again.
  [[nodiscard]] bool hopeless(const std::string& who, const std::string& step) const;
  /// One paragraph for each on stdout; nothing when nothing failed.
  void print() const;

 private:
  struct entry {
    int times = 0;
    std::string why;
  };

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, entry> seen_; ///< by contender and step
};

} // namespace tank::bench
