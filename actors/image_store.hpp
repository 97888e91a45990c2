/// The image store as an actor: resolves names in worker threads, one flight per name, and knows
/// which layers are in use.
#pragma once

#include "actors/runtime_messages.hpp"
#include "actors/worker.hpp"
#include "base/error.hpp"
#include "oci/image.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tank {

struct image_store_options {
  /// oci::store::resolve, or a fake. Called from worker threads; blocking.
  std::function<result<oci::image>(std::string_view name)> resolve;
  std::shared_ptr<job_runner> jobs;
};

caf::actor spawn_image_store(caf::actor_system& sys, image_store_options options);

/// What the user reads when an image is not here.
error explain_missing_image(error why, const std::string& name);

} // namespace tank
