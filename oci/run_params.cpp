#include "oci/run_params.hpp"

#include "config/expand.hpp"

#include <optional>
#include <unordered_map>
#include <utility>

namespace tank::oci {

namespace {

using variables = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view default_path =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Ordered, without duplicates: a later value takes the earlier one's place.
class environment {
 public:
  void set(const std::string& name, std::string value) {
    const auto [it, added] = index_.try_emplace(name, list_.size());
    if (added)
      list_.emplace_back(name, std::move(value));
    else
      list_[it->second].second = std::move(value);
  }
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const {
    const auto it = index_.find(std::string{name});
    if (it == index_.end()) return std::nullopt;
    return list_[it->second].second;
  }
  [[nodiscard]] const variables& list() const { return list_; }

 private:
  variables list_;
  std::unordered_map<std::string, std::size_t> index_;
};

/// Which entries of `env` are literal values of the manifest: only those are expanded; what came
/// from a field, a ConfigMap or a Secret is data. Optional sources that gave nothing are missing in
/// `env`, hence the search, from the end where the two lists agree.
std::vector<bool> literals(const variables& env, const std::vector<config::env_var>& declared) {
  std::vector<bool> out(env.size(), false);
  auto d = declared.size();
  for (auto i = env.size(); i-- > 0;) {
    auto at = d;
    while (at > 0 && declared[at - 1].name != env[i].first)
      --at;
    if (at == 0) continue; // of envFrom
    out[i] = !declared[at - 1].value_from.has_value();
    d = at - 1;
  }
  return out;
}

/// The container's own variables: each may refer to those before it.
environment own_environment(const config::container& c, const variables& env) {
  environment own;
  const auto literal = literals(env, c.env);
  for (std::size_t i = 0; i < env.size(); ++i) {
    const auto lookup = [&](std::string_view name) { return own.get(name); };
    own.set(env[i].first, literal[i] ? config::expand(env[i].second, lookup) : env[i].second);
  }
  return own;
}

std::vector<std::string> environment_texts(const environment& own, const image_config& image) {
  environment all;
  for (const auto& entry : image.env) {
    const auto equals = entry.find('=');
    if (equals == 0) continue; // names nothing
    all.set(entry.substr(0, equals),
            equals == std::string::npos ? std::string{} : entry.substr(equals + 1));
  }
  for (const auto& [name, value] : own.list())
    all.set(name, value);
  if (!all.get("PATH")) all.set("PATH", std::string{default_path});
  std::vector<std::string> out;
  out.reserve(all.list().size());
  for (const auto& [name, value] : all.list())
    out.push_back(name + "=" + value);
  return out;
}

} // namespace

result<run_params> merge_run_params(const config::container& container, const variables& env,
                                    const image_config& image) {
  run_params out;
  const auto own = own_environment(container, env);
  const auto lookup = [&](std::string_view name) { return own.get(name); };
  const auto append = [&](const std::vector<std::string>& words, bool expand) {
    for (const auto& word : words)
      out.argv.push_back(expand ? config::expand(word, lookup) : word);
  };
  if (!container.command.empty()) {
    append(container.command, true);
    append(container.args, true);
  } else {
    append(image.entrypoint, false);
    if (container.args.empty())
      append(image.cmd, false);
    else
      append(container.args, true);
  }
  if (out.argv.empty() || out.argv.front().empty())
    return fail(errc::invalid, "run container", container.name, "no_command",
                "set command in the manifest, or CMD or ENTRYPOINT in the image");
  out.env = environment_texts(own, image);
  out.cwd = "/";
  if (!container.working_dir.empty()) {
    out.cwd = container.working_dir;
  } else if (!image.working_dir.empty()) {
    out.cwd = image.working_dir.starts_with('/') ? image.working_dir : "/" + image.working_dir;
    out.cwd_from_image = true;
  }
  out.stop_signal = "SIGTERM";
  if (!image.stop_signal.empty()) out.stop_signal = image.stop_signal;
  if (container.lifecycle && container.lifecycle->stop_signal)
    out.stop_signal = *container.lifecycle->stop_signal;
  return out;
}

} // namespace tank::oci
