/// What images may cost is counted over all their layers.
#include "oci/layer_view.hpp"
#include "store_room.hpp"

#include <sys/resource.h>

namespace image_limits_test {

using namespace tank;
using namespace tank::oci;
using namespace tank::oci::testing;

namespace {

ingest::wanted packed(const std::string& tar) {
  return {{}, digest_of(tar), [tar](cancellation&) -> result<std::unique_ptr<byte_source>> {
            return std::make_unique<text_source>(compressed(tar));
          }};
}

std::string directories(const std::string& prefix) {
  tar_builder out;
  for (int i = 0; i < 20; ++i)
    out.dir(prefix + std::to_string(i));
  return out.bytes();
}

} // namespace

TEST_CASE("many layers that each grow a little less than a bomb are one together") {
  room r;
  (void)r.open();
  r.options.limits.expansion.free_bytes = 100'000;
  r.options.limits.expansion.max_ratio = 20;
  const auto zeros = [](const std::string& name) {
    return tar_builder{}.file(name, std::string(80'000, '\0')).bytes();
  };
  auto session = ingest::begin(r.layout(), r.options).value();
  const std::vector<ingest::wanted> one{packed(zeros("a"))};
  REQUIRE(add_all(session, one));
  const std::vector<ingest::wanted> two{packed(zeros("b")), packed(zeros("c"))};
  const auto refused = add_all(session, two);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::limit);
  CHECK(refused.error().message().find("like a bomb") != std::string::npos);
}

TEST_CASE("the memory for names is an image's, not each layer's") {
  room r;
  auto& most = r.options.limits.max_metadata;
  // As much as one layer needs.
  for (most = 100; !r.open().load(r.archive("a.tar", "a:1", {directories("a")}), nullptr);)
    most += 100;
  (void)r.open().remove("a:1");
  const auto refused =
      r.open().load(r.archive("b.tar", "b:1", {directories("b"), directories("c")}), nullptr);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::limit);
  most *= 2;
  CHECK(r.open().load(r.archive("b.tar", "b:1", {directories("b"), directories("c")}), nullptr));
}

TEST_CASE("looking into an image of many layers takes few descriptors") {
  const scratch s;
  std::vector<fs::path> layers;
  for (int i = 0; i < 200; ++i) {
    layers.push_back(s.dir / std::to_string(i));
    fs::create_directories(layers.back() / "a/b/c/etc");
  }
  put(layers[0] / "a/b/c/etc/passwd", "found");
  REQUIRE(::symlink("a/b/c/etc/../../../b/./c/etc", (layers[199] / "etc").c_str()) == 0);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int next = unique_fd{::dup(0)}.get(); // the lowest number that is free
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(next) + 8;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  const auto text = layer_view{layers}.read("etc/passwd", 100);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE_MESSAGE(text, text.error().message());
  CHECK(*text == "found");
}

TEST_CASE("a path that leads on and on is given up") {
  const scratch s;
  std::vector<fs::path> layers;
  for (int i = 0; i < 300; ++i) {
    layers.push_back(s.dir / std::to_string(i));
    fs::create_directories(layers.back());
  }
  std::string deep;
  for (int i = 0; i < 1500; ++i)
    deep += "d/../";
  fs::create_directories(layers[0] / "d");
  put(layers[0] / "f", "x");
  REQUIRE(::symlink(deep.substr(0, 4000).c_str(), (layers[0] / "l").c_str()) == 0);
  CHECK(layer_view{layers}.read("f", 10).value() == "x");
  CHECK(layer_view{layers}.read("l", 10).error().code == errc::limit);
}

} // namespace image_limits_test
