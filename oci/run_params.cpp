#include "oci/run_params.hpp"

#include "config/expand.hpp"

#include <functional>
#include <map>
#include <utility>

namespace tank::oci {

namespace {

using variables = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view default_path =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Signals in images are written in either case, as builders take them: "sigquit", "Quit".
std::string upper_case(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

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
  [[nodiscard]] const std::string* get(std::string_view name) const {
    const auto it = index_.find(name);
    return it == index_.end() ? nullptr : &list_[it->second].second;
  }
  [[nodiscard]] const variables& list() const { return list_; }

 private:
  variables list_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

/// Which entries of `env` are literal values of the manifest: only those are expanded; what came
/// from a field, a ConfigMap or a Secret is data. Optional sources that gave nothing are missing in
/// `env`, hence the search, from the end where the two lists agree.
std::vector<bool> literals(const variables& env, const std::vector<config::env_var>& declared) {
  std::map<std::string_view, std::vector<std::size_t>> places; // ascending
  for (std::size_t d = 0; d < declared.size(); ++d)
    places[declared[d].name].push_back(d);
  std::vector<bool> out(env.size(), false);
  auto end = declared.size();
  for (auto i = env.size(); i-- > 0;) {
    const auto it = places.find(env[i].first);
    if (it == places.end()) continue; // of envFrom
    auto& before = it->second;
    while (!before.empty() && before.back() >= end)
      before.pop_back();
    if (before.empty()) continue;
    end = before.back();
    out[i] = !declared[end].value_from.has_value();
  }
  return out;
}

/// What one container's arguments and variables may still take.
class text_budget {
 public:
  explicit text_budget(const config::container& of) : of_(of) {}
  [[nodiscard]] std::size_t left() const { return left_; }
  result<void> take(std::size_t bytes) {
    if (bytes > left_) return exceeded();
    left_ -= bytes;
    return {};
  }
  [[nodiscard]] failure exceeded() const {
    return fail(errc::limit, "run container", of_.name,
                "its arguments and variables are larger than " +
                    std::to_string(config::max_run_text) + " bytes, variables expanded");
  }

 private:
  const config::container& of_;
  std::size_t left_ = config::max_run_text;
};

result<std::string> expanded(const std::string& text, const environment& own, text_budget& budget) {
  const auto lookup = [&](std::string_view name) { return own.get(name); };
  auto out = config::expand(text, lookup, budget.left());
  if (!out) return budget.exceeded();
  TANK_TRY(budget.take(out->size() + 1));
  return *std::move(out);
}

/// The container's own variables: each may refer to those before it.
result<environment> own_environment(const config::container& c, const variables& env,
                                    text_budget& budget) {
  environment own;
  const auto literal = literals(env, c.env);
  for (std::size_t i = 0; i < env.size(); ++i) {
    TANK_TRY(budget.take(env[i].first.size() + 1));
    if (literal[i]) {
      own.set(env[i].first, TANK_TRY(expanded(env[i].second, own, budget)));
      continue;
    }
    TANK_TRY(budget.take(env[i].second.size() + 1));
    own.set(env[i].first, env[i].second);
  }
  return own;
}

result<std::vector<std::string>> environment_texts(const environment& own,
                                                   const image_config& image, text_budget& budget) {
  environment all;
  for (const auto& entry : image.env) {
    const auto equals = entry.find('=');
    if (equals == 0) continue; // names nothing
    TANK_TRY(budget.take(entry.size() + 1));
    all.set(entry.substr(0, equals),
            equals == std::string::npos ? std::string{} : entry.substr(equals + 1));
  }
  for (const auto& [name, value] : own.list())
    all.set(name, value);
  // An empty one in the image is as good as none; the container's own counts as it is.
  const auto* path = all.get("PATH");
  if (path == nullptr || (path->empty() && own.get("PATH") == nullptr))
    all.set("PATH", std::string{default_path});
  std::vector<std::string> out;
  out.reserve(all.list().size());
  for (const auto& [name, value] : all.list())
    out.push_back(name + "=" + value);
  return out;
}

result<std::vector<std::string>> arguments(const config::container& c, const environment& own,
                                           const image_config& image, text_budget& budget) {
  std::vector<std::string> out;
  const auto append = [&](const std::vector<std::string>& words, bool expand) -> result<void> {
    for (const auto& word : words) {
      if (expand) {
        out.push_back(TANK_TRY(expanded(word, own, budget)));
        continue;
      }
      TANK_TRY(budget.take(word.size() + 1));
      out.push_back(word);
    }
    return {};
  };
  if (!c.command.empty()) {
    TANK_TRY(append(c.command, true));
    TANK_TRY(append(c.args, true));
    return out;
  }
  TANK_TRY(append(image.entrypoint, false));
  TANK_TRY(c.args.empty() ? append(image.cmd, false) : append(c.args, true));
  return out;
}

} // namespace

result<run_params> merge_run_params(const config::container& container, const variables& env,
                                    const image_config& image) {
  run_params out;
  text_budget budget{container};
  const auto own = TANK_TRY(own_environment(container, env, budget));
  out.argv = TANK_TRY(arguments(container, own, image, budget));
  if (out.argv.empty() || out.argv.front().empty())
    return fail(errc::invalid, "run container", container.name, "no_command",
                "set command in the manifest, or CMD or ENTRYPOINT in the image");
  out.env = TANK_TRY(environment_texts(own, image, budget));
  out.cwd = "/";
  if (!container.working_dir.empty()) {
    out.cwd = container.working_dir;
  } else if (!image.working_dir.empty()) {
    out.cwd = image.working_dir.starts_with('/') ? image.working_dir : "/" + image.working_dir;
    out.cwd_from_image = true;
  }
  out.stop_signal = "SIGTERM";
  if (!image.stop_signal.empty()) out.stop_signal = upper_case(image.stop_signal);
  if (container.lifecycle && container.lifecycle->stop_signal)
    out.stop_signal = *container.lifecycle->stop_signal;
  return out;
}

} // namespace tank::oci
