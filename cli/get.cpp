#include "cli/chosen.hpp"
#include "cli/client.hpp"
#include "cli/get_documents.hpp"
#include "cli/invocation.hpp"
#include "cli/tables.hpp"
#include "cli/usage.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <ostream>

namespace tank::cli {
namespace {

struct get_options {
  std::string what = "pods";
  std::vector<std::string> names;
  std::string ns;
  std::string output = "table";
  bool watch = false;
  bool show_secrets = false;
};

void print_pods(invocation& line, const get_options& given, const std::vector<pod_status>& pods) {
  auto& out = line.context.out;
  const auto now = line.context.realtime_ns();
  if (given.output == "json") out << api::status_document(pods, false, 2) << "\n";
  if (given.output == "yaml") out << api::status_yaml(pods, false);
  if (given.output == "name")
    for (const auto& pod : pods)
      out << "pod/" << short_name(pod.key) << "\n";
  if (given.output == "table" || given.output == "wide")
    out << pod_table(pods, now, {given.output == "wide", false, 0});
  out.flush();
}

result<std::vector<pod_status>> choose(std::vector<pod_status> pods, const get_options& given) {
  return chosen(std::move(pods), given.names, given.ns, "no such pod is desired");
}

result<int> get_pods(invocation& line, const get_options& given) {
  const auto settings = TANK_TRY(line.settings());
  auto daemon = TANK_TRY(client::connect(settings.dirs.control_socket()));
  if (!given.watch) {
    auto pods = TANK_TRY(daemon.pods());
    print_pods(line, given, TANK_TRY(choose(std::move(pods), given)));
    return exit_ok;
  }
  TANK_TRY(daemon.start_watch());
  const bool table = given.output == "table" || given.output == "wide";
  std::optional<std::string> before;
  while (line.context.out && daemon.await_watch(line.context.out_fd)) {
    auto all = TANK_TRY(daemon.next_watch());
    const auto pods = TANK_TRY(choose(std::move(all), given));
    // Not every change shows in a table: ages aside, the same one is not printed twice.
    auto now = table ? pod_table(pods, 0, {given.output == "wide", true, 0}) : "";
    if (table && now == before) continue;
    before = std::move(now);
    print_pods(line, given, pods);
  }
  return exit_ok;
}

result<int> get_files(invocation& line, const get_options& given) {
  const auto settings = TANK_TRY(line.settings());
  auto daemon = TANK_TRY(client::connect(settings.dirs.control_socket()));
  const auto files = TANK_TRY(daemon.files());
  auto& out = line.context.out;
  if (given.output == "json") {
    out << api::file_document(files, 2) << "\n";
  } else if (given.output == "yaml") {
    out << api::file_yaml(files);
  } else if (given.output == "name") {
    for (const auto& file : files)
      out << file.file << "\n";
  } else {
    out << file_table(files);
  }
  return exit_ok;
}

void add_options(CLI::App& command, invocation& line, const std::shared_ptr<get_options>& given) {
  command.add_option("NAME", given->names, "only these");
  command.add_option("-n,--namespace", given->ns, "only this namespace")->type_name("NAMESPACE");
  accept_only(*command.add_option("-o,--output", given->output, "table, wide, json, yaml or name")
                   ->type_name("FORMAT"),
              {"table", "wide", "json", "yaml", "name"});
  command.add_flag("-w,--watch", given->watch, "print again at each change, until Ctrl-C");
  command.callback([&line, given] {
    const bool files = given->what == "files" || given->what == "file";
    if (files && !given->names.empty()) line.misuse = "a NAME is for pods, not for files";
    const auto kind = document_kind_of(given->what);
    if (kind && given->watch) line.misuse = "--watch is for pods";
    if (given->show_secrets &&
        (kind != document_kind::secret || (given->output != "yaml" && given->output != "json")))
      line.misuse = "--show-secrets is for 'get secrets' with -o yaml or -o json";
    line.action = [&line, given, files, kind] {
      if (kind)
        return get_documents(line,
                             {*kind, given->names, given->ns, given->output, given->show_secrets});
      return files ? get_files(line, *given) : get_pods(line, *given);
    };
  });
}

} // namespace

void add_get(CLI::App& app, invocation& line) {
  auto given = std::make_shared<get_options>();
  auto* get = app.add_subcommand(
      "get", "Show pods, ConfigMaps, Secrets, claims, or the watch directory's files");
  accept_only(
      *get->add_option("WHAT", given->what, "pods, configmaps, secrets, pvc or files")->required(),
      {"pods", "configmaps", "secrets", "pvc", "files", "pod", "po", "configmap", "cm", "secret",
       "pvcs", "file"});
  add_options(*get, line, given);
  get->add_flag("--show-secrets", given->show_secrets,
                "with -o yaml or -o json: the values of Secrets too");
  get->footer("Examples:\n"
              "  tank get pods\n"
              "  tank get pods -o json\n"
              "  tank get pods web -o wide\n"
              "  tank get configmaps app -o yaml\n"
              "  tank get files            which manifests are in force, and what is wrong");
  auto* ps = app.add_subcommand("ps", "The same as 'get pods'");
  add_options(*ps, line, std::make_shared<get_options>());
  ps->footer("Examples:\n  tank ps -o wide");
}

} // namespace tank::cli
