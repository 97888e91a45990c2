#include "config/pod_images.hpp"

namespace tank::config {

std::vector<std::string> images_of(const pod& p) {
  std::vector<std::string> out;
  for (const auto* list : {&p.spec.containers, &p.spec.init_containers})
    for (const auto& c : *list)
      out.push_back(c.image);
  for (const auto& c : p.spec.ephemeral_containers)
    out.push_back(c.common.image);
  for (const auto& v : p.spec.volumes)
    if (v.image) out.push_back(v.image->reference);
  return out;
}

} // namespace tank::config
