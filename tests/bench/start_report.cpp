#include "tests/bench/start_report.hpp"

#include <array>
#include <cstdio>

namespace tank::bench {

namespace {

std::string ratio_text(const series& now, const series& before) {
  const auto ratios = now.ratio_to(before);
  if (ratios.empty()) return "-";
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "x%.3f (%.3f..%.3f)", ratios.quantile(0.5),
                ratios.quantile(0.25), ratios.quantile(0.75));
  return text.data();
}

std::string floor_text(const figures& row, const figures& floor) {
  if (floor.name != "floor" || floor.first.empty() || row.first.empty()) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1fx",
                row.first.quantile(0.5) / floor.first.quantile(0.5));
  return text.data();
}

std::string middle(const series& s) {
  if (s.empty()) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.0f", s.quantile(0.5));
  return text.data();
}

} // namespace

void print_starts(const std::vector<figures>& rows) {
  std::printf("\n%-24s %20s %20s %20s %8s   (ms, p50 / p95)\n", "", "first instruction",
              "run to completion", "stop + remove", "x floor");
  for (const auto& row : rows)
    std::printf("%-24s %20s %20s %20s %8s\n", row.name.c_str(), row.first.text().c_str(),
                row.complete.text().c_str(), row.stop.text().c_str(),
                floor_text(row, rows.front()).c_str());
}

void print_crowds(const std::vector<crowd>& rows, int pods) {
  std::printf("\n%-24s %12s %14s %20s %20s   (medians)\n", (std::to_string(pods) + " pods").c_str(),
              "pods/s", "all stop, ms", "shim, KiB PSS/pod", "daemon, KiB/pod");
  for (const auto& row : rows)
    std::printf("%-24s %12s %14s %20s %20s\n", row.name.c_str(), middle(row.per_second).c_str(),
                middle(row.stop_ms).c_str(), middle(row.shim_kib).c_str(),
                middle(row.daemon_kib).c_str());
}

void print_comparison(const figures& now, const figures& before) {
  std::printf("%s to %s: first instruction %s, completion %s, stop %s\n", now.name.c_str(),
              before.name.c_str(), ratio_text(now.first, before.first).c_str(),
              ratio_text(now.complete, before.complete).c_str(),
              ratio_text(now.stop, before.stop).c_str());
}

void print_comparison(const crowd& now, const crowd& before) {
  std::printf("%s to %s: pods/s %s, all stop %s, shim %s, daemon %s\n", now.name.c_str(),
              before.name.c_str(), ratio_text(now.per_second, before.per_second).c_str(),
              ratio_text(now.stop_ms, before.stop_ms).c_str(),
              ratio_text(now.shim_kib, before.shim_kib).c_str(),
              ratio_text(now.daemon_kib, before.daemon_kib).c_str());
}

} // namespace tank::bench
