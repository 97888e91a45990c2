// Image references: what is accepted has one reading, and nothing in it leads out of a directory.
#include "../fuzz.hpp"

#include "oci/digest.hpp"
#include "oci/reference.hpp"

#include <algorithm>

namespace tank::fuzz {
namespace reference_target {
namespace {

bool harmless(std::string_view path) {
  while (true) {
    const auto part = path.substr(0, path.find('/'));
    if (part.empty() || part == "." || part == "..") return false;
    if (part.size() == path.size()) return true;
    path.remove_prefix(part.size() + 1);
  }
}

verdict run(std::string_view input) {
  const auto r = oci::parse_reference(input);
  if (!r) {
    FUZZ_CHECK(r.error().code == errc::invalid);
    return verdict::refused;
  }
  const auto text = r->to_string();
  FUZZ_CHECK(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; }));
  const auto again = oci::parse_reference(text);
  FUZZ_CHECK(again && *again == *r);
  const auto familiar = oci::parse_reference(r->familiar());
  FUZZ_CHECK(familiar && *familiar == *r);
  FUZZ_CHECK(r->registry.find('/') == std::string::npos && harmless(r->registry));
  FUZZ_CHECK(harmless(r->repository));
  FUZZ_CHECK(r->registry.size() + 1 + r->repository.size() <= 255 && r->tag.size() <= 128);
  FUZZ_CHECK(!r->tag.empty() || !r->digest.empty());
  if (!r->digest.empty()) {
    const auto d = oci::parse_digest(r->digest);
    FUZZ_CHECK(d && d->to_string() == r->digest);
    FUZZ_CHECK(d->hex.size() == (d->algorithm == oci::digest_algorithm::sha256 ? 64 : 128));
    FUZZ_CHECK(d->file_name().find_first_not_of("0123456789abcdefsh-") == std::string::npos);
  }
  return verdict::accepted;
}

} // namespace
} // namespace reference_target
const target targets::reference{"reference", reference_target::run};
} // namespace tank::fuzz
