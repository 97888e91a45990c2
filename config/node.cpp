#include "config/node.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tank::config {
namespace {

/// The shortest text that reads back as the same double, in the layout of Go's JSON encoder.
std::string float_text(double value) {
  char buffer[64];
  const auto size = std::abs(value);
  const auto scientific = size != 0 && (size < 1e-6 || size >= 1e21);
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                           scientific ? std::chars_format::scientific : std::chars_format::fixed)
                 .ptr;
  std::string text{buffer, end};
  if (scientific)
    if (auto at = text.find("e-0"); at != std::string::npos) text.erase(at + 2, 1);
  return text;
}

/// Takes "name" or "[key]" off the front of a field path; empty at its end.
std::string_view next_segment(std::string_view& path) {
  if (path.starts_with('.')) path.remove_prefix(1);
  if (path.starts_with('[')) {
    const auto close = std::min(path.find(']'), path.size());
    auto key = path.substr(1, close - 1);
    path.remove_prefix(std::min(close + 1, path.size()));
    return key;
  }
  auto name = path.substr(0, path.find_first_of(".["));
  path.remove_prefix(name.size());
  return name;
}

} // namespace

const member* node::find_member(std::string_view key) const {
  const auto* members = as_mapping();
  if (members == nullptr) return nullptr;
  auto it = std::find_if(members->begin(), members->end(),
                         [key](const member& m) { return m.key == key; });
  return it == members->end() ? nullptr : &*it;
}

const node* node::find(std::string_view key) const {
  const auto* found = find_member(key);
  return found == nullptr ? nullptr : &found->value;
}

std::string_view node::kind_name() const {
  constexpr std::string_view names[] = {"null",   "boolean", "number", "number",
                                        "string", "array",   "object"};
  return names[value_.index()];
}

std::string node::scalar_text() const {
  if (is_null()) return "null";
  if (const auto* b = as_bool()) return *b ? "true" : "false";
  if (const auto* i = as_integer()) return std::to_string(*i);
  if (const auto* n = as_number()) return n->big.empty() ? float_text(n->value) : n->big;
  if (const auto* s = as_string()) return *s;
  return {};
}

bool node::operator==(const node& other) const {
  const auto* mine = as_mapping();
  const auto* theirs = other.as_mapping();
  if (mine == nullptr || theirs == nullptr)
    return mine == theirs && value_.index() == other.value_.index() &&
           std::visit(
               [&](const auto& v) {
                 using type = std::decay_t<decltype(v)>;
                 if constexpr (std::is_same_v<type, mapping>)
                   return false; // decided below
                 else
                   return v == std::get<type>(other.value_);
               },
               value_);
  return mine->size() == theirs->size() &&
         std::all_of(mine->begin(), mine->end(), [&](const member& m) {
           const auto* there = other.find(m.key);
           return there != nullptr && *there == m.value;
         });
}

position locate(const node& root, std::string_view field_path) {
  const auto* here = &root;
  auto at = root.at();
  while (!field_path.empty()) {
    const auto segment = next_segment(field_path);
    if (const auto* items = here->as_sequence()) {
      std::size_t index = 0;
      auto [end, failed] = std::from_chars(segment.data(), segment.data() + segment.size(), index);
      if (failed != std::errc{} || end != segment.data() + segment.size() || index >= items->size())
        return at;
      here = &(*items)[index];
      at = here->at();
    } else if (const auto* found = here->find_member(segment)) {
      here = &found->value;
      at = found->at;
    } else {
      return at;
    }
  }
  return at;
}

} // namespace tank::config
