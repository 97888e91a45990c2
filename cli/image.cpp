#include "base/file.hpp"
#include "cli/client.hpp"
#include "cli/image_text.hpp"
#include "cli/invocation.hpp"
#include "cli/usage.hpp"
#include "config/pod.hpp"
#include "oci/reference.hpp"
#include "oci/store.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <cstdlib>
#include <ostream>
#include <system_error>

namespace tank::cli {
namespace {

result<oci::store> open_store(invocation& line, directories* dirs = nullptr) {
  const auto settings = TANK_TRY(line.settings());
  if (dirs != nullptr) *dirs = settings.dirs;
  TANK_TRY(make_directories(settings.dirs.state_dir));
  return oci::store::open(settings.dirs.images());
}

/// When an image was made: now, or what the field's convention for reproducible builds says.
std::string creation_time(const cli_context& context) {
  auto ns = context.realtime_ns();
  if (const auto epoch = context.env("SOURCE_DATE_EPOCH"))
    ns = std::strtoll(epoch->c_str(), nullptr, 10) * 1'000'000'000LL;
  auto text = api::format_time(std::max<std::int64_t>(ns, 1));
  return text.substr(0, 19) + "Z"; // seconds
}

/// Layers under pods that run now, of the daemon and of every `tank up` of this run directory.
std::vector<std::filesystem::path> layers_in_use(const directories& dirs, const oci::store& store) {
  std::vector<std::filesystem::path> sockets{dirs.control_socket()};
  std::error_code ec;
  for (std::filesystem::directory_iterator it{dirs.run_dir, ec}, end; !ec && it != end;
       it.increment(ec))
    if (it->path().filename().string().starts_with("up-"))
      sockets.push_back(it->path() / "tank.sock");
  std::vector<std::filesystem::path> layers;
  for (const auto& socket : sockets) {
    auto daemon = client::connect(socket);
    if (!daemon) continue;
    const auto pods = daemon->pods();
    if (!pods) continue;
    for (const auto& pod : *pods) {
      if (!pod.pod) continue;
      for (const auto& c : pod.pod->spec.containers)
        if (const auto image = store.resolve(c.image))
          layers.insert(layers.end(), image->layers.begin(), image->layers.end());
    }
  }
  return layers;
}

struct options {
  std::string source;
  std::string name;
  std::vector<std::string> names;
  std::vector<std::string> changes;
  std::string output = "table";
};
using given_options = std::shared_ptr<options>;

result<int> import(invocation& line, const options& given) {
  const auto name = TANK_TRY(oci::parse_reference(given.name));
  auto store = TANK_TRY(open_store(line));
  const auto image =
      TANK_TRY(store.import_rootfs(given.source, name, given.changes, creation_time(line.context)));
  line.context.out << name.familiar() << " " << image.manifest_digest << "\n";
  return exit_ok;
}

result<int> load(invocation& line, const options& given) {
  std::optional<oci::reference> name;
  if (!given.name.empty()) name = TANK_TRY(oci::parse_reference(given.name));
  auto store = TANK_TRY(open_store(line));
  for (const auto& image : TANK_TRY(store.load(given.source, name ? &*name : nullptr)))
    line.context.out << image.name << " " << image.manifest_digest << "\n";
  return exit_ok;
}

result<int> list(invocation& line, const options& given) {
  const auto store = TANK_TRY(open_store(line));
  const auto images = TANK_TRY(store.list());
  auto& out = line.context.out;
  if (given.output == "name") {
    for (const auto& image : images)
      out << image.name << "\n";
    return exit_ok;
  }
  if (given.output == "json") {
    out << image_document(images) << "\n";
    return exit_ok;
  }
  out << image_table(images);
  return exit_ok;
}

result<int> remove(invocation& line, const options& given) {
  directories dirs;
  auto store = TANK_TRY(open_store(line, &dirs));
  for (const auto& text : given.names) {
    const auto name = TANK_TRY(oci::parse_reference(text));
    TANK_TRY(store.remove(name, layers_in_use(dirs, store)));
    line.context.out << name.familiar() << " removed\n";
  }
  return exit_ok;
}

template <class F>
void does(CLI::App* command, invocation& line, const given_options& given, F verb) {
  command->callback(
      [&line, given, verb] { line.action = [&line, given, verb] { return verb(line, *given); }; });
}

} // namespace

void add_image(CLI::App& app, invocation& line) {
  auto given = std::make_shared<options>();
  auto* image = app.add_subcommand("image", "Import, load, list and remove images");
  image->require_subcommand(1);
  image->fallthrough();
  image->footer("Examples:\n"
                "  tank image import rootfs.tar localhost/web:1\n"
                "  tank image load nginx.tar\n"
                "  tank image list");

  auto* imported = image->add_subcommand("import", "Make an image of one root filesystem archive");
  imported->add_option("ROOTFS", given->source, "a tar: plain, gzip or zstd")->required();
  imported->add_option("NAME", given->name, "what to call it")->required();
  imported->add_option("--change", given->changes, "a Dockerfile line: CMD, ENTRYPOINT, ENV, ...")
      ->type_name("LINE")
      ->take_all()
      ->allow_extra_args(false);
  imported->footer("Examples:\n"
                   "  tank image import rootfs.tar localhost/web:1 --change 'CMD [\"httpd\"]'");
  does(imported, line, given, import);

  auto* loaded = image->add_subcommand("load", "Load an OCI layout or a saved image archive");
  loaded->add_option("SOURCE", given->source, "OCI layout directory or archive, docker archive")
      ->required();
  loaded->add_option("NAME", given->name, "for an archive that names none");
  loaded->footer("Examples:\n  tank image load nginx.tar");
  does(loaded, line, given, load);

  auto* listed = image->add_subcommand("list", "The images that are here")->alias("ls");
  accept_only(
      *listed->add_option("-o,--output", given->output, "table, json or name")->type_name("FORMAT"),
      {"table", "json", "name"});
  listed->footer("Examples:\n  tank image list");
  does(listed, line, given, list);

  auto* removed = image->add_subcommand("rm", "Remove images, and the layers nobody needs then");
  removed->add_option("NAME", given->names, "names")->required();
  removed->footer("Layers under running pods stay.\n\nExamples:\n  tank image rm localhost/web:1");
  does(removed, line, given, remove);
}

} // namespace tank::cli
