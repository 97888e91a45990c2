#include "oci/registry_pull.hpp"

#include "oci/pull_totals.hpp"

#include <memory>
#include <utility>

namespace tank {

image_pull make_image_pull(oci::image_puller puller) {
  return [shared = std::make_shared<const oci::image_puller>(std::move(puller))](
             const wanted_image& what, const std::function<void(std::string)>& progress,
             oci::cancellation& stop) {
    oci::pull_totals totals; // the progress of one pull comes one call at a time
    oci::pull_options how;
    how.logins = what.logins;
    how.progress = [&](const oci::layer_progress& p) {
      totals.take(p);
      progress(totals.text(what.name));
    };
    return shared->pull(what.name, how, stop);
  };
}

} // namespace tank
