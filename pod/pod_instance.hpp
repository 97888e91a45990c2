/// What of a pod cannot change while it runs, as a hash. Pure.
#pragma once

#include "config/pod.hpp"

#include <string>

namespace tank {

/// Equal for two contents of a pod that differ in their amounts of cpu and memory alone, and have
/// the same QoS class: a running one can be given the other's limits. (As Kubernetes resizes pods,
/// where the class is fixed too. Unlike there, an amount may come and go.) Hex digits.
std::string instance_hash(const config::pod& pod);

} // namespace tank
