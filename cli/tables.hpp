/// What people see of pods: pure text from values.
#pragma once

#include "base/text.hpp"
#include "pod/model.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tank::cli {

struct table_style {
  bool wide = false;     ///< with image, pid, uid and file
  bool absolute = false; ///< start times instead of ages: such a table changes only with its pods
  std::size_t width = 0; ///< cut lines to this many columns; 0: not
};

/// Columns NAME READY STATUS RESTARTS AGE REASON [PID IMAGE UID FILE], one row a pod, aligned, each
/// line ending in a newline. `now_ns` is CLOCK_REALTIME.
std::string pod_table(const std::vector<pod_status>& pods, std::int64_t now_ns,
                      const table_style& style = {});

/// Columns FILE PODS STATUS, and below each row its errors and warnings.
std::string file_table(const std::vector<file_status>& files);

/// The page of `tank describe`.
std::string describe_pod(const pod_status& pod, std::int64_t now_ns);

/// Rows of cells as left-aligned columns; lines cut to `width` columns unless it is 0.
std::string aligned(const std::vector<std::vector<std::string>>& rows, std::size_t width);

/// One plain line about a pod's state, without time: "pod/web running, pid 4711".
std::string state_line(const pod_status& pod);

/// Between a workload's end and its report: still "running", without a pid. No news for a line.
bool ends_now(const pod_status& pod);

/// "web", or "ns/web" outside of the namespace default.
std::string short_name(const std::string& key);

/// "running", "backing off 8s", "exited 0", "exited 3", "killed by signal 9", "failed".
std::string state_text(const pod_status& pod, std::int64_t now_ns);

/// kubectl's ages: 0s, 59s, 3m, 5h, 12d.
std::string age_text(std::int64_t ns);

/// Terminal columns of UTF-8 text, one a code point.
std::size_t columns(std::string_view text);

} // namespace tank::cli
