/// Our verdict on every Pod of the corpus against kubelet's.
#include "config/manifest.hpp"
#include "vectors.hpp"
#include "verdict_table.hpp"

#include <algorithm>

namespace corpus_test {

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

template <class Table>
auto entry_for(const Table& table, const std::string& file) {
  return std::find_if(std::begin(table), std::end(table),
                      [&](const auto& row) { return row.file == file; });
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
    const auto* refused = entry_for(config::test::refused_by_decision, file);
    const auto* accepted = entry_for(config::test::accepted_since, file);
    if (refused != std::end(config::test::refused_by_decision)) {
      CAPTURE(refused->reason);
      ++listed;
      CHECK(theirs);
      CHECK_FALSE(ours.valid);
      CHECK(ours.first.find(refused->field) != std::string::npos);
    } else if (accepted != std::end(config::test::accepted_since)) {
      CAPTURE(accepted->reason);
      ++listed;
      CHECK_FALSE(theirs);
      CHECK(ours.valid);
    } else {
      CHECK(ours.valid == theirs);
    }
  }
  CHECK(seen == 448);
  CHECK(listed ==
        std::size(config::test::refused_by_decision) + std::size(config::test::accepted_since));
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
    if (entry_for(config::test::accepted_since, file) != std::end(config::test::accepted_since))
      continue;
    for (const auto& error : entry["kubelet_errors"]) {
      CAPTURE(all);
      CHECK(all.find(error.get<std::string>()) != std::string::npos);
    }
  }
}

} // namespace corpus_test
