#include "pod/state_owner.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace tank {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::size_t max_owner_file = 64 * 1024;

result<state_owner> decode(std::string_view text) {
  const auto whole = json::parse(text, nullptr, false);
  state_owner out;
  try { // the library's accessors throw; what they read is a file
    if (whole.at("version") != 1)
      return fail(errc::unsupported, "read", "an owner's file", "it is of another version of tank");
    out.run_dir = whole.at("runDir").get<std::string>();
    out.made_run_dir = whole.at("madeRunDir").get<bool>();
    out.adopts = whole.at("adopts").get<bool>();
    out.boot = whole.at("boot").get<std::string>();
  } catch (const std::exception& e) {
    return fail(errc::corrupt, "read", "an owner's file", e.what());
  }
  return out;
}

std::vector<fs::path> entries_of(const fs::path& dir, std::vector<error>& troubles) {
  std::vector<fs::path> out;
  std::error_code ec;
  for (fs::directory_iterator it{dir, ec}, end; !ec && it != end; it.increment(ec))
    out.push_back(it->path());
  if (ec && ec.value() != ENOENT) troubles.push_back(fail_errno(ec.value(), "list", dir).value());
  return out;
}

} // namespace

bool is_left_behind(const state_owner& owner, std::string_view boot) {
  return !owner.adopts || owner.boot != boot;
}

result<void> write_state_owner(const directories& dirs, const state_owner& owner) {
  const json whole{{"version", 1},
                   {"runDir", owner.run_dir.native()},
                   {"madeRunDir", owner.made_run_dir},
                   {"adopts", owner.adopts},
                   {"boot", owner.boot}};
  return write_file_atomic(dirs.pod_states_owner(),
                           whole.dump(1, ' ', false, json::error_handler_t::replace) + "\n", 0600);
}

result<state_owner> read_state_owner(const directories& dirs) {
  return read_file(dirs.pod_states_owner(), max_owner_file).and_then(decode);
}

void release_state(const directories& dirs) {
  if (::rmdir(dirs.pod_states().c_str()) == 0 || errno == ENOENT)
    ::unlink(dirs.pod_states_owner().c_str());
}

std::vector<state_owner> other_state_owners(const directories& dirs, std::vector<error>& troubles) {
  std::vector<state_owner> out;
  for (const auto& path : entries_of(dirs.all_pod_states(), troubles)) {
    if (path.extension() != ".json" || path == dirs.pod_states_owner()) continue;
    auto owner = read_file(path, max_owner_file).and_then(decode);
    auto its = dirs;
    if (owner) its.run_dir = owner->run_dir;
    if (owner && its.pod_states_owner() != path)
      owner = fail(errc::corrupt, "read", "an owner's file", "its name is another one's");
    if (owner)
      out.push_back(*std::move(owner));
    else if (owner.error().code != errc::not_found) // its owner has just gone
      troubles.push_back(wrap(std::move(owner).error(), "use", path).value());
  }
  return out;
}

std::vector<error> move_old_states(const directories& dirs) {
  std::vector<error> troubles;
  for (const auto& record : entries_of(dirs.pod_records(), troubles)) {
    const auto uid = record.stem().string();
    const auto from = dirs.all_pod_states() / uid;
    std::error_code ec;
    if (record.extension() != ".json" || uid.starts_with('.') || !fs::is_directory(from, ec) ||
        fs::exists(from.native() + ".json", ec)) // an instance's
      continue;
    // Never over what is there: that is newer.
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, dirs.pod_state(uid).c_str(),
                    RENAME_NOREPLACE) != 0)
      troubles.push_back(fail_errno(errno, "move", from).value());
  }
  return troubles;
}

} // namespace tank
