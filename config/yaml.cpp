#include "config/yaml.hpp"

#include "base/text.hpp"
#include "config/text_check.hpp"
#include "config/yaml_scalar.hpp"

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_set>

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace tank::config {
namespace {

/// Leaves the library's parser from within its events; caught in parse_text only.
struct refusal {
  position at;
  std::string reason;
};

position position_of(const YAML::Mark& mark) {
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

/// What may still be made, over all documents of a text.
struct budget {
  const manifest_limits& limits;
  std::size_t nodes = 0;
  std::size_t text = 0;
  std::size_t findings = 0;

  void take(position at, std::size_t depth, std::size_t bytes) {
    if (depth > limits.max_depth)
      throw refusal{at, "nested deeper than " + std::to_string(limits.max_depth) + " levels"};
    if (++nodes > limits.max_nodes)
      throw refusal{at, "more than " + std::to_string(limits.max_nodes) +
                            " values (aliases count as what they stand for)"};
    text += bytes;
    if (text > limits.max_text)
      throw refusal{at, "more than " + std::to_string(limits.max_text) +
                            " bytes of text (aliases count as what they stand for)"};
  }

  /// Counts a subtree before it is copied, so that a bomb costs its walk up to the limit and no
  /// memory.
  void take_tree(const node& tree, position at, std::size_t depth) {
    const auto* text_here = tree.as_string();
    take(at, depth, text_here == nullptr ? 0 : text_here->size());
    if (const auto* items = tree.as_sequence())
      for (const auto& item : *items)
        take_tree(item, at, depth + 1);
    if (const auto* members = tree.as_mapping())
      for (const auto& m : *members) {
        take(at, depth, m.key.size());
        take_tree(m.value, at, depth + 1);
      }
  }
};

/// Builds the tree of one document from the parser's events.
class builder final : public YAML::EventHandler {
 public:
  builder(budget& left, parsed_text& out) : left_(left), out_(out) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (out_.documents.size() >= left_.limits.max_documents)
      throw refusal{position_of(mark),
                    "more than " + std::to_string(left_.limits.max_documents) + " documents"};
    out_.documents.push_back({{}, position_of(mark), {}});
    anchors_.clear();
  }

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    scalar(position_of(mark), {"?", ""}, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    scalar(position_of(mark), {tag, value}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto at = position_of(mark);
    const auto& known = anchors_[anchor];
    if (expects_key()) {
      if (!known.scalar) throw refusal{at, "a key must be a scalar"};
      return key(at, known.tag, known.text);
    }
    if (known.scalar) return scalar(at, {known.tag, known.text}, YAML::NullAnchor);
    const auto& tree = find(known, at);
    left_.take_tree(tree, at, open_.size() + 1);
    attach(node{tree});
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(position_of(mark), node::sequence{}, anchor);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(position_of(mark), node::mapping{}, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    merge(open_.back());
    close();
  }

 private:
  /// A collection that is not complete yet.
  struct frame {
    node value;
    std::string key; // of the member whose value comes next
    position key_at;
    bool has_key = false;
    bool key_merges = false;
    std::unordered_set<std::string> keys;
    std::vector<node> merged; // what `<<` brought, to be added when the mapping is complete
  };

  /// What an anchor names: a scalar is kept as text, a collection is found again by its way down
  /// from the root. Nothing is copied before an alias asks for it.
  struct anchored {
    bool scalar = false;
    std::string tag;
    std::string text;
    std::vector<std::size_t> way;
    bool in_merge = false;
  };

  [[nodiscard]] bool expects_key() const {
    return !open_.empty() && open_.back().value.as_mapping() != nullptr && !open_.back().has_key;
  }

  static std::size_t size_of(const node& collection) {
    if (const auto* items = collection.as_sequence()) return items->size();
    return collection.as_mapping()->size();
  }

  void scalar(position at, scalar_text text, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor)
      anchors_[anchor] = {true, std::string{text.tag}, std::string{text.text}, {}, false};
    if (expects_key()) return key(at, text.tag, text.text);
    auto value = resolve_scalar(text);
    if (!value) throw refusal{at, value.error().message()};
    left_.take(at, open_.size() + 1, text.text.size());
    attach(node{std::move(*value), at});
  }

  void key(position at, std::string_view tag, std::string_view text) {
    auto& map = open_.back();
    map.has_key = true;
    map.key_at = at;
    map.key_merges = text == "<<" && (tag == "?" || tag.ends_with(":merge"));
    if (map.key_merges) return;
    auto resolved = resolve_key({tag, text});
    if (!resolved) throw refusal{at, resolved.error().message()};
    left_.take(at, open_.size(), resolved->size());
    map.key = std::move(*resolved);
    if (!map.keys.insert(map.key).second && left_.findings < max_findings) {
      ++left_.findings;
      out_.documents.back().duplicates.push_back(
          {severity::error, at, way_text(), "Duplicate key"});
    }
  }

  void open(position at, node::content empty, YAML::anchor_t anchor) {
    if (expects_key()) throw refusal{at, "a key must be a scalar"};
    left_.take(at, open_.size() + 1, 0);
    if (anchor != YAML::NullAnchor) {
      anchored here;
      for (const auto& f : open_) {
        here.way.push_back(size_of(f.value));
        here.in_merge = here.in_merge || f.key_merges;
      }
      anchors_[anchor] = std::move(here);
    }
    open_.push_back({node{std::move(empty), at}, {}, {}, false, false, {}, {}});
  }

  void close() {
    auto done = std::move(open_.back().value);
    open_.pop_back();
    attach(std::move(done));
  }

  void attach(node value) {
    if (open_.empty()) {
      out_.documents.back().root = std::move(value);
      return;
    }
    auto& top = open_.back();
    if (auto* items = std::get_if<node::sequence>(&top.value.value())) {
      items->push_back(std::move(value));
      return;
    }
    auto& members = std::get<node::mapping>(top.value.value());
    if (std::exchange(top.key_merges, false))
      add_merge(top, std::move(value));
    else
      members.push_back({std::move(top.key), top.key_at, std::move(value)});
    top.key.clear();
    top.has_key = false;
  }

  static void add_merge(frame& map, node value) {
    if (value.as_mapping() != nullptr) {
      map.merged.push_back(std::move(value));
      return;
    }
    auto* items = std::get_if<node::sequence>(&value.value());
    const auto is_mapping = [](const node& n) { return n.as_mapping() != nullptr; };
    if (items == nullptr || !std::all_of(items->begin(), items->end(), is_mapping))
      throw refusal{map.key_at, "map merge requires map or sequence of maps as the value"};
    std::move(items->begin(), items->end(), std::back_inserter(map.merged));
  }

  /// Keys of the mapping itself win over merged ones, earlier merged ones over later ones.
  static void merge(frame& map) {
    auto& members = std::get<node::mapping>(map.value.value());
    for (auto& from : map.merged)
      for (auto& m : std::get<node::mapping>(from.value()))
        if (map.keys.insert(m.key).second) members.push_back(std::move(m));
    map.merged.clear();
  }

  const node& find(const anchored& known, position at) const {
    if (known.in_merge) throw refusal{at, "an anchor within a merge key cannot be referred to"};
    const node* here = nullptr;
    std::size_t level = 0;
    for (; level < known.way.size() && level < open_.size(); ++level) {
      const auto& unfinished = open_[level].value;
      if (known.way[level] < size_of(unfinished)) {
        here = &child(unfinished, known.way[level]);
        break;
      }
    }
    if (here == nullptr) throw refusal{at, "an anchor's value contains itself"};
    for (++level; level < known.way.size(); ++level)
      here = &child(*here, known.way[level]);
    return *here;
  }

  static const node& child(const node& collection, std::size_t index) {
    if (const auto* items = collection.as_sequence()) return (*items)[index];
    return (*collection.as_mapping())[index].value;
  }

  /// The field path of the member that is being read.
  [[nodiscard]] std::string way_text() const {
    std::string path;
    for (const auto& f : open_) {
      if (path.size() > max_shown) break;
      if (f.value.as_mapping() != nullptr)
        path += (path.empty() ? "" : ".") + (f.key_merges ? "<<" : shortened(f.key, max_word));
      else
        path += "[" + std::to_string(size_of(f.value)) + "]";
    }
    return path;
  }

  budget& left_;
  parsed_text& out_;
  std::vector<frame> open_;
  std::map<YAML::anchor_t, anchored> anchors_;
};

/// Of members with the same key keeps the last value, at the place of the first.
void drop_duplicates(node& tree) {
  if (auto* items = std::get_if<node::sequence>(&tree.value()))
    for (auto& item : *items)
      drop_duplicates(item);
  auto* members = std::get_if<node::mapping>(&tree.value());
  if (members == nullptr) return;
  std::map<std::string, std::size_t, std::less<>> places;
  node::mapping kept;
  for (auto& m : *members) {
    drop_duplicates(m.value);
    auto [place, fresh] = places.emplace(m.key, kept.size());
    if (fresh)
      kept.push_back(std::move(m));
    else
      kept[place->second] = std::move(m);
  }
  *members = std::move(kept);
}

parsed_text refused(position at, std::string reason) {
  return {{}, {{severity::error, at, {}, std::move(reason)}}};
}

} // namespace

parsed_text parse_text(std::string_view text, const manifest_limits& limits) {
  if (auto problem = check_text(text, limits)) return {{}, {std::move(*problem)}};
  parsed_text out;
  budget left{limits};
  try {
    std::istringstream in{prepare_text(text)};
    YAML::Parser parser{in};
    for (bool more = true; more;) {
      builder document{left, out};
      more = parser.HandleNextDocument(document);
    }
  } catch (const refusal& r) {
    return refused(r.at, r.reason);
  } catch (const YAML::ParserException& e) {
    return refused(position_of(e.mark), "cannot read YAML: " + e.msg);
  } catch (const std::exception& e) {
    return refused({}, std::string{"cannot read YAML: "} + e.what());
  }
  for (auto& d : out.documents)
    if (!d.duplicates.empty()) drop_duplicates(d.root);
  return out;
}

} // namespace tank::config
