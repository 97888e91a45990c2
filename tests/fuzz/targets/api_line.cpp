// The control socket's lines, both ways. A request is one line and says what was meant; an answer
// that was read is written and read again as the same.
#include "../fuzz.hpp"

#include "api/api_protocol.hpp"

#include <algorithm>

namespace tank::fuzz {
namespace api_line_target {
namespace {

bool one_line(std::string_view text) {
  return text.ends_with('\n') && std::count(text.begin(), text.end(), '\n') == 1;
}

void answers(std::string_view input) {
  if (const auto pods = api::decode_pods(input)) {
    const auto text = api::ok_items(*pods, true);
    FUZZ_CHECK(one_line(text));
    const auto again = api::decode_pods(text);
    FUZZ_CHECK(again && again->size() == pods->size());
    FUZZ_CHECK(api::ok_items(*again, true) == text);
    (void)api::status_yaml(*pods, false);
  }
  if (const auto files = api::decode_files(input)) {
    const auto again = api::decode_files(api::ok_items(*files));
    FUZZ_CHECK(again && api::ok_items(*again) == api::ok_items(*files));
  }
  (void)api::decode_version(input);
  if (const auto ok = api::decode_ok(input); !ok && ok.error().code != errc::corrupt) {
    const auto again = api::decode_ok(api::refused(ok.error()));
    FUZZ_CHECK(!again && again.error() == ok.error());
  }
  const auto ns = api::parse_time(input);
  FUZZ_CHECK(ns < 0 || api::parse_time(api::format_time(ns)) == ns);
}

verdict run(std::string_view input) {
  answers(input);
  const auto r = api::decode_request(input);
  if (!r) {
    FUZZ_CHECK(r.error().code == errc::invalid && one_line(api::refused(r.error())));
    return verdict::refused;
  }
  const auto text = api::encode(*r);
  FUZZ_CHECK(one_line(text));
  const auto again = api::decode_request(text);
  FUZZ_CHECK(again && *again == *r);
  return verdict::accepted;
}

} // namespace
} // namespace api_line_target
const target targets::api_line{"api_line", api_line_target::run};
} // namespace tank::fuzz
