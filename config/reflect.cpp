#include "config/reflect.hpp"

#include <algorithm>

namespace tank::config::reflect {

const field* type::find(std::string_view key) const {
  const auto it = std::ranges::find(fields, key, &field::key);
  return it == fields.end() ? nullptr : &*it;
}

namespace {

template <kind K>
const type& scalar() {
  static const type t{.what = K};
  return t;
}

} // namespace

template <>
const type& type_of<std::string>() {
  return scalar<kind::string>();
}
template <>
const type& type_of<bool>() {
  return scalar<kind::boolean>();
}
template <>
const type& type_of<std::int32_t>() {
  return scalar<kind::int32>();
}
template <>
const type& type_of<std::int64_t>() {
  return scalar<kind::int64>();
}
template <>
const type& type_of<int_or_string>() {
  return scalar<kind::int_or_string>();
}
template <>
const type& type_of<quantity>() {
  return scalar<kind::quantity>();
}
template <>
const type& type_of<timestamp>() {
  return scalar<kind::timestamp>();
}
template <>
const type& type_of<raw_json>() {
  return scalar<kind::raw_json>();
}
template <>
const type& type_of<bytes>() {
  return scalar<kind::bytes>();
}

type detail::make_record(std::string_view name, std::initializer_list<std::vector<field>> fields) {
  type t{.what = kind::record, .name = name};
  for (const auto& some : fields)
    t.fields.insert(t.fields.end(), some.begin(), some.end());
  return t;
}

} // namespace tank::config::reflect
