/// The layers of one image: which are missing, who makes which, and when it is over.
#include "base/thread.hpp"
#include "oci/ingest_session.hpp"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <numeric>
#include <sys/statvfs.h>
#include <vector>

namespace tank::oci {

namespace {

/// Fails early where the disk cannot even take the blobs: better than half an hour later.
result<void> check_space(const std::filesystem::path& root, std::uint64_t needed) {
  struct statvfs fs {};
  if (::statvfs(root.c_str(), &fs) != 0) return {};
  const auto free = static_cast<std::uint64_t>(fs.f_bavail) * fs.f_frsize;
  if (needed <= free) return {};
  auto full = fail_errno(ENOSPC, "store image in", root,
                         "free some with 'tank image prune', or move stateDir");
  full.value().cause = "it needs " + std::to_string(needed) + " bytes at least, " +
                       std::to_string(free) + " are free";
  return full;
}

failure unwanted(const std::string& step) {
  return fail(errc::cancelled, step, "", "nobody wants it any more");
}

std::string name_of(const ingest::wanted& w) {
  if (w.blob) return w.blob->content.to_string();
  return w.diff_id ? w.diff_id->to_string() : "";
}

void tell(const ingest::wanted& w, ingest::outcome how) {
  if (w.ended) w.ended(how);
}

} // namespace

/// The layers that are missing, and a few threads that take one after the other.
class ingest::layer_queue {
 public:
  layer_queue(ingest& session, std::span<const wanted> layers, cancellation& stop,
              const schedule& how)
      : session_(session)
      , layers_(layers)
      , how_(how)
      , flights_(how.flights != nullptr ? *how.flights : own_flights_)
      , out_(layers.size())
      , forward_(stop, [this] { stop_.cancel(); }) {}

  result<std::vector<layer>> run(const cancellation& stop) {
    TANK_TRY(look());
    {
      const signals_blocked mask; // the program reads its signals elsewhere
      const auto wish = how_.parallel != 0 ? how_.parallel : session_.s_->options.parallel();
      const auto count = std::min<std::size_t>(wish, missing_.size());
      std::vector<std::jthread> others;
      for (std::size_t i = 1; i < count; ++i)
        others.emplace_back([this] { work(); });
      work();
    }
    if (stop.cancelled() && (!failed_ || failed_->code == errc::cancelled))
      return unwanted(how_.step);
    if (failed_) return tl::make_unexpected(*std::move(failed_));
    return std::move(out_);
  }

 private:
  /// Finds what is here, and orders what is not: the largest first, for one that begins last would
  /// be waited for alone.
  result<void> look() {
    std::set<digest> blobs;
    std::uint64_t needed = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const auto& w = layers_[i];
      if (auto here = TANK_TRY(session_.use(w, spent_))) {
        out_[i] = *std::move(here);
        tell(w, outcome::present);
        continue;
      }
      missing_.push_back(i);
      if (w.blob && blobs.insert(w.blob->content).second) needed += w.blob->size;
    }
    const auto size = [this](std::size_t i) { return layers_[i].blob ? layers_[i].blob->size : 0; };
    std::stable_sort(missing_.begin(), missing_.end(),
                     [&](std::size_t a, std::size_t b) { return size(a) > size(b); });
    return check_space(session_.s_->layout.root, needed);
  }

  struct job {
    std::size_t index = 0;
    std::optional<layer_flights::ticket> ticket{};
  };

  /// The first layer that nobody in this process makes; waits for one. Nothing at the end.
  std::optional<job> next() {
    while (!stop_.cancelled()) {
      const auto seen = flights_.landed();
      {
        const std::lock_guard lock{mutex_};
        if (missing_.empty()) return std::nullopt;
        for (auto it = missing_.begin(); it != missing_.end(); ++it) {
          job out{*it};
          if (const auto& id = layers_[*it].diff_id) {
            auto mine = flights_.take(*id);
            if (!mine) continue;
            out.ticket.emplace(*std::move(mine));
          }
          missing_.erase(it);
          return out;
        }
      }
      if (!flights_.wait(seen, stop_)) break;
    }
    return std::nullopt;
  }

  void work() {
    while (const auto at = next()) {
      const auto& w = layers_[at->index];
      auto how = outcome::failed;
      auto done = session_.take(w, spent_, stop_, how);
      tell(w, done ? how : outcome::failed);
      if (done) {
        out_[at->index] = *std::move(done);
        continue;
      }
      {
        const std::lock_guard lock{mutex_};
        session_.s_->note(done.error());
        if (!failed_) // later ones only follow from the first
          failed_ = wrap(std::move(done).error(), how_.step, name_of(w)).value();
      }
      stop_.cancel();
    }
  }

  ingest& session_;
  std::span<const wanted> layers_;
  const schedule& how_;
  layer_flights own_flights_; ///< when nobody shares theirs
  layer_flights& flights_;
  unpack_budget spent_;
  cancellation stop_;      ///< of this image's layers alone
  std::vector<layer> out_; ///< each written by one thread
  std::mutex mutex_;       ///< of what follows
  std::deque<std::size_t> missing_;
  std::optional<error> failed_;
  cancellation::subscription forward_; ///< last: it uses stop_
};

result<std::vector<ingest::layer>> ingest::add_layers(std::span<const wanted> layers,
                                                      cancellation& stop, const schedule& how) {
  return layer_queue{*this, layers, stop, how}.run(stop);
}

} // namespace tank::oci
