#include "config/decode.hpp"

#include "base/nearest.hpp"
#include "base/text.hpp"
#include "config/encode.hpp"
#include "config/limits.hpp"
#include "config/schema.hpp"
#include "config/yaml_scalar.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tank::config {

namespace {

using reflect::field;
using reflect::kind;
using reflect::type;

/// The key that was probably meant; empty when nothing is near. Looks one level down too: a key of
/// the spec written beside `spec` is a common slip of indentation.
std::string suggestion(const type& record, std::string_view key) {
  std::vector<std::string> keys;
  for (const field& f : record.fields)
    keys.emplace_back(f.key);
  if (auto near = nearest(key, keys); !near.empty()) return near;
  for (const field& f : record.fields) {
    const type* inner = &f.of();
    if (inner->what == kind::optional) inner = &inner->element();
    if (inner->what == kind::record && inner->find(key) != nullptr)
      return std::string{f.key}.append(".").append(key);
  }
  return {};
}

// A manifest is untrusted: a null in a list is one byte of text and an object of hundreds of bytes.
constexpr std::size_t max_listed_objects = 20'000;
constexpr std::size_t max_reported = 100;

/// Text of a scalar for messages, cut to a readable length.
std::string shown(std::string_view text) {
  return text.size() > 40 ? shortened(text, 37) : std::string{text};
}

/// An integer, also when it was written as 1e3 or 2.0: the YAML reader of kubelet hands those on as
/// plain integers.
std::optional<std::int64_t> integer_of(const node& n) {
  if (const auto* i = n.as_integer()) return *i;
  const auto* number = n.as_number();
  if (number == nullptr || !number->big.empty()) return {};
  if (std::trunc(number->value) != number->value || std::abs(number->value) >= 0x1p63) return {};
  return static_cast<std::int64_t>(number->value);
}

/// What stands at a place, up to the end of a word; empty when there is no such place.
std::string_view word_at(std::string_view text, position at) {
  for (std::uint32_t line = 1; line < at.line; ++line) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  for (std::uint32_t column = 1; column < at.column; ++column) {
    if (text.empty()) return {};
    std::size_t width = 1;
    while (width < text.size() && (static_cast<unsigned char>(text[width]) & 0xC0) == 0x80)
      ++width;
    text.remove_prefix(width);
  }
  constexpr std::string_view of_words =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-._~";
  return text.substr(0, std::min(text.find_first_not_of(of_words), text.size()));
}

class decoder {
 public:
  /// With `hides`, no message says what a value is.
  decoder(std::vector<diagnostic>& found, std::string_view text, bool hides)
      : found_(found)
      , text_(text)
      , hides_(hides) {}

  void object(const node& root, const type& record, void* out) {
    const auto* members = root.as_mapping();
    if (members == nullptr) return wrong_type(root, "an object");
    for (const auto& m : *members) {
      if (given_up_) return;
      scope at{*this, m.key};
      if (m.key == "apiVersion" || m.key == "kind") {
        std::string ignored;
        value(m.value, reflect::type_of<std::string>(), &ignored);
      } else if (m.key == "status" && record.find("spec") != nullptr) {
        if (!m.value.is_null() && m.value.as_mapping() == nullptr) wrong_type(m.value, "an object");
      } else {
        one_member(m, record, out);
      }
    }
  }

 private:
  /// Lengthens the field path while it lives.
  class scope {
   public:
    scope(decoder& d, std::string_view key) : decoder_(d), length_(d.path_.size()) {
      if (length_ > 0) d.path_.push_back('.');
      d.path_.append(key);
    }
    scope(decoder& d, std::size_t index) : decoder_(d), length_(d.path_.size()) {
      d.path_.append("[").append(std::to_string(index)).append("]");
    }
    /// Of a map, whose keys may hold dots.
    struct entry {};
    scope(decoder& d, std::string_view key, entry) : decoder_(d), length_(d.path_.size()) {
      d.path_.append("[").append(key).append("]");
    }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() { decoder_.path_.resize(length_); }

   private:
    decoder& decoder_;
    std::size_t length_;
  };

  void report(position at, std::string reason) {
    if (given_up_) return;
    found_.push_back({severity::error, at, shortened(path_, max_shown), std::move(reason)});
    if (++reported_ < max_reported) return;
    given_up_ = true;
    found_.push_back({severity::error, at, {}, "too many errors: the rest was not read"});
  }

  /// Accounts for one more object in a list; false when there are too many.
  bool admit(const node& n) {
    if (++objects_ <= max_listed_objects) return true;
    report(n.at(), "there are more than " + std::to_string(max_listed_objects) + " objects");
    given_up_ = true;
    return false;
  }

  void wrong_type(const node& n, std::string_view wanted) {
    std::string reason{"must be "};
    reason.append(wanted).append(", not ");
    const auto name = n.kind_name();
    reason.append(name == "array" || name == "object" ? "an " : "a ").append(name);
    const bool scalar = n.as_bool() != nullptr || n.as_integer() != nullptr || n.as_number();
    if (wanted == "a string" && scalar && !hides_)
      reason.append(" (write \"").append(shown(written(n))).append("\")");
    report(n.at(), std::move(reason));
  }

  /// A scalar as it stands in the text, "yes" and not true; what it means where it stands elsewhere
  /// (an alias) or otherwise (a tag).
  [[nodiscard]] std::string written(const node& n) const {
    auto word = word_at(text_, n.at());
    const auto meant = word.empty() ? result<node::content>{} : resolve_scalar({"?", word});
    return !word.empty() && meant && node{*meant} == n ? std::string{word} : n.scalar_text();
  }

  void one_member(const member& m, const type& record, void* out) {
    if (const field* f = record.find(m.key)) return value(m.value, f->of(), f->in(out));
    std::string reason = "unknown field \"" + shown(m.key) + "\"";
    if (const auto near = suggestion(record, m.key); !near.empty())
      reason.append(", did you mean \"").append(near).append("\"?");
    report(m.at, std::move(reason));
  }

  void value(const node& n, const type& t, void* out) {
    if (n.is_null()) return; // absent, as in Go
    switch (t.what) {
    case kind::record:
      return record(n, t, out);
    case kind::optional:
      return value(n, t.element(), t.emplace(out));
    case kind::list:
      return list(n, t, out);
    case kind::map:
      return map(n, t, out);
    default:
      return scalar(n, t.what, out);
    }
  }

  void record(const node& n, const type& t, void* out) {
    const auto* members = n.as_mapping();
    if (members == nullptr) return wrong_type(n, "an object");
    for (const auto& m : *members) {
      if (given_up_) return;
      scope at{*this, m.key};
      one_member(m, t, out);
    }
  }

  void list(const node& n, const type& t, void* out) {
    const auto* elements = n.as_sequence();
    if (elements == nullptr) return wrong_type(n, "an array");
    const bool objects = t.element().what == kind::record;
    for (std::size_t i = 0; i < elements->size(); ++i) {
      scope at{*this, i};
      if (given_up_ || (objects && !admit((*elements)[i]))) return;
      value((*elements)[i], t.element(), t.emplace(out));
    }
  }

  void map(const node& n, const type& t, void* out) {
    const auto* members = n.as_mapping();
    if (members == nullptr) return wrong_type(n, "an object");
    for (const auto& m : *members) {
      if (given_up_) return;
      scope at{*this, m.key, scope::entry{}};
      value(m.value, t.element(), t.insert(out, m.key));
    }
  }

  void scalar(const node& n, kind what, void* out) {
    switch (what) {
    case kind::string:
      return string(n, *static_cast<std::string*>(out));
    case kind::boolean:
      return boolean(n, *static_cast<bool*>(out));
    case kind::int32:
      return integer(n, *static_cast<std::int32_t*>(out));
    case kind::int64:
      return integer(n, *static_cast<std::int64_t*>(out));
    case kind::int_or_string:
      return either(n, *static_cast<int_or_string*>(out));
    case kind::quantity:
      return amount(n, *static_cast<quantity*>(out));
    case kind::timestamp:
      return moment(n, *static_cast<timestamp*>(out));
    case kind::raw_json:
      static_cast<raw_json*>(out)->text = to_json(n);
      return;
    case kind::bytes:
      return base64(n, *static_cast<bytes*>(out));
    default:
      return;
    }
  }

  void string(const node& n, std::string& out) {
    if (const auto* s = n.as_string())
      out = *s;
    else
      wrong_type(n, "a string");
  }

  void boolean(const node& n, bool& out) {
    if (const auto* b = n.as_bool())
      out = *b;
    else
      wrong_type(n, "a boolean");
  }

  template <class Int>
  void integer(const node& n, Int& out) {
    if (n.as_integer() == nullptr && n.as_number() == nullptr) return wrong_type(n, "an integer");
    const auto i = integer_of(n);
    if (!i && n.as_number()->big.empty() && std::abs(n.as_number()->value) < 0x1p63)
      return report(n.at(), "must be an integer, not " + shown(n.scalar_text()));
    if (!i || *i < std::numeric_limits<Int>::min() || *i > std::numeric_limits<Int>::max())
      return report(n.at(), "is out of the range of a " + std::to_string(8 * sizeof(Int)) +
                                "-bit integer: " + shown(n.scalar_text()));
    out = static_cast<Int>(*i);
  }

  void either(const node& n, int_or_string& out) {
    if (const auto* s = n.as_string()) {
      out.value = *s;
    } else if (n.as_integer() != nullptr || n.as_number() != nullptr) {
      std::int32_t number = 0;
      integer(n, number);
      out.value = number;
    } else {
      wrong_type(n, "an integer or a string");
    }
  }

  void amount(const node& n, quantity& out) {
    if (n.as_sequence() != nullptr || n.as_mapping() != nullptr || n.as_bool() != nullptr)
      return wrong_type(n, "a quantity");
    const auto text = n.scalar_text();
    auto parsed = quantity::parse(text);
    if (parsed)
      out = *std::move(parsed);
    else
      report(n.at(), "\"" + shown(text) + "\": " + parsed.error().cause);
  }

  void moment(const node& n, timestamp& out) {
    const auto* s = n.as_string();
    if (s == nullptr) return wrong_type(n, "a string");
    if (const auto parsed = timestamp::parse(*s))
      out = *parsed;
    else
      report(n.at(), "\"" + shown(*s) + "\" is no RFC 3339 time, as 2006-01-02T15:04:05Z");
  }

  void base64(const node& n, bytes& out) {
    const auto* s = n.as_string();
    if (s == nullptr) return wrong_type(n, "a string");
    if (auto decoded = bytes::from_base64(*s))
      out = *std::move(decoded);
    else
      report(n.at(), "is not base64 (a Secret's stringData takes plain text)");
  }

  std::vector<diagnostic>& found_;
  std::string_view text_;
  bool hides_;
  std::string path_;
  std::size_t reported_ = 0;
  std::size_t objects_ = 0;
  bool given_up_ = false;
};

template <class Object>
Object decode(const node& root, std::vector<diagnostic>& found, std::string_view text = {},
              bool hides = false) {
  Object object;
  decoder{found, text, hides}.object(root, reflect::type_of<Object>(), &object);
  return object;
}

} // namespace

pod decode_pod(const node& root, std::vector<diagnostic>& found, std::string_view text) {
  return decode<pod>(root, found, text);
}

config_map decode_config_map(const node& root, std::vector<diagnostic>& found) {
  return decode<config_map>(root, found);
}

secret decode_secret(const node& root, std::vector<diagnostic>& found) {
  return decode<secret>(root, found, {}, true);
}

persistent_volume_claim decode_persistent_volume_claim(const node& root,
                                                       std::vector<diagnostic>& found) {
  return decode<persistent_volume_claim>(root, found);
}

} // namespace tank::config
