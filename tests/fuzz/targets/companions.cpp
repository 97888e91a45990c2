// ConfigMaps, Secrets and claims: one that is valid is the same when its normalised text is read,
// and what it says is within the limits.
#include "../fuzz.hpp"

#include "config/encode.hpp"
#include "config/manifest.hpp"
#include "config/validate.hpp"

namespace tank::fuzz {
namespace companions_target {
namespace {

using namespace config;

template <class Object>
void read_again(const std::vector<Object>& all, std::vector<Object> manifest::*kind) {
  for (const auto& object : all) {
    const auto text = to_json(object, -1);
    const auto again = parse_manifest(text);
    FUZZ_CHECK(again.valid() && (again.*kind).size() == 1);
    FUZZ_CHECK((again.*kind).front() == object);
    FUZZ_CHECK(to_json((again.*kind).front(), -1) == text);
  }
}

verdict run(std::string_view input) {
  manifest_limits limits;
  limits.max_bytes = 32768;
  limits.max_depth = 30;
  limits.max_nodes = 4000;
  limits.max_text = 65536;
  limits.max_documents = 10;
  const auto m = parse_manifest(input, limits);
  FUZZ_CHECK(m.diagnostics.size() < 5000);
  for (const auto& map : m.config_maps)
    for (const auto& [key, value] : map.data)
      FUZZ_CHECK(!key.empty() && key.size() <= 253 && key.find('/') == std::string::npos &&
                 !map.binary_data.contains(key) && value.size() <= max_data_bytes);
  for (const auto& secret : m.secrets)
    FUZZ_CHECK(secret.string_data.empty() && !secret.type.empty());
  read_again(m.config_maps, &manifest::config_maps);
  read_again(m.secrets, &manifest::secrets);
  read_again(m.claims, &manifest::claims);
  return m.valid() && !m.empty() ? verdict::accepted : verdict::refused;
}

} // namespace
} // namespace companions_target
const target targets::companions{"companions", companions_target::run};
} // namespace tank::fuzz
