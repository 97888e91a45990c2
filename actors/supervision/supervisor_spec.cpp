#include "actors/supervision/supervisor_spec.hpp"

#include <set>

namespace tank {

result<void> check_child(const supervisor_flags& flags, const child_spec& spec) {
  if (!spec.start) return fail(errc::invalid, "accept child", spec.id, "no start function");
  if (spec.significant && spec.restart == child_restart::permanent)
    return fail(errc::invalid, "accept child", spec.id, "permanent and significant");
  if (spec.significant && flags.when_significant == auto_shutdown::never)
    return fail(errc::invalid, "accept child", spec.id, "significant, but auto_shutdown is never");
  if (spec.shutdown.limit && spec.shutdown.limit->count() < 0)
    return fail(errc::invalid, "accept child", spec.id, "negative shutdown time");
  return {};
}

result<void> check_supervisor(const supervisor_flags& flags, const std::vector<child_spec>& specs) {
  if (flags.period.count() <= 0)
    return fail(errc::invalid, "accept", "supervisor", "period is not positive");
  if (flags.strategy == supervision::dynamic && specs.size() != 1)
    return fail(errc::invalid, "accept", "supervisor", "dynamic needs exactly one template");
  std::set<std::string> seen;
  for (const auto& spec : specs) {
    const bool is_template = flags.strategy == supervision::dynamic;
    if (!(is_template && !spec.start)) TANK_TRY(check_child(flags, spec));
    if (!seen.insert(spec.id).second)
      return fail(errc::exists, "accept child", spec.id, "duplicate child name");
  }
  return {};
}

} // namespace tank
