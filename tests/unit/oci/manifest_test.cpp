#include "oci/manifest.hpp"

#include <doctest/doctest.h>

namespace manifest_test {

using namespace tank;
using namespace tank::oci;

namespace {
const std::string d1 = digest_of("1").to_string();

std::string entry(const std::string& type, const std::string& more = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + d1 + R"(","size":7)" + more + "}";
}
std::string manifest_text(const std::string& layer, const std::string& more = "") {
  return R"({"schemaVersion":2,"config":)" + entry(std::string{media::config}) + R"(,"layers":[)" +
         layer + "]" + more + "}";
}
std::string index_text(const std::string& entries) {
  return R"({"schemaVersion":2,"manifests":[)" + entries + "]}";
}
std::string platform_text(const std::string& arch, const std::string& variant = "") {
  return R"(,"platform":{"os":"linux","architecture":")" + arch + R"(","variant":")" + variant +
         R"("})";
}
errc code_of(const std::string& text, std::string_view declared = {}) {
  const auto r = parse_document(text, declared, {});
  return r ? errc::internal : r.error().code;
}
const std::string layer = entry(std::string{media::layer_gzip});
} // namespace

TEST_CASE("manifests of both dialects are read") {
  const auto oci = parse_document(manifest_text(layer), media::manifest, {});
  REQUIRE(oci);
  const auto& m = std::get<image_manifest>(*oci);
  CHECK(m.config.content == digest_of("1"));
  CHECK(m.config.size == 7);
  CHECK(m.layers.size() == 1);
  const auto docker =
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":)" +
      entry(std::string{media::docker_config}) + R"(,"layers":[)" +
      entry("application/vnd.docker.image.rootfs.diff.tar.gzip") + "]}";
  CHECK(parse_document(docker, media::docker_manifest, {}));
  CHECK(parse_document(docker, {}, {}));
}

TEST_CASE("a document that could be read in two ways is refused") {
  CHECK(code_of(manifest_text(layer, R"(,"manifests":[])")) == errc::invalid);
  CHECK(code_of(R"({"schemaVersion":2,"manifests":[],"config":{}})") == errc::invalid);
  CHECK(code_of(manifest_text(layer), media::index) == errc::invalid);
  CHECK(code_of(index_text(""), media::manifest) == errc::invalid);
  CHECK(code_of(manifest_text(
            layer, R"(,"mediaType":"application/vnd.oci.image.index.v1+json")")) == errc::invalid);
  CHECK(
      code_of(manifest_text(layer, R"(,"mediaType":"application/vnd.oci.image.manifest.v1+json")"),
              media::docker_manifest) == errc::invalid);
}

TEST_CASE("what is malformed, foreign or no image is refused") {
  CHECK(code_of("") == errc::invalid);
  CHECK(code_of("7") == errc::invalid);
  CHECK(code_of("[]") == errc::invalid);
  CHECK(code_of("{\"schemaVersion\":2") == errc::invalid);
  CHECK(code_of("\xff\xfe{}") == errc::invalid);
  CHECK(code_of(R"({"schemaVersion":1,"fsLayers":[]})") == errc::unsupported);
  CHECK(code_of(std::string(100, '[')) == errc::limit);
  CHECK(code_of("{\"a\":" + std::string(9u << 20, ' ') + "1}") == errc::limit);
  CHECK(code_of(manifest_text(entry("application/vnd.oci.image.layer.nondistributable.v1.tar"))) ==
        errc::unsupported);
  CHECK(code_of(manifest_text(entry(std::string{media::layer}, R"(,"urls":["http://h/x"])"))) ==
        errc::unsupported);
  CHECK(code_of(manifest_text(R"({"mediaType":")" + std::string{media::layer} +
                              R"(","digest":"sha256:../x","size":1})")) == errc::invalid);
  for (const auto* size : {"-1", "1.5", "\"1\"", "null", "18446744073709551615"})
    CHECK_MESSAGE(code_of(manifest_text(R"({"mediaType":")" + std::string{media::layer} +
                                        R"(","digest":")" + d1 + R"(","size":)" + size + "}")) ==
                      errc::invalid,
                  size);
  CHECK(code_of(R"({"schemaVersion":2,"config":)" +
                entry("application/vnd.cncf.helm.config.v1+json") + R"(,"layers":[]})") ==
        errc::unsupported);
  std::string many = layer;
  for (int i = 0; i < 600; ++i)
    many += "," + layer;
  CHECK(code_of(manifest_text(many)) == errc::limit);
}

TEST_CASE("the index's image for the host is taken, with the best variant") {
  const auto pick = [](const std::string& text, const platform& host) -> std::string {
    const auto doc = parse_document(text, {}, {});
    REQUIRE(doc);
    const auto d = choose_platform(std::get<image_index>(*doc), host);
    return d ? d->target.to_string() : d.error().message();
  };
  const std::string type{media::manifest};
  const auto all = index_text(
      entry(type, platform_text("amd64", "v3")) + "," + entry(type, platform_text("amd64")) + "," +
      entry(type, platform_text("arm", "v5")) + "," + entry(type, platform_text("arm", "v7")) +
      "," + entry(type, platform_text("arm64")) + "," +
      entry(type, platform_text("unknown") +
                      R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})"));
  CHECK(pick(all, {"linux", "amd64", ""}) == "linux/amd64");
  CHECK(pick(all, {"linux", "arm64", "v8"}) == "linux/arm64");
  CHECK(pick(all, {"linux", "arm", "v7"}) == "linux/arm/v7");
  CHECK(pick(all, {"linux", "arm", "v6"}) == "linux/arm/v5");
  CHECK(pick(all, {"linux", "s390x", ""}) ==
        "cannot find image for 'linux/s390x': the index holds only linux/amd64/v3, linux/amd64, "
        "linux/arm/v5, linux/arm/v7, linux/arm64");
  CHECK(pick(index_text(entry(type)), {"linux", "amd64", ""}) == "/");
  // Some builders write "unknown" for an image, too, beside its attestations.
  const auto unknown = R"(,"platform":{"os":"unknown","architecture":"unknown"})";
  const std::string attestation =
      entry(type, std::string{unknown} +
                      R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})");
  CHECK(pick(index_text(entry(type, unknown) + "," + attestation), {"linux", "amd64", ""}) ==
        "unknown/unknown");
  CHECK(pick(index_text(attestation), {"linux", "amd64", ""}).starts_with("cannot find image"));
  CHECK(pick(index_text(""), {"linux", "amd64", ""}).starts_with("cannot find image"));
}

TEST_CASE("a config's nulls are empty, its wrong types are errors with their path") {
  const std::string rootfs = R"(,"rootfs":{"type":"layers","diff_ids":[")" + d1 + R"("]}})";
  const auto s = parse_settings(
      R"({"os":"linux","architecture":"amd64","config":{"Entrypoint":null,"Cmd":["a","b"],
        "Env":null,"Labels":null,"ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}},"User":"u",
        "StopSignal":"SIGQUIT","WorkingDir":"/w"})" +
          rootfs,
      {});
  REQUIRE_MESSAGE(s, s.error().message());
  CHECK(s->config.entrypoint.empty());
  CHECK(s->config.cmd == std::vector<std::string>{"a", "b"});
  CHECK(s->config.exposed_ports == std::vector<std::string>{"80/tcp"});
  CHECK(s->config.stop_signal == "SIGQUIT");
  CHECK(s->diff_ids.size() == 1);
  CHECK(parse_settings(R"({"config":null)" + rootfs, {}).value().config == image_config{});
  const auto why = [&](const std::string& config) {
    const auto r = parse_settings(R"({"config":)" + config + rootfs, {});
    return r ? "" : r.error().message();
  };
  CHECK(why(R"({"Cmd":"sh"})") == "cannot read 'image config.config.Cmd': not a list of strings");
  CHECK(why(R"({"Env":["A=1",2]})").find("image config.config.Env") != std::string::npos);
  CHECK(!why(R"({"User":"a\u0000b"})").empty());
  CHECK(!why(R"({"Labels":["a"]})").empty());
  CHECK(!why("[]").empty());
  CHECK(!parse_settings(R"({"os":"windows")" + rootfs, {}));
  CHECK(!parse_settings(R"({"config":{}})", {}));
}

TEST_CASE("what is written is read back equal") {
  image_settings s;
  s.target = {"linux", "amd64", ""};
  s.created = "2024-01-02T03:04:05Z";
  s.diff_ids = {digest_of("1"), digest_of("2")};
  s.config = {.user = "u",
              .env = {"A=1", "B"},
              .entrypoint = {"/e"},
              .cmd = {"c", ""},
              .working_dir = "/w",
              .stop_signal = "3",
              .labels = {{"k", "v"}},
              .exposed_ports = {"1/udp"},
              .volumes = {"/v"}};
  CHECK(parse_settings(to_json(s, "test"), {}).value() == s);
  image_manifest m{{std::string{media::config}, digest_of("c"), 3, {}, {}},
                   {{std::string{media::layer}, digest_of("l"), 5, {}, {}}}};
  CHECK(std::get<image_manifest>(parse_document(to_json(m), media::manifest, {}).value()) == m);
}

TEST_CASE("documents of many little values are refused, and errors do not quote them") {
  std::string many = "[";
  for (int i = 0; i < 600'000; ++i)
    many += "[],";
  const auto refused = parse_document(many + "[]]", {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::limit);
  const auto wrong = parse_document("{\"a\": \"" + std::string(100'000, 's') + "\x01\"}", {}, {});
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message() == "cannot read 'manifest': it is not proper JSON, at byte 100008");
}

} // namespace manifest_test
