#include "cli/validate.hpp"

#include "cli/invocation.hpp"
#include "cli/tables.hpp"
#include "cli/usage.hpp"
#include "config/pod.hpp"

#include <CLI/App.hpp>

#include <algorithm>
#include <ostream>

namespace tank::cli {
namespace {

struct validate_options {
  std::vector<std::string> files;
  std::string output;
};

std::string shown_name(const std::string& file) {
  return file == "-" ? "<stdin>" : file;
}

/// The Pods of all files: one as it is, several as a v1 List.
void print_pods(std::ostream& out, const std::vector<std::string>& pods) {
  if (pods.size() == 1) {
    out << pods.front() << "\n";
    return;
  }
  out << "{\n  \"apiVersion\": \"v1\",\n  \"kind\": \"List\",\n  \"items\": [";
  for (std::size_t i = 0; i < pods.size(); ++i)
    out << (i == 0 ? "\n" : ",\n") << pods[i];
  out << "\n  ]\n}\n";
}

result<int> validate(invocation& line, const validate_options& given) {
  auto& context = line.context;
  bool valid = true;
  std::vector<std::string> pods;
  for (const auto& file : given.files) {
    auto text = read_manifest(context, file);
    if (!text) { // the other files are judged all the same
      context.err << "tank: " << printable(text.error().message()) << "\n";
      valid = false;
      continue;
    }
    const auto parsed = config::parse_manifest(*text);
    valid = valid && parsed.valid();
    // With -o json stdout is the document alone.
    print_diagnostics(given.output.empty() ? context.out : context.err, parsed, shown_name(file));
    for (const auto& doc : parsed.pods)
      if (doc.valid()) pods.push_back(config::to_json(doc.pod));
  }
  if (!given.output.empty() && !pods.empty()) print_pods(context.out, pods);
  return valid ? exit_ok : exit_failed;
}

} // namespace

void print_diagnostics(std::ostream& to, const config::manifest& parsed, const std::string& file) {
  for (const auto& d : parsed.diagnostics)
    to << printable(config::format(d, file)) << "\n";
  for (const auto& doc : parsed.pods)
    for (const auto& d : doc.diagnostics)
      to << printable(config::format(d, file)) << "\n";
}

bool all_runnable(const config::manifest& parsed) {
  return parsed.valid() && !parsed.empty() &&
         std::all_of(parsed.pods.begin(), parsed.pods.end(),
                     [](const auto& doc) { return doc.runnable(); });
}

void add_validate(CLI::App& app, invocation& line) {
  auto given = std::make_shared<validate_options>();
  auto* command = app.add_subcommand("validate", "Judge manifests; needs no daemon and no root");
  command->add_option("FILE", given->files, "manifests; - is stdin")->required();
  accept_only(*command->add_option("-o,--output", given->output, "json: print the normalised Pods")
                   ->type_name("FORMAT"),
              {"json"});
  command->footer(
      "One line a finding: path:line:column: field.path: reason. Exit status: 0 valid, 1 invalid\n"
      "or not realisable on one node, 2 wrong usage. 'not supported yet' and warnings leave it "
      "0.\n\nExamples:\n"
      "  tank validate web.yaml\n"
      "  tank validate -o json - < web.yaml");
  command->callback(
      [&line, given] { line.action = [&line, given] { return validate(line, *given); }; });
}

} // namespace tank::cli
