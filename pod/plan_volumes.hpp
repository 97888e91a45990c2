/// What volumes of ConfigMaps, Secrets and fields show, decided; and done through the kernel port.
///
/// Rules:
///  * Sources merge in their order; of two files with one path the later one counts.
///  * Without items all keys are shown; with them those alone, and a missing one is an error unless
///    its source is optional.
///  * With fsGroup all belong to that group, which may read them whatever their mode.
///  * Containers get these volumes read-only, and see each change of a document as soon as its file
///    has changed, all of it at once (kernel/volumes.hpp).
#pragma once

#include "base/error.hpp"
#include "config/pod.hpp"
#include "kernel/volumes.hpp"
#include "pod/documents.hpp"
#include "pod/sandbox.hpp"

#include <filesystem>
#include <set>
#include <vector>

namespace tank {

/// A volume whose files Tank writes.
bool is_projected(const config::volume& volume);

struct projected_volume {
  std::filesystem::path directory;
  kernel::projection what;
  bool operator==(const projected_volume&) const = default;
};

/// What `volume`, of the kind above, shows now. errc::not_found when it wants what is not there.
/// `users` are the pod's. Pure.
result<projected_volume> plan_projection(const pod_request& request, const config::volume& volume,
                                         kernel::user_range users);

/// Whether a volume of the pod shows one of these documents. Pure.
bool shows_any(const config::pod& pod, const std::set<document_id>& which);

/// The tmpfs that a pod's projected volumes are in.
result<void> mount_pod_volumes(const directories& dirs, const std::string& uid,
                               kernel::volumes& volumes);

/// Shows the documents of now in all volumes of the pod; what wants a document that is gone keeps
/// showing what it had. Blocking.
result<void> refresh_volumes(const pod_request& request, kernel::volumes& volumes);

} // namespace tank
