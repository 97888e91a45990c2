/// tank image import | load | save
#include "base/thread.hpp"
#include "base/time.hpp"
#include "cli/image_store.hpp"
#include "cli/signals.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"
#include "oci/image_source.hpp"
#include "oci/reference.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <optional>
#include <ostream>

#include <poll.h>
#include <sys/eventfd.h>

namespace tank::cli {
namespace {

/// When an image was made: now, or what the field's convention for reproducible builds says.
std::string creation_time(const cli_context& context) {
  auto ns = context.realtime_ns();
  if (const auto epoch = context.env("SOURCE_DATE_EPOCH"))
    ns = std::strtoll(epoch->c_str(), nullptr, 10) * 1'000'000'000LL;
  return format_rfc3339(std::max<std::int64_t>(ns, 0) / 1'000'000'000);
}

struct content_options {
  std::string source;
  std::string name;
  std::vector<std::string> changes;
  std::vector<std::string> names;
  std::string output;
  std::string format = "oci-archive";
};

result<int> import(invocation& line, const content_options& given) {
  const auto name = TANK_TRY(oci::parse_reference(given.name));
  auto store = TANK_TRY(open_image_store(line));
  const auto image =
      TANK_TRY(store.import_rootfs(given.source, name, given.changes, creation_time(line.context)));
  line.context.out << name.familiar() << " " << image.manifest_digest << "\n";
  return exit_ok;
}

result<int> load(invocation& line, const content_options& given) {
  std::optional<oci::reference> name;
  if (!given.name.empty()) name = TANK_TRY(oci::parse_reference(given.name));
  auto store = TANK_TRY(open_image_store(line));
  std::filesystem::path path = given.source == "-" ? "/dev/stdin" : given.source;
  std::string ref;
  if (oci::is_image_source(given.source)) {
    auto source = TANK_TRY(oci::parse_image_source(given.source));
    path = std::move(source.path);
    ref = std::move(source.ref);
  }
  for (const auto& image : TANK_TRY(store.load(path, name ? &*name : nullptr, ref)))
    line.context.out << image.name << " " << image.manifest_digest << "\n";
  return exit_ok;
}

/// Runs `work` in a thread of its own; SIGINT and SIGTERM cancel it.
result<void> interruptible(const std::function<result<void>(const oci::cancellation&)>& work) {
  auto signals = TANK_TRY(termination_signals::take(false));
  oci::cancellation stop;
  const unique_fd over{::eventfd(0, EFD_CLOEXEC)};
  if (!over) return fail_errno(errno, "create", "eventfd");
  result<void> done;
  auto worker = quiet_thread([&] {
    done = work(stop);
    ::eventfd_write(over.get(), 1);
  });
  for (bool running = true; running;) {
    std::array<pollfd, 2> fds{pollfd{over.get(), POLLIN, 0}, pollfd{signals.fd(), POLLIN, 0}};
    ::poll(fds.data(), fds.size(), -1);
    while (signals.next() != 0)
      stop.cancel();
    running = (fds[0].revents & POLLIN) == 0;
  }
  worker.join();
  return done;
}

result<int> save(invocation& line, const content_options& given) {
  const auto& names = given.names;
  const auto store = TANK_TRY(open_image_store(line));
  if (given.output == "-") {
    if (given.format != "oci-archive")
      return fail(errc::invalid, "save image to", "standard output", "only an archive goes there");
    // Nothing is to be cleaned up here. A signal ends even a write that nobody reads.
    TANK_TRY(store.save(names, line.context.out_fd));
    return exit_ok;
  }
  const auto format =
      given.format == "oci" ? oci::save_format::oci_directory : oci::save_format::oci_archive;
  TANK_TRY(interruptible([&](const oci::cancellation& stop) {
    return store.save(names, given.output, format, &stop);
  }));
  for (const auto& name : names)
    line.context.out << name << " saved\n";
  return exit_ok;
}

} // namespace

void add_image_content(CLI::App& image, invocation& line) {
  auto given = std::make_shared<content_options>();
  auto* imported = image.add_subcommand("import", "Make an image of one root filesystem archive");
  imported->add_option("ROOTFS", given->source, "a tar: plain, gzip or zstd")->required();
  imported->add_option("NAME", given->name, "what to call it")->required();
  imported->add_option("--change", given->changes, "a Dockerfile line: CMD, ENTRYPOINT, ENV, ...")
      ->type_name("LINE")
      ->take_all()
      ->allow_extra_args(false);
  imported->footer("Examples:\n"
                   "  tank image import rootfs.tar localhost/web:1 --change 'CMD [\"httpd\"]'");
  does(imported, line, given, import);

  auto* loaded = image.add_subcommand("load", "Load an OCI layout or a saved image archive");
  loaded
      ->add_option("SOURCE", given->source,
                   "OCI layout directory or archive, docker archive; - is standard input; also "
                   "oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF]")
      ->required();
  loaded->add_option("NAME", given->name, "for an archive that names none");
  loaded->footer("Examples:\n"
                 "  tank image load nginx.tar\n"
                 "  docker save web:1 | tank image load -");
  does(loaded, line, given, load);

  auto* saved = image.add_subcommand("save", "Write images as an OCI archive or layout");
  saved->add_option("NAME", given->names, "names")->required();
  saved->add_option("-o,--output", given->output, "where to; - is standard output")
      ->type_name("PATH")
      ->required();
  accept_only(*saved->add_option("--format", given->format, "oci-archive (default) or oci")
                   ->type_name("FORMAT"),
              {"oci-archive", "oci"});
  saved->footer("Examples:\n"
                "  tank image save web:1 -o web.tar\n"
                "  tank image save web:1 -o - | ssh other tank image load -");
  does(saved, line, given, save);
}

} // namespace tank::cli
