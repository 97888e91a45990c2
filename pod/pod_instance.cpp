#include "pod/pod_instance.hpp"

#include "config/manifest.hpp"
#include "pod/plan_cgroup.hpp"

#include <vector>

namespace tank {

static void drop_amounts(std::vector<config::container>& containers) {
  for (auto& c : containers)
    for (auto* list : {&c.resources.requests, &c.resources.limits}) {
      list->erase("cpu");
      list->erase("memory");
    }
}

std::string instance_hash(const config::pod& pod) {
  auto rest = pod;
  drop_amounts(rest.spec.containers);
  drop_amounts(rest.spec.init_containers);
  const auto qos = static_cast<char>('0' + static_cast<int>(qos_of(pod)));
  return qos + config::content_hash(rest);
}

} // namespace tank
