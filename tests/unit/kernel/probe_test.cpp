#include "kernel/probe.hpp"

#include <doctest/doctest.h>

namespace probe_test {

using namespace tank::kernel;

TEST_CASE("resolv.conf is read as its manual says") {
  host_facts facts;
  read_resolv_conf("# comment\nnameserver 10.0.0.1\n nameserver\t10.0.0.2 # second\n"
                   "search a.example b.example\nsearch c.example d.example\n"
                   "options ndots:5 edns0\noptions rotate\nsortlist x\nnameserver\n",
                   facts);
  CHECK(facts.nameservers == std::vector<std::string>{"10.0.0.1", "10.0.0.2"});
  CHECK(facts.searches == std::vector<std::string>{"c.example", "d.example"});
  CHECK(facts.resolver_options == std::vector<std::string>{"ndots:5", "edns0", "rotate"});
}

TEST_CASE("machines have OCI's names") {
  CHECK(go_architecture("x86_64") == "amd64");
  CHECK(go_architecture("aarch64") == "arm64");
  CHECK(go_architecture("unheard-of") == "unheard-of");
}

TEST_CASE("probing a host finds its name") {
  const auto facts = probe_host();
  REQUIRE(facts);
  CHECK(!facts->hostname.empty());
  CHECK(!facts->architecture.empty());
}

} // namespace probe_test
