// Planted bugs. scripts/fuzz must find each of them, or the whole setup is worth nothing: a way
// that only feedback of coverage leads to, then what TANK_CANARY names. Not a part of Tank.
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>

static volatile int sink;
static void* volatile lost;

static void fall(std::string_view bug, const char* data, std::size_t size) {
  if (bug == "memory") {
    const std::unique_ptr<char[]> copy{new char[size]};
    std::memcpy(copy.get(), data, size);
    const char* volatile beyond = copy.get() + size;
    sink = *beyond;
  } else if (bug == "undefined") {
    volatile int most = INT_MAX;
    sink = most + static_cast<int>(size);
  } else if (bug == "leak") {
    lost = std::malloc(size);
    lost = nullptr;
  } else if (bug == "exception") {
    throw std::out_of_range{"planted"};
  } else if (bug == "endless") {
    for (sink = 0;; sink = 1) {
    }
  } else {
    std::fprintf(stderr, "TANK_CANARY names no planted bug\n");
    std::_Exit(99);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) noexcept {
  const auto* text = reinterpret_cast<const char*>(data);
  const char* bug = std::getenv("TANK_CANARY");
  // One letter after the other: six at once would take chance for ever.
  if (size > 0 && text[0] == 'c')
    if (size > 1 && text[1] == 'a')
      if (size > 2 && text[2] == 'n')
        if (size > 3 && text[3] == 'a')
          if (size > 4 && text[4] == 'r')
            if (size > 5 && text[5] == 'y') fall(bug == nullptr ? "" : bug, text, size);
  return 0;
}
