#include "oci/registry_pull.hpp"

#include "oci/pull_totals.hpp"
#include "oci/reference.hpp"

#include <memory>
#include <utility>

namespace tank {

namespace {

using pulled = result<oci::image>;

/// Of names that are none, the pull itself tells.
std::string registry_of(std::string_view name) {
  const auto parsed = oci::parse_reference(name);
  return parsed ? parsed->registry : std::string{};
}

} // namespace

image_pull make_image_pull(oci::image_puller puller, const oci::pull_line_rules& rules) {
  return [shared = std::make_shared<const oci::image_puller>(std::move(puller)),
          line = std::make_shared<oci::pull_line>(rules)](
             const wanted_image& what, const std::function<void(std::string)>& progress,
             oci::cancellation& stop) {
    const auto pull = [&](const oci::pull_line::progress& came, oci::cancellation& told) -> pulled {
      oci::pull_totals totals; // the progress of one pull comes one call at a time
      oci::pull_options how;
      how.logins = what.logins;
      how.progress = [&](const oci::layer_progress& p) {
        totals.take(p);
        came(totals.done(), totals.total());
        progress(totals.text(what.name));
      };
      return shared->pull(what.name, how, told);
    };
    return line->run<pulled>(registry_of(what.name), stop, pull);
  };
}

} // namespace tank
