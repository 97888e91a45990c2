#include "oci/registry_world.hpp"

#include "base/file.hpp"
#include "oci/helper_runner.hpp"

#include <algorithm>
#include <system_error>

namespace tank::oci {

namespace {

constexpr std::size_t max_certificate = 4u << 20;

result<void> read_directory(const std::filesystem::path& directory, tls_trust& out, bool& found) {
  std::vector<std::filesystem::path> files;
  std::error_code ec;
  for (std::filesystem::directory_iterator it{directory, ec}, end; !ec && it != end;
       it.increment(ec))
    files.push_back(it->path());
  if (ec) return {}; // not there
  std::sort(files.begin(), files.end());
  found = true;
  for (const auto& path : files) {
    if (path.extension() == ".crt") {
      out.extra_authorities += TANK_TRY(read_file(path, max_certificate))
      +"\n";
    } else if (path.extension() == ".cert" && out.certificate.empty()) {
      auto key = path;
      key.replace_extension(".key");
      out.certificate = TANK_TRY(read_file(path, max_certificate));
      out.key = TANK_TRY(read_file(key, max_certificate));
    }
  }
  return {};
}

} // namespace

result<tls_trust> read_trust(const std::vector<std::filesystem::path>& certificate_dirs,
                             const std::string& host) {
  tls_trust out;
  for (const auto& base : certificate_dirs) {
    bool found = false;
    TANK_TRY(read_directory(base / host, out, found));
    if (found) break;
  }
  return out;
}

registry_world user_world(const std::function<std::optional<std::string>(const std::string&)>& env,
                          unsigned uid) {
  registry_world out;
  const std::filesystem::path system{"/etc/containers"};
  const auto home = env("HOME").value_or("");
  const auto own_config = env("XDG_CONFIG_HOME").value_or(home.empty() ? "" : home + "/.config");
  out.registries.file = system / "registries.conf";
  out.registries.drop_ins = {system / "registries.conf.d"};
  if (!own_config.empty()) {
    const auto own = std::filesystem::path{own_config} / "containers";
    std::error_code ec;
    if (std::filesystem::exists(own / "registries.conf", ec))
      out.registries.file = own / "registries.conf";
    out.registries.drop_ins.push_back(own / "registries.conf.d");
    out.certificate_dirs.push_back(own / "certs.d");
  }
  if (const auto chosen = env("CONTAINERS_REGISTRIES_CONF").value_or(""); !chosen.empty()) {
    out.registries.file = chosen;
    out.registries.drop_ins.clear();
  }
  out.certificate_dirs.insert(out.certificate_dirs.end(),
                              {system / "certs.d", "/etc/docker/certs.d"});
  out.logins.files = credential_files(env, uid);
  out.logins.read = [](const std::filesystem::path& path) { return read_file(path, 1u << 20); };
  // What the usual helpers read: desktop keyrings, pass, and the clouds' own.
  std::vector<std::string> environment;
  for (const auto* key : {"PATH",
                          "HOME",
                          "USER",
                          "LANG",
                          "XDG_RUNTIME_DIR",
                          "XDG_CONFIG_HOME",
                          "XDG_DATA_HOME",
                          "DBUS_SESSION_BUS_ADDRESS",
                          "GNUPGHOME",
                          "PASSWORD_STORE_DIR",
                          "HTTPS_PROXY",
                          "NO_PROXY",
                          "AWS_PROFILE",
                          "AWS_REGION",
                          "AWS_DEFAULT_REGION",
                          "AWS_ACCESS_KEY_ID",
                          "AWS_SECRET_ACCESS_KEY",
                          "AWS_SESSION_TOKEN",
                          "AWS_CONFIG_FILE",
                          "AWS_SHARED_CREDENTIALS_FILE",
                          "AWS_ROLE_ARN",
                          "AWS_WEB_IDENTITY_TOKEN_FILE",
                          "GOOGLE_APPLICATION_CREDENTIALS",
                          "CLOUDSDK_CONFIG",
                          "AZURE_CONFIG_DIR"})
    if (const auto value = env(key)) environment.push_back(std::string{key} + "=" + *value);
  out.logins.run_helper = helper_runner(env("PATH").value_or("/usr/local/bin:/usr/bin:/bin"),
                                        std::move(environment), std::chrono::seconds{30});
  return out;
}

result<std::vector<pull_source>> find_sources(const registry_world& world, const reference& name,
                                              bool short_name) {
  auto rules = TANK_TRY(read_registries(world.registries));
  merge_rules(rules, world.own);
  std::vector<pull_source> out;
  const auto names = short_name ? TANK_TRY(expand_short_name(rules, name)) : std::vector{name};
  for (const auto& full : names)
    for (auto& place : TANK_TRY(places_for(rules, full))) {
      pull_source source;
      auto& e = source.endpoint;
      e.login = TANK_TRY(find_credentials(world.logins, place.named, place.repository));
      e.host = std::move(place.host);
      e.repository = std::move(place.repository);
      e.insecure = place.insecure;
      e.token_servers = std::move(place.token_servers);
      source.tag_or_digest = full.digest.empty() ? full.tag : full.digest;
      out.push_back(std::move(source));
    }
  return out;
}

} // namespace tank::oci
