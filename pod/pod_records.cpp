#include "pod/pod_records.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <stdio.h>
#include <unistd.h>

namespace tank {

namespace fs = std::filesystem;

pod_records::pod_records(directories dirs, std::string boot, const std::vector<pod_record>& known)
    : dirs_{std::move(dirs)}
    , boot_{std::move(boot)} {
  for (const auto& record : known)
    entries_[record.key] = {record, true};
}

/// What the reconciler says, compared: the run is the runtime's.
static bool same_decision(const pod_record& a, const pod_record& b) {
  const auto same_pod = [](const desired_pod& x, const desired_pod& y) {
    return x == y && x.uid == y.uid && x.warnings == y.warnings;
  };
  return same_pod(a.what, b.what) && a.next.has_value() == b.next.has_value() &&
         (!a.next || same_pod(*a.next, *b.next)) && a.state == b.state && a.leaving == b.leaving &&
         a.restarts == b.restarts && a.retries == b.retries && a.crashes == b.crashes &&
         a.created_ns == b.created_ns && a.restart_at == b.restart_at && a.stop_by == b.stop_by &&
         a.ends == b.ends && a.last == b.last && a.container_restarts == b.container_restarts &&
         a.message == b.message && a.run.number == b.run.number;
}

result<void> pod_records::keep(pod_record record) {
  const std::lock_guard lock{mutex_};
  auto& e = entries_[record.key];
  if (e.written && same_decision(e.record, record)) return {};
  const auto before = e.record.what.uid;
  if (e.record.run.number == record.run.number) record.run = std::move(e.record.run);
  e.record = std::move(record);
  e.written = false;
  TANK_TRY(write(e.record));
  e.written = true;
  // The new one is there first: a daemon that ends in between leaves two, not none.
  if (!before.empty() && before != e.record.what.uid) return remove(before);
  return {};
}

result<void> pod_records::forget(const std::string& key) {
  const std::lock_guard lock{mutex_};
  const auto gone = entries_.extract(key);
  return gone.empty() ? result<void>{} : remove(gone.mapped().record.what.uid);
}

result<void> pod_records::keep_run(const std::string& key, const run_record& run) {
  const std::lock_guard lock{mutex_};
  const auto it = entries_.find(key);
  if (it == entries_.end() || it->second.record.run.number != run.number) return {};
  if (it->second.written && it->second.record.run == run) return {};
  it->second.record.run = run;
  it->second.written = false;
  TANK_TRY(write(it->second.record));
  it->second.written = true;
  return {};
}

run_record pod_records::run(const std::string& key, std::uint64_t number) const {
  const std::lock_guard lock{mutex_};
  const auto it = entries_.find(key);
  if (it != entries_.end() && it->second.record.run.number == number) return it->second.record.run;
  run_record fresh;
  fresh.number = number;
  return fresh;
}

result<void> pod_records::write(const pod_record& record) const {
  const auto path = dirs_.pod_record(record.what.uid);
  const auto beside = path.parent_path() / ("." + path.filename().string());
  if (::unlink(beside.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "replace", beside);
  TANK_TRY(write_new_file(beside, encode_record(record, boot_), 0600));
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail_errno(errno, "replace", path);
  return {};
}

result<void> pod_records::remove(const std::string& uid) const {
  const auto path = dirs_.pod_record(uid);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove", path);
  return {};
}

// --- what is there -------------------------------------------------------------------------------

static std::set<std::string> names_in(const fs::path& dir, std::vector<error>& troubles) {
  std::set<std::string> names;
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec))
    names.insert(it->path().filename().string());
  if (ec && ec.value() != ENOENT) troubles.push_back(fail_errno(ec.value(), "list", dir).value());
  return names;
}

std::set<std::string> pod_cgroups_in(const directories& dirs) {
  std::set<std::string> names;
  for (const auto& h : dirs.cgroups.hierarchies) {
    std::error_code ec;
    for (fs::directory_iterator it{h.directory / dirs.instance(), ec}, end; !ec && it != end;
         it.increment(ec))
      if (it->is_directory(ec)) names.insert(it->path().filename());
  }
  return names;
}

leftovers find_leftovers(const directories& dirs, std::string_view boot) {
  leftovers found;
  found.runs = names_in(dirs.pod_runs(), found.troubles);
  found.storages = names_in(dirs.pod_states(), found.troubles);
  found.volumes = names_in(dirs.pod_volumes(), found.troubles);
  found.cgroups = pod_cgroups_in(dirs);
  found.record_files = names_in(dirs.pod_records(), found.troubles);
  for (const auto& name : found.record_files) {
    if (name.starts_with(".")) continue; // was being written
    const auto path = dirs.pod_records() / name;
    const auto text = read_file(path, max_record_bytes);
    auto record = text ? decode_record(*text, boot) : result<pod_record>{failure{text.error()}};
    if (record && dirs.pod_record(record->what.uid) != path)
      record = fail(errc::corrupt, "read", "a pod's record", "its name is another pod's");
    if (record)
      found.records.push_back(*std::move(record));
    else if (record.error().code != errc::conflict) // of another boot: nothing of it is left
      found.troubles.push_back(wrap(std::move(record).error(), "use", path).value());
  }
  return found;
}

adoption_plan plan_adoption(const leftovers& found) {
  adoption_plan plan;
  std::map<std::string, const pod_record*> best;
  for (const auto& record : found.records) {
    auto& at = best[record.key];
    if (at == nullptr || at->run.number < record.run.number) at = &record;
  }
  std::set<std::string> files;
  std::set<std::string> kept;
  std::set<std::string> alive;
  for (const auto& [key, record] : best) {
    plan.restore.push_back(*record);
    const auto& uid = record->what.uid;
    files.insert(uid + ".json");
    kept.insert(uid);
    if (record->state != pod_state::backing_off && record->state != pod_state::terminal)
      alive.insert(uid);
  }
  const auto without = [](const std::set<std::string>& all, const std::set<std::string>& these) {
    std::vector<std::string> rest;
    std::set_difference(all.begin(), all.end(), these.begin(), these.end(),
                        std::back_inserter(rest));
    return rest;
  };
  plan.end_runs = without(found.runs, alive);
  plan.drop_cgroups = without(found.cgroups, alive);
  plan.drop_storages = without(found.storages, kept);
  plan.drop_volumes = without(found.volumes, kept);
  plan.drop_records = without(found.record_files, files);
  return plan;
}

result<std::string> boot_id() {
  auto text = TANK_TRY(read_file("/proc/sys/kernel/random/boot_id", 64));
  while (!text.empty() && text.back() == '\n')
    text.pop_back();
  return text;
}

} // namespace tank
