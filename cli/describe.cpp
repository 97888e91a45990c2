#include "cli/client.hpp"
#include "cli/invocation.hpp"
#include "cli/tables.hpp"
#include "cli/usage.hpp"

#include <CLI/App.hpp>

#include <ostream>

namespace tank::cli {
namespace {

struct describe_options {
  std::string what;
  std::string name;
  std::string ns;
  std::string output;
};

result<int> describe(invocation& line, const describe_options& given) {
  const auto settings = TANK_TRY(line.settings());
  const auto wanted = TANK_TRY(parse_pod_name(given.name, given.ns));
  auto daemon = TANK_TRY(client::connect(settings.dirs.control_socket()));
  const auto pods = TANK_TRY(daemon.pods(wanted.key(), true));
  if (pods.empty())
    return fail(errc::not_found, "describe", "pod/" + short_name(wanted.key()),
                "no such pod is desired", "see: tank get pods");
  auto& out = line.context.out;
  if (given.output == "json")
    out << api::status_document(pods, true, 2) << "\n";
  else if (given.output == "yaml")
    out << api::status_yaml(pods, true);
  else
    out << describe_pod(pods.front(), line.context.realtime_ns());
  return exit_ok;
}

} // namespace

void add_describe(CLI::App& app, invocation& line) {
  auto given = std::make_shared<describe_options>();
  auto* command = app.add_subcommand("describe", "All that is known of a pod");
  accept_only(*command->add_option("WHAT", given->what, "pod")->required(), {"pod", "pods"});
  command->add_option("NAME", given->name, "web, pod/web, or ns/web")->required();
  command->add_option("-n,--namespace", given->ns, "namespace of NAME (default)")
      ->type_name("NAMESPACE");
  accept_only(
      *command
           ->add_option("-o,--output", given->output, "json or yaml, with the normalised manifest")
           ->type_name("FORMAT"),
      {"json", "yaml"});
  command->footer("Shows the state, the last exit, warnings, and how long each phase of the last\n"
                  "bring-up took.\n\nExamples:\n  tank describe pod web");
  command->callback(
      [&line, given] { line.action = [&line, given] { return describe(line, *given); }; });
}

} // namespace tank::cli
