#include "cli/pull_view.hpp"

#include "cli/image_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

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

std::string row(const std::string& name, const std::string& picture, const std::string& figures,
                std::size_t columns) {
  std::string text = name + std::string(name.size() < 12 ? 12 - name.size() : 0, ' ');
  if (!picture.empty()) text += " " + picture;
  text += " " + figures;
  return text.substr(0, columns) + "\n";
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

std::string pull_table(const oci::pull_totals& totals, double bytes_per_second,
                       std::size_t columns) {
  constexpr std::size_t bar_width = 24;
  const bool wide = columns >= 80;
  std::string text;
  const auto of = [](std::uint64_t done, std::uint64_t total) {
    return size_text(done) + " / " + size_text(total);
  };
  for (const auto& l : totals.layers()) {
    const auto figures = l.state == oci::layer_state::downloading
                             ? of(l.done, l.total)
                             : size_text(l.total) + " " + std::string{to_string(l.state)};
    text +=
        row(short_digest(l.blob), wide ? bar(l.done, l.total, bar_width) : "", figures, columns);
  }
  if (totals.layers().empty()) return text;
  auto figures = of(totals.done(), totals.total());
  if (bytes_per_second >= 1 && totals.done() < totals.total())
    figures += ", " + size_text(static_cast<std::uint64_t>(bytes_per_second)) + "/s, " +
               time_left(static_cast<double>(totals.total() - totals.done()) / bytes_per_second) +
               " left";
  return text +
         row("all", wide ? bar(totals.done(), totals.total(), bar_width) : "", figures, columns);
}

std::string layer_line(const oci::layer_progress& layer) {
  if (layer.state == oci::layer_state::waiting || layer.state == oci::layer_state::downloading)
    return {};
  return "layer " + short_digest(layer.blob) + " " + size_text(layer.total) + " " +
         std::string{to_string(layer.state)};
}

} // namespace tank::cli
