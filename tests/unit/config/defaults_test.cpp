#include "config/defaults.hpp"

#include <doctest/doctest.h>
#include <string>

namespace defaults_test {

using namespace tank::config;

TEST_CASE("the pull policy follows the tag") {
  for (const std::string always : {"busybox", "busybox:latest", "a.example/b/c", "a.example:5000/b",
                                   "localhost/x:latest", "busybox:latest@sha256:00"})
    CHECK_MESSAGE(default_pull_policy(always) == "Always", always);
  for (const std::string present :
       {"busybox:1", "a.example:5000/b:1", "busybox@sha256:00", "busybox:1@sha256:00",
        "rootfs:/srv/root", "Not-A-Name", "", "a//b"})
    CHECK_MESSAGE(default_pull_policy(present) == "IfNotPresent", present);
}

TEST_CASE("a silent pod gets the API server's defaults") {
  pod p{.spec = {.containers = {{.name = "c", .image = "a:1"}}}};
  p.spec.volumes.push_back({.name = "v"});
  apply_defaults(p);
  CHECK(p.metadata.ns == "default");
  CHECK(p.spec.restart_policy == "Always");
  CHECK(p.spec.dns_policy == "ClusterFirst");
  CHECK(p.spec.termination_grace_period_seconds == 30);
  CHECK(p.spec.security_context.has_value());
  CHECK(p.spec.enable_service_links == true);
  CHECK(p.spec.containers[0].image_pull_policy == "IfNotPresent");
  CHECK(p.spec.volumes[0].empty_dir.has_value());
  const auto once = p;
  apply_defaults(p);
  CHECK(p == once);
}

TEST_CASE("what the manifest says stays") {
  pod p{.spec = {.containers = {{.name = "c", .image = "a"}}, .restart_policy = "Never"}};
  p.metadata.ns = "mine";
  p.spec.termination_grace_period_seconds = 0;
  p.spec.enable_service_links = false;
  p.spec.containers[0].image_pull_policy = "Never";
  p.spec.containers[0].liveness_probe =
      probe{.http_get = http_get_action{.scheme = "HTTPS"}, .period_seconds = 2};
  apply_defaults(p);
  CHECK(p.metadata.ns == "mine");
  CHECK(p.spec.restart_policy == "Never");
  CHECK(p.spec.termination_grace_period_seconds == 0);
  CHECK(p.spec.enable_service_links == false);
  const auto& c = p.spec.containers[0];
  CHECK(c.image_pull_policy == "Never");
  CHECK(c.liveness_probe->http_get->scheme == "HTTPS");
  CHECK(c.liveness_probe->http_get->path == "/");
  CHECK(c.liveness_probe->period_seconds == 2);
  CHECK(c.liveness_probe->failure_threshold == 3);
}

TEST_CASE("requests follow limits, and amounts are kept to a thousandth") {
  pod p{.spec = {.containers = {{.name = "c", .image = "a"}}}};
  auto& resources = p.spec.containers[0].resources;
  resources.limits["cpu"] = *quantity::parse("100u");
  resources.limits["memory"] = *quantity::parse("1Gi");
  resources.requests["memory"] = *quantity::parse("1Mi");
  apply_defaults(p);
  CHECK(resources.limits["cpu"].to_string() == "1m");
  CHECK(resources.requests["cpu"].to_string() == "1m");
  CHECK(resources.requests["memory"].to_string() == "1Mi");
}

TEST_CASE("on the host's network a container port is a host port") {
  pod p{.spec = {.containers = {{.name = "c", .image = "a", .ports = {{.port = 80}}}}}};
  auto host = p;
  host.spec.host_network = true;
  apply_defaults(p);
  apply_defaults(host);
  CHECK(p.spec.containers[0].ports[0].host_port == 0);
  CHECK(host.spec.containers[0].ports[0].host_port == 80);
  CHECK(host.spec.containers[0].ports[0].protocol == "TCP");
}

TEST_CASE("the old name of the service account is an alias") {
  pod p;
  p.spec.service_account = "old";
  apply_defaults(p);
  CHECK(p.spec.service_account_name == "old");
  p.spec.service_account_name = "new";
  apply_defaults(p);
  CHECK(p.spec.service_account == "new");
}

} // namespace defaults_test
