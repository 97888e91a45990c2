#include "cli/client.hpp"
#include "cli/invocation.hpp"
#include "cli/tables.hpp"

#include <CLI/App.hpp>

#include <ostream>

namespace tank::cli {

void add_restart(CLI::App& app, invocation& line) {
  struct options {
    std::vector<std::string> names;
    std::string ns;
  };
  auto given = std::make_shared<options>();
  auto* command = app.add_subcommand("restart", "Stop a pod gracefully and start it afresh");
  command->add_option("NAME", given->names, "web, pod/web, or ns/web")->required();
  command->add_option("-n,--namespace", given->ns, "namespace of NAME (default)")
      ->type_name("NAMESPACE");
  command->footer("Also starts a pod that has ended.\n\nExamples:\n  tank restart web");
  command->callback([&line, given] {
    line.action = [&line, given]() -> result<int> {
      const auto settings = TANK_TRY(line.settings());
      auto daemon = TANK_TRY(client::connect(settings.dirs.control_socket()));
      for (const auto& name : given->names) {
        const auto wanted = TANK_TRY(parse_pod_name(name, given->ns));
        auto done = daemon.restart(wanted.key());
        if (!done && done.error().code == errc::not_found)
          return fail(errc::not_found, "restart", "pod/" + short_name(wanted.key()),
                      "no such pod is desired", "see: tank get pods");
        TANK_TRY(std::move(done));
        line.context.out << "pod/" << short_name(wanted.key()) << " restarted\n";
      }
      return exit_ok;
    };
  });
}

} // namespace tank::cli
