// Layers as bytes: a tar stream of any content. The first byte chooses how it is read.
#include "../fuzz.hpp"
#include "../unpacked.hpp"

#include "../../unit/oci/tar_builder.hpp"

#include <cstdio>
#include <cstring>

namespace tank::fuzz {
namespace tar_stream_target {
namespace {

constexpr std::size_t block = 512;

/// Makes the checksum of whatever looks like a header right: to guess one takes a fuzzer for ever.
void mend_checksums(std::string& tar) {
  for (std::size_t at = 0; at + block <= tar.size(); at += block) {
    char* header = tar.data() + at;
    if (std::memcmp(header + 257, "ustar", 5) != 0) continue;
    std::memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (std::size_t i = 0; i < block; ++i)
      sum += static_cast<unsigned char>(header[i]);
    std::snprintf(header + 148, 7, "%06o", sum);
  }
}

verdict run(std::string_view input) {
  static playground place;
  dice d{input};
  const auto how = d.byte();
  std::string tar{d.rest()};
  mend_checksums(tar);
  return place.unpack(tar, how % 4 == 3 ? 100 : 65536, how % 2 == 0);
}

std::vector<std::string> seeds() {
  using oci::testing::tar_builder;
  std::vector<std::string> all;
  const auto add = [&](const tar_builder& tar) {
    for (const char how : {'\0', '\3'})
      all.push_back(how + tar.bytes());
  };
  add(tar_builder{}
          .dir("bin", 0755)
          .file("bin/sh", "#!", 0755)
          .symlink("sh", "bin/sh")
          .hardlink("ash", "bin/sh"));
  add(tar_builder{}.file("a/.wh.gone", "").dir("o").file("o/.wh..wh..opq", ""));
  add(tar_builder{}.symlink("up", "../outside").file("up2/x", "y").file("file", "z"));
  add(tar_builder{}.add({.name = "n",
                         .content = "v",
                         .uid = 7,
                         .gid = 8,
                         .pax = {{"path", "long/" + std::string(120, 'n')},
                                 {"SCHILY.xattr.user.k", "v"},
                                 {"mtime", "1700000000.123456789"},
                                 {"uid", "70000"}}}));
  add(tar_builder{}.add({.name = "s",
                         .content = std::string(600, 's'),
                         .pax = {{"GNU.sparse.major", "0"},
                                 {"GNU.sparse.minor", "1"},
                                 {"GNU.sparse.numblocks", "1"},
                                 {"GNU.sparse.map", "0,600"},
                                 {"GNU.sparse.size", "4096"}}}));
  add(tar_builder{}
          .add({.name = "p", .type = '6'})
          .add({.name = "null", .type = '3', .device_major = 1, .device_minor = 3}));
  tar_builder names;
  names.add({.name = "././@LongLink",
             .type = 'L',
             .content = std::string(130, 'l') + std::string(1, '\0')});
  names.file("short");
  names.add({.name = "././@LongLink", .type = 'K', .content = "target" + std::string(1, '\0')});
  names.symlink("link", "t");
  add(names);
  return all;
}

} // namespace
} // namespace tar_stream_target
const target targets::tar_stream{"tar_stream", tar_stream_target::run, tar_stream_target::seeds};
} // namespace tank::fuzz
