#include "oci/credentials.hpp"

#include "base/text.hpp"
#include "oci/json.hpp"

#include <algorithm>

namespace tank::oci {

namespace {

constexpr std::size_t max_auth_file = 1u << 20;

/// Docker wrote whole addresses: https://index.docker.io/v1/ and https://host/v2/ mean the host.
std::string normal_key(std::string_view key) {
  bool address = false;
  for (const auto* scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) {
      key.remove_prefix(std::string_view{scheme}.size());
      address = true;
    }
  if (address) key = key.substr(0, key.find('/'));
  while (key.ends_with('/'))
    key.remove_suffix(1);
  if (key == "index.docker.io/v1") key = "index.docker.io";
  return std::string{key};
}

result<credentials> entry_from(const json& value, const std::string& path) {
  const auto o = TANK_TRY(json_object::of(value, path));
  credentials out;
  out.user = TANK_TRY(o.text("username"));
  out.password = TANK_TRY(o.text("password"));
  out.identity_token = TANK_TRY(o.text("identitytoken"));
  const auto packed = TANK_TRY(o.text("auth"));
  if (packed.empty()) return out;
  const auto plain = from_base64(packed);
  const auto colon = plain ? plain->find(':') : std::string::npos;
  if (colon == std::string::npos) return o.wrong("auth", "not base64 of user:password");
  out.user = plain->substr(0, colon);
  out.password = plain->substr(colon + 1);
  while (out.password.ends_with('\0')) // docker pads it
    out.password.pop_back();
  return out;
}

bool is_docker_hub(std::string_view registry) {
  return registry == "docker.io" || registry == "index.docker.io" ||
         registry == "registry-1.docker.io";
}

bool empty(const credentials& c) {
  return c.user.empty() && c.password.empty() && c.identity_token.empty();
}

/// A helper knows hosts, and docker's own by its old address.
std::string helper_server(const std::string& registry) {
  return is_docker_hub(registry) ? "https://index.docker.io/v1/" : registry;
}

result<std::optional<credentials>>
from_helper(const credential_world& world, const std::string& suffix, const std::string& registry) {
  // It becomes the name of a program.
  const bool plain = !suffix.empty() && suffix.size() <= 64 &&
                     std::all_of(suffix.begin(), suffix.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
                     });
  if (!plain)
    return fail(errc::invalid, "use", "credential helper", "its name is not a plain word");
  const auto helper = "docker-credential-" + suffix;
  if (!world.run_helper) return fail(errc::unsupported, "run", helper, "helpers are switched off");
  const auto said = TANK_TRY(world.run_helper(suffix, helper_server(registry)));
  return parse_helper_answer(said.text, said.exit_code, helper);
}

result<std::optional<credentials>> from_file(const credential_world& world, const auth_file& file,
                                             const std::string& registry,
                                             const std::string& repository) {
  const auto keys = credential_keys(registry, repository);
  for (const auto& key : keys)
    if (const auto it = file.helpers.find(key); it != file.helpers.end())
      return from_helper(world, it->second, registry);
  for (const auto& key : keys)
    if (const auto it = file.auths.find(key); it != file.auths.end() && !empty(it->second))
      return std::optional{it->second};
  // With a store, `auths` only lists the hosts it has.
  if (!file.store.empty()) return from_helper(world, file.store, registry);
  return std::optional<credentials>{};
}

} // namespace

result<auth_file> parse_auth_file(std::string_view text, const std::string& name) {
  auth_file out;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return out;
  auto parsed = parse_json(text, max_auth_file, name);
  if (!parsed)
    return fail(parsed.error().code, "read credentials", name, "it is not proper JSON"); // no quote
  const auto o = TANK_TRY(json_object::of(*parsed, name));
  if (const auto* auths = o.find("auths"); auths != nullptr) {
    if (!auths->is_object()) return o.wrong("auths", "not an object");
    for (const auto& [key, value] : auths->items())
      if (!value.is_null())
        out.auths[normal_key(key)] = TANK_TRY(entry_from(value, o.path("auths." + key)));
  }
  for (auto& [key, value] : TANK_TRY(o.pairs("credHelpers")))
    out.helpers[normal_key(key)] = std::move(value);
  out.store = TANK_TRY(o.text("credsStore"));
  return out;
}

std::vector<std::string> credential_keys(std::string_view registry, std::string_view repository) {
  std::vector<std::string> out;
  for (auto path = repository; !path.empty();) {
    out.push_back(std::string{registry} + "/" + std::string{path});
    const auto slash = path.rfind('/');
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
  }
  out.emplace_back(registry);
  if (is_docker_hub(registry))
    for (const auto* other : {"docker.io", "index.docker.io", "registry-1.docker.io"})
      if (registry != other) out.emplace_back(other);
  return out;
}

result<std::optional<credentials>> parse_helper_answer(std::string_view text, int exit_code,
                                                       const std::string& helper) {
  if (exit_code != 0) {
    // The protocol has no code for it, only this sentence on standard output.
    if (text.find("credentials not found") != std::string_view::npos)
      return std::optional<credentials>{};
    return fail(errc::unavailable, "run", helper,
                "it ended with status " + std::to_string(exit_code));
  }
  const auto parsed = parse_json(text, max_auth_file, helper);
  if (!parsed) return fail(errc::invalid, "run", helper, "its answer is not proper JSON");
  const auto o = TANK_TRY(json_object::of(*parsed, helper));
  credentials out;
  out.user = TANK_TRY(o.text("Username"));
  auto secret = TANK_TRY(o.text("Secret"));
  if (out.user == "<token>") {
    out.user.clear();
    out.identity_token = std::move(secret);
  } else {
    out.password = std::move(secret);
  }
  if (empty(out)) return std::optional<credentials>{};
  return std::optional{std::move(out)};
}

std::vector<std::filesystem::path>
credential_files(const std::function<std::optional<std::string>(const std::string&)>& env,
                 unsigned uid) {
  std::vector<std::filesystem::path> out;
  const auto get = [&](const char* name) { return env(name).value_or(""); };
  if (const auto chosen = get("REGISTRY_AUTH_FILE"); !chosen.empty()) return {chosen};
  const auto home = get("HOME");
  if (const auto runtime = get("XDG_RUNTIME_DIR"); !runtime.empty())
    out.push_back(std::filesystem::path{runtime} / "containers/auth.json");
  const auto own = std::filesystem::path{"/run/containers"} / std::to_string(uid) / "auth.json";
  if (out.empty() || out.front() != own) out.push_back(own);
  if (const auto config = get("XDG_CONFIG_HOME"); !config.empty())
    out.push_back(std::filesystem::path{config} / "containers/auth.json");
  else if (!home.empty())
    out.push_back(std::filesystem::path{home} / ".config/containers/auth.json");
  if (const auto docker = get("DOCKER_CONFIG"); !docker.empty())
    out.push_back(std::filesystem::path{docker} / "config.json");
  else if (!home.empty())
    out.push_back(std::filesystem::path{home} / ".docker/config.json");
  return out;
}

result<std::optional<credentials>> find_credentials(const credential_world& world,
                                                    const std::string& registry,
                                                    const std::string& repository) {
  const auto keys = credential_keys(registry, repository);
  for (const auto& file : world.given)
    for (const auto& key : keys)
      if (const auto it = file.auths.find(key); it != file.auths.end() && !empty(it->second))
        return std::optional{it->second};
  for (const auto& path : world.files) {
    const auto text = world.read(path);
    if (!text && text.error().code == errc::not_found) continue;
    if (!text) return wrap(text.error(), "read credentials", path);
    const auto file = TANK_TRY(parse_auth_file(*text, path));
    if (auto found = TANK_TRY(from_file(world, file, registry, repository))) return found;
  }
  return std::optional<credentials>{};
}

} // namespace tank::oci
