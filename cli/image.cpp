#include "base/file.hpp"
#include "base/trusted_path.hpp"
#include "cli/image_store.hpp"
#include "cli/manifest_dir.hpp"
#include "cli/registries.hpp"
#include "config/pod_images.hpp"

namespace tank::cli {

result<std::vector<std::string>> images_of_manifests(const std::filesystem::path& dir) {
  std::vector<std::string> out;
  for (const auto& path : TANK_TRY(manifest_files(dir))) {
    const auto text = read_file(path, config::manifest_limits{}.max_bytes);
    if (!text && text.error().code == errc::not_found) continue; // removed meanwhile
    if (!text) return tl::make_unexpected(text.error());
    const auto manifest = config::parse_manifest(*text);
    // The daemon may keep the last version that was good, whose images are not known here.
    if (!manifest.valid())
      return fail(errc::invalid, "read", path,
                  "it has errors, so that the images of its pods are not known",
                  "mend or remove it, see: tank validate " + path.string());
    for (const auto& document : manifest.pods)
      for (auto& name : config::images_of(document.pod))
        out.push_back(std::move(name));
  }
  return out;
}

result<oci::store> open_image_store(invocation& line) {
  const auto settings = TANK_TRY(line.settings());
  TANK_TRY(make_directories(settings.dirs.state_dir));
  TANK_TRY(check_trusted_directory(settings.dirs.state_dir));
  auto options = store_options_from(settings);
  options.named_by_manifests = [dir = settings.dirs.manifest_dir] {
    return images_of_manifests(dir);
  };
  return oci::store::open(settings.dirs.images(), std::move(options));
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
