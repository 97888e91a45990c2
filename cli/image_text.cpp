#include "cli/image_text.hpp"

#include "cli/tables.hpp"

#include <array>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace tank::cli {

std::string size_text(std::uint64_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < units.size(); ++unit)
    value /= 1024;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return text.data();
}

std::string image_table(const std::vector<oci::image_summary>& images) {
  std::vector<std::vector<std::string>> rows{{"NAME", "DIGEST", "ARCH", "SIZE", "CREATED"}};
  for (const auto& image : images) {
    const auto colon = image.manifest_digest.find(':');
    const auto hex = colon == std::string::npos ? image.manifest_digest
                                                : image.manifest_digest.substr(colon + 1);
    rows.push_back({printable(image.name), hex.substr(0, 12), printable(image.architecture),
                    size_text(image.size), printable(image.created)});
  }
  return aligned(rows, 0);
}

namespace {

using json = nlohmann::ordered_json;

std::string dump(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace);
}

json list_of(const char* kind, json items) {
  return {{"apiVersion", "tank/v1"}, {"kind", kind}, {"items", std::move(items)}};
}

json of_config(const oci::image_config& c) {
  json labels = json::object();
  for (const auto& [key, value] : c.labels)
    labels[key] = value;
  return {{"user", c.user},
          {"env", c.env},
          {"entrypoint", c.entrypoint},
          {"cmd", c.cmd},
          {"workingDir", c.working_dir},
          {"stopSignal", c.stop_signal},
          {"exposedPorts", c.exposed_ports},
          {"volumes", c.volumes},
          {"labels", std::move(labels)}};
}

std::string words(const std::vector<std::string>& list) {
  std::string out;
  for (const auto& word : list)
    out.append(out.empty() ? "" : " ").append(word);
  return printable(out);
}

} // namespace

std::string image_document(const std::vector<oci::image_summary>& images) {
  json items = json::array();
  for (const auto& image : images)
    items.push_back({{"name", image.name},
                     {"digest", image.manifest_digest},
                     {"architecture", image.architecture},
                     {"created", image.created},
                     {"size", image.size}});
  return dump(list_of("ImageList", std::move(items)));
}

std::string details_document(const std::vector<oci::image_details>& images) {
  json items = json::array();
  for (const auto& image : images) {
    json directories = json::array();
    for (const auto& path : image.directories)
      directories.push_back(path.string());
    json layers = json::array();
    for (const auto& l : image.layers)
      layers.push_back({{"diffID", l.diff_id},
                        {"digest", l.blob},
                        {"size", l.blob_size},
                        {"unpackedSize", l.bytes},
                        {"entries", l.entries},
                        {"directory", l.directory.string()}});
    items.push_back({{"name", image.summary.name},
                     {"digest", image.summary.manifest_digest},
                     {"indexDigest", image.index_digest},
                     {"configDigest", image.config_digest},
                     {"architecture", image.summary.architecture},
                     {"created", image.summary.created},
                     {"size", image.summary.size},
                     {"config", of_config(image.config)},
                     {"layers", std::move(layers)},
                     {"directories", std::move(directories)}});
  }
  return dump(list_of("ImageDetailsList", std::move(items)));
}

std::string details_text(const std::vector<oci::image_details>& images) {
  std::string out;
  for (const auto& image : images) {
    if (!out.empty()) out += "\n";
    std::vector<std::vector<std::string>> rows;
    const auto row = [&](const char* key, const std::string& value) {
      if (!value.empty()) rows.push_back({key, value});
    };
    row("Name:", printable(image.summary.name));
    row("Digest:", image.summary.manifest_digest);
    row("Index:", image.index_digest);
    row("Architecture:", printable(image.summary.architecture));
    row("Created:", printable(image.summary.created));
    row("Size:", size_text(image.summary.size));
    row("User:", printable(image.config.user));
    row("Entrypoint:", words(image.config.entrypoint));
    row("Command:", words(image.config.cmd));
    row("Working dir:", printable(image.config.working_dir));
    row("Stop signal:", printable(image.config.stop_signal));
    row("Ports:", words(image.config.exposed_ports));
    row("Volumes:", words(image.config.volumes));
    for (const auto& entry : image.config.env)
      row("Env:", printable(entry));
    for (const auto& l : image.layers)
      row("Layer:", l.diff_id + "  " + size_text(l.blob_size) + " -> " + size_text(l.bytes) + ", " +
                        std::to_string(l.entries) + " entries");
    out += aligned(rows, 0);
  }
  return out;
}

std::string prune_text(const oci::prune_report& report) {
  std::string out;
  for (const auto& name : report.images)
    out += printable(name) + " removed\n";
  return out + std::to_string(report.layers) + " layers and " + std::to_string(report.blobs) +
         " blobs removed, " + size_text(report.bytes) + " freed\n";
}

std::string prune_document(const oci::prune_report& report) {
  return dump({{"apiVersion", "tank/v1"},
               {"kind", "ImagePruneReport"},
               {"images", report.images},
               {"layers", report.layers},
               {"blobs", report.blobs},
               {"bytes", report.bytes}});
}

std::string damage_text(const std::vector<oci::damage>& found) {
  if (found.empty()) return "no damage found\n";
  std::string out;
  for (const auto& d : found)
    out += printable(d.image) + ": " + d.object + ": " + printable(d.cause) + "\n";
  return out;
}

std::string damage_document(const std::vector<oci::damage>& found) {
  json items = json::array();
  for (const auto& d : found)
    items.push_back({{"image", d.image}, {"object", d.object}, {"cause", d.cause}});
  return dump(list_of("ImageDamageList", std::move(items)));
}

} // namespace tank::cli
