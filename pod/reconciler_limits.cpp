// Limits that change under a running pod.
#include "pod/reconciler_core.hpp"

#include <utility>

namespace tank {

/// Another look of the same pod; whatever runs is not touched.
void reconciler_core::replace_content(entry& e, const desired_pod& what) {
  // A uid that an earlier version derived names the directories that are in use.
  auto uid = std::move(e.what.uid);
  e.what = what;
  e.what.uid = std::move(uid);
  e.status.file = what.file;
  e.status.warnings = what.warnings;
  e.status.pod = what.pod;
}

/// Brings other content into force: in place when that can be done, and something runs to which it
/// can be done.
void reconciler_core::apply_change(entry& e, const desired_pod& what, const instant& now,
                                   reconcile_effects& out) {
  const bool on_its_way_out = e.leaving || e.next || e.status.state == pod_state::stopping;
  if (on_its_way_out || plan_change(e.what, what) != pod_change::limits)
    return replace(e, what, now, out);
  replace_content(e, what);
  if (!e.alive) return begin_again(e, now, out);
  e.limits_edited = true;
  e.status.retries = 0;
  e.ends.clear();
  out.emplace_back(change_run{e.status.key, e.generation, e.what});
  out.emplace_back(status_changed{e.status.key});
}

reconcile_effects reconciler_core::changed(const limits_changed& m, const instant& now) {
  reconcile_effects out;
  auto* e = current(m.key, m.generation);
  if (e == nullptr || !e->alive || !e->limits_edited || e->what.hash != m.hash) return out;
  e->limits_edited = false;
  if (m.why.empty() || e->status.state == pod_state::stopping) {
    out.emplace_back(status_changed{m.key}); // and its record
    return out;
  }
  e->next = e->what;
  halt(*e, std::nullopt, now, out);
  e->status.message = "stopping, to begin anew: " + m.why;
  return out;
}

} // namespace tank
