/// The pods that a command was asked for.
#pragma once

#include "cli/invocation.hpp"
#include "cli/tables.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace tank::cli {

/// Those of `pods` (anything with a `key`) that `names` names, in that order; all of the namespace
/// `ns` when no name was given, of every namespace when that is empty too. `missing` is the cause
/// of the errc::not_found that a name without a pod gives.
template <class Pod>
result<std::vector<Pod>> chosen(std::vector<Pod> pods, const std::vector<std::string>& names,
                                const std::string& ns, const char* missing) {
  if (names.empty()) {
    if (!ns.empty()) std::erase_if(pods, [&](auto& p) { return !p.key.starts_with(ns + "/"); });
    return pods;
  }
  std::vector<Pod> out;
  for (const auto& name : names) {
    const auto wanted = TANK_TRY(parse_pod_name(name, ns));
    const auto at = std::find_if(pods.begin(), pods.end(),
                                 [&](const auto& p) { return p.key == wanted.key(); });
    if (at == pods.end())
      return fail(errc::not_found, "find", "pod/" + short_name(wanted.key()), missing,
                  "see: tank get pods");
    out.push_back(*at);
  }
  return out;
}

} // namespace tank::cli
