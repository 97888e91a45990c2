/// The image store as the verbs of `tank image` open it.
#pragma once

#include "base/paths.hpp"
#include "cli/invocation.hpp"
#include "oci/store.hpp"

#include <CLI/App.hpp>

#include <memory>

namespace tank::cli {

/// The store of the settings, which knows what pods use now and what manifests name.
result<oci::store> open_image_store(invocation& line);

/// The images that the files of a watch directory name. An error when one cannot be read: then
/// nobody knows which images its pods need. Blocking.
result<std::vector<std::string>> images_of_manifests(const std::filesystem::path& dir);

// What `tank image` is made of; each adds its verbs.
void add_image_pull(CLI::App& image, invocation& line);
void add_image_content(CLI::App& image, invocation& line); ///< import, load, save
void add_image_upkeep(CLI::App& image, invocation& line);  ///< list, inspect, rm, prune, verify

} // namespace tank::cli
