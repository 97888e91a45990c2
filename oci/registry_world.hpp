/// What this machine knows of registries: registries.conf, logins and certificates, at injected
/// places.
#pragma once

#include "base/error.hpp"
#include "oci/credentials.hpp"
#include "oci/http.hpp"
#include "oci/pull.hpp"
#include "oci/reference.hpp"
#include "oci/registries_conf.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tank::oci {

struct registry_world {
  registries_paths registries;
  registry_rules own; ///< of our own settings; they come before those of registries.conf
  credential_world logins;
  std::vector<std::filesystem::path> certificate_dirs; ///< .../certs.d, first one that has counts
};

/// That of this user and machine, from the environment: see credential_files; registries.conf(5):
/// CONTAINERS_REGISTRIES_CONF, then ~/.config/containers, then /etc/containers.
registry_world user_world(const std::function<std::optional<std::string>(const std::string&)>& env,
                          unsigned uid);

/// Where to ask for `name`, in order, with logins. Blocking: reads files, may run helpers.
result<std::vector<pull_source>> find_sources(const registry_world& world, const reference& name,
                                              bool short_name);

/// containers-certs.d(5): *.crt are authorities, NAME.cert with NAME.key is a certificate of ours;
/// below `host` or `host:port`. Nothing there: nothing more than the system's.
result<tls_trust> read_trust(const std::vector<std::filesystem::path>& certificate_dirs,
                             const std::string& host);

} // namespace tank::oci
