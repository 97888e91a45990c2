/// Which image layers running pods stand on, for whoever removes images: any process, whatever has
/// become of the images' names, and whether or not a daemon runs now.
///
/// A run writes the list beside its writable layer (pods/<instance>/<uid>/containers/<name>/lower
/// in the state directory), which is there as long as the run is, and swept with it.
#pragma once

#include "base/error.hpp"
#include "base/paths.hpp"
#include "oci/store.hpp"

#include <filesystem>
#include <vector>

namespace tank {

/// Before the launch; `directory` is the parent of upper and work, made when it is missing.
result<void> write_layers_in_use(const std::filesystem::path& directory,
                                 const std::vector<std::filesystem::path>& layers);

/// Of all pods below that state directory, whosever they are. What cannot be read is skipped.
std::vector<std::filesystem::path> read_layers_in_use(const directories& dirs);

/// How this host's image store is to be opened, so that it spares what pods stand on.
oci::store_options store_options_of(const directories& dirs);

} // namespace tank
