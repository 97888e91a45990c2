#include "cli/invocation.hpp"

#include "base/file.hpp"

#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>

namespace tank::cli {
namespace {

constexpr std::size_t max_manifest = 10u << 20;
constexpr std::size_t max_settings = 1u << 20;

} // namespace

result<config::settings> invocation::settings() const {
  const auto file = config::choose_settings_file(flags, context.env);
  auto text = read_file(file.path, max_settings);
  if (!text && (file.required || text.error().code != errc::not_found))
    return wrap(text.error(), "read settings", file.path.string());
  std::error_code ec;
  return config::resolve_settings(flags, context.env, text.value_or(""), file.path.string(),
                                  std::filesystem::current_path(ec));
}

result<pod_name> parse_pod_name(std::string_view text, const std::string& ns) {
  if (text.empty()) return fail(errc::invalid, "find a pod", "", "its name is empty");
  pod_name pod;
  std::string_view left = text;
  if (left.starts_with("pod/")) left.remove_prefix(4);
  const auto slash = left.find('/');
  if (slash != std::string_view::npos) {
    pod.ns = left.substr(0, slash);
    left.remove_prefix(slash + 1);
    if (!ns.empty() && ns != pod.ns)
      return fail(errc::invalid, "understand", std::string{text},
                  "it names the namespace '" + pod.ns + "', and -n '" + ns + "'");
  } else if (!ns.empty()) {
    pod.ns = ns;
  }
  pod.name = left;
  const auto plain = [](const std::string& word) {
    return !word.empty() &&
           word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
  };
  // It becomes part of a path: nothing but the letters of a DNS name.
  if (!plain(pod.name) || !plain(pod.ns) || pod.name.starts_with("."))
    return fail(errc::invalid, "understand", std::string{text}, "it is no name of a pod",
                "write web, pod/web, or namespace/web");
  return pod;
}

result<std::string> read_manifest(const cli_context& context, const std::string& file) {
  if (file == "-") return read_all(context.in_fd, max_manifest, "<stdin>");
  if (file.empty())
    return fail(errc::invalid, "read a manifest", "", "the name of its file is empty");
  // `tank apply -f <(generate)` names a pipe: what somebody types may be any kind of file.
  const unique_fd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd) return fail_errno(errno, "open", file);
  struct stat st {};
  if (::fstat(fd.get(), &st) == 0 && S_ISDIR(st.st_mode))
    return fail_errno(EISDIR, "read", file, "name its files, such as " + file + "/*.yaml");
  return read_all(fd.get(), max_manifest, file);
}

} // namespace tank::cli
