#include "base/file.hpp"
#include "cli/image_store.hpp"
#include "cli/registries.hpp"

namespace tank::cli {

result<oci::store> open_image_store(invocation& line) {
  const auto settings = TANK_TRY(line.settings());
  TANK_TRY(make_directories(settings.dirs.state_dir));
  return oci::store::open(settings.dirs.images(), store_options_from(settings));
}

void add_image(CLI::App& app, invocation& line) {
  auto* image = app.add_subcommand("image", "Pull, bring, list, keep and remove images");
  image->require_subcommand(1);
  image->fallthrough();
  image->footer("Examples:\n"
                "  tank image pull nginx:1.27\n"
                "  tank image import rootfs.tar localhost/web:1\n"
                "  tank image load nginx.tar\n"
                "  tank image list");
  add_image_pull(*image, line);
  add_image_content(*image, line);
  add_image_upkeep(*image, line);
}

} // namespace tank::cli
