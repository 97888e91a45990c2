/// A document as a tree of values: what YAML and JSON texts become (config/yaml.hpp), and what the
/// decoder of Pods reads.
///
/// Scalars are resolved already, as YAML 1.1 and JSON do in the Kubernetes API: `yes` is a boolean,
/// `0644` the integer 420, `"yes"` a string. Every value and every key knows where it stood in its
/// text; what came in by an alias or a merge key has the position of its anchor's text.
#pragma once

#include "config/diagnostic.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tank::config {

struct member;

/// A value; owns its subtree. Copying is deep. Not deeper than manifest_limits::max_depth when it
/// comes from the parser, so recursion over it is safe.
class node {
 public:
  /// An integer beyond int64 or a number written with a fraction or an exponent.
  struct number {
    double value = 0;
    std::string big; ///< canonical digits of an integer in (2^63-1, 2^64-1]; else empty
    bool operator==(const number&) const = default;
  };
  using sequence = std::vector<node>;
  using mapping = std::vector<member>; ///< in order of appearance; keys unique
  /// Null is monostate.
  using content =
      std::variant<std::monostate, bool, std::int64_t, number, std::string, sequence, mapping>;

  node() = default;
  explicit node(content value, position at = {});

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// Null pointers when the value is of another kind. No conversions: the string "1" is no integer.
  [[nodiscard]] const bool* as_bool() const { return std::get_if<bool>(&value_); }
  [[nodiscard]] const std::int64_t* as_integer() const {
    return std::get_if<std::int64_t>(&value_);
  }
  [[nodiscard]] const number* as_number() const { return std::get_if<number>(&value_); }
  [[nodiscard]] const std::string* as_string() const { return std::get_if<std::string>(&value_); }
  [[nodiscard]] const sequence* as_sequence() const { return std::get_if<sequence>(&value_); }
  [[nodiscard]] const mapping* as_mapping() const { return std::get_if<mapping>(&value_); }

  /// The value of a mapping's key; nullptr when this is no mapping or has no such key.
  [[nodiscard]] const node* find(std::string_view key) const;
  /// Like find, with the key's own position.
  [[nodiscard]] const member* find_member(std::string_view key) const;

  /// "null", "boolean", "number", "string", "array", "object": JSON's names, for messages.
  [[nodiscard]] std::string_view kind_name() const;
  /// The JSON text of a null, boolean or number, the string itself; empty for sequence and mapping.
  /// A quantity written as a number is parsed from this.
  [[nodiscard]] std::string scalar_text() const;

  [[nodiscard]] position at() const { return at_; }
  [[nodiscard]] const content& value() const { return value_; }
  [[nodiscard]] content& value() { return value_; }

  bool operator==(const node&) const; ///< values only; positions and order of keys do not matter

 private:
  content value_;
  position at_;
};

struct member {
  std::string key;
  position at; ///< of the key
  node value;
};

// Here and not in the class: a mapping can be destroyed only now that `member` is complete.
inline node::node(content value, position at) : value_(std::move(value)), at_(at) {}

/// Where a field path ("spec.containers[0].image", "spec.nodeSelector[a/b]") stands in `root`: the
/// position of the deepest part of the path that exists. Unknown only when root's is.
position locate(const node& root, std::string_view field_path);

} // namespace tank::config
