/// What a Pod tells its containers of itself: fieldRef and resourceFieldRef, in variables and in
/// files. Pure.
#pragma once

#include "base/error.hpp"
#include "config/pod.hpp"
#include "kernel/host_facts.hpp"

#include <string>
#include <string_view>

namespace tank {

/// A field that env may name: "metadata.labels['x']", "status.podIP". A label that is not there is
/// empty, as kubelet has it.
result<std::string> field_value(std::string_view path, const config::pod& pod,
                                const kernel::host_facts& host, std::string_view uid);

/// A field that a volume may name: as above, and all labels or annotations as sorted lines
/// `key="value"`.
result<std::string> field_file(std::string_view path, const config::pod& pod,
                               const kernel::host_facts& host, std::string_view uid);

/// "limits.cpu" of a container, divided and rounded up. What is not limited has what the host has.
/// `own` is the container to ask when the reference names none.
result<std::string> resource_value(const config::resource_field_selector& ref,
                                   const config::pod& pod, const std::string& own,
                                   const kernel::host_facts& host);

} // namespace tank
