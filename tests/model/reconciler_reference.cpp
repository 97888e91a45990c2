// The reconciler's contract, pod by pod: what is desired starts; what changed is stopped, waited
// for and started anew, unless it can be given other limits; what is no longer desired is stopped
// and forgotten; what ended by itself follows its policy, waits min(base * 2^n, cap), forgets its
// retries after a stable run, and is left alone after too many restarts; what does not stop is
// killed. Nothing here knows of another pod.
#include "tests/model/reconciler_world.hpp"

#include <algorithm>

namespace tank::model {
namespace {

class one_pod {
 public:
  one_pod(std::string key, pod_world& w, bool adopts)
      : key_(std::move(key))
      , w_(w)
      , adopts_(adopts) {}

  std::optional<content> wish; ///< what is desired, as far as it was looked at

  void look(bool all_stop) {
    if (all_stop) return due(last_run_, all_stop);
    if (!known_) {
      if (wish) begin_afresh(*wish);
    } else if (run_ != 0) {
      look_at_run();
      due(run_, all_stop);
    } else if (!wish) {
      known_ = false;
    } else if (wish->hash != has_.hash) {
      if (only_limits(*wish))
        begin_with(*wish);
      else
        begin_afresh(*wish);
    } else {
      due(last_run_, all_stop);
    }
  }

  void up(std::uint64_t run) {
    if (run != run_) return;
    if (!up_since_) up_since_ = w_.now();
    if (!told_to_stop_) state_ = "running";
    see_containers(run, 'r');
  }

  void containers(std::uint64_t run) {
    if (run == run_) see_containers(run, 'r');
  }

  void told(std::uint64_t run) {
    if (run != run_) return;
    said_ = true;
    code_ = told_code;
    see_containers(run, 't');
  }

  void gone(std::uint64_t run, std::uint8_t how, bool all_stop) {
    if (run != run_) return;
    run_ = 0;
    inside_before_ += std::exchange(inside_, 0);
    containers_ = 't'; // unless they wait, or begin
    if (!said_) code_ = endings()[how].exit_code;
    if (forget_when_gone_) {
      known_ = false;
    } else if (all_stop) {
      state_ = "terminal";
    } else if (next_ && next_->hash != has_.hash && !only_limits(*next_)) {
      begin_afresh(*next_);
    } else if (next_) {
      begin_with(*next_);
    } else if (edited_) {
      begin_with(has_);
    } else {
      follow_policy(endings()[how].failure);
    }
  }

  /// Its runtime is gone and the run is not: another one goes on, three times in a run that is not
  /// stable, once after a kill of ours.
  void lost(std::uint64_t run) {
    if (run != run_) return;
    const bool stable = up_since_ && w_.now() - *up_since_ >= profile(has_).stable.count();
    if (stable && !killed_) losses_ = 0;
    ++losses_;
    if (killed_) losses_ = 3;
    killed_ = false;
    w_.take_over(run_, losses_ < 3, edited_ ? has_.hash : "");
    if (!told_to_stop_) return;
    const auto left = std::max<ms>(0, stop_by_ - w_.now());
    w_.stop(run_, (left + 999) / 1000 * 1000);
    watch_stop();
  }

  /// A new run has what this one cannot get.
  void changed(std::uint64_t run, const content& what, bool done) {
    if (run != run_ || !edited_ || has_.hash != what.hash) return;
    edited_ = false;
    if (done || told_to_stop_) return;
    next_ = has_;
    tell_to_stop({});
  }

  void due(std::uint64_t run, bool all_stop) {
    if (!known_) return;
    if (run_ != 0 && run == run_ && told_to_stop_ && !killed_ && w_.now() >= overdue_at_) {
      killed_ = true;
      w_.kill(run_);
      watch_stop();
    }
    if (!all_stop && run_ == 0 && run == last_run_ && state_ == "backing_off" &&
        w_.now() >= wait_until_)
      again();
  }

  bool restart(bool all_stop) {
    if (!known_ || forget_when_gone_ || all_stop) return false;
    if (run_ != 0) {
      if (!next_) next_ = has_;
      tell_to_stop({});
    } else {
      begin_with(has_);
    }
    return true;
  }

  void stop_for_good() {
    if (!known_) return;
    next_.reset();
    if (run_ != 0)
      tell_to_stop(1'000);
    else {
      state_ = "terminal";
      containers_ = 't';
    }
    wait_until_ = 0;
  }

  [[nodiscard]] std::string status() const {
    if (!known_) return "unknown";
    return state_ + " retries=" + std::to_string(retries_) +
           " restarts=" + std::to_string(restarts_) +
           " at=" + std::to_string(state_ == "backing_off" ? wait_until_ : 0) +
           " last=" + (code_ ? std::to_string(*code_) : "none") + " containers=" + shown();
  }

 private:
  /// Each is restarted with its pod, the last one also inside.
  [[nodiscard]] std::string shown() const {
    std::string out;
    for (std::size_t i = 0; i < has_.containers; ++i) {
      const auto inside = i + 1 == has_.containers ? inside_before_ + inside_ : 0;
      out += containers_ + std::to_string(restarts_ + inside);
    }
    return out;
  }

  void see_containers(std::uint64_t run, char what) {
    containers_ = what;
    inside_ = w_.inside(run);
  }

  void look_at_run() {
    if (!wish) {
      if (forget_when_gone_) return;
      next_.reset();
      forget_when_gone_ = true;
      return tell_to_stop({});
    }
    const auto& heading = next_ ? next_->hash : has_.hash;
    if (!forget_when_gone_ && heading == wish->hash) return;
    if (!told_to_stop_ && only_limits(*wish)) {
      has_ = *wish;
      edited_ = true;
      retries_ = 0;
      ends_.clear();
      return w_.change(run_, has_.hash);
    }
    forget_when_gone_ = false;
    next_ = wish;
    tell_to_stop({});
  }

  [[nodiscard]] bool only_limits(const content& other) const {
    return !has_.instance.empty() && has_.instance == other.instance;
  }

  void begin_with(content what) {
    has_ = std::move(what);
    retries_ = 0;
    ends_.clear();
    again();
  }

  void begin_afresh(const content& what) {
    known_ = true;
    has_ = what;
    restarts_ = retries_ = inside_before_ = inside_ = 0;
    ends_.clear();
    code_.reset();
    begin();
  }

  void again() {
    ++restarts_;
    begin();
  }

  void begin() {
    state_ = "starting";
    containers_ = 'w';
    next_.reset();
    forget_when_gone_ = told_to_stop_ = said_ = killed_ = edited_ = false;
    losses_ = 0;
    up_since_.reset();
    last_run_ = run_ = w_.start(key_, has_.hash, restarts_, adopts_);
  }

  void tell_to_stop(std::optional<ms> grace) {
    if (told_to_stop_ && !grace) return;
    told_to_stop_ = true;
    state_ = "stopping";
    w_.stop(run_, grace);
    stop_by_ = w_.now() + grace.value_or(has_.grace);
    watch_stop();
  }

  void watch_stop() {
    overdue_at_ = std::max(stop_by_, w_.now()) + stop_margin;
    w_.wake(run_, overdue_at_ - w_.now());
  }

  void follow_policy(bool failure) {
    if (has_.policy == "Never" || (has_.policy == "OnFailure" && !failure)) {
      state_ = "terminal";
      return;
    }
    if (has_.last_end > 0) {
      ends_.push_back(w_.now());
      const auto counts = [&](ms end) { return end >= w_.now() - has_.period; };
      if (static_cast<std::size_t>(std::count_if(ends_.begin(), ends_.end(), counts)) >=
          has_.last_end) {
        state_ = "terminal";
        return;
      }
    }
    const auto& p = profile(has_);
    if (up_since_ && w_.now() - *up_since_ >= p.stable.count()) retries_ = 0;
    ms delay = p.base.count();
    for (int i = 0; i < static_cast<int>(retries_) && delay < p.cap.count(); ++i)
      delay *= 2;
    delay = std::min<ms>(delay, p.cap.count());
    ++retries_;
    state_ = "backing_off";
    containers_ = 'w';
    wait_until_ = w_.now() + delay;
    w_.wake(last_run_, delay);
  }

  std::string key_;
  pod_world& w_;
  bool adopts_;
  bool known_ = false;
  content has_;                 ///< what runs, or ran last
  std::optional<content> next_; ///< runs when the present run is gone
  bool forget_when_gone_ = false;
  std::uint64_t run_ = 0; ///< the live one
  std::uint64_t last_run_ = 0;
  bool told_to_stop_ = false;
  ms stop_by_ = 0;
  ms overdue_at_ = 0;
  bool killed_ = false;
  int losses_ = 0;       ///< of runtimes of this run
  std::vector<ms> ends_; ///< of runs that ended by themselves
  bool said_ = false;
  bool edited_ = false; ///< other limits, of which nothing is heard yet
  std::string state_;
  std::uint32_t restarts_ = 0;
  std::uint32_t retries_ = 0;
  char containers_ = 'w';           ///< waiting, running, terminated
  std::uint32_t inside_before_ = 0; ///< restarts of the last container, in earlier runs
  std::uint32_t inside_ = 0;        ///< in the present one, as far as told
  std::optional<ms> up_since_;
  ms wait_until_ = 0;
  std::optional<int> code_; ///< of the last end
};

} // namespace

void run_reference(const history& h, pod_world& w) {
  std::map<std::string, one_pod> all;
  for (const auto& key : pods())
    all.emplace(key, one_pod{key, w, h.adopts});
  std::map<std::string, std::optional<content>> desired;
  bool all_stop = false;
  const auto look = [&] {
    for (auto& [key, pod] : all) {
      if (!all_stop) pod.wish = desired[key];
      pod.look(all_stop);
    }
  };
  while (const auto e = w.next()) {
    if (const auto* up = std::get_if<up_event>(&*e)) {
      all.at(w.key_of(up->run)).up(up->run);
    } else if (const auto* told = std::get_if<told_event>(&*e)) {
      all.at(w.key_of(told->run)).told(told->run);
    } else if (const auto* again = std::get_if<containers_event>(&*e)) {
      all.at(w.key_of(again->run)).containers(again->run);
    } else if (const auto* gone = std::get_if<gone_event>(&*e)) {
      all.at(w.key_of(gone->run)).gone(gone->run, gone->how, all_stop);
    } else if (const auto* due = std::get_if<due_event>(&*e)) {
      all.at(w.key_of(due->run)).due(due->run, all_stop);
    } else if (const auto* limits = std::get_if<changed_event>(&*e)) {
      all.at(w.key_of(limits->run)).changed(limits->run, contents()[limits->content], limits->done);
    } else if (const auto* lost = std::get_if<lost_event>(&*e)) {
      all.at(w.key_of(lost->run)).lost(lost->run);
    } else if (std::holds_alternative<resync_event>(*e)) {
      look();
    } else {
      const auto& o = w.at(std::get<order_event>(*e));
      const auto& key = pods()[o.pod];
      if (o.what == order::kind::desire) desired[key] = contents()[o.content];
      if (o.what == order::kind::remove) desired[key].reset();
      if (o.what == order::kind::restart) all.at(key).restart(all_stop);
      if (o.what == order::kind::stop_all) {
        all_stop = true;
        for (auto& [_, pod] : all)
          pod.stop_for_good();
      }
      const bool news = o.what == order::kind::desire || o.what == order::kind::remove;
      if (news && !o.quietly) look();
    }
    for (const auto& [key, pod] : all)
      w.status(key, pod.status());
  }
}

} // namespace tank::model
