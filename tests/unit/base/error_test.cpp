#include "base/error.hpp"

#include <cerrno>
#include <doctest/doctest.h>

namespace error_test {

using namespace tank;

static result<int> parse(bool ok) {
  if (ok) return 7;
  return fail(errc::invalid, "parse", "x", "not a number", "write digits");
}

static result<std::string> outer(bool ok) {
  const int n = TANK_TRY(parse(ok));
  return std::to_string(n);
}

TEST_CASE("a message names verb, object, cause and hint") {
  CHECK(fail(errc::invalid, "parse", "x", "not a number", "write digits").value().message() ==
        "cannot parse 'x': not a number (write digits)");
  CHECK(fail_errno(ENOENT, "open", "/x").value().message() ==
        "cannot open '/x': No such file or directory");
  CHECK(fail(errc::internal, "think", "", "").value().message() == "cannot think");
}

TEST_CASE("an errno value decides the code") {
  CHECK(fail_errno(ENOENT, "open", "/x").value().code == errc::not_found);
  CHECK(fail_errno(EPERM, "open", "/x").value().code == errc::denied);
  CHECK(fail_errno(EIO, "open", "/x").value().code == errc::io);
}

TEST_CASE("TANK_TRY yields the value or returns the error") {
  CHECK(outer(true).value() == "7");
  CHECK(outer(false).error().code == errc::invalid);
}

TEST_CASE("wrap puts the outer step first and keeps code, errno and hint") {
  auto inner = fail_errno(ENOENT, "open", "/x", "create it").value();
  const auto e = wrap(inner, "start", "web").value();
  CHECK(e.message() ==
        "cannot start 'web': cannot open '/x': No such file or directory (create it)");
  CHECK(e.code == errc::not_found);
  CHECK(e.sys == ENOENT);
}

} // namespace error_test
