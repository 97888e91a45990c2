#include "pod/manifest_set.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace tank {

parsed_file unreadable_manifest(const std::string& file, const error& why) {
  parsed_file out;
  out.errors.push_back(file + ": " + why.message());
  return out;
}

bool is_manifest_name(std::string_view name) {
  if (name.empty() || name.front() == '.') return false;
  static constexpr std::array<std::string_view, 3> suffixes{".yaml", ".yml", ".json"};
  return std::any_of(suffixes.begin(), suffixes.end(), [&](std::string_view s) {
    return name.size() > s.size() && name.ends_with(s);
  });
}

static constexpr std::string_view removal_prefix = ".removed-by-tank.";

std::string removal_mark(std::string_view file_name) {
  return std::string{removal_prefix}.append(file_name);
}

std::optional<std::string> removed_by(std::string_view name) {
  if (!name.starts_with(removal_prefix)) return std::nullopt;
  return std::string{name.substr(removal_prefix.size())};
}

std::string derive_uid(std::string_view hash) {
  std::string hex{hash.substr(0, 32)};
  hex.resize(32, '0');
  hex[12] = '8'; // RFC 9562: version 8, our own derivation
  hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) % 4];
  for (const std::size_t at : {20u, 16u, 12u, 8u})
    hex.insert(at, 1, '-');
  return hex;
}

bool is_safe_uid(std::string_view uid) {
  const auto safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  return !uid.empty() && uid.size() <= 64 && uid.front() != '.' &&
         std::all_of(uid.begin(), uid.end(), safe);
}

manifest_set::change manifest_set::apply(std::vector<scanned_file> files) {
  std::map<std::string, entry> next;
  for (auto& f : files) {
    entry e;
    if (const auto old = entries_.find(f.path); old != entries_.end()) e = old->second;
    if (f.parsed) e.newest = std::move(f.parsed);
    e.missing = f.missing;
    if (!e.newest) continue; // "as it was" of a file that never was
    e.refused = final_edits(f.path, *e.newest);
    if (e.newest->errors.empty() && e.refused.empty()) e.good = e.newest;
    next.emplace(std::move(f.path), std::move(e));
  }
  entries_ = std::move(next);

  auto status = base_status();
  auto pods = std::make_shared<pods_by_key>();
  settle(*pods, status);
  auto data = std::make_shared<documents>();
  settle(*data, status);

  change what;
  what.files = status != status_;
  const bool other_pods = *pods != *desired_;
  const bool other_data = *data != *documents_;
  what.desired = other_pods || other_data;
  status_ = std::move(status);
  if (other_pods) desired_ = std::move(pods);
  if (other_data) documents_ = std::move(data);
  return what;
}

std::vector<std::string> manifest_set::final_edits(const std::string& path,
                                                   const parsed_file& newest) const {
  std::vector<std::string> out;
  for (const auto& d : newest.documents) {
    const auto it = documents_->all.find(d.id);
    if (it == documents_->all.end() || it->second->file != path) continue;
    if (it->second->immutable && it->second->differs_in_data(*d.what))
      out.push_back(path + ": " + to_string(d.id) + " is immutable: remove it, then make it anew");
    else if (it->second->type != d.what->type)
      out.push_back(path + ": the type of " + to_string(d.id) +
                    " cannot change: remove it, then make it anew");
  }
  return out;
}

std::vector<file_status> manifest_set::base_status() const {
  std::vector<file_status> status;
  for (const auto& [path, e] : entries_) {
    file_status s;
    s.file = path;
    s.errors = e.newest->errors;
    s.errors.insert(s.errors.end(), e.refused.begin(), e.refused.end());
    s.warnings = e.newest->warnings;
    s.last_good_kept = !s.errors.empty() && e.good != nullptr;
    status.push_back(std::move(s));
  }
  return status;
}

namespace {
/// Who asks for a name: candidates in order of their files.
struct claim {
  const parsed_pod* pod;
  std::size_t file; ///< index into the statuses
  bool missing;     ///< its file is
};
struct document_claim {
  const parsed_document* what;
  std::size_t file; ///< the same
  bool missing;     ///< the same
};

void report_conflict(const std::string& what, std::size_t winner, std::size_t loser,
                     std::vector<file_status>& status) {
  auto& kept = status[winner];
  auto& refused = status[loser];
  kept.errors.push_back(kept.file + ": " + what + " is also in '" + refused.file +
                        "'; this one is in force (remove one of them)");
  refused.errors.push_back(refused.file + ": " + what + " is also in '" + kept.file +
                           "', which is in force (remove one of them)");
}
} // namespace

void manifest_set::settle(pods_by_key& pods, std::vector<file_status>& status) const {
  std::vector<claim> all;
  std::size_t index = 0;
  for (const auto& [path, e] : entries_) {
    if (e.good)
      for (const auto& p : e.good->pods)
        all.push_back({&p, index, e.missing});
    ++index;
  }
  // Incumbents first, files in order of names within each group: who comes first wins. Those of
  // missing files come last.
  const auto incumbent = [&](const claim& c) {
    const auto it = desired_->find(c.pod->key);
    return it != desired_->end() && it->second.file == status[c.file].file;
  };
  const auto there =
      std::stable_partition(all.begin(), all.end(), [](const claim& c) { return !c.missing; });
  std::stable_partition(all.begin(), there, incumbent);

  std::map<std::string, claim> by_key;
  std::map<std::string, claim> by_uid;
  for (const auto& c : all) {
    const auto& uid = c.pod->desired.uid;
    if (const auto it = by_key.find(c.pod->key); it != by_key.end()) {
      if (!c.missing) report_conflict("pod '" + c.pod->key + "'", it->second.file, c.file, status);
    } else if (const auto u = by_uid.find(uid); u != by_uid.end()) {
      if (!c.missing) report_conflict("metadata.uid '" + uid + "'", u->second.file, c.file, status);
    } else {
      by_key.emplace(c.pod->key, c);
      by_uid.emplace(uid, c);
      pods.emplace(c.pod->key, c.pod->desired);
      status[c.file].pods.push_back(c.pod->key);
    }
  }
  for (auto& s : status)
    std::sort(s.pods.begin(), s.pods.end());
}

void manifest_set::settle(documents& all, std::vector<file_status>& status) const {
  std::vector<document_claim> claims;
  std::size_t index = 0;
  for (const auto& [path, e] : entries_) {
    if (e.good)
      for (const auto& d : e.good->documents)
        claims.push_back({&d, index, e.missing});
    ++index;
  }
  const auto there = std::stable_partition(claims.begin(), claims.end(),
                                           [](const document_claim& c) { return !c.missing; });
  std::stable_partition(claims.begin(), there, [&](const document_claim& c) {
    const auto it = documents_->all.find(c.what->id);
    return it != documents_->all.end() && it->second->file == status[c.file].file;
  });
  std::map<document_id, std::size_t> taken;
  for (const auto& c : claims) {
    const auto& id = c.what->id;
    if (const auto [it, fresh] = taken.emplace(id, c.file); !fresh) {
      if (!c.missing) report_conflict(to_string(id), it->second, c.file, status);
      continue;
    }
    all.all.emplace(id, c.what->what);
    status[c.file].documents.push_back(std::string{to_string(id.kind)} + "/" + id.key);
  }
  for (auto& s : status)
    std::sort(s.documents.begin(), s.documents.end());
}

} // namespace tank
