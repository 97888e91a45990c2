#include "oci/digest.hpp"

#include <doctest/doctest.h>

namespace digest_test {

using namespace tank;
using namespace tank::oci;

TEST_CASE("a digest is the hash of the bytes, however they were cut") {
  CHECK(digest_of("abc").to_string() ==
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(
      digest_of("", digest_algorithm::sha512).hex.starts_with("cf83e1357eefb8bdf1542850d66d8007"));
  hasher h;
  h.update("a");
  h.update("");
  h.update("bc");
  CHECK(h.finish() == digest_of("abc"));
}

TEST_CASE("a digest's text is taken only in its one exact form") {
  const auto good = digest_of("x");
  CHECK(parse_digest(good.to_string()).value() == good);
  const auto long_one = digest_of("x", digest_algorithm::sha512);
  CHECK(parse_digest(long_one.to_string()).value() == long_one);
  const auto code = [](const std::string& t) { return parse_digest(t).error().code; };
  auto upper = good.hex;
  for (auto& c : upper)
    if (c >= 'a') c = static_cast<char>(c - 32);
  CHECK(code("sha256:" + upper) == errc::invalid);
  CHECK(code("sha256:" + good.hex.substr(1)) == errc::invalid);
  CHECK(code("sha256:" + good.hex + "0") == errc::invalid);
  CHECK(code("sha256:../../" + good.hex.substr(6)) == errc::invalid);
  CHECK(code("SHA256:" + good.hex) == errc::invalid);
  CHECK(code("sha512:" + good.hex) == errc::invalid);
  CHECK(code("md5:" + good.hex) == errc::unsupported);
  CHECK(code(":" + good.hex) == errc::invalid);
  CHECK(code(good.hex) == errc::invalid);
  CHECK(code("") == errc::invalid);
  auto nul = good.to_string();
  nul[20] = '\0';
  CHECK(code(nul) == errc::invalid);
}

} // namespace digest_test
