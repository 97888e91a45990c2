/// Document trees for tests, from JSON text, with positions that tell every value apart: the line
/// counts values and keys in reading order.
#pragma once

#include "config/node.hpp"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace tank::config::test {

class tree_builder {
 public:
  node build(const nlohmann::ordered_json& j) {
    const auto at = next();
    if (j.is_boolean()) return node{j.get<bool>(), at};
    if (j.is_number_integer()) return node{j.get<std::int64_t>(), at};
    if (j.is_number()) return node{node::number{j.get<double>(), {}}, at};
    if (j.is_string()) return node{j.get<std::string>(), at};
    if (j.is_array()) {
      node::sequence elements;
      for (const auto& e : j)
        elements.push_back(build(e));
      return node{std::move(elements), at};
    }
    if (!j.is_object()) return node{{}, at};
    node::mapping members;
    for (const auto& [key, value] : j.items()) {
      const auto key_at = next();
      members.push_back({key, key_at, build(value)});
    }
    return node{std::move(members), at};
  }

 private:
  position next() { return {++line_, 1}; }
  std::uint32_t line_ = 0;
};

inline node tree(std::string_view json) {
  return tree_builder{}.build(nlohmann::ordered_json::parse(json));
}

} // namespace tank::config::test
