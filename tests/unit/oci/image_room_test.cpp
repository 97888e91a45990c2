#include "oci/image_room.hpp"

#include <doctest/doctest.h>

#include <semaphore>

namespace image_room_test {

using namespace tank;

TEST_CASE("room is looked for at the start and whenever something came; failures do not end it") {
  std::counting_semaphore<100> looked{0};
  int looks = 0;
  {
    image_room room{[&]() -> result<oci::prune_report> {
                      ++looks;
                      looked.release();
                      if (looks == 2) return fail(errc::io, "read", "store", "broken");
                      return oci::prune_report{.images = {"old:1"}, .layers = 1};
                    },
                    std::chrono::hours{24}, nullptr};
    looked.acquire();
    room.poke();
    looked.acquire();
    room.poke();
    looked.acquire();
  }
  CHECK(looks == 3);
}

TEST_CASE("room is looked for after each period too") {
  std::counting_semaphore<> looked{0};
  image_room room{[&]() -> result<oci::prune_report> {
                    looked.release();
                    return oci::prune_report{};
                  },
                  std::chrono::milliseconds{1}, nullptr};
  for (int i = 0; i < 3; ++i)
    looked.acquire();
}

} // namespace image_room_test
