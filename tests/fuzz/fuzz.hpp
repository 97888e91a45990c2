/// Fuzz targets: one function over bytes for each reader of untrusted text.
///
/// A target reads its input, checks what must be true of the outcome whatever the input was, and
/// says whether the input was taken. Two programs run it: libFuzzer's (fuzz_main.cpp, by
/// scripts/fuzz), and a test of every build that goes through the corpus (corpus_test.cpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tank::fuzz {

enum class verdict : std::uint8_t { refused, accepted };

struct target {
  const char* name;
  verdict (*run)(std::string_view input);
  /// Inputs that are bytes and not text are made, not stored: all of them must be accepted.
  std::vector<std::string> (*seeds)() = nullptr;
};

/// Says where and ends the program: to libFuzzer that is a find.
[[noreturn]] void broken(const char* what, const char* file, int line);

/// Bytes as decisions. Past the end everything is 0.
class dice {
 public:
  explicit dice(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  unsigned byte() {
    if (rest_.empty()) return 0;
    const auto c = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return c;
  }
  std::string_view take(std::size_t n) {
    const auto out = rest_.substr(0, n);
    rest_.remove_prefix(out.size());
    return out;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

} // namespace tank::fuzz

#define FUZZ_CHECK(...)                                                                            \
  do {                                                                                             \
    if (!(__VA_ARGS__)) ::tank::fuzz::broken(#__VA_ARGS__, __FILE__, __LINE__);                    \
  } while (false)

// The list is meson.build's.
namespace tank::fuzz::targets {
#define X(name) extern const target name;
TANK_FUZZ_TARGETS
#undef X
} // namespace tank::fuzz::targets
