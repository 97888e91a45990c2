#include "cli/pull_view.hpp"

#include "cli/image_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

namespace tank::cli {

namespace {

constexpr std::chrono::milliseconds shortest_sample{250};
constexpr double weight_of_new = 0.3;

std::string short_digest(const std::string& digest) {
  const auto colon = digest.find(':');
  return digest.substr(colon == std::string::npos ? 0 : colon + 1, 12);
}

std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  const auto share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  const auto full =
      static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width));
  return "[" + std::string(full, '#') + std::string(width - full, '.') + "]";
}

std::string time_left(double seconds) {
  const auto s = static_cast<std::int64_t>(std::min(std::ceil(seconds), 359'999.0));
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return std::to_string(s / 60) + "m" + std::to_string(s % 60) + "s";
  return std::to_string(s / 3600) + "h" + std::to_string(s / 60 % 60) + "m";
}

/// What is said of one layer, or of all: in full, and where that does not fit.
struct pull_row {
  std::string name;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::string full;
  std::string brief;
};

pull_row row_of(std::string name, std::uint64_t done, std::uint64_t total, double rate) {
  pull_row out{std::move(name), done, total, size_text(done) + " / " + size_text(total), {}};
  out.brief = std::to_string(
      total == 0 ? 100 : 100.0 * static_cast<double>(done) / static_cast<double>(total));
  out.brief = out.brief.substr(0, out.brief.find('.')) + "%";
  if (rate < 1 || done >= total) return out;
  const auto speed = size_text(static_cast<std::uint64_t>(rate)) + "/s";
  const auto left = time_left(static_cast<double>(total - done) / rate) + " left";
  out.full += ", " + speed + ", " + left;
  out.brief += " " + speed + " " + left;
  return out;
}

std::vector<pull_row> rows_of(const oci::pull_totals& totals, const pull_speeds& speeds) {
  std::vector<pull_row> out;
  for (const auto& l : totals.layers()) {
    auto row = row_of(short_digest(l.blob), l.done, l.total, speeds.of(l.blob));
    if (l.state != oci::layer_state::downloading) {
      row.full = size_text(l.total) + " " + std::string{to_string(l.state)};
      row.brief = to_string(l.state);
    }
    out.push_back(std::move(row));
  }
  if (!out.empty()) out.push_back(row_of("all", totals.done(), totals.total(), speeds.all()));
  return out;
}

} // namespace

void pull_rate::sample(time at, std::uint64_t done) {
  if (!last_ || done < done_) {
    last_ = at;
    done_ = done;
    return;
  }
  const auto passed = at - *last_;
  if (passed < shortest_sample) return;
  const double seconds = std::chrono::duration<double>(passed).count();
  const double now = static_cast<double>(done - done_) / seconds;
  rate_ = rate_ == 0 ? now : rate_ * (1 - weight_of_new) + now * weight_of_new;
  last_ = at;
  done_ = done;
}

void pull_speeds::sample(pull_rate::time at, const oci::pull_totals& totals) {
  all_.sample(at, totals.done());
  for (const auto& l : totals.layers())
    layers_[l.blob].sample(at, l.done);
}

double pull_speeds::of(const std::string& blob) const {
  const auto it = layers_.find(blob);
  return it == layers_.end() ? 0 : it->second.bytes_per_second();
}

std::string pull_table(const oci::pull_totals& totals, const pull_speeds& speeds,
                       std::size_t columns) {
  constexpr std::size_t name_width = 12;
  constexpr std::size_t longest_bar = 24;
  constexpr std::size_t shortest_bar = 6;
  const auto rows = rows_of(totals, speeds);
  std::size_t widest = 0;
  for (const auto& r : rows)
    widest = std::max(widest, r.full.size());
  const auto taken = name_width + 1 + widest;
  // "[", "]" and a blank.
  const auto bar_width =
      columns > taken + 3 ? std::min(columns - taken - 3, longest_bar) : std::size_t{0};
  std::string text;
  for (const auto& r : rows) {
    auto line = r.name + std::string(name_width - std::min(r.name.size(), name_width), ' ') + " ";
    if (bar_width >= shortest_bar) line += bar(r.done, r.total, bar_width) + " ";
    line += taken <= columns ? r.full : r.brief;
    text += line.substr(0, columns) + "\n";
  }
  return text;
}

std::string layer_line(const oci::layer_progress& layer) {
  if (layer.state == oci::layer_state::waiting || layer.state == oci::layer_state::downloading)
    return {};
  return "layer " + short_digest(layer.blob) + " " + size_text(layer.total) + " " +
         std::string{to_string(layer.state)};
}

} // namespace tank::cli
