#include "oci/auth_challenge.hpp"

#include <algorithm>

namespace tank::oci {

namespace {

constexpr std::size_t max_text = 8192;
constexpr std::size_t max_challenges = 16;
constexpr std::size_t max_parameters = 32;

bool token_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view{"!#$%&'*+-.^_`|~"}.find(c) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

failure bad(std::string cause) {
  return fail(errc::invalid, "read", "WWW-Authenticate", std::move(cause));
}

class scanner {
 public:
  explicit scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  bool take(char c) {
    if (peek() != c || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_space() {
    while (peek() == ' ' || peek() == '\t')
      rest_.remove_prefix(1);
  }
  /// Commas between elements; a list may hold empty ones (RFC 9110 5.6.1).
  void skip_separators() {
    while (peek() == ' ' || peek() == '\t' || peek() == ',')
      rest_.remove_prefix(1);
  }
  std::string_view token() {
    std::size_t n = 0;
    while (n < rest_.size() && token_char(rest_[n]))
      ++n;
    const auto out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  result<std::string> quoted() {
    std::string out;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\') {
        if (rest_.empty()) break;
        c = rest_.front();
        rest_.remove_prefix(1);
      }
      out += c;
    }
    return bad("a quoted text does not end");
  }
  /// Tries `name = value`; nullopt, with nothing taken, when what comes is no parameter.
  bool parameter_name(std::string& name) {
    const auto before = rest_;
    name = lower(token());
    skip_space();
    if (!name.empty() && take('=')) {
      skip_space();
      if (peek() == '"' || token_char(peek())) return true;
    }
    rest_ = before;
    return false;
  }
  /// Base64 and '=' up to the next blank or comma.
  void skip_token68() {
    while (!rest_.empty() && (token_char(peek()) || peek() == '/' || peek() == '='))
      rest_.remove_prefix(1);
  }

 private:
  std::string_view rest_;
};

result<void> read_parameters(scanner& in, auth_challenge& out) {
  std::string name;
  bool first = true;
  while (in.parameter_name(name)) {
    std::string value;
    if (in.peek() == '"')
      value = TANK_TRY(in.quoted());
    else
      value = in.token();
    const auto same = [&](const auto& p) { return p.first == name; };
    if (std::any_of(out.parameters.begin(), out.parameters.end(), same))
      return bad("'" + name + "' comes twice");
    if (out.parameters.size() == max_parameters) return bad("it has too many parameters");
    out.parameters.emplace_back(std::move(name), std::move(value));
    first = false;
    in.skip_space();
    if (in.at_end()) return {};
    if (!in.take(',')) return bad("something other than a comma follows a parameter");
    in.skip_separators();
  }
  if (first) in.skip_token68();
  return {};
}

} // namespace

std::string_view auth_challenge::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters)
    if (key == name) return value;
  return {};
}

result<std::vector<auth_challenge>> parse_challenges(std::string_view text) {
  if (text.size() > max_text) return bad("it is longer than 8192 characters");
  if (std::any_of(text.begin(), text.end(),
                  [](char c) { return (c < ' ' && c != '\t') || c > '~'; }))
    return bad("it holds a control or a non-ASCII character");
  std::vector<auth_challenge> out;
  scanner in{text};
  for (in.skip_separators(); !in.at_end(); in.skip_separators()) {
    if (out.size() == max_challenges) return bad("it has too many challenges");
    auth_challenge challenge;
    challenge.scheme = lower(in.token());
    if (challenge.scheme.empty()) return bad("a scheme is missing");
    in.skip_space();
    TANK_TRY(read_parameters(in, challenge));
    out.push_back(std::move(challenge));
  }
  return out;
}

} // namespace tank::oci
