// Layers as a sequence of entries with few names, so that they meet: what one made, the next one
// replaces, enters, links to, hides. Each entry is some bytes of the input.
#include "../fuzz.hpp"
#include "../unpacked.hpp"

#include "../../unit/oci/tar_builder.hpp"

#include <iterator>

namespace tank::fuzz {
namespace tar_entries_target {
namespace {

constexpr std::string_view parts[] = {"a",    "b",    "c",       "d",    "..",           ".",
                                      "",     "root", "outside", "file", ".wh..wh..opq", ".wh.a",
                                      ".wh.", "dir",  ".wh.b",   "..."};

std::string path(dice& d, const playground& place) {
  const auto how = d.byte();
  std::string out;
  if (how % 16 == 15) out = place.outside().string() + "/";
  if (how % 16 == 14) out = "/";
  const unsigned count = 1 + how / 16 % 4;
  for (unsigned i = 0; i < count; ++i)
    out += (i == 0 ? "" : "/") + std::string{parts[d.byte() % std::size(parts)]};
  return out.empty() ? "a" : out;
}

verdict run(std::string_view input) {
  static playground place;
  constexpr std::string_view types = "0005512236347";
  constexpr unsigned modes[] = {0644, 0755, 0700, 0, 04755, 01777, 02755, 0555};
  dice d{input};
  const auto how = d.byte();
  oci::testing::tar_builder tar;
  for (int i = 0; i < 48 && !d.at_end(); ++i) {
    oci::testing::tar_entry e;
    const auto what = d.byte();
    e.type = types[what % types.size()];
    e.mode = modes[what / 16 % std::size(modes)];
    e.name = path(d, place);
    if (e.type == '1' || e.type == '2') e.link = path(d, place);
    if (e.type == '0') e.content = std::string(what / 16, 'x');
    if (what == 255) e.uid = e.gid = 1000;
    tar.add(e);
  }
  return place.unpack(tar.bytes(), 65536, how % 4 != 1);
}

std::vector<std::string> seeds() {
  // A directory, a file in it, a link to the directory, a file through the link, a whiteout.
  static constexpr char text[] = "\0"
                                 "\3\0\0"
                                 "\0\x10\0\1"
                                 "\6\0\2\0\0"
                                 "\0\x10\2\3"
                                 "\0\x10\0\x0b";
  const std::string entries{text, sizeof text - 1};
  return {entries, entries.substr(0, 8)};
}

} // namespace
} // namespace tar_entries_target
const target targets::tar_entries{"tar_entries", tar_entries_target::run,
                                  tar_entries_target::seeds};
} // namespace tank::fuzz
