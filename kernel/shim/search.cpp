#include "kernel/shim/search.hpp"

#include "kernel/shim/syscalls.hpp"

#include <cerrno>
#include <climits>
#include <cstring>

#include <sys/stat.h>

namespace tank::kernel::shim {
namespace {

/// What an image without a PATH gets, as runtimes have it by custom.
constexpr const char* usual_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const char* find_path(const wire::text_list& env) noexcept {
  for (std::uint32_t i = 0; i < env.count; ++i) {
    if (std::strncmp(env.items[i], "PATH=", 5) == 0) return env.items[i] + 5;
  }
  return usual_path;
}

/// Appends " (needs <interpreter>)" when the file is a script that can be read.
void name_interpreter(const char* file, char* object, std::size_t room) noexcept {
  char head[256];
  const unique_fd fd{::open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) return;
  const ssize_t n = ::read(fd.get(), head, sizeof head - 1);
  if (n < 3 || head[0] != '#' || head[1] != '!') return;
  head[n] = '\0';
  const char* start = head + 2 + std::strspn(head + 2, " \t");
  head[static_cast<std::size_t>(start - head) + std::strcspn(start, " \t\r\n")] = '\0';
  append(object, room, " (needs ");
  append(object, room, start);
  append(object, room, ")");
}

/// execve of `file` came back with `error`: what to tell.
int explain(const char* file, int error, step_failure* out) noexcept {
  struct stat st {};
  const bool exists = ::stat(file, &st) == 0;
  if (exists && S_ISDIR(st.st_mode))
    return out->set(EISDIR, "execute", file, launch_failure::execute);
  if (error != ENOENT || !exists) return out->set(error, "execute", file, launch_failure::execute);
  char object[sizeof out->object] = {};
  append(object, sizeof object, file);
  name_interpreter(file, object, sizeof object);
  return out->set(error, "run the interpreter of", object, launch_failure::run_interpreter);
}

/// A miss: the search goes on.
bool is_miss(int error) noexcept {
  return error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP ||
         error == ESTALE || error == ENODEV || error == ETIMEDOUT;
}

} // namespace

int execute(const wire::process_view& p, step_failure* out) noexcept {
  const char* name = p.argv.items[0];
  if (name[0] == '\0')
    return out->set(ENOENT, "find the command", name, launch_failure::find_command);
  if (std::strchr(name, '/') != nullptr) {
    ::execve(name, p.argv.items, p.env.items);
    return explain(name, errno, out);
  }
  char file[PATH_MAX];
  bool denied = false;
  const std::size_t name_size = std::strlen(name);
  for (const char* at = find_path(p.env);; ++at) {
    const std::size_t n = std::strcspn(at, ":");
    if (n + name_size + 2 <= sizeof file) {
      std::memcpy(file, at, n);
      std::size_t used = n;
      if (n > 0) file[used++] = '/'; // an empty entry is the working directory
      std::memcpy(file + used, name, name_size + 1);
      ::execve(file, p.argv.items, p.env.items);
      const int error = errno;
      struct stat st {};
      if (!is_miss(error) && error != EACCES) return explain(file, error, out);
      if (error == ENOENT && ::stat(file, &st) == 0) return explain(file, error, out);
      denied = denied || error == EACCES;
    }
    at += n;
    if (*at == '\0') break;
  }
  return denied ? out->set(EACCES, "execute", name, launch_failure::execute)
                : out->set(ENOENT, "find the command", name, launch_failure::find_command);
}

} // namespace tank::kernel::shim
