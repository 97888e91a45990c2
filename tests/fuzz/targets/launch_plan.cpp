// The plan's flat form as the shim reads it: never read past its end, one reading only.
#include "../fuzz.hpp"

#include "kernel/wire.hpp"
#include "kernel/wire_encode.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace tank::fuzz {
namespace launch_plan_target {
namespace {

using namespace kernel;

struct release {
  void operator()(char* p) const noexcept { std::free(p); }
};

verdict run(std::string_view input) {
  std::string bytes{input};
  const auto size = static_cast<std::uint32_t>(bytes.size());
  if (bytes.size() >= 16) std::memcpy(bytes.data() + 8, &size, sizeof size);
  // malloc's block is 8-aligned and ends where the input does: the sanitizer sees what is read.
  const std::unique_ptr<char, release> base{static_cast<char*>(std::malloc(bytes.size()))};
  if (!bytes.empty()) std::memcpy(base.get(), bytes.data(), bytes.size());
  wire::plan_view view;
  const char* refused = wire::parse_plan(base.get(), bytes.size(), &view);
  const auto plan = wire::decode_plan(bytes);
  FUZZ_CHECK((refused == nullptr) == plan.has_value());
  if (!plan) return verdict::refused;
  FUZZ_CHECK(view.process.argv.items[view.process.argv.count] == nullptr);
  FUZZ_CHECK(view.steps.count <= wire::max_steps && plan->steps.size() == view.steps.count);
  const auto again = wire::encode_plan(*plan);
  FUZZ_CHECK(again);
  const auto back = wire::decode_plan(*again);
  FUZZ_CHECK(back && *back == *plan);
  return verdict::accepted;
}

std::vector<std::string> seeds() {
  kernel::launch_plan plan{.container = "web"};
  plan.process.argv = {"/bin/true"};
  std::vector<std::string> all{*wire::encode_plan(plan)};
  plan.steps = {overlay_step{{"/l/2", "/l/1"}, "/u", "/w"},
                filesystem_step{"tmpfs", "/tmp", 6, "size=1m"},
                bind_step{"/h", "/d", true, true, 2},
                device_step{"/dev/full", 1, 7, 0666, false, 0, 0},
                symlink_step{"fd/0", "/dev/stdin"},
                directory_step{"/run", 0755, 3, 4},
                mask_step{"/proc/keys"},
                read_only_step{"/proc/bus"},
                sysctl_step{"kernel/shm_rmid_forced", "1"},
                volume_step{"/vol", "a/b", true, "/v"},
                fault_step{5},
                pivot_step{true}};
  plan.attempt = 3;
  plan.process.env = {"PATH=/bin", "X="};
  plan.process.groups = {10, 20};
  plan.process.rlimits = {{7, 64, 128}, {0, 1, 2}};
  plan.process.seccomp = {std::string(16, '\6'), 2};
  plan.process.oom_score_adj = 500;
  plan.log = {"/log/0.log", 4096, 2};
  all.push_back(*wire::encode_plan(plan));
  return all;
}

} // namespace
} // namespace launch_plan_target
const target targets::launch_plan{"launch_plan", launch_plan_target::run,
                                  launch_plan_target::seeds};
} // namespace tank::fuzz
