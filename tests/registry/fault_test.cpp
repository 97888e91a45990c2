/// A registry that breaks, lies and stalls: each time a clear error or a pull that succeeds,
/// bounded memory, and nothing half in the store.
#include "tests/registry/pull_fixture.hpp"

#include <atomic>
#include <thread>

#include <sys/resource.h>

namespace fault_test {

using namespace tank;
using namespace tank::testing;

namespace {

constexpr std::size_t half = 200'000;

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

/// The honest layer, changed.
reply layer_reply(const pull_world& w, const std::function<void(reply&)>& change) {
  reply r{.body = w.image.blobs.at(w.image.layer_digest)};
  change(r);
  return r;
}

} // namespace

TEST_CASE("an honest registry: pulled once, then only asked whether it is still the same") {
  pull_world w;
  w.check_pulls();
  CHECK(w.registry.count("/blobs/") == 2);
  w.check_pulls();
  CHECK(w.registry.count("/blobs/") == 2);
  CHECK(w.registry.count("/manifests/1") == 2);
}

TEST_CASE("connections are kept: one for documents, one for blobs that come one after the other") {
  pull_world w;
  w.check_pulls();
  CHECK(w.registry.seen().size() == 4); // /v2/, manifest, config, layer
  // How many that took is open: the blobs come side by side when the first is slow.
  const auto after_one = w.registry.connections();
  w.check_pulls();
  CHECK(w.registry.connections() - after_one <= 2); // nothing but documents
}

TEST_CASE("digests may be sha512") {
  const auto tar = tar_builder{}.dir("etc").file("etc/conf", "hello").bytes();
  pull_world w{
      {}, false, image_of_layer(compressed(tar), tar, host_platform(), digest_algorithm::sha512)};
  w.check_pulls();
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return reply{.body = w.image.blobs.at(w.image.layer_digest).substr(1) + "x"};
  };
  std::filesystem::remove_all(w.s.dir / "images");
  w.check_fails(errc::corrupt, w.image.layer_digest.substr(0, 20));
}

TEST_CASE("an image without layers is one") {
  pull_world w{{}, false, image_without_layers()};
  const auto pulled = w.pull();
  REQUIRE_MESSAGE(pulled, pulled.error().message());
  REQUIRE(pulled->layers.size() == 1);
  CHECK(std::filesystem::is_empty(pulled->layers[0]));
  CHECK(w.pull().value() == *pulled);
}

TEST_CASE("a layer that breaks off is continued where it broke") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned nth) -> std::optional<reply> {
    if (!w.is_layer(r) || nth > 0) return std::nullopt;
    return layer_reply(w, [](reply& l) { l.cut = half; });
  };
  w.check_pulls();
  const auto seen = w.registry.seen();
  CHECK(seen.back().header("range").starts_with("bytes="));
  CHECK(seen.back().header("range") != "bytes=0-");
}

TEST_CASE("a registry without ranges sends it all again, and that is fine") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned nth) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return layer_reply(w, [&](reply& l) { l.cut = nth == 0 ? half : l.cut; });
  };
  w.check_pulls();
}

TEST_CASE("a layer that always breaks off ends in an error") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return layer_reply(w, [](reply& l) { l.cut = half; });
  };
  w.check_fails(errc::unavailable, "download");
  CHECK(w.registry.count(w.image.layer_digest) == w.retry.attempts);
}

TEST_CASE("a wrong range is not stitched in") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned nth) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    if (nth == 0) return layer_reply(w, [](reply& l) { l.cut = half; });
    return layer_reply(w, [](reply& l) {
      l.status = 206;
      l.headers = {{"Content-Range", "bytes 0-9/10"}};
    });
  };
  w.check_fails(errc::corrupt, "another range");
}

TEST_CASE("content of another digest is refused") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return layer_reply(w, [](reply& l) { l.body[l.body.size() - 5] ^= 1; }); // gzip's CRC
  };
  w.check_fails(errc::corrupt, w.image.layer_digest);
}

TEST_CASE("a config or a manifest of another digest is refused") {
  pull_world w;
  std::string which = "/blobs/" + w.image.config_digest;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target.find(which) == std::string::npos) return std::nullopt;
    auto answer = w.honest(r);
    answer.body.back() = ' ';
    return answer;
  };
  w.check_fails(errc::corrupt, w.image.config_digest);
  which = "/manifests/";
  w.check_fails(errc::corrupt, "announced was " + w.image.manifest_digest);
  w.bent = {};
  w.tag = "sha256:" + std::string(64, '0');
  w.check_fails(errc::corrupt, "announced was " + w.tag);
}

TEST_CASE("a layer of another size is refused, said beforehand or not") {
  pull_world w;
  bool chunked = false;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return layer_reply(w, [&](reply& l) {
      l.body += "more";
      l.chunked = chunked;
    });
  };
  w.check_fails(errc::corrupt, "announced was");
  chunked = true;
  w.check_fails(errc::corrupt, "larger than the announced");
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return layer_reply(w, [&](reply& l) {
      l.body.resize(half);
      l.chunked = true;
    });
  };
  w.check_fails(errc::unavailable, "it ended after");
}

TEST_CASE("who sends next to nothing is given up on") {
  pull_world w;
  w.retry.attempts = 1;
  std::string where = w.image.layer_digest;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target.find(where) == std::string::npos) return std::nullopt;
    auto answer = w.honest(r);
    answer.cut = 10;
    answer.hang = true;
    return answer;
  };
  w.check_fails(errc::timeout, "reach");
  where = "/manifests/";
  w.check_fails(errc::timeout, "reach");
}

TEST_CASE("429 and 5xx are tried again, as often and as late as they ask") {
  for (const int status : {429, 500, 502, 503, 504}) {
    pull_world w;
    w.bent = [&](const seen_request& r, unsigned nth) -> std::optional<reply> {
      if (r.target == "/v2/" || nth >= 2) return std::nullopt;
      return reply{.status = status, .headers = {{"Retry-After", "0"}}};
    };
    w.check_pulls();
    CHECK(w.registry.count("/manifests/") == 3);
  }
}

TEST_CASE("a registry that stays down, or asks for an hour, ends in an error") {
  pull_world w;
  int status = 503;
  std::string later = "0";
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target == "/v2/") return std::nullopt;
    return reply{.status = status, .headers = {{"Retry-After", later}}};
  };
  w.check_fails(errc::unavailable, "answers 503");
  CHECK(w.registry.count("/manifests/") == 3);
  status = 429;
  later = "3600";
  w.check_fails(errc::limit, "answers 429");
  CHECK(w.registry.count("/manifests/") == 4);
}

TEST_CASE("no registry, no such image: said plainly") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target == "/v2/") return std::nullopt;
    return reply{.status = 404,
                 .body = R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"no\u001b[31m"}]})"};
  };
  const auto text = w.check_fails(errc::not_found, "404 MANIFEST_UNKNOWN: no");
  CHECK(text.find('\x1b') == std::string::npos);
  w.bent = [](const seen_request&, unsigned) -> std::optional<reply> {
    return reply{.status = 404};
  };
  w.check_fails(errc::unsupported, "it has no /v2/");
}

TEST_CASE("redirects in a circle end") {
  pull_world w;
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (!w.is_layer(r)) return std::nullopt;
    return reply{.status = 307, .headers = {{"Location", r.target}}};
  };
  w.check_fails(errc::limit, "more than 5 redirects");
  CHECK(w.registry.count(w.image.layer_digest) == 6);
}

TEST_CASE("manifests beyond all measure are cut short") {
  pull_world w;
  reply bomb{.headers = {{"Content-Type", std::string{media::manifest}}},
             .body = std::string(1 << 16, ' '),
             .repeat = 1u << 20}; // 64 GiB, if anybody took them
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target.find("/manifests/") == std::string::npos) return std::nullopt;
    return bomb;
  };
  const auto before = peak_kib();
  w.check_fails(errc::limit, "larger than 4194304 bytes");
  CHECK(peak_kib() - before < 64 * 1024);
  bomb = {.body = std::string(100'000, '[')};
  w.check_fails(errc::limit, "nested deeper");
  bomb = {.headers = {{"X-Long", std::string(100'000, 'x')}}, .body = "{}"};
  w.check_fails(errc::limit, "headers");
}

TEST_CASE("a gzip bomb is stopped at the limit, in little memory") {
  // One file said to be 8 GiB; some megabytes of archive would make 4 GiB of it.
  tar_builder head;
  head.add({.name = "zeros", .claimed_size = 077777777777});
  auto layer = compressed(head.unfinished());
  const auto zeros = compressed(std::string(16u << 20, '\0'));
  for (int i = 0; i < 256; ++i)
    layer += zeros;
  pull_world w{{}, false, image_of_layer(layer, "never seen whole")};
  w.limits.max_bytes = 64u << 20;
  const auto before = peak_kib();
  w.check_fails(errc::limit, "");
  CHECK(peak_kib() - before < 64 * 1024);
}

TEST_CASE("a config said to be huge is not even asked for") {
  pull_world w;
  auto& m = w.image.manifest;
  const auto size = "\"size\":" + std::to_string(w.image.blobs[w.image.config_digest].size());
  m.replace(m.find(size), size.size(), "\"size\":99999999999");
  w.image.manifest_digest = digest_of(m).to_string();
  w.check_fails(errc::limit, "announced size");
  CHECK(w.registry.count("/blobs/") == 0);
}

TEST_CASE("layers that live elsewhere, and documents of two kinds, are refused") {
  pull_world w;
  const auto original = w.image.manifest;
  auto& m = w.image.manifest;
  const auto layers = m.find("\"layers\":[{");
  m.insert(layers + 11, R"("urls":["http://127.0.0.1:1/x"],)");
  w.image.manifest_digest = digest_of(m).to_string();
  w.check_fails(errc::unsupported, "lives elsewhere");
  m = original;
  m.insert(1, R"("manifests":[],)");
  w.image.manifest_digest = digest_of(m).to_string();
  w.check_fails(errc::invalid, "both a manifest and an index");
  m = original;
  w.image.manifest_digest = digest_of(m).to_string();
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target.find("/manifests/") == std::string::npos) return std::nullopt;
    return reply{.headers = {{"Content-Type", std::string{media::index}}}, .body = m};
  };
  w.check_fails(errc::invalid, "announced as");
}

TEST_CASE("an image for another machine is refused before its layers") {
  const auto tar = tar_builder{}.file("x").bytes();
  pull_world w{{}, false, image_of_layer(compressed(tar), tar, {"linux", "s390x", ""})};
  w.check_fails(errc::unsupported, "it is for linux/s390x");
  CHECK(w.registry.count(w.image.layer_digest) == 0);
}

TEST_CASE("a pull that is no longer wanted ends at once, wherever it is") {
  for (const std::string where : {"/v2/", "/manifests/1", "layer"}) {
    pull_world w;
    w.http.stall_limit = std::chrono::seconds{600};
    w.http.whole_limit = std::chrono::seconds{600};
    const auto part = where == "layer" ? w.image.layer_digest : where;
    w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
      if (!r.target.ends_with(part)) return std::nullopt;
      auto answer = w.honest(r);
      answer.cut = 1;
      answer.hang = true;
      return answer;
    };
    result<oci::image> pulled = fail(errc::internal, "", "", "");
    std::thread pulling{[&] { pulled = w.pull(); }};
    w.registry.await(part);
    w.stop.cancel();
    pulling.join();
    REQUIRE_FALSE(pulled);
    CHECK(pulled.error().code == errc::cancelled);
    w.check_nothing_left();
  }
}

TEST_CASE("a wait before the next try is cut short too") {
  pull_world w;
  w.retry.patience = std::chrono::seconds{3600};
  w.bent = [&](const seen_request& r, unsigned) -> std::optional<reply> {
    if (r.target == "/v2/") return std::nullopt;
    return reply{.status = 503, .headers = {{"Retry-After", "3600"}}};
  };
  result<oci::image> pulled = fail(errc::internal, "", "", "");
  std::thread pulling{[&] { pulled = w.pull(); }};
  w.registry.await("/manifests/");
  w.stop.cancel();
  pulling.join();
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().code == errc::cancelled);
}

TEST_CASE("two pulls at once of one layer bring it once") {
  pull_world w;
  layer_flights flights;
  w.flights = &flights;
  std::atomic<int> configs{0};
  // The layer comes only after both have asked for the config: both know what they need then.
  w.bent = [&](const seen_request& r, unsigned nth) -> std::optional<reply> {
    if (r.target.ends_with(w.image.config_digest)) {
      if (++configs == 2) configs.notify_all();
    } else if (w.is_layer(r) && nth == 0) {
      for (int seen = configs; seen < 2; seen = configs)
        configs.wait(seen);
    }
    return std::nullopt;
  };
  result<oci::image> first = fail(errc::internal, "", "", "");
  auto second = first;
  std::thread one{[&] { first = w.pull("1"); }};
  std::thread two{[&] { second = w.pull("2"); }};
  one.join();
  two.join();
  REQUIRE_MESSAGE(first, first.error().message());
  REQUIRE_MESSAGE(second, second.error().message());
  CHECK(first->layers == second->layers);
  CHECK(w.registry.count(w.image.layer_digest) == 1);
  CHECK(w.files_in("tmp") == 0);
}

TEST_CASE("who waits for a layer that then fails elsewhere brings it itself") {
  layer_flights flights;
  auto first = flights.take(digest_of("a"));
  REQUIRE(first);
  CHECK(flights.take(digest_of("b")));
  auto seen = flights.landed();
  CHECK_FALSE(flights.take(digest_of("a")));
  std::thread ends{[&] { first.reset(); }};
  cancellation stop;
  CHECK(flights.wait(seen, stop));
  ends.join();
  const auto second = flights.take(digest_of("a"));
  CHECK(second);
  seen = flights.landed();
  std::thread cancels{[&] { stop.cancel(); }};
  CHECK_FALSE(flights.wait(seen, stop));
  cancels.join();
}

TEST_CASE("a pull of more than the disk can take ends before its layers are asked for") {
  pull_world w;
  auto& m = w.image.manifest;
  const auto size = "\"size\":" + std::to_string(w.image.blobs[w.image.layer_digest].size());
  m.replace(m.find(size), size.size(), "\"size\":9000000000000000");
  w.image.manifest_digest = digest_of(m).to_string();
  w.limits.max_bytes = 1ULL << 62;
  w.check_fails(errc::io, "bytes at least");
  CHECK(w.registry.count(w.image.layer_digest) == 0);
}

TEST_CASE("one blob that is to be two layers is refused: it would show a layer that is here") {
  // A private image's layer is in the store. A stranger's manifest lists its own blob twice, and
  // its config gives the second one the private layer's content.
  const auto tar = tar_builder{}.file("own", "mine").bytes();
  const auto secret = tar_builder{}.file("key", "private").bytes();
  pull_world w{{}, false, image_of_layer(compressed(secret), secret)};
  REQUIRE(w.pull("private"));
  auto twice = image_of_layer(compressed(tar), tar);
  image_settings settings;
  settings.target = host_platform();
  settings.diff_ids = {digest_of(tar), digest_of(secret)};
  const auto config = to_json(settings, "test");
  image_manifest m;
  m.config = {std::string{media::config}, digest_of(config), config.size(), {}, {}};
  const descriptor layer{std::string{media::layer_gzip},
                         parse_digest(twice.layer_digest).value(),
                         twice.blobs[twice.layer_digest].size(),
                         {},
                         {}};
  m.layers = {layer, layer};
  twice.manifest = to_json(m);
  twice.manifest_digest = digest_of(twice.manifest).to_string();
  twice.blobs[m.config.content.to_string()] = config;
  w.image = twice;
  const auto pulled = w.pull("stranger");
  REQUIRE_FALSE(pulled);
  CHECK(pulled.error().code == errc::invalid);
  CHECK_MESSAGE(pulled.error().message().find("two contents") != std::string::npos,
                pulled.error().message());
  CHECK(w.files_in("refs") == 1);
  settings.diff_ids = {digest_of(tar), digest_of(tar)}; // an honest repetition
  const auto honest = to_json(settings, "test");
  m.config = {std::string{media::config}, digest_of(honest), honest.size(), {}, {}};
  w.image.manifest = to_json(m);
  w.image.manifest_digest = digest_of(w.image.manifest).to_string();
  w.image.blobs[m.config.content.to_string()] = honest;
  CHECK(w.pull("honest"));
}

} // namespace fault_test
