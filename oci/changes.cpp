#include "oci/changes.hpp"

#include "base/text.hpp"
#include "oci/json.hpp"

#include <algorithm>
#include <charconv>

namespace tank::oci {

namespace {

constexpr std::size_t max_instruction = 1u << 20;

failure bad_change(std::string_view text, std::string cause) {
  return fail(errc::invalid, "apply change", std::string{text.substr(0, 200)}, std::move(cause));
}

/// Splits at blanks outside of quotes; quotes and backslashes are taken away.
result<std::vector<std::string>> words(std::string_view text, std::string_view rest) {
  std::vector<std::string> out;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '\\' && quote != '\'' && i + 1 < rest.size()) {
      word += rest[++i];
      in_word = true;
    } else if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '"' || c == '\'') {
      quote = c;
      in_word = true;
    } else if (ascii_blanks.find(c) != std::string_view::npos) {
      if (in_word) out.push_back(std::exchange(word, {}));
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != 0) return bad_change(text, "a quote is not closed");
  if (in_word) out.push_back(std::move(word));
  return out;
}

result<std::vector<std::string>> json_list(std::string_view text, std::string_view rest) {
  const auto value = parse_json(rest, max_instruction, "list");
  if (!value) return bad_change(text, "not a JSON list of strings: " + value.error().cause);
  const json holder = {{"list", *value}};
  const auto o = TANK_TRY(json_object::of(holder, "change"));
  auto list = o.texts("list");
  if (!list) return bad_change(text, list.error().cause);
  return list;
}

result<std::vector<std::string>> command(std::string_view text, std::string_view rest) {
  if (rest.empty()) return std::vector<std::string>{};
  if (rest.starts_with('[')) return json_list(text, rest);
  return std::vector<std::string>{"/bin/sh", "-c", std::string{rest}};
}

/// `K=V K2=V2 ...`, or the old `K V`.
result<std::vector<std::pair<std::string, std::string>>> assignments(std::string_view text,
                                                                     std::string_view rest) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto first_end = rest.find_first_of(ascii_blanks);
  if (const auto first = rest.substr(0, first_end); first.find('=') == std::string_view::npos) {
    if (first.empty() || first_end == std::string_view::npos)
      return bad_change(text, "needs KEY=VALUE");
    out.emplace_back(first, trimmed(rest.substr(first_end)));
    return out;
  }
  for (const auto& word : TANK_TRY(words(text, rest))) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || equals == 0)
      return bad_change(text, "'" + word + "' is not KEY=VALUE");
    out.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return out;
}

bool valid_port(std::string_view text) {
  const auto slash = text.find('/');
  const auto protocol = slash == std::string_view::npos ? "tcp" : text.substr(slash + 1);
  if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") return false;
  const auto number = [](std::string_view n) {
    unsigned value = 0;
    const auto [end, ec] = std::from_chars(n.data(), n.data() + n.size(), value);
    return ec == std::errc{} && end == n.data() + n.size() && value >= 1 && value <= 65535 ? value
                                                                                           : 0u;
  };
  const auto range = text.substr(0, slash);
  const auto dash = range.find('-');
  if (dash == std::string_view::npos) return number(range) != 0;
  const auto low = number(range.substr(0, dash));
  return low != 0 && low <= number(range.substr(dash + 1));
}

template <class List, class Value>
void put_unique(List& list, Value value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(std::move(value));
}

void set_env(image_config& c, const std::string& key, const std::string& value) {
  for (auto& entry : c.env)
    if (entry.starts_with(key + "=")) {
      entry = key + "=" + value;
      return;
    }
  c.env.push_back(key + "=" + value);
}

void set_label(image_config& c, std::string key, std::string value) {
  for (auto& [k, v] : c.labels)
    if (k == key) {
      v = std::move(value);
      return;
    }
  c.labels.emplace_back(std::move(key), std::move(value));
  std::sort(c.labels.begin(), c.labels.end());
}

result<void> apply_lists(image_config& c, std::string_view text, const std::string& verb,
                         std::string_view rest) {
  if (verb == "ENV") {
    for (auto& [k, v] : TANK_TRY(assignments(text, rest)))
      set_env(c, k, v);
  } else if (verb == "LABEL") {
    for (auto& [k, v] : TANK_TRY(assignments(text, rest)))
      set_label(c, std::move(k), std::move(v));
  } else if (verb == "EXPOSE") {
    for (auto& port : TANK_TRY(words(text, rest))) {
      if (!valid_port(port)) return bad_change(text, "'" + port + "' is no port");
      put_unique(c.exposed_ports, port.find('/') == std::string::npos ? port + "/tcp" : port);
    }
  } else if (verb == "VOLUME") {
    for (auto& path :
         rest.starts_with('[') ? TANK_TRY(json_list(text, rest)) : TANK_TRY(words(text, rest))) {
      if (!path.starts_with('/')) return bad_change(text, "'" + path + "' is not absolute");
      put_unique(c.volumes, path);
    }
  } else {
    return bad_change(text, "unknown instruction; known are CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
                            "STOPSIGNAL, USER, VOLUME, WORKDIR");
  }
  return {};
}

} // namespace

result<void> apply_change(image_config& c, std::string_view text) {
  if (text.size() > max_instruction || text.find('\0') != std::string_view::npos)
    return bad_change(text, "too long, or with a NUL byte");
  const auto line = trimmed(text);
  const auto end = std::min(line.find_first_of(ascii_blanks), line.size());
  std::string verb{line.substr(0, end)};
  for (auto& ch : verb)
    if (ch >= 'a' && ch <= 'z') ch = static_cast<char>(ch - 'a' + 'A');
  const auto rest = trimmed(line.substr(end));
  if (verb == "CMD") {
    c.cmd = TANK_TRY(command(text, rest));
    return {};
  }
  if (verb == "ENTRYPOINT") {
    c.entrypoint = TANK_TRY(command(text, rest));
    return {};
  }
  if (rest.empty()) return bad_change(text, verb.empty() ? "it is empty" : "it says nothing");
  if (verb == "WORKDIR") {
    const std::filesystem::path base = c.working_dir.empty() ? "/" : c.working_dir;
    c.working_dir = (base / std::filesystem::path{rest}).lexically_normal().string();
    return {};
  }
  if (verb == "USER") {
    c.user = rest;
    return {};
  }
  if (verb == "STOPSIGNAL") {
    c.stop_signal = rest;
    return {};
  }
  return apply_lists(c, text, verb, rest);
}

} // namespace tank::oci
