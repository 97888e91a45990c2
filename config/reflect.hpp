/// What a type of config/ is made of, at run time: its keys, where each field lies, how to grow it.
///
/// Each struct of the Kubernetes API has one table (config/schema_*.cpp), and everything that must
/// know all fields reads it: decoding, encoding, the walk over what this version supports. A field
/// is therefore written down twice, as a member and as a row, and cannot be forgotten by one of its
/// users: a field without a row never decodes, and the tests decode every field there is.
///
/// Type-erased on purpose: one decoder is compiled, not one per type. Values are passed as
/// pointers to an object of exactly the C++ type that the `type` describes.
#pragma once

#include "config/box.hpp"
#include "config/quantity.hpp"
#include "config/scalars.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::config::reflect {

enum class kind : std::uint8_t {
  string,
  boolean,
  int32,
  int64,
  int_or_string,
  quantity,
  timestamp,
  raw_json,
  bytes,
  optional, ///< std::optional or box
  list,     ///< std::vector
  map,      ///< std::map from string
  record,   ///< a struct with fields
};

struct type;
/// Types refer to each other by function, so that tables may be made in any order.
using type_ref = const type& (*)();

struct field {
  std::string_view key;
  type_ref of = nullptr;
  std::size_t offset = 0; ///< within the record
  bool always = false;    ///< written even when empty, as a Go field without `omitempty`

  [[nodiscard]] void* in(void* record) const { return static_cast<char*>(record) + offset; }
  [[nodiscard]] const void* in(const void* record) const {
    return static_cast<const char*>(record) + offset;
  }
};

using entry_visitor = std::function<void(std::string_view key, const void* value)>;

/// Only what belongs to `what` is set.
struct type {
  kind what = kind::record;
  std::string_view name = {};                                ///< of a record, the API's: "EnvVar"
  type_ref element = nullptr;                                ///< optional, list, map
  void* (*emplace)(void*) = nullptr;                         ///< optional: sets; list: appends
  void* (*insert)(void*, std::string_view) = nullptr;        ///< map
  const void* (*get)(const void*) = nullptr;                 ///< optional: nullptr when absent
  std::size_t (*size)(const void*) = nullptr;                ///< list, map
  const void* (*at)(const void*, std::size_t) = nullptr;     ///< list
  void (*each)(const void*, const entry_visitor&) = nullptr; ///< map, in order of keys
  std::vector<field> fields = {};                            ///< record

  /// nullptr when a record has no such key. Case matters, as in kubelet.
  [[nodiscard]] const field* find(std::string_view key) const;
};

/// The description of T. Specialised for the scalars, for the structs in the tables, and by shape
/// for what holds others.
template <class T>
const type& type_of();

template <>
const type& type_of<std::string>();
template <>
const type& type_of<bool>();
template <>
const type& type_of<std::int32_t>();
template <>
const type& type_of<std::int64_t>();
template <>
const type& type_of<int_or_string>();
template <>
const type& type_of<quantity>();
template <>
const type& type_of<timestamp>();
template <>
const type& type_of<raw_json>();
template <>
const type& type_of<bytes>();

// --- for the tables only -------------------------------------------------------------------------

namespace detail {

template <class T>
struct shape {
  static constexpr type_ref ref = &type_of<T>;
};

template <class Holder, class T>
const type& optional_type() {
  static const type t{.what = kind::optional,
                      .element = shape<T>::ref,
                      .emplace = [](void* o) -> void* {
                        auto& holder = *static_cast<Holder*>(o);
                        holder = T{};
                        return &*holder;
                      },
                      .get = [](const void* o) -> const void* {
                        const auto& holder = *static_cast<const Holder*>(o);
                        return holder.has_value() ? &*holder : nullptr;
                      }};
  return t;
}

template <class T>
const type& list_type() {
  using list = std::vector<T>;
  static const type t{
      .what = kind::list,
      .element = shape<T>::ref,
      .emplace = [](void* o) -> void* { return &static_cast<list*>(o)->emplace_back(); },
      .size = [](const void* o) { return static_cast<const list*>(o)->size(); },
      .at = [](const void* o, std::size_t i) -> const void* {
        return &(*static_cast<const list*>(o))[i];
      }};
  return t;
}

template <class T>
const type& map_type() {
  using map = std::map<std::string, T>;
  static const type t{.what = kind::map,
                      .element = shape<T>::ref,
                      .insert = [](void* o, std::string_view key) -> void* {
                        return &(*static_cast<map*>(o))[std::string{key}];
                      },
                      .size = [](const void* o) { return static_cast<const map*>(o)->size(); },
                      .each =
                          [](const void* o, const entry_visitor& visit) {
                            for (const auto& [key, value] : *static_cast<const map*>(o))
                              visit(key, &value);
                          }};
  return t;
}

template <class T>
struct shape<std::optional<T>> {
  static constexpr type_ref ref = &optional_type<std::optional<T>, T>;
};
template <class T>
struct shape<box<T>> {
  static constexpr type_ref ref = &optional_type<box<T>, T>;
};
template <class T>
struct shape<std::vector<T>> {
  static constexpr type_ref ref = &list_type<T>;
};
template <class T>
struct shape<std::map<std::string, T>> {
  static constexpr type_ref ref = &map_type<T>;
};

template <class R, class T>
std::size_t offset_of(T R::*member) {
  static const R sample{};
  return static_cast<std::size_t>(reinterpret_cast<const char*>(&(sample.*member)) -
                                  reinterpret_cast<const char*>(&sample));
}

template <class R, class T>
field make_field(T R::*member, std::string_view key, bool always) {
  return {.key = key, .of = shape<T>::ref, .offset = offset_of(member), .always = always};
}

/// The fields of a member take part in its owner, as Go's `json:",inline"`.
template <class R, class T>
std::vector<field> make_inlined(T R::*member) {
  std::vector<field> fields = type_of<T>().fields;
  for (auto& f : fields)
    f.offset += offset_of(member);
  return fields;
}

type make_record(std::string_view name, std::initializer_list<std::vector<field>> fields);

} // namespace detail

/// One row: a key, left out when the value is empty.
template <auto Member>
std::vector<field> row(std::string_view key) {
  return {detail::make_field(Member, key, false)};
}

/// One row: a key that is always written.
template <auto Member>
std::vector<field> always(std::string_view key) {
  return {detail::make_field(Member, key, true)};
}

template <auto Member>
std::vector<field> inlined() {
  return detail::make_inlined(Member);
}

} // namespace tank::config::reflect
