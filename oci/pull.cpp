#include "oci/pull.hpp"

#include "oci/ingest.hpp"
#include "oci/new_record.hpp"
#include "oci/unpack.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

namespace tank::oci {

std::string_view to_string(layer_state s) noexcept {
  switch (s) {
  case layer_state::waiting:
    return "waiting";
  case layer_state::downloading:
    return "downloading";
  case layer_state::done:
    return "done";
  case layer_state::present:
    return "already here";
  case layer_state::failed:
    return "failed";
  }
  return "";
}

namespace {

constexpr std::uint64_t progress_step = 128u << 10;

/// One call at a time, from whichever thread.
class reporter {
 public:
  explicit reporter(const pull_options& options) : tell_(options.progress) {}
  void operator()(const layer_progress& p) {
    if (!tell_) return;
    const std::lock_guard lock{mutex_};
    tell_(p);
  }

 private:
  const std::function<void(const layer_progress&)>& tell_;
  std::mutex mutex_;
};

/// Counts what passes.
class counting_source final : public byte_source {
 public:
  counting_source(std::unique_ptr<byte_source> inner, layer_progress& p, reporter& tell)
      : inner_(std::move(inner))
      , progress_(p)
      , tell_(tell) {}
  result<std::span<const std::byte>> next() override {
    auto bytes = inner_->next();
    if (!bytes) return bytes;
    progress_.done += bytes->size();
    if (progress_.done - told_ >= progress_step) {
      told_ = progress_.done;
      tell_(progress_);
    }
    return bytes;
  }

 private:
  std::unique_ptr<byte_source> inner_;
  layer_progress& progress_;
  reporter& tell_;
  std::uint64_t told_ = 0;
};

/// What the registry says the image is; nothing of its layers is read yet.
struct image_plan {
  image_record record;
  std::vector<std::pair<std::string, digest>> documents; ///< to keep
  image_manifest manifest;
  bool chosen = false; ///< from an index, for its platform
};

class puller {
 public:
  puller(registry_client& client, ingest& session, const store_options& store,
         const pull_options& options, cancellation& stop)
      : client_(client)
      , session_(session)
      , limits_(store.limits)
      , options_(options)
      , stop_(stop)
      , tell_(options) {}

  /// The manifest, for this host.
  result<image_plan> find(const std::string& tag_or_digest) {
    image_plan out;
    auto fetched = TANK_TRY(client_.manifest(tag_or_digest));
    auto document = TANK_TRY(parse_document(fetched.text, fetched.media_type, limits_));
    if (const auto* index = std::get_if<image_index>(&document); index != nullptr) {
      const auto wanted = TANK_TRY(choose_platform(*index, options_.host));
      out.record.index = fetched.content;
      out.documents.emplace_back(std::move(fetched.text), fetched.content);
      fetched = TANK_TRY(client_.manifest(wanted));
      document = TANK_TRY(parse_document(fetched.text, fetched.media_type, limits_));
      out.chosen = !is_unsaid(wanted.target);
    }
    const auto* manifest = std::get_if<image_manifest>(&document);
    if (manifest == nullptr)
      return fail(errc::unsupported, "use", "index", "it leads to another index");
    out.manifest = *manifest;
    out.record.manifest = fetched.content;
    out.documents.emplace_back(std::move(fetched.text), fetched.content);
    return out;
  }

  /// Every layer of the stored image is in place; tells so.
  bool all_here(const image_record& have, const image_plan& plan) {
    const bool here = session_.holds(have) &&
                      std::all_of(have.layers.begin(), have.layers.end(),
                                  [&](const auto& l) { return session_.knows(l.blob, l.diff_id); });
    if (here)
      for (const auto& l : plan.manifest.layers)
        tell_({l.content.to_string(), l.size, l.size, layer_state::present});
    return here;
  }

  /// The config, checked; what it says becomes the record.
  result<void> read_config(image_plan& out) {
    const auto& config = out.manifest.config;
    auto text = TANK_TRY(client_.document(config, limits_.max_document));
    const auto settings = TANK_TRY(parse_settings(text, limits_));
    if (!out.chosen && !settings.target.architecture.empty()) {
      descriptor only;
      only.target = settings.target;
      if (!choose_platform(image_index{{only}}, options_.host))
        return fail(errc::unsupported, "use", "image",
                    "it is for " + for_message(settings.target.to_string()) + ", this host is " +
                        options_.host.to_string());
    }
    auto record = TANK_TRY(new_record(settings, out.manifest.layers, limits_));
    record.manifest = out.record.manifest;
    record.index = out.record.index;
    record.config_blob = config.content;
    out.record = std::move(record);
    out.documents.emplace_back(std::move(text), config.content);
    return {};
  }

  /// Brings all layers that are not here.
  result<void> layers(const image_plan& plan) {
    std::vector<layer_progress> progress; // keeps its place: the layers' threads write into it
    std::vector<ingest::wanted> wanted;
    std::set<digest> seen;
    for (std::size_t i = 0; i < plan.manifest.layers.size(); ++i) {
      const auto& blob = plan.manifest.layers[i];
      if (!seen.insert(blob.content).second) continue; // of one content: new_record saw to that
      progress.push_back({blob.content.to_string(), 0, blob.size, layer_state::waiting});
      wanted.push_back({blob, plan.record.layers[i].diff_id, {}, {}});
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      tell_(progress[i]);
      watch(wanted[i], progress[i]);
    }
    TANK_TRY(session_.add_layers(
        wanted, stop_,
        {.parallel = options_.parallel, .flights = options_.flights, .step = "pull layer"}));
    return {};
  }

 private:
  void watch(ingest::wanted& w, layer_progress& p) {
    w.open = [this, &blob = *w.blob, &p](cancellation&) -> result<std::unique_ptr<byte_source>> {
      p.state = layer_state::downloading;
      tell_(p);
      return std::make_unique<counting_source>(TANK_TRY(client_.blob(blob)), p, tell_);
    };
    w.ended = [this, &p](ingest::outcome how) {
      p.state = how == ingest::outcome::made      ? layer_state::done
                : how == ingest::outcome::present ? layer_state::present
                                                  : layer_state::failed;
      if (how == ingest::outcome::present) p.done = p.total;
      tell_(p);
    };
  }

  registry_client& client_;
  ingest& session_;
  const unpack_limits& limits_;
  const pull_options& options_;
  cancellation& stop_;
  reporter tell_;
};

result<image> pull_from(const pull_source& source, const store_layout& layout, ingest& session,
                        const store_options& store, const std::string& name,
                        const client_factory& clients, const pull_options& options,
                        cancellation& stop) {
  const auto client = clients(source.endpoint);
  puller pulling{*client, session, store, options, stop};
  auto plan = TANK_TRY(pulling.find(source.tag_or_digest));
  const auto have = read_record(layout, name);
  if (have && have->manifest == plan.record.manifest && have->index == plan.record.index &&
      pulling.all_here(*have, plan)) {
    if (have->pulled) return image_of(layout, *have);
    auto known = *have; // loaded, or of an earlier version: now we know that a registry has it
    known.pulled = true;
    return session.commit(std::move(known));
  }
  TANK_TRY(pulling.read_config(plan));
  TANK_TRY(pulling.layers(plan));
  for (const auto& [text, content] : plan.documents)
    TANK_TRY(session.add_document(text, content));
  plan.record.name = name;
  plan.record.pulled = true;
  return session.commit(std::move(plan.record));
}

} // namespace

result<image> pull_image(const store_layout& layout, const store_options& store,
                         const reference& name, const std::vector<pull_source>& sources,
                         const client_factory& clients, const pull_options& options,
                         cancellation& stop) {
  const auto text = name.to_string();
  auto session = TANK_TRY(ingest::begin(layout, store));
  std::optional<error> last;
  for (const auto& source : sources) {
    auto pulled = pull_from(source, layout, session, store, text, clients, options, stop);
    if (pulled) return pulled;
    auto why = std::move(pulled).error();
    if (stop.cancelled()) return fail(errc::cancelled, "pull image", text, "no longer wanted");
    if (last) why.cause += "; before it: " + last->message();
    last = std::move(why);
  }
  if (!last) return fail(errc::denied, "pull image", text, "no registry is configured for it");
  return wrap(*std::move(last), "pull image", text);
}

} // namespace tank::oci
