/// What the rules of config/validate_*.cpp share: field paths, findings in the API server's words,
/// and the name formats of the API. Internal to config/.
#pragma once

#include "config/diagnostic.hpp"
#include "config/pod.hpp"

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tank::config::rules {

/// "spec.containers[0].image", grown step by step.
class path {
 public:
  explicit path(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] path child(std::string_view name) const {
    return path{text_.empty() ? std::string{name} : text_ + "." + std::string{name}};
  }
  [[nodiscard]] path index(std::size_t i) const {
    return path{text_ + "[" + std::to_string(i) + "]"};
  }
  [[nodiscard]] path key(std::string_view k) const {
    return path{text_ + "[" + std::string{k} + "]"};
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string quoted(std::string_view text);

/// Where findings go. Lives for one validate_pod.
class findings {
 public:
  findings(const position_lookup& locate, std::vector<diagnostic>& found)
      : locate_(locate)
      , found_(found) {}

  void add(const path& at, std::string reason);
  void required(const path& at, std::string_view detail = {});
  void invalid(const path& at, std::string_view value, std::string_view detail);
  void invalid(const path& at, std::int64_t value, std::string_view detail);
  void duplicate(const path& at, std::string_view value);
  void forbidden(const path& at, std::string_view detail);
  void not_found(const path& at, std::string_view value);
  void too_long(const path& at, std::size_t most);
  void too_many(const path& at, std::size_t count, std::size_t most);
  /// Adds `Unsupported value` unless `value` is one of `allowed`.
  bool one_of(const path& at, std::string_view value,
              std::initializer_list<std::string_view> allowed);
  /// `Invalid value: N: must be greater than or equal to 0` when negative.
  void not_negative(const path& at, std::int64_t value);
  /// An `Invalid value` for each of `problems`.
  void name(const path& at, std::string_view value, const std::vector<std::string>& problems);

 private:
  const position_lookup& locate_;
  std::vector<diagnostic>& found_;
  std::size_t count_ = 0;
};

// --- formats of names: what is wrong with a text, in the API server's words; empty when nothing --

using problems = std::vector<std::string>;
problems dns_label(std::string_view text);      ///< RFC 1123, at most 63
problems dns_subdomain(std::string_view text);  ///< RFC 1123, at most 253
problems qualified_name(std::string_view text); ///< [prefix/]name, as of labels
problems label_value(std::string_view text);    ///< empty or at most 63
problems env_name(std::string_view text);       ///< printable ASCII but '='
problems config_key(std::string_view text);     ///< of a ConfigMap or Secret
problems port_name(std::string_view text);      ///< IANA service name
problems port_number(std::int64_t port);        ///< 1..65535
problems ip_address(std::string_view text);     ///< IPv4 or IPv6
problems user_id(std::int64_t id);              ///< 0..2^31-1
problems relative_path(std::string_view text);  ///< no leading '/', no ".."
/// A path that has ".." as one of its parts.
bool climbs(std::string_view path);

// --- the topics ----------------------------------------------------------------------------------

/// What rules of containers need to know of the pod around them.
struct pod_facts {
  const pod_spec& spec;
  std::set<std::string> volumes; ///< names
};

void check_metadata(const object_meta& meta, findings& out);
void check_labels(const std::map<std::string, std::string>& labels, const path& at, findings& out);
void check_label_selector(const label_selector& s, const path& at, findings& out);

void check_containers(const pod_facts& pod, findings& out);
/// tank/strategy and tank/ends-with against the containers that there are.
void check_supervision(const pod& p, findings& out);
void check_env(const container& c, const pod_facts& pod, const path& at, findings& out);
void check_field_ref(const object_field_selector& ref, bool in_volume, const path& at,
                     findings& out);
void check_resource_ref(const resource_field_selector& ref, bool in_volume, const path& at,
                        findings& out);
void check_probe(const probe& p, const path& at, findings& out);
void check_lifecycle(const lifecycle& l, const pod_spec& pod, const path& at, findings& out);
void check_resources(const resource_requirements& r, const pod_spec& pod, bool of_pod,
                     const path& at, findings& out);
void check_resource_list(const std::map<std::string, quantity>& list, bool of_pod, const path& at,
                         findings& out);
void check_security_context(const security_context& s, const path& at, findings& out);
void check_pod_security(const pod_spec& pod, const path& at, findings& out);
void check_volumes(const pod_spec& pod, const path& at, findings& out);
void check_mounts(const container& c, const pod_facts& pod, const path& at, findings& out);
void check_scheduling(const pod_spec& pod, const path& at, findings& out);
void check_network(const pod_spec& pod, const path& at, findings& out);

} // namespace tank::config::rules
