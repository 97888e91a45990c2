#include "oci/run_params.hpp"

#include <doctest/doctest.h>

namespace run_params_test {

using namespace tank;
using namespace tank::oci;

namespace {
using list = std::vector<std::string>;
using pairs = std::vector<std::pair<std::string, std::string>>;

const std::string path_default =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// `env` both as declared in the manifest and as resolved.
config::container with_env(const pairs& env) {
  config::container c;
  c.name = "c";
  for (const auto& [k, v] : env)
    c.env.push_back({.name = k, .value = v, .value_from = {}});
  return c;
}
list argv(const list& command, const list& args, const list& entrypoint, const list& cmd) {
  config::container c;
  c.command = command;
  c.args = args;
  image_config i;
  i.entrypoint = entrypoint;
  i.cmd = cmd;
  const auto r = merge_run_params(c, {}, i);
  return r ? r->argv : list{r.error().cause};
}
} // namespace

TEST_CASE("command and args replace the image's entrypoint and cmd as Kubernetes says") {
  CHECK(argv({}, {}, {"e"}, {"c"}) == list{"e", "c"});
  CHECK(argv({"m"}, {}, {"e"}, {"c"}) == list{"m"});
  CHECK(argv({}, {"a"}, {"e"}, {"c"}) == list{"e", "a"});
  CHECK(argv({"m"}, {"a"}, {"e"}, {"c"}) == list{"m", "a"});
  CHECK(argv({}, {}, {}, {"c"}) == list{"c"});
  CHECK(argv({}, {"a"}, {}, {"c"}) == list{"a"});
  CHECK(argv({}, {}, {}, {}) == list{"no_command"});
  CHECK(argv({""}, {}, {}, {}) == list{"no_command"});
}

TEST_CASE("the container's variables override the image's, each name once") {
  image_config i;
  i.cmd = {"x"};
  i.env = {"A=1", "B", "A=2", "=junk", "C=x=y"};
  const pairs env = {{"B", "mine"}, {"D", "4"}, {"D", "5"}};
  CHECK(merge_run_params(with_env(env), env, i).value().env ==
        list{"A=2", "B=mine", "C=x=y", "D=5", path_default});
  for (const auto* none : {"PATH", "PATH=", "A=1"}) {
    i.env = {none};
    CHECK(merge_run_params({}, {}, i).value().env.back() == path_default);
  }
  i.env = {"PATH=/image"};
  CHECK(merge_run_params({}, {}, i).value().env == list{"PATH=/image"});
  const pairs own = {{"PATH", ""}};
  CHECK(merge_run_params(with_env(own), own, i).value().env == list{"PATH="});
}

TEST_CASE("references expand from the container's own earlier variables") {
  image_config i;
  i.env = {"IMAGE=i"};
  i.entrypoint = {"$(A)"};
  const pairs env = {{"B0", "$(A)"}, {"A", "1"},        {"B", "<$(A)>"},
                     {"C", "$$(A)"}, {"D", "$(IMAGE)"}, {"A", "2"}};
  auto c = with_env(env);
  c.args = {"$(A)", "$(B)", "$$(A)", "$(NONE)", "$(IMAGE)"};
  const auto r = merge_run_params(c, env, i).value();
  // The image's own words are not expanded, and its variables are not looked up.
  CHECK(r.argv == list{"$(A)", "2", "<1>", "$(A)", "$(NONE)", "$(IMAGE)"});
  CHECK(r.env == list{"IMAGE=i", "B0=$(A)", "A=2", "B=<1>", "C=$(A)", "D=$(IMAGE)", path_default});
}

TEST_CASE("values that come from elsewhere are data and not expanded") {
  const pairs env = {{"FROM", "$(A) bulk"}, {"A", "1"}, {"F", "$(A) field"}, {"G", "$(F)"}};
  auto c = with_env({{"A", "1"}, {"MISSING", ""}, {"F", ""}, {"G", "$(F)"}});
  c.env[1].value_from.emplace();
  c.env[2].value_from.emplace();
  c.command = {"x"};
  CHECK(merge_run_params(c, env, {}).value().env ==
        list{"FROM=$(A) bulk", "A=1", "F=$(A) field", "G=$(A) field", path_default});
}

TEST_CASE("directory and signal come from the manifest, else the image, else the default") {
  config::container c;
  c.command = {"x"};
  image_config i;
  auto r = merge_run_params(c, {}, i).value();
  CHECK(r.cwd == "/");
  CHECK(!r.cwd_from_image);
  CHECK(r.stop_signal == "SIGTERM");
  i.working_dir = "srv";
  i.stop_signal = "sigQuit"; // as builders take it
  r = merge_run_params(c, {}, i).value();
  CHECK(r.cwd == "/srv");
  CHECK(r.cwd_from_image);
  CHECK(r.stop_signal == "SIGQUIT");
  c.working_dir = "/mine";
  c.lifecycle.emplace().stop_signal = "SIGUSR1";
  r = merge_run_params(c, {}, i).value();
  CHECK(r.cwd == "/mine");
  CHECK(!r.cwd_from_image);
  CHECK(r.stop_signal == "SIGUSR1");
}

TEST_CASE("arguments and variables have a measure, whoever brings them") {
  const auto limit = [](const config::container& c, const pairs& env, const image_config& i) {
    const auto r = merge_run_params(c, env, i);
    return !r && r.error().code == errc::limit;
  };
  image_config i;
  i.cmd = {"x"};
  pairs env = {{"A", std::string(1000, 'a')}};
  for (char c = 'B'; c <= 'Z'; ++c) {
    const std::string before = "$(" + std::string{static_cast<char>(c - 1)} + ")";
    env.push_back({std::string{c}, before + before});
  }
  CHECK(limit(with_env(env), env, i));
  // What comes from a ConfigMap is known here only.
  const pairs data = {{"A", std::string(1'000'000, 'a')}};
  auto c = with_env(data);
  c.env[0].value_from.emplace();
  c.args = {"$(A)$(A)"};
  CHECK_FALSE(limit(c, data, i));
  c.args.insert(c.args.end(), 3, "$(A)$(A)");
  CHECK(limit(c, data, i));
  i.env.assign(7, "B=" + std::string(1'000'000, 'b'));
  CHECK(limit({}, {}, i));
  i.env.clear();
  i.entrypoint.assign(7, std::string(1'000'000, 'b'));
  CHECK(limit({}, {}, i));
}

} // namespace run_params_test
