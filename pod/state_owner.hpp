/// Which instances of Tank keep pods below one state directory: beside each one's directory is a
/// file that says whose it is (pods/<instance>.json). Whoever starts finds by it what an instance
/// has left that will never come back for it.
///
/// Whether an owner lives tells the lock of its run directory, not this file.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace tank {

struct state_owner {
  std::filesystem::path run_dir;
  bool made_run_dir = false; ///< and so takes it away at its end
  bool adopts = false;       ///< its pods outlive it: the next one with its run_dir takes them over
  std::string boot;          ///< in which it ran (boot_id)
  bool operator==(const state_owner&) const = default;
};

/// Whether nobody will take over what an owner that does not live has left: it was to end its pods
/// itself, or they ended with an earlier boot. Pure.
bool is_left_behind(const state_owner& owner, std::string_view boot);

/// Writes the file of this instance, which holds its lock. Blocking, as all that follows.
result<void> write_state_owner(const directories& dirs, const state_owner& owner);

/// What the file of this instance says, by an earlier run of it.
result<state_owner> read_state_owner(const directories& dirs);

/// Removes the instance's directory and its file, unless pods have something in it.
void release_state(const directories& dirs);

/// The owners below the same state directory, without this instance. What cannot be read is told in
/// `troubles` and belongs to nobody.
std::vector<state_owner> other_state_owners(const directories& dirs, std::vector<error>& troubles);

/// Moves the pods of an instance that adopts from where earlier versions had them (pods/<uid>).
/// Which those are its records tell. Returns what could not be moved.
std::vector<error> move_old_states(const directories& dirs);

} // namespace tank
