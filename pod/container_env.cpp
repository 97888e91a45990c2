#include "pod/container.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>

namespace tank {

/// metadata.labels['key'] -> key
static std::optional<std::string_view> subscript(std::string_view path, std::string_view map) {
  if (!path.starts_with(map)) return std::nullopt;
  path.remove_prefix(map.size());
  if (path.size() < 4 || !path.starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return path.substr(2, path.size() - 4);
}

static std::string lookup(const std::map<std::string, std::string>& map, std::string_view key) {
  const auto it = map.find(std::string{key});
  return it == map.end() ? std::string{} : it->second; // as kubelet: a missing key is empty
}

static result<std::string> field_value(std::string_view path, const config::pod& pod,
                                       const kernel::host_facts& host, std::string_view uid) {
  const auto& meta = pod.metadata;
  if (path == "metadata.name") return meta.name;
  if (path == "metadata.namespace") return meta.ns;
  if (path == "metadata.uid") return std::string{uid};
  if (path == "spec.nodeName") return host.hostname;
  if (path == "spec.serviceAccountName") return pod.spec.service_account_name;
  // Until pods have addresses of their own, the pod and its host are where they listen: loopback.
  if (path == "status.podIP" || path == "status.podIPs" || path == "status.hostIP" ||
      path == "status.hostIPs")
    return "127.0.0.1";
  if (const auto key = subscript(path, "metadata.labels")) return lookup(meta.labels, *key);
  if (const auto key = subscript(path, "metadata.annotations"))
    return lookup(meta.annotations, *key);
  return fail(errc::invalid, "resolve fieldRef", std::string{path}, "no such field of a pod");
}

result<std::vector<std::pair<std::string, std::string>>>
container_env(const config::pod& pod, const config::container& container,
              const kernel::host_facts& host, std::string_view uid) {
  std::vector<std::pair<std::string, std::string>> env;
  if (!container.env_from.empty())
    return fail(errc::unsupported, "set variables of", container.name, "envFrom is not supported");
  for (const auto& var : container.env) {
    if (!var.value_from) {
      env.emplace_back(var.name, var.value);
      continue;
    }
    if (!var.value_from->field_ref)
      return fail(errc::unsupported, "set variable", var.name,
                  "of valueFrom only fieldRef is supported");
    env.emplace_back(var.name,
                     TANK_TRY(field_value(var.value_from->field_ref->field_path, pod, host, uid)));
  }
  return env;
}

namespace {
struct effective_context {
  std::optional<std::int64_t> user;
  bool non_root = false;
};
} // namespace

static effective_context effective_user(const config::pod& pod,
                                        const config::container& container) {
  effective_context out;
  if (const auto& p = pod.spec.security_context) {
    out.user = p->run_as_user;
    out.non_root = p->run_as_non_root.value_or(false);
  }
  if (const auto& c = container.security_context) {
    if (c->run_as_user) out.user = c->run_as_user;
    if (c->run_as_non_root) out.non_root = *c->run_as_non_root;
  }
  return out;
}

static bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

result<std::string> user_text(const config::pod& pod, const config::container& container,
                              const oci::image_config& image) {
  const auto context = effective_user(pod, container);
  const auto refuse = [&](std::string why, std::string hint) {
    return fail(errc::denied, "run container", container.name,
                "runAsNonRoot is set and " + std::move(why), std::move(hint));
  };
  if (context.user) {
    if (context.non_root && *context.user == 0)
      return refuse("runAsUser is 0", "set securityContext.runAsUser to another user");
    return std::to_string(*context.user);
  }
  if (context.non_root) {
    const auto user = std::string_view{image.user}.substr(0, image.user.find(':'));
    if (user.empty()) return refuse("the image runs as root", "set securityContext.runAsUser");
    if (!is_number(user))
      return refuse("the image's user '" + std::string{user} + "' is not a number",
                    "set securityContext.runAsUser: a name cannot be verified not to be root");
    if (user.find_first_not_of('0') == std::string_view::npos)
      return refuse("the image runs as root", "set securityContext.runAsUser");
  }
  return image.user;
}

result<int> signal_number(std::string_view text) {
  const auto wrong = [&] {
    return fail(errc::invalid, "understand signal", std::string{text}, "no such signal",
                "use a name such as SIGTERM or SIGRTMIN+3, or a number from 1 to 64");
  };
  const auto number = [](std::string_view digits) -> std::optional<int> {
    int n = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    if (ec != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return n;
  };
  if (is_number(text)) {
    const auto n = number(text);
    if (!n || *n < 1 || *n > 64) return wrong();
    return *n;
  }
  auto name = text;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int n = 1; n < 32; ++n)
    if (const char* abbreviation = ::sigabbrev_np(n); abbreviation != nullptr)
      if (name == abbreviation) return n;
  // SIGRTMIN is 34 for programs that use the C library, which is what images mean by it.
  const auto real_time = [&](std::string_view base, int value, char sign) -> std::optional<int> {
    if (!name.starts_with(base)) return std::nullopt;
    const auto rest = name.substr(base.size());
    if (rest.empty()) return value;
    if (rest.size() < 2 || rest.front() != sign || !is_number(rest.substr(1))) return std::nullopt;
    const auto n = number(rest.substr(1)).value_or(99);
    const auto result = sign == '+' ? value + n : value - n;
    return n <= 30 && result >= 34 && result <= 64 ? std::optional{result} : std::nullopt;
  };
  if (const auto n = real_time("RTMIN", 34, '+')) return *n;
  if (const auto n = real_time("RTMAX", 64, '-')) return *n;
  return wrong();
}

} // namespace tank
