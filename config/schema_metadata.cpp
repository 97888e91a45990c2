/// The tables of object metadata: config/reflect.hpp.
#include "config/pod/metadata.hpp"
#include "config/schema.hpp"

namespace tank::config::reflect {

// clang-format off
template <>
const type& type_of<owner_reference>() {
  static const type t = detail::make_record("OwnerReference", {
    always<&owner_reference::api_version>("apiVersion"),
    always<&owner_reference::kind>("kind"),
    always<&owner_reference::name>("name"),
    always<&owner_reference::uid>("uid"),
    row<&owner_reference::controller>("controller"),
    row<&owner_reference::block_owner_deletion>("blockOwnerDeletion"),
  });
  return t;
}

template <>
const type& type_of<managed_fields_entry>() {
  static const type t = detail::make_record("ManagedFieldsEntry", {
    row<&managed_fields_entry::manager>("manager"),
    row<&managed_fields_entry::operation>("operation"),
    row<&managed_fields_entry::api_version>("apiVersion"),
    row<&managed_fields_entry::time>("time"),
    row<&managed_fields_entry::fields_type>("fieldsType"),
    row<&managed_fields_entry::fields_v1>("fieldsV1"),
    row<&managed_fields_entry::subresource>("subresource"),
  });
  return t;
}

template <>
const type& type_of<object_meta>() {
  static const type t = detail::make_record("ObjectMeta", {
    row<&object_meta::name>("name"),
    row<&object_meta::generate_name>("generateName"),
    row<&object_meta::ns>("namespace"),
    row<&object_meta::self_link>("selfLink"),
    row<&object_meta::uid>("uid"),
    row<&object_meta::resource_version>("resourceVersion"),
    row<&object_meta::generation>("generation"),
    always<&object_meta::creation_timestamp>("creationTimestamp"),
    row<&object_meta::deletion_timestamp>("deletionTimestamp"),
    row<&object_meta::deletion_grace_period_seconds>("deletionGracePeriodSeconds"),
    row<&object_meta::labels>("labels"),
    row<&object_meta::annotations>("annotations"),
    row<&object_meta::owner_references>("ownerReferences"),
    row<&object_meta::finalizers>("finalizers"),
    row<&object_meta::managed_fields>("managedFields"),
  });
  return t;
}

template <>
const type& type_of<local_object_reference>() {
  static const type t = detail::make_record("LocalObjectReference", {
    row<&local_object_reference::name>("name"),
  });
  return t;
}

template <>
const type& type_of<label_selector_requirement>() {
  static const type t = detail::make_record("LabelSelectorRequirement", {
    always<&label_selector_requirement::key>("key"),
    always<&label_selector_requirement::op>("operator"),
    row<&label_selector_requirement::values>("values"),
  });
  return t;
}

template <>
const type& type_of<label_selector>() {
  static const type t = detail::make_record("LabelSelector", {
    row<&label_selector::match_labels>("matchLabels"),
    row<&label_selector::match_expressions>("matchExpressions"),
  });
  return t;
}

// clang-format on

} // namespace tank::config::reflect
