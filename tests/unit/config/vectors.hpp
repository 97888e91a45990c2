/// The corpus as tests read it: found through TANK_CORPUS, else beside the source tree; absent on
/// most machines, then the cases say that they skip.
#pragma once

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tank::config::test {

inline std::filesystem::path corpus() {
  if (const char* set = std::getenv("TANK_CORPUS")) return set;
  return TANK_DEFAULT_CORPUS;
}

/// False, and says so, where there is no corpus.
inline bool have_corpus() {
  const bool found = std::filesystem::exists(corpus() / "index.jsonl");
  if (!found) MESSAGE("skipped: no corpus at ", corpus().string(), " (set TANK_CORPUS)");
  return found;
}

inline std::string slurp(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  REQUIRE_MESSAGE(in.good(), path.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// The rows of a .tsv, without its header line.
inline std::vector<std::vector<std::string>> rows(const std::string& name) {
  std::istringstream in(slurp(corpus() / name));
  std::vector<std::vector<std::string>> all;
  std::string line;
  std::getline(in, line);
  while (std::getline(in, line)) {
    std::vector<std::string> cells{""};
    for (char c : line)
      if (c == '\t')
        cells.emplace_back();
      else
        cells.back() += c;
    all.push_back(std::move(cells));
  }
  return all;
}

} // namespace tank::config::test
