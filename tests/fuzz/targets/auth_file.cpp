// auth.json and credential helpers' answers: secrets stay out of messages, helpers are plain words.
#include "../fuzz.hpp"

#include "oci/credentials.hpp"

namespace tank::fuzz {
namespace auth_file_target {
namespace {

using namespace oci;

void find(std::string_view input, const char* registry) {
  credential_world world;
  world.files = {"auth.json"};
  world.read = [&](const std::filesystem::path&) { return std::string{input}; };
  world.run_helper = [&](const std::string& suffix,
                         const std::string&) -> result<credential_world::answer> {
    FUZZ_CHECK(!suffix.empty() && suffix.find_first_of("/ \n;$") == std::string::npos);
    return credential_world::answer{std::string{input}, 0};
  };
  const auto found = find_credentials(world, registry, "team/app");
  // The corpus's secrets hold this word.
  if (!found) FUZZ_CHECK(found.error().cause.find("hunter2") == std::string::npos);
}

verdict run(std::string_view input) {
  find(input, "docker.io");
  find(input, "registry.example.org");
  for (const int code : {0, 1}) {
    const auto answer = parse_helper_answer(input, code, "docker-credential-x");
    if (!answer) FUZZ_CHECK(answer.error().cause.find("hunter2") == std::string::npos);
  }
  const auto file = parse_auth_file(input, "auth.json");
  if (!file) return verdict::refused;
  for (const auto& [key, login] : file->auths)
    FUZZ_CHECK(login.user.size() + login.password.size() <= input.size());
  return verdict::accepted;
}

} // namespace
} // namespace auth_file_target
const target targets::auth_file{"auth_file", auth_file_target::run};
} // namespace tank::fuzz
