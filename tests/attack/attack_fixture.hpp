/// What the attacks share: a daemon, something outside of every pod that must stay as it is, images
/// that no honest tool would make, and a careless runtime to compare with.
///
/// Each attack is tried twice: by a pod of Tank's, where it must fail, and in `without_defence`, by
/// the few lines that a runtime without the defence would run, where it must succeed. So a test
/// that cannot see its attack fails.
#pragma once

#include "tests/root/host_fixture.hpp"
#include "tests/unit/oci/support.hpp"
#include "tests/unit/oci/tar_builder.hpp"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace tank::testing {

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Runs `careless` in a child with a mount namespace of its own, which nothing leaves; what it
/// returned. It must not use doctest's assertions. "died" when it did not come to an end.
std::string without_defence(const std::function<std::string()>& careless);

/// "ok", or the name of errno: for what careless code returns.
std::string errno_name(long result);

class arena : public host {
 public:
  /// Starts its daemon, with these variables.
  explicit arena(const std::string& more_settings = {},
                 const std::map<std::string, std::string>& variables = {});
  ~arena();

  std::filesystem::path outside; ///< holds "secret" with the text "the host's", and "sub/"

  /// Nothing below `outside` has changed, and nothing is mounted there.
  void check_untouched() const;
  /// What `outside` was, after a careless runtime was there.
  void restore_outside();

  /// A pod that runs to its end.
  pod_status run(pod_text pod);
  /// The same: what it said on stdout. It must exit with 0.
  std::string say(pod_text pod);
  std::string stdout_of(const pod_status& pod) const;
  /// Why a pod did not start: it ended with one of `StartError` or an image's reason, before its
  /// first instruction.
  std::string refusal(pod_text pod);

  /// An image with these layers, bottom first, and that configuration (the "config" object of the
  /// image specification), as the `image:` of a pod. The witness is below them.
  std::string image(const std::vector<std::string>& layers,
                    const nlohmann::json& config = nlohmann::json::object());
  /// A directory with the witness in it: the `rootfs:` image of a pod, or a careless runtime's.
  std::filesystem::path tree();
  [[nodiscard]] const std::string& witness() const { return witness_; } ///< the program's bytes

 private:
  void make_outside() const;
  std::string witness_;
  std::map<std::string, std::string> outside_before_;
  int names_ = 0;
};

/// The process that started `pid`.
pid_t parent_of(pid_t pid);
/// A line of /proc/<pid>/status as a number; 0 when there is none.
long status_number(pid_t pid, const std::string& field);
std::size_t open_files(pid_t pid);

} // namespace tank::testing
