// Image configurations: no text with NUL, within the limits, and printing keeps them.
#include "../fuzz.hpp"

#include "oci/manifest.hpp"

namespace tank::fuzz {
namespace image_config_target {
namespace {

using namespace oci;

bool plain(const std::vector<std::string>& texts) {
  for (const auto& t : texts)
    if (t.find('\0') != std::string::npos) return false;
  return true;
}

verdict run(std::string_view input) {
  unpack_limits limits;
  limits.max_document = 16384;
  limits.max_layers = 8;
  const auto s = parse_settings(input, limits);
  if (!s) return verdict::refused;
  FUZZ_CHECK(s->diff_ids.size() <= limits.max_layers);
  FUZZ_CHECK(s->target.os.empty() || s->target.os == "linux");
  const auto& c = s->config;
  FUZZ_CHECK(plain(c.env) && plain(c.entrypoint) && plain(c.cmd) && plain(c.volumes));
  FUZZ_CHECK(plain({c.user, c.working_dir, c.stop_signal, s->created, s->target.to_string()}));
  const auto again = parse_settings(to_json(*s, "fuzz"), unpack_limits{});
  FUZZ_CHECK(again && *again == *s);
  FUZZ_CHECK(to_json(*again, "fuzz") == to_json(*s, "fuzz"));
  return verdict::accepted;
}

} // namespace
} // namespace image_config_target
const target targets::image_config{"image_config", image_config_target::run};
} // namespace tank::fuzz
