/// tank image list | inspect | rm | prune | verify
#include "cli/image_store.hpp"
#include "cli/image_text.hpp"
#include "cli/usage.hpp"
#include "cli/verb.hpp"
#include "oci/reference.hpp"

#include <ostream>

namespace tank::cli {
namespace {

struct upkeep_options {
  std::vector<std::string> names;
  std::string output = "table";
  bool unused = false;
  bool contents = false;
};
using upkeep_given = std::shared_ptr<upkeep_options>;

result<int> list(invocation& line, const upkeep_options& given) {
  const auto store = TANK_TRY(open_image_store(line));
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

result<int> inspect(invocation& line, const upkeep_options& given) {
  const auto store = TANK_TRY(open_image_store(line));
  std::vector<oci::image_details> found;
  for (const auto& text : given.names)
    found.push_back(TANK_TRY(store.inspect(text)));
  line.context.out << (given.output == "json" ? details_document(found) + "\n"
                                              : details_text(found));
  return exit_ok;
}

void say(invocation& line, const oci::prune_report& report, const std::string& output) {
  line.context.out << (output == "json" ? prune_document(report) + "\n" : prune_text(report));
}

result<int> remove_images(invocation& line, const upkeep_options& given) {
  auto store = TANK_TRY(open_image_store(line));
  for (const auto& text : given.names) {
    const auto report = TANK_TRY(store.remove(text));
    const auto name = oci::parse_reference(text);
    line.context.out << (name ? name->familiar() : text) << " removed\n";
    if (report.deferred)
      line.context.err << "tank: images are being added now: its layers go with the next "
                          "'tank image prune'\n";
  }
  return exit_ok;
}

result<int> prune(invocation& line, const upkeep_options& given) {
  auto store = TANK_TRY(open_image_store(line));
  say(line, TANK_TRY(store.prune(given.unused)), given.output);
  return exit_ok;
}

result<int> verify(invocation& line, const upkeep_options& given) {
  auto store = TANK_TRY(open_image_store(line));
  const auto found = TANK_TRY(store.verify(given.contents));
  line.context.out << (given.output == "json" ? damage_document(found) + "\n" : damage_text(found));
  return found.empty() ? exit_ok : exit_failed;
}

void takes_output(CLI::App& command, const upkeep_given& given, std::vector<std::string> words) {
  std::string list;
  for (const auto& word : words)
    list.append(list.empty() ? "" : word == words.back() ? " or " : ", ").append(word);
  accept_only(*command.add_option("-o,--output", given->output, list)->type_name("FORMAT"),
              std::move(words));
}

} // namespace

void add_image_upkeep(CLI::App& image, invocation& line) {
  auto given = std::make_shared<upkeep_options>();
  auto* listed = image.add_subcommand("list", "The images that are here")->alias("ls");
  takes_output(*listed, given, {"table", "json", "name"});
  listed->footer("Examples:\n  tank image list");
  does(listed, line, given, list);

  auto* shown = image.add_subcommand("inspect", "All about images: configuration, layers, digests");
  shown->add_option("NAME", given->names, "names")->required();
  takes_output(*shown, given, {"table", "json"});
  shown->footer("Examples:\n  tank image inspect nginx:1.27 -o json");
  does(shown, line, given, inspect);

  auto* removed = image.add_subcommand("rm", "Remove images, and the layers nobody needs then");
  removed->add_option("NAME", given->names, "names")->required();
  removed->footer("Layers under running pods stay.\n\nExamples:\n  tank image rm localhost/web:1");
  does(removed, line, given, remove_images);

  auto* pruned = image.add_subcommand("prune", "Remove layers and blobs that no image needs");
  pruned->add_flag("-a,--all", given->unused,
                   "also images that no pod uses now and no manifest names");
  takes_output(*pruned, given, {"table", "json"});
  pruned->footer("Waits while images are being added.\n\nExamples:\n  tank image prune --all");
  does(pruned, line, given, prune);

  auto* checked = image.add_subcommand("verify", "Compare images with what they were when made");
  checked->add_flag("--contents", given->contents, "also the digests of all blobs");
  takes_output(*checked, given, {"table", "json"});
  checked->footer("Exit status 1 when something is damaged. Loading or pulling the image again "
                  "repairs it.\n\nExamples:\n  tank image verify --contents");
  does(checked, line, given, verify);
}

} // namespace tank::cli
