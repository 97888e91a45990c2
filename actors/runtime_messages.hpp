/// The messages around runtimes, images and manifests, plain structs as in messages.hpp. Made
/// sendable in message_types.hpp.
#pragma once

#include "actors/image_problem.hpp"
#include "actors/messages.hpp"
#include "actors/pod_usage.hpp"
#include "base/error.hpp"

#include <caf/actor.hpp>
#include <caf/actor_addr.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tank::oci {
struct image;
}

namespace tank {

struct launch_inputs;
struct parsed_file;

// --- image store ---------------------------------------------------------------------------------

/// Asks for an image; `to` gets one image_resolved with the same ticket, and image_progress before
/// it while the image is pulled. The layers count as in use until `to` ends; a pull that nobody
/// waits for any more is cancelled.
struct resolve_image {
  std::string name;
  std::uint64_t ticket = 0;
  caf::actor to;
  std::string policy = "Never"; ///< imagePullPolicy: Always, IfNotPresent, Never
};
struct image_resolved {
  std::uint64_t ticket = 0;
  std::shared_ptr<const oci::image> image; ///< null on failure
  error why;
  image_problem problem = image_problem::none;
};
struct image_progress {
  std::uint64_t ticket = 0;
  std::string text; ///< "pulling image 'web:1': 12.0 of 150.2 MiB"
};

/// -> layers_in_use
struct get_layers_in_use {
  bool operator==(const get_layers_in_use&) const = default;
};
struct layers_in_use {
  std::vector<std::filesystem::path> layers; ///< each once
};

/// Of the store to itself: a flight has landed; somebody who used an image has ended.
struct image_landed {
  std::string name;
  std::shared_ptr<const oci::image> image;
  error why;
  std::uint64_t flight = 0; ///< which pull; 0: it was looked for here
};
struct image_flight_progress {
  std::string name;
  std::uint64_t flight = 0;
  std::string text;
};
struct image_user_down {
  caf::actor_addr user;
};

// --- reconciler -> runtime -----------------------------------------------------------------------

/// The pod has other limits, and is the same in all that cannot change while it runs. A runtime
/// whose workload has not ended puts them in force, or not, and tells its owner limits_changed;
/// from one whose workload has ended nothing comes.
struct change_limits {
  desired_pod what;
  bool operator==(const change_limits&) const = default;
};

// --- runtime, to itself --------------------------------------------------------------------------

struct launch_prepared {
  std::shared_ptr<const launch_inputs> inputs; ///< null on failure
  error why;
  std::chrono::microseconds limits{0}; ///< how long its cgroups took to make
};
struct launch_cleaned {
  std::optional<error> why;
};
/// The cgroups have the limits of `hash`, or not.
struct limits_put {
  std::string hash;
  std::optional<error> why;
};
struct runtime_timer {
  std::uint64_t serial = 0;
  bool operator==(const runtime_timer&) const = default;
};

/// The successor of a reconciler that failed, to each runtime: from now on it is the owner. A
/// runtime whose workload runs says so again.
struct own_runtime {
  caf::actor owner;
  bool operator==(const own_runtime&) const = default;
};

// --- api, to itself ------------------------------------------------------------------------------

/// The cgroups are read for this client.
struct usage_read {
  std::uint64_t client = 0;
  std::vector<pod_usage> pods;
};

// --- observer, to itself ------------------------------------------------------------------------

/// It is time to ask again for what nobody answered.
struct observer_due {
  bool stopping = false;
  bool operator==(const observer_due&) const = default;
};

// --- janitor, to itself -------------------------------------------------------------------------

/// The reconciler has ended (`down`), or it is time to look for its successor.
struct janitor_due {
  bool down = false;
  bool operator==(const janitor_due&) const = default;
};

// --- manifest watcher ----------------------------------------------------------------------------

/// -> file_list: what became of each file, in order of names.
struct get_files {
  bool operator==(const get_files&) const = default;
};
struct file_list {
  std::vector<file_status> files;
};
/// Reads everything anew -> file_list, after the scan.
struct rescan_files {
  bool operator==(const rescan_files&) const = default;
};

/// Of the watcher to itself.
struct scan_due {
  std::uint64_t serial = 0; ///< 0: the periodic one
  bool operator==(const scan_due&) const = default;
};
struct scan_result;
struct scan_done {
  std::shared_ptr<const scan_result> result;
};

} // namespace tank
