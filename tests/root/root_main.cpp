// The root suites' main: skips, and says so, where the suite cannot work.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/root/host_namespaces.hpp"

#include <doctest/doctest.h>

#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    std::puts("skipped: this suite makes namespaces and mounts and must be run as root");
    return 77;
  }
  if (const auto why = tank::testing::enter_own_namespaces(); !why.empty()) {
    std::printf("cannot have a mount and a network namespace of its own: %s\n", why.c_str());
    return 1;
  }
  return doctest::Context{argc, argv}.run();
}
