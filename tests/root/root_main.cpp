// The root suites' main: skips, and says so, where the suite cannot work.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

#include <unistd.h>

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    std::puts("skipped: this suite makes namespaces and mounts and must be run as root");
    return 77;
  }
  return doctest::Context{argc, argv}.run();
}
