#include "pod/documents.hpp"

#include <algorithm>

namespace tank {

std::string_view to_string(document_kind k) noexcept {
  switch (k) {
  case document_kind::config_map:
    return "configmap";
  case document_kind::secret:
    return "secret";
  case document_kind::claim:
    return "pvc";
  }
  return "";
}

std::string to_string(const document_id& id) {
  return std::string{to_string(id.kind)} + " '" + id.key + "'";
}

const std::string* document::find(const std::string& key) const {
  if (const auto it = data.find(key); it != data.end()) return &it->second;
  const auto it = binary_data.find(key);
  return it == binary_data.end() ? nullptr : &it->second;
}

const document* documents::find(document_kind kind, const std::string& ns,
                                const std::string& name) const {
  const auto it = all.find({kind, ns + "/" + name});
  return it == all.end() ? nullptr : it->second.get();
}

bool operator==(const documents& a, const documents& b) {
  return std::equal(a.all.begin(), a.all.end(), b.all.begin(), b.all.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && (x.second == y.second || *x.second == *y.second);
                    });
}

// --- from a file ---------------------------------------------------------------------------------

static std::string key_of(const config::object_meta& meta) {
  return meta.ns + "/" + meta.name;
}

std::vector<parsed_document> documents_of(const config::manifest& parsed, const std::string& file) {
  std::vector<parsed_document> out;
  const auto add = [&](document_kind kind, const config::object_meta& meta, document what) {
    what.file = file;
    out.push_back({{kind, key_of(meta)}, std::make_shared<const document>(std::move(what))});
  };
  for (const auto& object : parsed.config_maps) {
    document d;
    d.data = object.data;
    for (const auto& [key, value] : object.binary_data)
      d.binary_data.emplace(key, value.data);
    d.immutable = object.immutable.value_or(false);
    add(document_kind::config_map, object.metadata, std::move(d));
  }
  for (const auto& object : parsed.secrets) {
    document d;
    for (const auto& [key, value] : object.data)
      d.data.emplace(key, value.data);
    d.type = object.type;
    d.immutable = object.immutable.value_or(false);
    add(document_kind::secret, object.metadata, std::move(d));
  }
  for (const auto& object : parsed.claims) {
    document d;
    d.access_modes = object.spec.access_modes;
    if (const auto room = object.spec.resources.requests.find("storage");
        room != object.spec.resources.requests.end())
      d.requested = room->second.to_string();
    add(document_kind::claim, object.metadata, std::move(d));
  }
  return out;
}

// --- what is missing -----------------------------------------------------------------------------

std::vector<data_source> data_sources_of(const config::volume& volume) {
  std::vector<data_source> out;
  if (volume.config_map) {
    const auto& m = *volume.config_map;
    out.push_back({document_kind::config_map, m.name, m.items, m.optional.value_or(false)});
  }
  if (volume.secret) {
    const auto& s = *volume.secret;
    out.push_back({document_kind::secret, s.secret_name, s.items, s.optional.value_or(false)});
  }
  if (!volume.projected) return out;
  for (const auto& p : volume.projected->sources) {
    if (p.config_map) {
      const auto& m = *p.config_map;
      out.push_back({document_kind::config_map, m.name, m.items, m.optional.value_or(false)});
    }
    if (p.secret) {
      const auto& s = *p.secret;
      out.push_back({document_kind::secret, s.name, s.items, s.optional.value_or(false)});
    }
  }
  return out;
}

namespace {

/// Asks for one thing after the other; the first that is missing counts.
class search {
 public:
  search(const std::string& ns, const documents* known) : ns_(ns), known_(known) {}

  void want(document_kind kind, const std::string& name, const std::optional<bool>& optional) {
    look(kind, name, optional.value_or(false));
  }
  void want_key(document_kind kind, const std::string& name, const std::string& key,
                const std::optional<bool>& optional, bool text_only) {
    const auto* found = look(kind, name, optional.value_or(false));
    if (found == nullptr || optional.value_or(false)) return;
    if (found->data.contains(key) || (!text_only && found->binary_data.contains(key))) return;
    say("key '" + key + "' of " + to_string(document_id{kind, ns_ + "/" + name}) + " is missing");
  }
  [[nodiscard]] const std::string& missing() const { return missing_; }

 private:
  const document* look(document_kind kind, const std::string& name, bool optional) {
    const document_id id{kind, ns_ + "/" + name};
    if (known_ == nullptr) {
      say(to_string(id) + " is not read yet");
      return nullptr;
    }
    const auto* found = known_->find(kind, ns_, name);
    if (found == nullptr && !optional) say(to_string(id) + " is missing");
    return found;
  }
  void say(std::string text) {
    if (missing_.empty()) missing_ = std::move(text);
  }

  const std::string& ns_;
  const documents* known_;
  std::string missing_;
};

void want_variables(const config::container& container, search& all) {
  for (const auto& from : container.env_from) {
    if (from.config_map_ref)
      all.want(document_kind::config_map, from.config_map_ref->name, from.config_map_ref->optional);
    if (from.secret_ref)
      all.want(document_kind::secret, from.secret_ref->name, from.secret_ref->optional);
  }
  for (const auto& variable : container.env) {
    if (!variable.value_from) continue;
    if (const auto& ref = variable.value_from->config_map_key_ref)
      all.want_key(document_kind::config_map, ref->name, ref->key, ref->optional, true);
    if (const auto& ref = variable.value_from->secret_key_ref)
      all.want_key(document_kind::secret, ref->name, ref->key, ref->optional, true);
  }
}

} // namespace

std::string missing_data(const config::pod& pod, const config::container& container,
                         const documents* known) {
  search all{pod.metadata.ns, known};
  want_variables(container, all);
  for (const auto& volume : pod.spec.volumes) {
    const bool mounted = std::any_of(container.volume_mounts.begin(), container.volume_mounts.end(),
                                     [&](const auto& m) { return m.name == volume.name; });
    if (!mounted) continue;
    for (const auto& source : data_sources_of(volume)) {
      all.want(source.kind, source.name, source.optional);
      for (const auto& item : source.items)
        all.want_key(source.kind, source.name, item.key, source.optional, false);
    }
  }
  return all.missing();
}

std::vector<std::string> pull_logins(const config::pod& pod, const documents* known) {
  std::vector<std::string> out;
  if (known == nullptr) return out;
  for (const auto& reference : pod.spec.image_pull_secrets) {
    const auto* found = known->find(document_kind::secret, pod.metadata.ns, reference.name);
    if (found == nullptr) continue;
    const auto* now = found->find(".dockerconfigjson");
    const auto* old = found->find(".dockercfg"); // is what "auths" is in the other
    if (found->type == "kubernetes.io/dockerconfigjson" && now != nullptr) out.push_back(*now);
    if (found->type == "kubernetes.io/dockercfg" && old != nullptr)
      out.push_back("{\"auths\": " + *old + "}");
  }
  return out;
}

} // namespace tank
