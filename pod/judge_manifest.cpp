#include "config/manifest.hpp"
#include "pod/manifest_set.hpp"
#include "pod/pod_instance.hpp"

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
  p.desired.instance = instance_hash(doc.pod);
  p.desired.file = file;
  for (const auto& d : doc.diagnostics)
    if (d.level == config::severity::warning) p.desired.warnings.push_back(config::format(d, file));
  p.desired.uid = doc.pod.metadata.uid;
  if (p.desired.uid.empty()) {
    p.desired.uid = derive_uid(p.desired.instance);
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
  if (out.errors.empty() && parsed.empty())
    out.errors.push_back(file +
                         ": no Pod, ConfigMap, Secret or PersistentVolumeClaim in this file");
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
  if (!out.errors.empty())
    out.pods.clear();
  else
    out.documents = documents_of(parsed, file);
  return out;
}

} // namespace tank
