#include "oci/pull.hpp"

#include "oci/ingest.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <set>
#include <signal.h>
#include <thread>
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
  counting_source(byte_source& inner, layer_progress& p, reporter& tell)
      : inner_(inner)
      , progress_(p)
      , tell_(tell) {}
  result<std::span<const std::byte>> next() override {
    auto bytes = inner_.next();
    if (!bytes) return bytes;
    progress_.done += bytes->size();
    if (progress_.done - told_ >= progress_step) {
      told_ = progress_.done;
      tell_(progress_);
    }
    return bytes;
  }

 private:
  byte_source& inner_;
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
      out.chosen = true;
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
    auto settings = TANK_TRY(parse_settings(text, limits_));
    auto& record = out.record;
    const auto& layers = out.manifest.layers;
    if (settings.diff_ids.size() != layers.size())
      return fail(errc::invalid, "use", "image",
                  "the manifest has " + std::to_string(layers.size()) + " layers, its config " +
                      std::to_string(settings.diff_ids.size()));
    if (!out.chosen && !settings.target.architecture.empty()) {
      descriptor only;
      only.target = settings.target;
      if (!choose_platform(image_index{{only}}, options_.host))
        return fail(errc::unsupported, "use", "image",
                    "it is for " + settings.target.to_string() + ", this host is " +
                        options_.host.to_string());
    }
    record.config_blob = config.content;
    record.architecture = settings.target.architecture;
    record.created = settings.created;
    record.config = std::move(settings.config);
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      record.layers.push_back({settings.diff_ids[i], layers[i].content});
      if (layers[i].size > limits_.max_bytes - all)
        return fail(errc::limit, "use", "image",
                    "its layers are larger than " + std::to_string(limits_.max_bytes) + " bytes");
      all += layers[i].size;
    }
    record.size = all;
    if (to_json(record).size() > limits_.max_record)
      return fail(errc::limit, "use", "image",
                  "its config is larger than " + std::to_string(limits_.max_record) + " bytes");
    out.documents.emplace_back(std::move(text), config.content);
    return {};
  }

  /// All layers that are not here, by us or by a pull that was first.
  result<void> layers(const image_plan& plan, layer_flights::claim& claim) {
    auto missing = all_layers(plan);
    for (;;) {
      std::vector<digest> wanted;
      for (const auto& job : missing)
        wanted.push_back(*job.diff_id);
      claim.take_again(wanted);
      session_.learn(); // after the claim: what another pull has given back, it has committed
      std::erase_if(missing, [&](layer_job& j) { return is_here(j); });
      const auto& elsewhere = claim.elsewhere();
      const auto others = std::stable_partition(missing.begin(), missing.end(), [&](const auto& j) {
        return std::find(elsewhere.begin(), elsewhere.end(), *j.diff_id) == elsewhere.end();
      });
      jobs_.assign(missing.begin(), others);
      missing.erase(missing.begin(), others);
      run();
      if (failed_) return tl::make_unexpected(*failed_);
      if (missing.empty()) return {};
      if (!claim.wait(stop_)) return fail(errc::cancelled, "pull", "layers", "no longer wanted");
    }
  }

 private:
  struct layer_job {
    const descriptor* blob;
    const digest* diff_id;
    layer_progress progress;
  };

  std::vector<layer_job> all_layers(const image_plan& plan) {
    std::vector<layer_job> out;
    std::set<digest> seen;
    for (std::size_t i = 0; i < plan.manifest.layers.size(); ++i) {
      const auto& blob = plan.manifest.layers[i];
      if (!seen.insert(blob.content).second) continue;
      out.push_back({&blob, &plan.record.layers[i].diff_id, {}});
      out.back().progress.blob = blob.content.to_string();
      out.back().progress.total = blob.size;
    }
    for (const auto& job : out)
      tell_(job.progress);
    return out;
  }

  bool is_here(layer_job& j) {
    if (!session_.knows(j.blob->content, *j.diff_id)) return false;
    j.progress.state = layer_state::present;
    j.progress.done = j.progress.total;
    tell_(j.progress);
    return true;
  }

  /// A few threads take one layer after the other; the first failure stops those that follow.
  void run() {
    next_ = 0;
    std::vector<std::thread> threads;
    const auto count = std::min<std::size_t>(std::max(options_.parallel, 1u), jobs_.size());
    sigset_t all;
    sigset_t before;
    sigfillset(&all); // the program reads its signals elsewhere
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (std::size_t i = 1; i < count; ++i)
      threads.emplace_back([this] { work(); });
    if (count > 0) work();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    for (auto& t : threads)
      t.join();
  }

  void work() {
    for (;;) {
      const auto i = next_++;
      if (i >= jobs_.size() || stopped_) return;
      auto& job = jobs_[i];
      auto done = one(job);
      job.progress.state = done ? layer_state::done : layer_state::failed;
      if (!done) {
        const std::lock_guard lock{mutex_};
        if (!failed_) failed_ = std::move(done).error();
        stopped_ = true;
      }
      tell_(job.progress);
    }
  }

  /// Ends the download of one layer as soon as another has failed.
  class stoppable_source final : public byte_source {
   public:
    stoppable_source(byte_source& inner, const puller& of) : inner_(inner), of_(of) {}
    result<std::span<const std::byte>> next() override {
      if (of_.stopped_ || of_.stop_.cancelled())
        return fail(errc::cancelled, "download", "layer", "no longer wanted");
      return inner_.next();
    }

   private:
    byte_source& inner_;
    const puller& of_;
  };

  result<void> one(layer_job& j) {
    j.progress.state = layer_state::downloading;
    tell_(j.progress);
    const auto source = TANK_TRY(client_.blob(*j.blob));
    stoppable_source stoppable{*source, *this};
    counting_source counted{stoppable, j.progress, tell_};
    auto added = session_.add_layer(counted, j.blob, j.diff_id);
    if (!added) return wrap(std::move(added).error(), "pull layer", j.progress.blob);
    return {};
  }

  registry_client& client_;
  ingest& session_;
  const unpack_limits& limits_;
  const pull_options& options_;
  cancellation& stop_;
  reporter tell_;
  std::vector<layer_job> jobs_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_; ///< guards failed_
  std::optional<error> failed_;
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
      pulling.all_here(*have, plan))
    return image_of(layout, *have);
  TANK_TRY(pulling.read_config(plan));
  layer_flights nobody_else;
  layer_flights::claim claim{options.flights != nullptr ? *options.flights : nobody_else, {}};
  TANK_TRY(pulling.layers(plan, claim)); // until the commit, so that who waits finds them
  for (const auto& [text, content] : plan.documents)
    TANK_TRY(session.add_document(text, content));
  plan.record.name = name;
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
