#include "oci/layer_view.hpp"
#include "oci/run_params.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace tank::oci {

namespace {

constexpr std::size_t max_accounts_file = 1u << 20;
constexpr std::size_t max_groups = 65536; ///< the kernel's NGROUPS_MAX

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Decimal without sign, blank or leading zero; 2^32-1 is no id but "unchanged" to the kernel.
std::optional<std::uint32_t> id_of(std::string_view text) {
  if (!all_digits(text) || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value == std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(by);
    out.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return out;
    text.remove_prefix(at + 1);
  }
}

/// The lines with at least `fields` fields; comments, blank and NIS lines are none.
std::vector<std::vector<std::string_view>> entries(std::string_view file, std::size_t fields) {
  std::vector<std::vector<std::string_view>> out;
  for (auto line : split(file, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#' || line.front() == '+' || line.front() == '-') continue;
    if (auto parts = split(line, ':'); parts.size() >= fields && !parts[0].empty())
      out.push_back(std::move(parts));
  }
  return out;
}

struct account {
  std::string_view name;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string_view home;
};

class resolver {
 public:
  resolver(std::string_view text, std::string passwd, std::string group)
      : text_(text)
      , passwd_(std::move(passwd))
      , group_(std::move(group)) {}

  [[nodiscard]] result<user_ids> run() const {
    const auto parts = split(text_, ':');
    const auto unprintable = [](char c) {
      return static_cast<unsigned char>(c) < 0x21 || c == 0x7f;
    };
    if (std::any_of(text_.begin(), text_.end(), unprintable)) return bad("unprintable characters");
    if (parts.size() > 2) return bad("more than one ':'");
    if (parts.size() == 2 && parts[0].empty()) return bad("no user before the ':'");
    if (parts.size() == 2 && parts[1].empty()) return bad("no group after the ':'");
    user_ids out;
    const auto found = TANK_TRY(find_account(parts[0].empty() ? "0" : parts[0]));
    out.uid = found.uid;
    out.gid = found.gid;
    if (found.home.starts_with('/')) out.home = found.home;
    if (parts.size() == 2)
      out.gid = TANK_TRY(find_group(parts[1]));
    else if (!found.name.empty())
      out.groups = memberships(found);
    return out;
  }

 private:
  [[nodiscard]] failure bad(std::string cause, errc code = errc::invalid) const {
    return fail(code, "resolve user", std::string{text_.substr(0, 100)}, std::move(cause));
  }

  [[nodiscard]] result<account> find_account(std::string_view wanted) const {
    const bool number = all_digits(wanted);
    const auto uid = id_of(wanted);
    if (number && !uid) return bad("'" + std::string{wanted} + "' is no valid uid");
    for (const auto& e : entries(passwd_, 4)) {
      const auto entry_uid = id_of(e[2]);
      if (number ? entry_uid != uid : e[0] != wanted) continue;
      const auto entry_gid = id_of(e[3]);
      if (!entry_uid || !entry_gid)
        return bad("the image's /etc/passwd has no valid ids for '" + std::string{e[0]} + "'");
      return account{e[0], *entry_uid, *entry_gid, e.size() > 5 ? e[5] : std::string_view{}};
    }
    if (number) return account{{}, *uid, 0, {}};
    if (wanted == "root") return account{{}, 0, 0, {}}; // images without any file
    return bad("no user '" + std::string{wanted} + "' in the image's /etc/passwd", errc::not_found);
  }

  [[nodiscard]] result<std::uint32_t> find_group(std::string_view wanted) const {
    if (all_digits(wanted)) {
      if (const auto gid = id_of(wanted)) return *gid;
      return bad("'" + std::string{wanted} + "' is no valid gid");
    }
    for (const auto& e : entries(group_, 3)) {
      if (e[0] != wanted) continue;
      if (const auto gid = id_of(e[2])) return *gid;
      return bad("the image's /etc/group has no valid gid for '" + std::string{wanted} + "'");
    }
    if (wanted == "root") return 0u;
    return bad("no group '" + std::string{wanted} + "' in the image's /etc/group", errc::not_found);
  }

  [[nodiscard]] std::vector<std::uint32_t> memberships(const account& who) const {
    std::vector<std::uint32_t> out;
    for (const auto& e : entries(group_, 4)) {
      const auto gid = id_of(e[2]);
      if (!gid || *gid == who.gid || out.size() >= max_groups) continue;
      const auto members = split(e[3], ',');
      if (std::find(members.begin(), members.end(), who.name) == members.end()) continue;
      if (std::find(out.begin(), out.end(), *gid) == out.end()) out.push_back(*gid);
    }
    return out;
  }

  std::string_view text_;
  std::string passwd_;
  std::string group_;
};

result<std::string> read_or_empty(const layer_view& view, std::string_view path) {
  auto text = view.read(path, max_accounts_file);
  if (!text && text.error().code == errc::not_found) return std::string{};
  return text;
}

} // namespace

result<user_ids> resolve_user(std::string_view user,
                              const std::vector<std::filesystem::path>& layers) {
  const layer_view view{layers};
  auto passwd = read_or_empty(view, "etc/passwd");
  if (!passwd) return wrap(std::move(passwd).error(), "resolve user", std::string{user});
  auto group = read_or_empty(view, "etc/group");
  if (!group) return wrap(std::move(group).error(), "resolve user", std::string{user});
  return resolver{user, *std::move(passwd), *std::move(group)}.run();
}

} // namespace tank::oci
