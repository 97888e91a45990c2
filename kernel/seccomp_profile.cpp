#include "kernel/seccomp_profile.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include <linux/seccomp.h>
#include <nlohmann/json.hpp>

namespace tank::kernel {
namespace {

using nlohmann::json;

constexpr std::size_t max_rules = 4096;
constexpr std::size_t max_names = 4096; ///< of one rule
constexpr unsigned max_errno = 4095;    ///< the kernel's MAX_ERRNO

/// GOARCH -> libseccomp's name.
constexpr std::pair<std::string_view, std::string_view> natives[] = {
    {"amd64", "X86_64"},      {"arm64", "AARCH64"},      {"386", "X86"},     {"arm", "ARM"},
    {"ppc64le", "PPC64LE"},   {"riscv64", "RISCV64"},    {"s390x", "S390X"}, {"mips64", "MIPS64"},
    {"mips64le", "MIPSEL64"}, {"loong64", "LOONGARCH64"}};

class resolver {
 public:
  resolver(const std::string& name, const seccomp_conditions& when) : name_(name), when_(when) {}

  result<resolved_profile> run(const json& root) {
    if (!root.is_object()) return wrong("it is no JSON object");
    resolved_profile out;
    out.otherwise = TANK_TRY(action(root, "defaultAction", "defaultErrnoRet", "defaultErrno"));
    out.architectures = TANK_TRY(architectures(root));
    out.flags = TANK_TRY(flags(root));
    const auto rules = root.find("syscalls");
    if (rules == root.end() || rules->is_null()) return out;
    if (!rules->is_array() || rules->size() > max_rules)
      return wrong("syscalls is no list of at most 4096 rules");
    for (std::size_t i = 0; i < rules->size(); ++i)
      TANK_TRY(add_rule((*rules)[i], "syscalls[" + std::to_string(i) + "]", out));
    return out;
  }

 private:
  [[nodiscard]] failure wrong(std::string cause) const {
    return fail(errc::invalid, "use the seccomp profile", name_, std::move(cause));
  }

  [[nodiscard]] result<std::vector<std::string>> strings(const json& at, const char* key) const {
    std::vector<std::string> out;
    const auto list = at.find(key);
    if (list == at.end() || list->is_null()) return out;
    if (!list->is_array() || list->size() > max_names)
      return wrong(std::string{key} + " is no list of names");
    for (const auto& item : *list) {
      if (!item.is_string()) return wrong(std::string{key} + " holds what is no name");
      out.push_back(item.get<std::string>());
    }
    return out;
  }

  [[nodiscard]] result<std::uint64_t> number(const json& at, const char* key) const {
    const auto value = at.find(key);
    if (value == at.end() || value->is_null()) return std::uint64_t{0};
    if (!value->is_number_unsigned())
      return wrong(std::string{key} + " is no number from 0 to 2^64-1");
    return value->get<std::uint64_t>();
  }

  /// "ENOSYS" -> 38.
  static std::optional<unsigned> errno_named(std::string_view text) {
    for (int n = 1; n < 134; ++n) {
      const char* known = ::strerrorname_np(n);
      if (known != nullptr && text == known) return static_cast<unsigned>(n);
    }
    return std::nullopt;
  }

  [[nodiscard]] result<seccomp_action> action(const json& at, const char* key, const char* ret,
                                              const char* text) const {
    constexpr std::string_view known[] = {"ALLOW",        "ERRNO", "KILL", "KILL_THREAD",
                                          "KILL_PROCESS", "TRAP",  "LOG",  "TRACE"};
    constexpr std::string_view prefix = "SCMP_ACT_";
    const auto value = at.find(key);
    if (value == at.end() || !value->is_string()) return wrong(std::string{key} + " is missing");
    const auto& full = value->get_ref<const std::string&>();
    seccomp_action out;
    if (full.starts_with(prefix)) out.name = full.substr(prefix.size());
    if (std::find(std::begin(known), std::end(known), out.name) == std::end(known))
      return wrong(std::string{key} + " '" + full + "' is not supported");
    const auto named = at.find(text);
    if (named != at.end() && named->is_string() && !named->get_ref<const std::string&>().empty()) {
      const auto found = errno_named(named->get_ref<const std::string&>());
      if (!found) return wrong(std::string{text} + " names no errno");
      out.number = *found;
    } else if (const auto code = at.find(ret); code != at.end() && !code->is_null()) {
      const auto n = TANK_TRY(number(at, ret));
      if (n > max_errno) return wrong(std::string{ret} + " is no errno");
      out.number = static_cast<unsigned>(n);
    }
    return out;
  }

  [[nodiscard]] result<std::vector<std::string>> architectures(const json& root) const {
    auto listed = TANK_TRY(strings(root, "architectures"));
    const auto maps = root.find("archMap");
    if (maps != root.end() && !maps->is_null()) {
      if (!listed.empty()) return wrong("it has both architectures and archMap");
      if (!maps->is_array()) return wrong("archMap is no list");
      for (const auto& map : *maps) {
        if (!map.is_object()) return wrong("archMap holds what is no object");
        const auto main = map.find("architecture");
        if (main == map.end() || !main->is_string()) return wrong("archMap without architecture");
        if (main->get_ref<const std::string&>() != "SCMP_ARCH_" + native()) continue;
        listed = TANK_TRY(strings(map, "subArchitectures"));
        listed.insert(listed.begin(), main->get<std::string>());
        break;
      }
    }
    constexpr std::string_view prefix = "SCMP_ARCH_";
    for (auto& name : listed) {
      if (!name.starts_with(prefix)) return wrong("unknown architecture '" + name + "'");
      name.erase(0, prefix.size());
    }
    return listed;
  }

  [[nodiscard]] std::string native() const {
    for (const auto& [go, name] : natives)
      if (go == when_.architecture) return std::string{name};
    return {};
  }

  [[nodiscard]] result<std::uint32_t> flags(const json& root) const {
    std::uint32_t out = 0;
    for (const auto& flag : TANK_TRY(strings(root, "flags"))) {
      if (flag == "SECCOMP_FILTER_FLAG_LOG")
        out |= SECCOMP_FILTER_FLAG_LOG;
      else if (flag == "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
        out |= SECCOMP_FILTER_FLAG_SPEC_ALLOW;
      else if (flag != "SECCOMP_FILTER_FLAG_TSYNC") // there is one thread
        return wrong("flag '" + flag + "' is not supported");
    }
    return out;
  }

  [[nodiscard]] result<capability_mask> capabilities(const json& condition) const {
    capability_mask out = 0;
    for (const auto& name : TANK_TRY(strings(condition, "caps"))) {
      const auto n = capability_number(name);
      if (!n) return wrong("unknown capability '" + name + "'");
      out |= capability_bit(*n);
    }
    return out;
  }

  /// Of one too large, from_chars reads all digits and says so in its code alone.
  static bool whole_number(const char* begin, const char* end, unsigned& to) {
    const auto done = std::from_chars(begin, end, to);
    return done.ec == std::errc{} && done.ptr == end;
  }

  [[nodiscard]] result<std::optional<bool>> has_kernel(const json& condition) const {
    const auto value = condition.find("minKernel");
    if (value == condition.end() || value->is_null()) return std::optional<bool>{};
    unsigned major = 0;
    unsigned minor = 0;
    const auto* text = value->get_ptr<const std::string*>();
    if (text == nullptr) return wrong("minKernel is no text");
    if (text->empty()) return std::optional<bool>{};
    const char* const end = text->data() + text->size();
    const auto first = std::from_chars(text->data(), end, major);
    if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.' || first.ptr + 1 == end ||
        !whole_number(first.ptr + 1, end, minor))
      return wrong("minKernel '" + *text + "' is no version such as 4.8");
    return std::optional<bool>{std::pair{when_.kernel_major, when_.kernel_minor} >=
                               std::pair{major, minor}};
  }

  /// Whether a rule with these conditions counts: everything included is there, nothing excluded.
  [[nodiscard]] result<bool> counts(const json& rule) const {
    for (const bool wanted : {true, false}) {
      const auto at = rule.find(wanted ? "includes" : "excludes");
      if (at == rule.end() || at->is_null()) continue;
      if (!at->is_object()) return wrong("includes and excludes are objects");
      const auto caps = TANK_TRY(capabilities(*at));
      const auto arches = TANK_TRY(strings(*at, "arches"));
      const auto kernel = TANK_TRY(has_kernel(*at));
      const bool here = std::find(arches.begin(), arches.end(), when_.architecture) != arches.end();
      if (wanted) {
        if ((caps & when_.capabilities) != caps) return false;
        if (!arches.empty() && !here) return false;
        if (kernel && !*kernel) return false;
      } else if ((caps & when_.capabilities) != 0 || here || (kernel && *kernel)) {
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] result<std::vector<seccomp_argument>> arguments(const json& rule) const {
    constexpr std::string_view known[] = {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"};
    constexpr std::string_view prefix = "SCMP_CMP_";
    std::vector<seccomp_argument> out;
    const auto list = rule.find("args");
    if (list == rule.end() || list->is_null()) return out;
    if (!list->is_array() || list->size() > 64) return wrong("args is no list of comparisons");
    for (const auto& item : *list) {
      if (!item.is_object()) return wrong("args holds what is no comparison");
      seccomp_argument a;
      const auto index = TANK_TRY(number(item, "index"));
      if (index > 5) return wrong("a system call has no argument " + std::to_string(index));
      a.index = static_cast<unsigned>(index);
      a.value = TANK_TRY(number(item, "value"));
      a.value_two = TANK_TRY(number(item, "valueTwo"));
      const auto op = item.find("op");
      if (op != item.end() && op->is_string() &&
          op->get_ref<const std::string&>().starts_with(prefix))
        a.op = op->get_ref<const std::string&>().substr(prefix.size());
      if (std::find(std::begin(known), std::end(known), a.op) == std::end(known))
        return wrong("a comparison without a known op");
      out.push_back(std::move(a));
    }
    return out;
  }

  result<void> add_rule(const json& rule, const std::string& where, resolved_profile& out) const {
    if (!rule.is_object()) return wrong(where + " is no object");
    if (!TANK_TRY(counts(rule))) return {};
    seccomp_rule made;
    made.names = TANK_TRY(strings(rule, "names"));
    if (const auto one = rule.find("name"); one != rule.end() && one->is_string())
      made.names.push_back(one->get<std::string>());
    made.action = TANK_TRY(action(rule, "action", "errnoRet", "errno"));
    made.arguments = TANK_TRY(arguments(rule));
    if (made.names.empty()) return wrong(where + " names no system call");
    out.rules.push_back(std::move(made));
    return {};
  }

  const std::string& name_;
  const seccomp_conditions& when_;
};

} // namespace

result<resolved_profile> resolve_seccomp_profile(std::string_view text, const std::string& name,
                                                 const seccomp_conditions& conditions) {
  if (text.size() > max_seccomp_profile)
    return fail(errc::limit, "use the seccomp profile", name, "it is larger than 1 MiB");
  const auto root = json::parse(text, nullptr, false);
  if (root.is_discarded())
    return fail(errc::invalid, "use the seccomp profile", name, "it is no JSON");
  return resolver{name, conditions}.run(root);
}

} // namespace tank::kernel
