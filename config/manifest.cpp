#include "config/manifest.hpp"

#include "base/memory.hpp"
#include "base/text.hpp"
#include "config/decode.hpp"
#include "config/defaults.hpp"
#include "config/support.hpp"
#include "config/validate.hpp"
#include "config/yaml.hpp"

#include <algorithm>
#include <map>

namespace tank::config {
namespace {

/// From here on the trees of a text are worth giving back: they are some 30 times its size.
constexpr std::size_t large_text = 256u << 10;

bool has_error(const std::vector<diagnostic>& found) {
  return std::any_of(found.begin(), found.end(),
                     [](const diagnostic& d) { return d.level == severity::error; });
}

/// `"a\0b"` is a legal string of YAML and of the API, and would end early in every system call.
void refuse_nul(const node& tree, std::vector<diagnostic>& found) {
  const auto check = [&](const std::string& text, position at) {
    if (found.size() < max_findings && text.find('\0') != std::string::npos)
      found.push_back({severity::error, at, {}, "a string must not contain the character U+0000"});
  };
  if (const auto* text = tree.as_string()) check(*text, tree.at());
  if (const auto* items = tree.as_sequence())
    for (const auto& item : *items)
      refuse_nul(item, found);
  if (const auto* members = tree.as_mapping())
    for (const auto& m : *members) {
      check(m.key, m.at);
      refuse_nul(m.value, found);
    }
}

std::string text_of(const node& tree, std::string_view key) {
  const auto* value = tree.find(key);
  const auto* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? std::string{} : *text;
}

/// Reads the objects of one file into a manifest.
class reader {
 public:
  reader(manifest& out, std::string_view text, const manifest_limits& limits)
      : out_(out)
      , text_(text)
      , limits_(limits) {}

  /// `extra`: what was found about this document already.
  void object(const node& tree, std::vector<diagnostic> extra, bool within_list) {
    if (tree.is_null() || !goes_on(tree.at())) return;
    if (tree.as_mapping() == nullptr)
      return file_error(tree.at(), {},
                        "a manifest must be an object, this is of type " +
                            std::string{tree.kind_name()});
    refuse_nul(tree, extra);
    const auto kind = text_of(tree, "kind");
    const auto version = text_of(tree, "apiVersion");
    if (kind.empty()) return file_error(tree.at(), "kind", "Required value");
    if (version.empty()) return file_error(tree.at(), "apiVersion", "Required value");
    if (version != "v1" || !known(kind, within_list))
      return file_error(locate(tree, version == "v1" ? "kind" : "apiVersion"), "kind",
                        shortened(version, max_word) + " " + shortened(kind, max_word) +
                            " is not read here: only v1 Pod, List, ConfigMap, Secret and "
                            "PersistentVolumeClaim");
    if (kind == "Pod") return read_pod(tree, std::move(extra));
    if (kind == "List") return read_list(tree, std::move(extra));
    companion(tree, kind, std::move(extra));
  }

 private:
  /// Whether one more object is read: not when there are too many, or too much is wrong with them.
  bool goes_on(position at) {
    if (given_up_) return false;
    if (++objects_ > limits_.max_objects)
      file_error(at, {}, "more than " + std::to_string(limits_.max_objects) + " objects");
    else if (out_.diagnostics.size() + of_pods_ > 5 * max_findings)
      file_error(at, {}, "too much is wrong: the rest was not read");
    else
      return true;
    given_up_ = true;
    return false;
  }

  static bool known(std::string_view kind, bool within_list) {
    return kind == "Pod" || kind == "ConfigMap" || kind == "Secret" ||
           kind == "PersistentVolumeClaim" || (kind == "List" && !within_list);
  }

  void file_error(position at, std::string field, std::string reason) {
    out_.diagnostics.push_back({severity::error, at, std::move(field), std::move(reason)});
  }

  void read_pod(const node& tree, std::vector<diagnostic> found) {
    const auto where = [&tree](std::string_view path) { return locate(tree, path); };
    pod_document document{decode_pod(tree, found, text_), {}, tree.at()};
    if (!has_error(found)) {
      apply_defaults(document.pod);
      validate_pod(document.pod, where, found);
      if (!has_error(found)) check_support(document.pod, where, found);
      if (!has_error(found)) make_paths_absolute(document.pod);
      remember_name("pod", document.pod.metadata, where("metadata.name"));
    }
    of_pods_ += found.size();
    document.diagnostics = std::move(found);
    out_.pods.push_back(std::move(document));
  }

  /// `kind` in the words of messages: "pod".
  void remember_name(const std::string& kind, const object_meta& meta, position at) {
    if (meta.name.empty()) return;
    const auto name = meta.ns + "/" + meta.name;
    auto [first, fresh] = names_.emplace(kind + " " + name, at);
    if (fresh) return;
    file_error(at, "metadata.name",
               "Duplicate value: \"" + shortened(name, max_shown) + "\": the " + kind +
                   " at line " + std::to_string(first->second.line) +
                   " of this file has the same name");
  }

  void read_list(const node& tree, std::vector<diagnostic> found) {
    for (const auto& m : *tree.as_mapping())
      if (found.size() < max_findings && m.key != "apiVersion" && m.key != "kind" &&
          m.key != "metadata" && m.key != "items")
        found.push_back({severity::error, m.at, shortened(m.key, max_word),
                         "unknown field \"" + shortened(m.key, max_word) + "\""});
    keep(std::move(found));
    const auto* items = tree.find("items");
    if (items == nullptr || items->is_null()) return;
    if (items->as_sequence() == nullptr)
      return file_error(items->at(), "items",
                        "cannot unmarshal " + std::string{items->kind_name()} + " into an array");
    for (const auto& item : *items->as_sequence())
      object(item, {}, true);
  }

  void companion(const node& tree, std::string_view kind, std::vector<diagnostic> found) {
    if (kind == "ConfigMap")
      take(tree, "ConfigMap", decode_config_map, out_.config_maps, std::move(found));
    else if (kind == "Secret")
      take(tree, "Secret", decode_secret, out_.secrets, std::move(found));
    else
      take(tree, "PersistentVolumeClaim", decode_persistent_volume_claim, out_.claims,
           std::move(found));
  }

  template <class Object>
  void take(const node& tree, const std::string& kind,
            Object decode(const node&, std::vector<diagnostic>&), std::vector<Object>& to,
            std::vector<diagnostic> found) {
    auto object = decode(tree, found);
    const auto where = [&tree](std::string_view path) { return locate(tree, path); };
    if (!has_error(found)) {
      apply_defaults(object);
      validate(object, where, found);
      remember_name(kind, object.metadata, where("metadata.name"));
    }
    if (!has_error(found)) to.push_back(std::move(object));
    keep(std::move(found));
  }

  void keep(std::vector<diagnostic> found) {
    std::move(found.begin(), found.end(), std::back_inserter(out_.diagnostics));
  }

  manifest& out_;
  std::string_view text_;
  const manifest_limits& limits_;
  std::map<std::string, position> names_;
  std::size_t objects_ = 0;
  std::size_t of_pods_ = 0; ///< findings
  bool given_up_ = false;
};

} // namespace

bool pod_document::valid() const {
  return !has_error(diagnostics);
}

bool pod_document::runnable() const {
  return std::all_of(diagnostics.begin(), diagnostics.end(),
                     [](const diagnostic& d) { return d.level == severity::warning; });
}

bool manifest::valid() const {
  return !has_error(diagnostics) &&
         std::all_of(pods.begin(), pods.end(), [](const pod_document& d) { return d.valid(); });
}

manifest parse_manifest(std::string_view text, const manifest_limits& limits) {
  manifest out;
  {
    auto parsed = parse_text(text, limits);
    out.diagnostics = std::move(parsed.errors);
    reader objects{out, text, limits};
    for (auto& document : parsed.documents)
      objects.object(document.root, std::move(document.duplicates), false);
  }
  if (text.size() > large_text) give_back_memory();
  return out;
}

} // namespace tank::config
