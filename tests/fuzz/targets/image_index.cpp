// Image indexes: what is chosen for a machine is one of the entries, and one for that machine.
#include "../fuzz.hpp"

#include "oci/manifest.hpp"

#include <algorithm>

namespace tank::fuzz {
namespace image_index_target {
namespace {

using namespace oci;

void choose(const image_index& index, const platform& host) {
  const auto chosen = choose_platform(index, host);
  if (!chosen) {
    FUZZ_CHECK(chosen.error().code == errc::not_found && chosen.error().message().size() < 1024);
    return;
  }
  FUZZ_CHECK(std::count(index.manifests.begin(), index.manifests.end(), *chosen) > 0);
  const auto& p = chosen->target;
  FUZZ_CHECK(p == platform{} || (p.os == host.os && p.architecture == host.architecture));
}

verdict run(std::string_view input) {
  unpack_limits limits;
  limits.max_document = 16384;
  const auto read = parse_document(input, {}, limits);
  if (!read || !std::holds_alternative<image_index>(*read)) return verdict::refused;
  const auto& index = std::get<image_index>(*read);
  FUZZ_CHECK(!parse_document(input, media::manifest, limits));
  for (const auto& d : index.manifests)
    FUZZ_CHECK(parse_digest(d.content.to_string()));
  for (const auto& host : {platform{"linux", "amd64", ""}, platform{"linux", "arm64", "v8"},
                           platform{"linux", "arm", "v7"}, platform{"linux", "riscv64", ""}})
    choose(index, host);
  return verdict::accepted;
}

} // namespace
} // namespace image_index_target
const target targets::image_index{"image_index", image_index_target::run};
} // namespace tank::fuzz
