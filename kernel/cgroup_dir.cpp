#include "kernel/cgroup_dir.hpp"

#include "base/file.hpp"

#include <cerrno>
#include <charconv>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace tank::kernel {

constexpr std::size_t max_content = std::size_t{1} << 20;

result<cgroup_dir> cgroup_dir::open(const std::filesystem::path& path) {
  unique_fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open cgroup", path);
  return cgroup_dir{std::move(fd), path};
}

result<cgroup_dir> cgroup_dir::child(const std::string& name) const {
  unique_fd fd{::openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open cgroup", path_ / name);
  return cgroup_dir{std::move(fd), path_ / name};
}

result<void> cgroup_dir::make(const std::string& name) const {
  if (::mkdirat(fd_.get(), name.c_str(), 0755) == 0) return {};
  return fail_errno(errno, "make cgroup", path_ / name);
}

result<void> cgroup_dir::remove(const std::string& name) const {
  if (::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR) == 0) return {};
  if (errno == EBUSY || errno == ENOTEMPTY)
    return fail(errc::conflict, "remove cgroup", path_ / name, "something is in it");
  return fail_errno(errno, "remove cgroup", path_ / name);
}

result<std::string> cgroup_dir::read(std::string_view file) const {
  const std::string name{file};
  const unique_fd fd{::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path_ / name);
  return read_all(fd.get(), max_content, path_ / name);
}

result<void> cgroup_dir::write(std::string_view file, std::string_view value) const {
  const std::string name{file};
  const unique_fd fd{::openat(fd_.get(), name.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", path_ / name);
  // One write is one command to the kernel.
  if (::write(fd.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size()))
    return {};
  return fail_errno(errno, "write '" + std::string{value} + "' to", path_ / name);
}

bool cgroup_dir::has(std::string_view file) const {
  return ::faccessat(fd_.get(), std::string{file}.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

result<std::vector<pid_t>> cgroup_dir::processes() const {
  const auto text = TANK_TRY(read("cgroup.procs"));
  std::vector<pid_t> out;
  for (const char *at = text.data(), *const end = at + text.size(); at < end; ++at) {
    pid_t pid = 0;
    const auto [next, ec] = std::from_chars(at, end, pid);
    if (ec != std::errc{}) break;
    out.push_back(pid); // 0: of a pid namespace that we do not see
    at = next;
  }
  return out;
}

std::vector<std::string> cgroup_dir::children() const {
  std::vector<std::string> out;
  // A descriptor of its own: the position in a directory is shared by duplicates.
  const int fd = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return out;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir{::fdopendir(fd), ::closedir};
  if (!dir) {
    ::close(fd);
    return out;
  }
  while (const dirent* e = ::readdir(dir.get()))
    if (e->d_type == DT_DIR && e->d_name[0] != '.') out.emplace_back(e->d_name);
  return out;
}

} // namespace tank::kernel
