/// Who we are to a registry, from the files that people already have: docker's config.json and
/// containers-auth.json(5). Parsing and choosing are pure; reading goes through `credential_world`.
#pragma once

#include "base/error.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::oci {

/// Secrets: never in a message, a log or a status.
struct credentials {
  std::string user;
  std::string password;
  std::string identity_token; ///< OAuth 2 refresh token; then user and password may be empty
  bool operator==(const credentials&) const = default;
};

/// One file.
struct auth_file {
  std::map<std::string, credentials> auths;   ///< by "host[:port][/repository prefix]"
  std::map<std::string, std::string> helpers; ///< "credHelpers": host -> program suffix
  std::string store;                          ///< "credsStore": for every host; may be empty
  bool operator==(const auth_file&) const = default;
};

/// At most 1 MiB of JSON. Unknown members are ignored; an entry with a broken `auth` is an error
/// that names the entry and not its content.
result<auth_file> parse_auth_file(std::string_view text, const std::string& name);

/// The keys that may speak for `registry` / `repository`, best first: the whole name, then each
/// prefix of it, then the host; for docker.io also docker's own spellings.
std::vector<std::string> credential_keys(std::string_view registry, std::string_view repository);

/// What a credential helper's `get` said; nullopt when it knows no such server.
result<std::optional<credentials>> parse_helper_answer(std::string_view text, int exit_code,
                                                       const std::string& helper);

struct credential_world {
  /// Of who asks, before all files. They come from strangers: of each only `auths` counts.
  std::vector<auth_file> given = {};
  /// Files in the order they are asked; missing ones are skipped.
  std::vector<std::filesystem::path> files;
  /// Content of a file, at most 1 MiB.
  std::function<result<std::string>(const std::filesystem::path&)> read;
  struct answer {
    std::string text;
    int exit_code = 0;
  };
  /// Runs `docker-credential-<suffix> get` with `server` as input.
  std::function<result<answer>(const std::string& suffix, const std::string& server)> run_helper;
};

/// The files of containers-auth.json(5) and docker, for this user. `env` gives REGISTRY_AUTH_FILE
/// (which then is the only one), XDG_RUNTIME_DIR, XDG_CONFIG_HOME, DOCKER_CONFIG and HOME.
std::vector<std::filesystem::path>
credential_files(const std::function<std::optional<std::string>(const std::string&)>& env,
                 unsigned uid);

/// The first of `given`, then the first file, that has an answer gives it; none: anonymous.
/// Blocking.
result<std::optional<credentials>> find_credentials(const credential_world& world,
                                                    const std::string& registry,
                                                    const std::string& repository);

} // namespace tank::oci
