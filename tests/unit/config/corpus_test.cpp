/// Our verdict on every Pod of the corpus against kubelet's.
#include "config/manifest.hpp"
#include "vectors.hpp"

#include <map>

namespace config = tank::config;

namespace {

struct verdict {
  bool valid = false;
  std::string first; ///< the first error
};

verdict judge(const std::string& text) {
  const auto m = config::parse_manifest(text);
  if (m.pods.empty() && m.diagnostics.empty()) return {false, "no pod"};
  const auto error_of = [](const std::vector<config::diagnostic>& found) {
    for (const auto& d : found)
      if (d.level == config::severity::error) return format(d, "f");
    return std::string{};
  };
  auto first = error_of(m.diagnostics);
  for (const auto& p : m.pods)
    if (first.empty()) first = error_of(p.diagnostics);
  return {m.valid(), first};
}

/// Pods that kubelet accepts and we refuse, by the field that we name. Each is a decision: unknown
/// fields are errors, and what one node cannot realise is an error.
const std::map<std::string, std::string>& refused_by_decision() {
  static const std::map<std::string, std::string> all = {
#include "refused_by_decision.inc"
  };
  return all;
}

/// Pods that kubelet 1.26 refuses and the newest API accepts.
const std::map<std::string, std::string>& accepted_since() {
  static const std::map<std::string, std::string> all = {
#include "accepted_since.inc"
  };
  return all;
}

} // namespace

TEST_CASE("our verdict on every pod of the corpus is kubelet's, or a decision listed by name") {
  if (!config::test::have_corpus()) return;
  std::istringstream index(config::test::slurp(config::test::corpus() / "index.jsonl"));
  std::string line;
  int seen = 0;
  std::size_t listed = 0;
  while (std::getline(index, line)) {
    const auto entry = nlohmann::json::parse(line);
    const auto file = entry["file"].get<std::string>();
    CAPTURE(file);
    ++seen;
    const auto ours = judge(config::test::slurp(config::test::corpus() / file));
    CAPTURE(ours.first);
    CAPTURE(entry["kubelet_errors"].dump());
    const bool theirs = entry["kubelet_1_26"] == "ok";
    const auto refused = refused_by_decision().find(file);
    const auto accepted = accepted_since().find(file);
    if (refused != refused_by_decision().end()) {
      ++listed;
      CHECK(theirs);
      CHECK_FALSE(ours.valid);
      CHECK(ours.first.find(refused->second) != std::string::npos);
    } else if (accepted != accepted_since().end()) {
      ++listed;
      CHECK_FALSE(theirs);
      CHECK(ours.valid);
    } else {
      CHECK(ours.valid == theirs);
    }
  }
  CHECK(seen == 448);
  CHECK(listed == refused_by_decision().size() + accepted_since().size());
}

TEST_CASE("what kubelet names as wrong in the corpus, we name at the same field") {
  if (!config::test::have_corpus()) return;
  std::istringstream index(config::test::slurp(config::test::corpus() / "index.jsonl"));
  std::string line;
  while (std::getline(index, line)) {
    const auto entry = nlohmann::json::parse(line);
    if (entry["kubelet_1_26"] != "validate") continue;
    const auto file = entry["file"].get<std::string>();
    CAPTURE(file);
    const auto m = config::parse_manifest(config::test::slurp(config::test::corpus() / file));
    std::string all;
    for (const auto& p : m.pods)
      for (const auto& d : p.diagnostics)
        all += d.field + ": " + d.reason + "\n";
    if (all.find("unknown field") != std::string::npos) continue; // nothing else is said then
    for (const auto& error : entry["kubelet_errors"]) {
      CAPTURE(all);
      CHECK(all.find(error.get<std::string>()) != std::string::npos);
    }
  }
}
