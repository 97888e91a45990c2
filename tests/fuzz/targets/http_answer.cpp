// The other texts of a registry's answers: where a redirect leads, tokens, refusals, dates, ranges.
#include "../fuzz.hpp"

#include "oci/registry_rules.hpp"

#include <algorithm>

namespace tank::fuzz {
namespace http_answer_target {
namespace {

using namespace oci;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

void redirect(const char* from, std::string_view location) {
  const auto base = parse_url(from);
  FUZZ_CHECK(base);
  const auto to = follow_location(*base, location);
  if (!to) return;
  FUZZ_CHECK(to->secure || !base->secure);
  FUZZ_CHECK(to->target.starts_with('/') && printable(to->target) && printable(to->host));
  const auto again = parse_url(to->to_string());
  FUZZ_CHECK(again.has_value() || to->to_string().size() > 8192);
  FUZZ_CHECK(!again || *again == *to);
}

verdict run(std::string_view input) {
  redirect("https://registry.example.org:5000/v2/a/blobs/x?y=z", input);
  redirect("http://127.0.0.1:5000/v2/", input);
  const auto after = parse_retry_after(input, 1'700'000'000);
  FUZZ_CHECK(!after || after->count() >= 0);
  content_range_matches(input, 5, 10);
  if (const auto token = parse_token(input))
    FUZZ_CHECK(token->find_first_of(std::string_view{"\r\n\0", 3}) == std::string::npos);
  const auto why = refusal(403, "pull", "x", input, true).message();
  FUZZ_CHECK(why.size() < 4096);
  FUZZ_CHECK(std::none_of(why.begin(), why.end(), [](char c) { return c >= 0 && c < ' '; }));
  is_loopback(input.substr(0, 300));
  const auto url = parse_url(input);
  if (!url) return verdict::refused;
  FUZZ_CHECK(url->same_origin(*url) && url->port != 0 && !url->host.empty());
  FUZZ_CHECK(same_site(url->host, url->host));
  const auto origin = origin_of(url->host + ":" + std::to_string(url->port), url->secure);
  FUZZ_CHECK(origin && origin->same_origin(*url));
  return verdict::accepted;
}

} // namespace
} // namespace http_answer_target
const target targets::http_answer{"http_answer", http_answer_target::run};
} // namespace tank::fuzz
