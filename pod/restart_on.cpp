#include "pod/restart_on.hpp"

#include "config/restart_rules.hpp"

#include <algorithm>

namespace tank {

std::set<document_id> changed_documents(const documents& before, const documents& now) {
  std::set<document_id> out;
  const auto differs = [](const document& a, const document& b) {
    return a.differs_in_data(b) || a.type != b.type;
  };
  for (const auto& [id, what] : now.all) {
    const auto it = before.all.find(id);
    if (it == before.all.end() || (it->second != what && differs(*it->second, *what)))
      out.insert(id);
  }
  for (const auto& [id, what] : before.all)
    if (!now.all.contains(id)) out.insert(id);
  return out;
}

bool restarts_on(const config::pod& pod, const std::set<document_id>& changed) {
  const auto it = pod.metadata.annotations.find(std::string{config::restart_on_annotation});
  if (it == pod.metadata.annotations.end() || changed.empty()) return false;
  const auto wanted = config::parse_restart_on(it->second);
  if (!wanted) return false;
  return std::any_of(wanted->begin(), wanted->end(), [&](const auto& one) {
    const auto kind = one.secret ? document_kind::secret : document_kind::config_map;
    return changed.contains({kind, pod.metadata.ns + "/" + one.name});
  });
}

} // namespace tank
