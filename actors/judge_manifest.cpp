#include "actors/manifest_set.hpp"
#include "config/manifest.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace tank {

static std::string key_of(const config::pod& pod) {
  return pod.metadata.ns + "/" + pod.metadata.name;
}

static void add_diagnostics(parsed_file& out, const std::vector<config::diagnostic>& found,
                            const std::string& file) {
  for (const auto& d : found) {
    auto& lines = d.level == config::severity::warning ? out.warnings : out.errors;
    lines.push_back(config::format(d, file));
  }
}

static parsed_pod judge_pod(const config::pod_document& doc, const std::string& file,
                            parsed_file& out) {
  parsed_pod p;
  p.key = key_of(doc.pod);
  p.desired.pod = std::make_shared<const config::pod>(doc.pod);
  p.desired.hash = config::content_hash(doc.pod);
  p.desired.file = file;
  for (const auto& d : doc.diagnostics)
    if (d.level == config::severity::warning) p.desired.warnings.push_back(config::format(d, file));
  p.desired.uid = doc.pod.metadata.uid;
  if (p.desired.uid.empty()) {
    p.desired.uid = derive_uid(p.desired.hash);
  } else if (!is_safe_uid(p.desired.uid)) {
    out.errors.push_back(config::format(
        {config::severity::error, doc.at, "metadata.uid",
         "must consist of at most 64 letters, digits, '-' or '.': it names directories"},
        file));
  }
  return p;
}

parsed_file judge_manifest(const std::string& file, std::string_view text) {
  const auto parsed = config::parse_manifest(text, {.max_bytes = max_manifest_bytes});
  parsed_file out;
  add_diagnostics(out, parsed.diagnostics, file);
  for (const auto& doc : parsed.pods)
    add_diagnostics(out, doc.diagnostics, file);
  if (out.errors.empty() && parsed.pods.empty())
    out.errors.push_back(file + ": no Pod in this file");
  if (!out.errors.empty()) return out;

  std::set<std::string, std::less<>> keys;
  for (const auto& doc : parsed.pods) {
    auto p = judge_pod(doc, file, out);
    if (!keys.insert(p.key).second)
      out.errors.push_back(config::format({config::severity::error, doc.at, "metadata.name",
                                           "pod '" + p.key + "' is in this file twice"},
                                          file));
    out.pods.push_back(std::move(p));
  }
  if (!out.errors.empty()) out.pods.clear();
  return out;
}

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

std::string derive_uid(std::string_view content_hash) {
  std::string hex{content_hash.substr(0, 32)};
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

} // namespace tank
