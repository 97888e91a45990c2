/// What the allocator keeps.
#pragma once

#include <malloc.h>

namespace tank {

/// Gives freed memory back to the system, from the middle of every arena too: free() alone keeps
/// what lies below something that lives. Takes some milliseconds for each 100 MiB; any thread.
inline void give_back_memory() noexcept {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

} // namespace tank
