#include "pod/plan_volumes.hpp"

#include "pod/field_values.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace tank {

bool is_projected(const config::volume& volume) {
  return volume.config_map || volume.secret || volume.downward_api || volume.projected;
}

namespace {

constexpr std::int32_t usual_mode = 0644;

/// The files of one volume, source by source.
class collector {
 public:
  collector(const pod_request& request, const config::volume& volume, kernel::user_range users)
      : request_(request)
      , data_(request.data ? *request.data : no_documents())
      , volume_(volume)
      , users_(users) {
    const auto& context = request.pod->spec.security_context;
    if (context && context->fs_group) group_ = static_cast<std::uint32_t>(*context->fs_group);
  }

  void set_defaults(const std::optional<std::int32_t>& mode,
                    const std::optional<std::int64_t>& user) {
    mode_ = mode.value_or(usual_mode);
    user_ = user.value_or(0);
  }

  result<void> add(const data_source& source) {
    const auto& ns = request_.pod->metadata.ns;
    const auto* found = data_.find(source.kind, ns, source.name);
    const document_id id{source.kind, ns + "/" + source.name};
    if (found == nullptr) {
      if (source.optional) return {};
      return missing(to_string(id) + " is missing");
    }
    if (source.items.empty()) {
      for (const auto* map : {&found->data, &found->binary_data})
        for (const auto& [key, value] : *map)
          put(key, value, {}, {});
      return {};
    }
    for (const auto& item : source.items) {
      const auto* value = found->find(item.key);
      if (value != nullptr)
        put(item.path, *value, item.mode, item.user);
      else if (!source.optional)
        return missing("key '" + item.key + "' of " + to_string(id) + " is missing");
    }
    return {};
  }

  result<void> add(const std::vector<config::downward_api_volume_file>& items) {
    const auto& pod = *request_.pod;
    for (const auto& item : items) {
      auto value = item.field_ref
                       ? field_file(item.field_ref->field_path, pod, *request_.host, request_.uid)
                       : resource_value(*item.resource_field_ref, pod, {}, *request_.host);
      put(item.path, TANK_TRY(std::move(value)), item.mode, item.user);
    }
    return {};
  }

  result<kernel::projection> finish() {
    kernel::projection out;
    out.uid = users_.first;
    out.gid = users_.first + group_.value_or(0);
    if (group_) out.directory_mode |= 02110;
    for (auto& [path, file] : files_) {
      if (!out.files.empty() && path.starts_with(out.files.back().path + "/"))
        return fail(errc::invalid, "make volume", volume_.name,
                    "'" + out.files.back().path + "' is a file, and '" + path + "' is below it");
      out.files.push_back(std::move(file));
    }
    return out;
  }

 private:
  static const documents& no_documents() {
    static const documents none;
    return none;
  }

  [[nodiscard]] failure missing(std::string what) const {
    return fail(errc::not_found, "make volume", volume_.name, std::move(what));
  }

  void put(const std::string& path, std::string content, const std::optional<std::int32_t>& mode,
           const std::optional<std::int64_t>& user) {
    kernel::projected_file file;
    file.path = std::filesystem::path{path}.lexically_normal();
    file.content = std::move(content);
    file.mode = static_cast<std::uint32_t>(mode.value_or(mode_));
    if (group_) file.mode |= 0440;
    file.uid = users_.first + static_cast<std::uint32_t>(user.value_or(user_));
    file.gid = users_.first + group_.value_or(0);
    auto key = file.path;
    files_[std::move(key)] = std::move(file);
  }

  /// A directory's files right behind it: "a/b" before "a-b".
  struct by_parts {
    bool operator()(const std::string& a, const std::string& b) const {
      return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                          [](char x, char y) { return rank(x) < rank(y); });
    }
    static int rank(char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; }
  };

  const pod_request& request_;
  const documents& data_;
  const config::volume& volume_;
  kernel::user_range users_;
  std::optional<std::uint32_t> group_; ///< fsGroup
  std::int32_t mode_ = usual_mode;
  std::int64_t user_ = 0;
  std::map<std::string, kernel::projected_file, by_parts> files_;
};

result<void> collect(const config::volume& volume, collector& files) {
  if (volume.config_map)
    files.set_defaults(volume.config_map->default_mode, volume.config_map->default_user);
  if (volume.secret) files.set_defaults(volume.secret->default_mode, volume.secret->default_user);
  if (volume.downward_api) {
    files.set_defaults(volume.downward_api->default_mode, volume.downward_api->default_user);
    return files.add(volume.downward_api->items);
  }
  if (!volume.projected) return files.add(data_sources_of(volume).front());
  files.set_defaults(volume.projected->default_mode, volume.projected->default_user);
  const auto sources = data_sources_of(volume);
  auto next = sources.begin();
  for (const auto& part : volume.projected->sources) {
    if (part.downward_api) TANK_TRY(files.add(part.downward_api->items));
    if (part.config_map || part.secret) TANK_TRY(files.add(*next++));
  }
  return {};
}

} // namespace

result<projected_volume> plan_projection(const pod_request& request, const config::volume& volume,
                                         kernel::user_range users) {
  collector files{request, volume, users};
  TANK_TRY(collect(volume, files));
  return projected_volume {
    request.dirs.projected_volume(request.uid, volume.name), TANK_TRY(files.finish())
  };
}

bool shows_any(const config::pod& pod, const std::set<document_id>& which) {
  const auto shows = [&](const data_source& one) {
    return which.contains({one.kind, pod.metadata.ns + "/" + one.name});
  };
  return std::any_of(pod.spec.volumes.begin(), pod.spec.volumes.end(), [&](const auto& volume) {
    const auto sources = data_sources_of(volume);
    return std::any_of(sources.begin(), sources.end(), shows);
  });
}

result<void> mount_pod_volumes(const directories& dirs, const std::string& uid,
                               kernel::volumes& volumes) {
  return volumes.mount_memory(dirs.pod_volumes(uid), {});
}

result<void> refresh_volumes(const pod_request& request, kernel::volumes& volumes) {
  const auto users = TANK_TRY(users_of(request));
  bool mounted = false;
  for (const auto& volume : request.pod->spec.volumes) {
    if (!is_projected(volume)) continue;
    const auto planned = plan_projection(request, volume, users);
    if (!planned) continue; // it keeps what it shows; a container that starts will say why
    if (!std::exchange(mounted, true))
      TANK_TRY(mount_pod_volumes(request.dirs, request.uid, volumes));
    TANK_TRY(volumes.project(planned->directory, planned->what));
  }
  return {};
}

} // namespace tank
