/// What the image store is asked and answers.
#pragma once

#include "actors/caf_compat.hpp"
#include "base/error.hpp"
#include "pod/image_problem.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace tank::oci {
struct image;
}

namespace tank {

/// Asks for an image; `to` gets one image_resolved with the same ticket, and image_progress before
/// it while the image is pulled. The layers count as in use until `to` ends; a pull that nobody
/// waits for any more is cancelled.
struct resolve_image {
  std::string name;
  std::uint64_t ticket = 0;
  caf::actor to;
  std::string policy = "Never";      ///< imagePullPolicy: Always, IfNotPresent, Never
  std::vector<std::string> logins{}; ///< as in wanted_image
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

} // namespace tank

#define TANK_IMAGE_MESSAGES(M, O, b)                                                               \
  O(b, resolve_image)                                                                              \
  O(b, image_resolved)                                                                             \
  M(b, image_progress, ticket, text)                                                               \
  M(b, get_layers_in_use)                                                                          \
  O(b, layers_in_use)
TANK_ROLE_MESSAGES(tank_images, ::tank::compat::roles::images, TANK_IMAGE_MESSAGES);
