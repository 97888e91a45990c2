#include "config/settings_images.hpp"

#include "config/settings_reader.hpp"

#include <algorithm>

namespace tank::config {

namespace {

constexpr std::size_t max_registries = 1000;

/// host[:port][/path]; with `wildcard` also "*.domain".
bool is_location(std::string_view text, bool wildcard) {
  if (wildcard && text.starts_with("*.")) {
    text.remove_prefix(2);
    if (text.find('/') != std::string_view::npos) return false;
  }
  if (text.empty() || text.front() == '/' || text.front() == ':') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') ||
                              std::string_view{".-_:/[]@"}.find(c) != std::string_view::npos;
                     }) &&
         text.find("//") == std::string_view::npos;
}

/// The fields of one mapping, under a name for messages such as "registries[0]".
result<const node::mapping*> fields_of(const settings_reader& in, const node& value,
                                       const std::string& name) {
  const auto* fields = value.as_mapping();
  if (fields == nullptr) return in.unexpected(value, name, "object");
  return fields;
}

result<const node::sequence*> items_of(const settings_reader& in, const member& field,
                                       const std::string& name) {
  const auto* items = field.value.as_sequence();
  if (items == nullptr) return in.unexpected(field.value, name, "array");
  if (items->size() > max_registries)
    return in.wrong(field.value.at(), name + ": more than " + std::to_string(max_registries));
  return items;
}

result<void> read_location(const settings_reader& in, const member& field, std::string& to,
                           bool wildcard = false) {
  to = TANK_TRY(in.text(field));
  while (to.ends_with('/'))
    to.pop_back();
  if (is_location(to, wildcard)) return {};
  return in.wrong_value(field, wildcard ? "must be host[:port][/path] or *.domain"
                                        : "must be host[:port][/path], without a scheme");
}

result<mirror_setting> read_mirror(const settings_reader& in, const node& value,
                                   const std::string& name) {
  mirror_setting out;
  for (const auto& f : *TANK_TRY(fields_of(in, value, name))) {
    if (f.key == "location")
      TANK_TRY(read_location(in, f, out.location));
    else if (f.key == "insecure")
      TANK_TRY(in.flag(f, out.insecure));
    else if (f.key == "pullFromMirror")
      TANK_TRY(in.word(f, out.pull_from, {"all", "digest-only", "tag-only"}));
    else
      return in.wrong(f.at, name + "." + f.key + ": unknown field");
  }
  if (out.location.empty()) return in.wrong(value.at(), name + ".location: required");
  return out;
}

result<registry_setting> read_registry(const settings_reader& in, const node& value,
                                       const std::string& name) {
  registry_setting out;
  for (const auto& f : *TANK_TRY(fields_of(in, value, name))) {
    if (f.key == "prefix")
      TANK_TRY(read_location(in, f, out.prefix, true));
    else if (f.key == "location")
      TANK_TRY(read_location(in, f, out.location));
    else if (f.key == "insecure")
      TANK_TRY(in.flag(f, out.insecure));
    else if (f.key == "blocked")
      TANK_TRY(in.flag(f, out.blocked));
    else if (f.key == "mirrorByDigestOnly")
      TANK_TRY(in.flag(f, out.mirror_by_digest_only));
    else if (f.key == "mirrors")
      for (const auto& item : *TANK_TRY(items_of(in, f, name + ".mirrors")))
        out.mirrors.push_back(TANK_TRY(
            read_mirror(in, item, name + ".mirrors[" + std::to_string(out.mirrors.size()) + "]")));
    else if (f.key == "tokenServers")
      for (const auto& item : *TANK_TRY(items_of(in, f, name + ".tokenServers"))) {
        const auto* host = item.as_string();
        if (host == nullptr) return in.unexpected(item, name + ".tokenServers", "strings");
        out.token_servers.push_back(*host);
      }
    else
      return in.wrong(f.at, name + "." + f.key + ": unknown field");
  }
  if (out.prefix.empty()) out.prefix = out.location;
  if (out.prefix.empty()) return in.wrong(value.at(), name + ": needs prefix or location");
  return out;
}

} // namespace

result<void> read_registries(const settings_reader& in, const member& field,
                             std::vector<registry_setting>& to) {
  for (const auto& item : *TANK_TRY(items_of(in, field, field.key))) {
    auto one = TANK_TRY(read_registry(in, item, "registries[" + std::to_string(to.size()) + "]"));
    if (std::any_of(to.begin(), to.end(), [&](const auto& r) { return r.prefix == one.prefix; }))
      return in.wrong(item.at(), "registries: prefix '" + one.prefix + "' is given twice");
    to.push_back(std::move(one));
  }
  return {};
}

result<void> read_images(const settings_reader& in, const member& field, image_settings& to) {
  using std::chrono::seconds;
  for (const auto& f : *TANK_TRY(fields_of(in, field.value, field.key))) {
    if (f.key == "gcHighPercent")
      TANK_TRY(in.number(f, to.gc_high_percent, 1, 100));
    else if (f.key == "gcLowPercent")
      TANK_TRY(in.number(f, to.gc_low_percent, 0, 100));
    else if (f.key == "gcMinimumAge")
      TANK_TRY(in.duration(f, to.gc_minimum_age));
    else if (f.key == "gcPeriod")
      TANK_TRY(in.duration(f, to.gc_period, seconds{1}));
    else if (f.key == "maxUnpackedSize")
      TANK_TRY(in.size(f, to.max_unpacked_bytes, 1, std::uint64_t{1} << 50, "1 and 1Pi"));
    else if (f.key == "maxEntries")
      TANK_TRY(in.number(f, to.max_entries, std::uint64_t{1}, std::uint64_t{1'000'000'000}));
    else if (f.key == "maxManifestSize")
      TANK_TRY(in.size(f, to.max_manifest_bytes, 1024, 64u << 20, "1Ki and 64Mi"));
    else if (f.key == "parallelPulls")
      TANK_TRY(in.number(f, to.parallel_pulls, 1, 100));
    else if (f.key == "parallelLayers")
      TANK_TRY(in.number(f, to.parallel_layers, 1, 100));
    else if (f.key == "stallTimeout")
      TANK_TRY(in.duration(f, to.stall_timeout, seconds{1}));
    else if (f.key == "offline")
      TANK_TRY(in.flag(f, to.offline));
    else if (f.key == "attempts")
      TANK_TRY(in.number(f, to.attempts, 1, 100));
    else
      return in.wrong(f.at, "images." + f.key + ": unknown field");
  }
  if (to.gc_low_percent > to.gc_high_percent)
    return in.wrong_value(field, "gcLowPercent must not be above gcHighPercent");
  return {};
}

} // namespace tank::config
