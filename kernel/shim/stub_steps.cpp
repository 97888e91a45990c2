// Placeholder for the executor: no steps, a bare exec. Only until steps.cpp and process.cpp are in.
#include "kernel/shim/steps.hpp"

#include <cerrno>

#include <unistd.h>

namespace tank::kernel::shim {

int run_steps(const wire::plan_view& plan, failure* out) noexcept {
  auto steps = plan.steps();
  int index = 0;
  for (wire::step_view s; steps.next(&s); ++index) {
    out->step_index = index;
    if (s.kind == wire::step_kind::fault)
      return out->set(s.fault.sys, "carry out the fault in", plan.container.c_str());
    return out->set(ENOSYS, "carry out a step of", plan.container.c_str());
  }
  return 0;
}

int exec_process(const wire::plan_view& plan, int, failure* out) noexcept {
  if (::chdir(plan.process.cwd.c_str()) != 0)
    return out->set(errno, "enter the working directory", plan.process.cwd.c_str());
  ::execve(plan.process.argv.items[0], plan.process.argv.items, plan.process.env.items);
  return out->set(errno, "execute", plan.process.argv.items[0]);
}

} // namespace tank::kernel::shim
