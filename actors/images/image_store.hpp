/// The image store as an actor: finds images here or pulls them, in other threads, one flight per
/// name, and knows which layers are in use.
#pragma once

#include "actors/images/messages.hpp"
#include "base/error.hpp"
#include "base/worker.hpp"
#include "oci/image.hpp"
#include "oci/image_pull.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace tank {

struct image_store_options {
  /// oci::store::resolve, or a fake. Called from worker threads; blocking.
  std::function<result<oci::image>(std::string_view name)> resolve;
  std::shared_ptr<job_runner> jobs;
  image_pull pull;                   ///< empty: what is not here is not found
  std::shared_ptr<job_runner> pulls; ///< apart from `jobs`: a pull may take an hour
  bool offline = false;              ///< there is no `pull` because nobody may be asked
};

caf::actor spawn_image_store(caf::actor_system& sys, image_store_options options);

/// What to do for one question, by imagePullPolicy.
enum class image_lookup : std::uint8_t {
  here_only,  ///< Never, or a name that no registry can have
  here_first, ///< IfNotPresent: pull what is not here, or is damaged
  registry,   ///< Always: ask the registry; layers that are here are not downloaded
};
/// Names without a registry behind them are here or nowhere, whatever the policy: `rootfs:` and
/// other transports, and the registry "localhost" without a port, where imported images live.
image_lookup plan_lookup(std::string_view name, std::string_view policy);

/// What the user reads when an image is not here.
error explain_missing_image(error why, const std::string& name, bool offline = false);

} // namespace tank
