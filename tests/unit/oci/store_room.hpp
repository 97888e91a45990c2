/// A store of a test, and images for it.
#pragma once

#include "oci/ingest.hpp"
#include "oci/store.hpp"
#include "support.hpp"
#include "tar_builder.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tank::oci::testing {

namespace fs = std::filesystem;

inline store_options quick() {
  store_options out;
  out.rootless = true;
  out.durable = false;
  out.boot_id = "boot-1";
  return out;
}

inline reference named(std::string_view text) {
  return parse_reference(text).value();
}

inline std::string one_file(const std::string& content) {
  return tar_builder{}.dir("etc").file("etc/conf", content).bytes();
}

struct room {
  scratch s;
  store_options options = quick();
  [[nodiscard]] fs::path root() const { return s.dir / "images"; }
  [[nodiscard]] store_layout layout() const { return {root()}; }
  [[nodiscard]] store open() const {
    auto opened = store::open(root(), options);
    REQUIRE_MESSAGE(opened, opened.error().message());
    return *std::move(opened);
  }
  [[nodiscard]] image import(const std::string& name, const std::string& tar) const {
    put(s.dir / "in.tar", tar);
    auto done = open().import_rootfs(s.dir / "in.tar", named(name), {}, "");
    REQUIRE_MESSAGE(done, done.error().message());
    return *std::move(done);
  }
  [[nodiscard]] std::size_t entries(const char* below) const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator{root() / below}, {}));
  }
  /// A docker archive of these layers.
  [[nodiscard]] fs::path archive(const std::string& file, const std::string& name,
                                 const std::vector<std::string>& layers) const {
    tar_builder tar;
    std::string ids;
    std::string files;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto file_name = std::to_string(i) + ".tar";
      tar.file(file_name, layers[i]);
      ids += (i == 0 ? "\"" : ",\"") + digest_of(layers[i]).to_string() + "\"";
      files += (i == 0 ? "\"" : ",\"") + file_name + "\"";
    }
    tar.file("c.json",
             R"({"os":"linux","config":{"Cmd":["x"]},"rootfs":{"type":"layers","diff_ids":[)" +
                 ids + "]}}");
    tar.file("manifest.json",
             R"([{"Config":"c.json","RepoTags":[")" + name + R"("],"Layers":[)" + files + "]}]");
    put(s.dir / file, tar.bytes());
    return s.dir / file;
  }
};

inline result<std::vector<ingest::layer>> add_all(ingest& session,
                                                  std::span<const ingest::wanted> layers) {
  cancellation never;
  return session.add_layers(layers, never, {});
}

inline ingest::wanted want(const std::string& tar) {
  return {{}, digest_of(tar), [tar](cancellation&) {
            return result<std::unique_ptr<byte_source>>{std::make_unique<text_source>(tar, 1000)};
          }};
}

} // namespace tank::oci::testing
