#include "pod/container.hpp"
#include "pod/field_values.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>

namespace tank {

using variables = std::vector<std::pair<std::string, std::string>>;

static result<void> add_variable(variables& env, const std::string& name, const std::string& value,
                                 const std::string& from) {
  if (value.find('\0') != std::string::npos)
    return fail(errc::invalid, "set variable", name, "the value from " + from + " has a NUL in it",
                "mount it as a file");
  env.emplace_back(name, value);
  return {};
}

/// All of a document, in order of keys. What is not text is for files only.
static result<void> add_all(variables& env, const config::env_from_source& from,
                            const std::string& ns, const documents& data) {
  const auto kind = from.secret_ref ? document_kind::secret : document_kind::config_map;
  const auto& name = from.secret_ref ? from.secret_ref->name : from.config_map_ref->name;
  const auto optional = from.secret_ref ? from.secret_ref->optional : from.config_map_ref->optional;
  const auto shown = to_string(document_id{kind, ns + "/" + name});
  const auto* found = data.find(kind, ns, name);
  if (found == nullptr) {
    if (optional.value_or(false)) return {};
    return fail(errc::not_found, "set variables from", shown, "there is none");
  }
  for (const auto& [key, value] : found->data)
    TANK_TRY(add_variable(env, from.prefix + key, value, shown));
  return {};
}

/// Nothing, for an optional key that is not there.
static result<std::optional<std::string>> key_value(document_kind kind, const std::string& ns,
                                                    const std::string& name, const std::string& key,
                                                    bool optional, const documents& data) {
  const auto* found = data.find(kind, ns, name);
  if (found != nullptr)
    if (const auto it = found->data.find(key); it != found->data.end()) return it->second;
  if (optional) return std::optional<std::string>{};
  return fail(errc::not_found, "set a variable from", to_string(document_id{kind, ns + "/" + name}),
              found == nullptr ? "there is none" : "it has no key '" + key + "'");
}

namespace {
struct env_sources {
  const config::pod& pod;
  const config::container& container;
  const kernel::host_facts& host;
  std::string_view uid;
  const documents& data;
};
} // namespace

static result<std::optional<std::string>> value_of(const config::env_var_source& from,
                                                   const env_sources& in) {
  if (from.field_ref)
    return TANK_TRY(field_value(from.field_ref->field_path, in.pod, in.host, in.uid));
  if (from.resource_field_ref)
    return TANK_TRY(resource_value(*from.resource_field_ref, in.pod, in.container.name, in.host));
  const auto& ns = in.pod.metadata.ns;
  if (const auto& ref = from.config_map_key_ref)
    return key_value(document_kind::config_map, ns, ref->name, ref->key,
                     ref->optional.value_or(false), in.data);
  if (const auto& ref = from.secret_key_ref)
    return key_value(document_kind::secret, ns, ref->name, ref->key, ref->optional.value_or(false),
                     in.data);
  return fail(errc::unsupported, "set variables of", in.container.name,
              "valueFrom.fileKeyRef is not supported");
}

result<variables> container_env(const config::pod& pod, const config::container& container,
                                const kernel::host_facts& host, std::string_view uid,
                                const documents& data) {
  variables env;
  for (const auto& from : container.env_from)
    TANK_TRY(add_all(env, from, pod.metadata.ns, data));
  const env_sources sources{pod, container, host, uid, data};
  for (const auto& var : container.env) {
    if (!var.value_from) {
      env.emplace_back(var.name, var.value);
      continue;
    }
    const auto value = TANK_TRY(value_of(*var.value_from, sources));
    if (value) TANK_TRY(add_variable(env, var.name, *value, "its source"));
  }
  return env;
}

bool has_secret_env(const config::container& container) {
  return std::any_of(container.env_from.begin(), container.env_from.end(),
                     [](const auto& from) { return from.secret_ref.has_value(); }) ||
         std::any_of(container.env.begin(), container.env.end(), [](const auto& var) {
           return var.value_from && var.value_from->secret_key_ref;
         });
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
