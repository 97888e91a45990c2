#include "kernel/shim/memory_watch.hpp"

#include "kernel/oom_count.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace tank::kernel::shim {

void memory_watch::begin(const wire::text_list& cgroups) noexcept {
  for (std::uint32_t i = 0; i < cgroups.count && !file_; ++i) {
    const unique_fd dir{::open(cgroups.items[i], O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!dir) continue;
    for (const char* name : {oom_file_v2, oom_file_v1})
      if (!file_) file_.reset(::openat(dir.get(), name, O_RDONLY | O_CLOEXEC));
  }
  before_ = count();
}

std::uint64_t memory_watch::count() const noexcept {
  char text[1024]; // both files have less
  const auto n = file_ ? ::pread(file_.get(), text, sizeof text, 0) : -1;
  return n > 0 ? count_oom_kills_in({text, static_cast<std::size_t>(n)}) : 0;
}

bool memory_watch::end(bool well) noexcept {
  const bool killed = is_oom_end(before_, count(), well);
  file_.reset();
  return killed;
}

} // namespace tank::kernel::shim
