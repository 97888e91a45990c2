#include "tests/bench/start_options.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>
#include <unistd.h>

namespace tank::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest_label = 16; // below it stand sockets, whose paths are short

result<tank_build> read_build(const std::string& text, std::size_t before) {
  tank_build build{.label = before == 0 ? "tank" : "tank" + std::to_string(before + 1)};
  const auto equals = text.find('=');
  if (equals != std::string::npos) build.label = text.substr(0, equals);
  auto rest = equals == std::string::npos ? text : text.substr(equals + 1);
  if (const auto colon = rest.find(':'); colon != std::string::npos) {
    build.shim = fs::absolute(rest.substr(colon + 1));
    rest.resize(colon);
  }
  build.program = fs::absolute(rest);
  if (build.label.empty() || build.label.size() > longest_label ||
      build.label.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos)
    return fail(errc::invalid, "use label", build.label, "a label is at most 16 of a-z, 0-9 and -");
  return build;
}

result<int> read_count(const std::string& option, const std::string& text) {
  int value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size() || value < 0)
    return fail(errc::invalid, "use " + option, text, "it must be a number");
  return value;
}

result<std::set<std::string>> read_peers(const std::string& text) {
  static const std::set<std::string> known{"none", "floor", "bwrap", "crun", "runc", "podman"};
  std::set<std::string> names;
  std::istringstream in{text};
  for (std::string name; std::getline(in, name, ',');) {
    if (!known.contains(name)) return fail(errc::invalid, "measure", name, "there is no such peer");
    names.insert(name);
  }
  return names;
}

result<void> read_option(start_options& to, const std::string& option, const std::string& value) {
  if (option == "--tank") {
    to.tanks.push_back(TANK_TRY(read_build(value, to.tanks.size())));
  } else if (option == "--floor") {
    to.floor = value;
  } else if (option == "--witness") {
    to.witness = value;
  } else if (option == "--peers") {
    to.peers = TANK_TRY(read_peers(value));
  } else if (option == "--rounds") {
    to.rounds = TANK_TRY(read_count(option, value));
  } else if (option == "--pods") {
    to.pods = TANK_TRY(read_count(option, value));
  } else if (option == "--repeats") {
    to.repeats = TANK_TRY(read_count(option, value));
  } else {
    return fail(errc::invalid, "use", option, "there is no such option");
  }
  return {};
}

result<void> check_programs(const start_options& o) {
  std::vector<std::string> all{o.floor, o.witness};
  for (const auto& tank : o.tanks) {
    all.push_back(tank.program);
    if (!tank.shim.empty()) all.push_back(tank.shim);
  }
  for (const auto& program : all)
    if (::access(program.c_str(), X_OK) != 0) return fail_errno(errno, "run", program);
  for (std::size_t i = 0; i < o.tanks.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (o.tanks[i].label == o.tanks[j].label)
        return fail(errc::invalid, "use label", o.tanks[i].label, "two Tanks have it");
  return {};
}

} // namespace

result<start_options> parse_start(const std::string& program,
                                  const std::vector<std::string>& words) {
  start_options o;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 == words.size()) return fail(errc::invalid, "use", words[i], "its value is missing");
    TANK_TRY(read_option(o, words[i], words[i + 1]));
  }
  const auto build = fs::path{program}.parent_path().parent_path().parent_path();
  if (o.floor.empty()) o.floor = build / "tests/bench/floor";
  if (o.witness.empty()) o.witness = build / "tests/root/witness/witness";
  if (o.tanks.empty())
    o.tanks.push_back({"tank", build / "cli/tank", build / "kernel/shim/tank-shim"});
  TANK_TRY(check_programs(o));
  return o;
}

} // namespace tank::bench
