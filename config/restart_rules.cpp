#include "config/restart_rules.hpp"

#include "base/text.hpp"
#include "base/time.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace tank::config {

result<give_up_rule> parse_give_up(std::string_view text) {
  const auto refuse = [&](std::string why) {
    return fail(errc::invalid, "parse", std::string{text.substr(0, 100)}, std::move(why),
                "write it as never, or as 5 in 10m");
  };
  if (text == "never") return give_up_rule{};
  constexpr std::string_view between = " in ";
  const auto at = text.find(between);
  if (at == std::string_view::npos) return refuse("it is neither never nor a number in a time");
  const auto number = text.substr(0, at);
  give_up_rule rule;
  const auto [end, failed] =
      std::from_chars(number.data(), number.data() + number.size(), rule.runs);
  if (failed != std::errc{} || end != number.data() + number.size() || rule.runs < 1 ||
      rule.runs > give_up_rule::most_runs)
    return refuse("the number of runs must be between 1 and " +
                  std::to_string(give_up_rule::most_runs));
  const auto period = parse_duration(text.substr(at + between.size()));
  if (!period) return refuse(period.error().cause);
  if (*period < std::chrono::seconds{1}) return refuse("the time must be at least 1s");
  rule.period = *period;
  return rule;
}

template <std::size_t N>
static result<std::string> one_of(std::string_view text,
                                  const std::array<std::string_view, N>& names) {
  if (std::find(names.begin(), names.end(), text) != names.end()) return std::string{text};
  std::string list;
  for (const auto name : names)
    list.append(list.empty() ? "" : ", ").append(name);
  return fail(errc::invalid, "parse", std::string{text.substr(0, 100)}, "must be one of " + list);
}

result<std::vector<named_document>> parse_restart_on(std::string_view text) {
  std::vector<named_document> out;
  while (true) {
    const auto comma = text.find(',');
    auto word = text.substr(0, comma);
    while (word.starts_with(' '))
      word.remove_prefix(1);
    while (word.ends_with(' '))
      word.remove_suffix(1);
    const auto slash = word.find('/');
    const auto kind = word.substr(0, slash);
    if (slash == std::string_view::npos || slash + 1 == word.size() ||
        (kind != "configmap" && kind != "secret"))
      return fail(errc::invalid, "parse", std::string{word.substr(0, 100)},
                  "it is no configmap/NAME and no secret/NAME",
                  "write it as configmap/app, secret/tls");
    out.push_back({kind == "secret", std::string{word.substr(slash + 1)}});
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

result<std::string> parse_backoff_name(std::string_view text) {
  return one_of(text, backoff_names);
}

result<std::string> parse_strategy(std::string_view text) {
  return one_of(text, strategy_names);
}

result<std::vector<std::string>> parse_ends_with(std::string_view text) {
  const auto refuse = [&](std::string why) {
    return fail(errc::invalid, "parse", std::string{text.substr(0, 100)}, std::move(why),
                "write it as app, or as app, proxy");
  };
  constexpr std::size_t most_bytes = 16 * 1024; // names of more containers than a pod can run
  if (text.size() > most_bytes) return refuse("it is longer than 16 KiB");
  std::vector<std::string> names;
  std::set<std::string> known;
  for (std::size_t from = 0; from <= text.size();) {
    const auto end = std::min(text.find(',', from), text.size());
    const std::string name{trimmed(text.substr(from, end - from))};
    if (name.empty()) return refuse("it lacks the name of a container");
    if (!known.insert(name).second) return refuse("it names '" + name + "' twice");
    names.push_back(name);
    from = end + 1;
  }
  return names;
}

restart_wishes restart_wishes_of(const std::map<std::string, std::string>& annotations) {
  restart_wishes wishes;
  if (const auto it = annotations.find(std::string{backoff_annotation}); it != annotations.end())
    if (auto name = parse_backoff_name(it->second)) wishes.backoff = *std::move(name);
  if (const auto it = annotations.find(std::string{give_up_annotation}); it != annotations.end())
    if (auto rule = parse_give_up(it->second)) wishes.give_up = *rule;
  if (const auto it = annotations.find(std::string{strategy_annotation}); it != annotations.end())
    if (auto name = parse_strategy(it->second)) wishes.strategy = *std::move(name);
  if (const auto it = annotations.find(std::string{ends_with_annotation}); it != annotations.end())
    if (auto names = parse_ends_with(it->second)) wishes.ends_with = *std::move(names);
  return wishes;
}

} // namespace tank::config
