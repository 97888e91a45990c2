// A supervisor as OTP's documentation describes it, in the way OTP itself is written: one thread of
// control that waits for the end of a child where it stops one, while its mailbox fills. Small on
// purpose, slow where that is simpler, and sharing nothing with the implementation.
#include "tests/model/supervisor_world.hpp"

#include <algorithm>
#include <deque>

namespace tank::model {
namespace {

using what = supervisor_report::what;

struct kid {
  std::uint64_t key = 0;
  std::string starts; ///< what is started: of a dynamic child not its specification's id
  kid_spec spec;
  std::uint64_t ref = 0;
  bool restarting = false;
  std::uint64_t was = 0; ///< the last incarnation
};

struct over {};  ///< the supervisor has ended
struct stuck {}; ///< it waits for ever, as it was told to

class reference {
 public:
  reference(const scenario& s, world& w) : s_(s), w_(w) {}

  void run() {
    try {
      begin();
      while (auto e = receive())
        handle(*e);
    } catch (const over&) {
      refuse_all();
    } catch (const stuck&) {
    }
  }

 private:
  [[nodiscard]] bool dynamic() const { return s_.flags.strategy == supervision::dynamic; }

  // --- the mailbox -------------------------------------------------------------------------------

  std::optional<event> receive() {
    if (mailbox_.empty()) return from_world();
    auto e = mailbox_.front();
    mailbox_.pop_front();
    return e;
  }

  std::optional<event> from_world() {
    auto e = w_.next();
    if (!e) return e;
    const auto* c = std::get_if<command_event>(&*e);
    if (c != nullptr && w_.at(*c).what == command::kind::abandon) throw over{};
    return e;
  }

  void refuse_all() {
    if (asking_) w_.answer(*asking_, "gone");
    for (const auto& e : mailbox_)
      refuse(e);
    while (auto e = w_.next())
      refuse(*e);
  }

  void refuse(const event& e) {
    const auto* c = std::get_if<command_event>(&e);
    if (c == nullptr) return;
    const auto kind = w_.at(*c).what;
    if (kind != command::kind::exit && kind != command::kind::abandon) w_.answer(c->index, "gone");
  }

  void handle(const event& e) {
    if (const auto* d = std::get_if<down_event>(&e)) return ended(*d);
    if (const auto* r = std::get_if<retry_event>(&e)) {
      for (auto& k : kids_)
        if (k.key == r->key && k.restarting) return restart(k.key);
      return;
    }
    const auto* c = std::get_if<command_event>(&e);
    if (c == nullptr) return; // a timer of a stop that is over
    if (w_.at(*c).what == command::kind::exit) finish(stop_shutdown());
    asking_ = c->index;
    w_.answer(c->index, answer(w_.at(*c)));
    asking_.reset();
  }

  // --- starting ----------------------------------------------------------------------------------

  void begin() {
    if (dynamic()) return;
    for (const auto& spec : s_.specs)
      kids_.push_back({++last_key_, spec.id, spec});
    if (!start_from(0, true)) finish({stop_class::abnormal, stop_cause::start_failed, 0, {}});
  }

  bool start_from(std::size_t first, bool initial) {
    for (auto i = first; i < kids_.size();) {
      const auto made = w_.start(kids_[i].starts);
      if (made.failed) {
        w_.report(what::start_failed, kids_[i].spec.id, "");
        if (initial) return false;
        kids_[i].restarting = true;
        w_.retry(kids_[i].key);
        return false;
      }
      kids_[i].ref = made.ref;
      if (made.ref == 0 && kids_[i].spec.restart == child_restart::temporary)
        kids_.erase(at(i));
      else
        ++i;
    }
    return true;
  }

  // --- stopping ----------------------------------------------------------------------------------

  /// Waits for the end of this child and no other.
  std::uint8_t stop_and_wait(const kid& k) {
    for (auto it = mailbox_.begin(); it != mailbox_.end(); ++it)
      if (const auto* d = std::get_if<down_event>(&*it); d != nullptr && d->ref == k.ref) {
        const auto why = d->why;
        mailbox_.erase(it);
        return why;
      }
    const bool brutal = k.spec.limit == 0;
    brutal ? w_.kill(k.ref) : w_.shutdown(k.ref);
    const auto token = ++last_token_;
    if (k.spec.limit && !brutal) w_.arm(token, *k.spec.limit);
    for (bool kill_sent = brutal;;) {
      const auto e = from_world();
      if (!e) throw stuck{};
      const auto* d = std::get_if<down_event>(&*e);
      const auto* t = std::get_if<timer_event>(&*e);
      if (d != nullptr && d->ref == k.ref) return d->why;
      if (t != nullptr && t->token == token) {
        if (!std::exchange(kill_sent, true)) w_.kill(k.ref);
      } else {
        mailbox_.push_back(*e);
      }
    }
  }

  void judge_stop(const kid_spec& spec, std::uint8_t why) {
    const bool on_own_terms =
        reasons()[why].cls != stop_class::abnormal && spec.restart != child_restart::permanent;
    const std::uint8_t asked_for = spec.limit == 0 ? 4 : 1;
    if (why != asked_for && !on_own_terms)
      w_.report(what::shutdown_failed, spec.id, to_string(reasons()[why]));
  }

  /// True: the child is gone from the list.
  bool stop(std::size_t i) {
    if (kids_[i].ref != 0) judge_stop(kids_[i].spec, stop_and_wait(kids_[i]));
    kids_[i].ref = 0;
    kids_[i].restarting = false;
    if (kids_[i].spec.restart != child_restart::temporary && !dynamic()) return false;
    kids_.erase(at(i));
    return true;
  }

  void stop_from(std::size_t first) {
    for (auto i = kids_.size(); i-- > first;)
      stop(i);
  }

  void stop_together() {
    std::vector<kid> left;
    for (const auto& k : kids_) {
      bool waits = false;
      for (auto it = mailbox_.begin(); it != mailbox_.end() && !waits; ++it)
        if (const auto* d = std::get_if<down_event>(&*it); d != nullptr && d->ref == k.ref) {
          judge_stop(k.spec, d->why);
          mailbox_.erase(it);
          waits = true;
          break;
        }
      if (k.ref != 0 && !waits) left.push_back(k);
    }
    const auto limit = s_.specs[0].limit;
    for (const auto& k : left)
      limit == 0 ? w_.kill(k.ref) : w_.shutdown(k.ref);
    const auto token = ++last_token_;
    if (limit && limit != 0) w_.arm(token, *limit);
    bool kill_sent = limit == 0;
    while (!left.empty()) {
      const auto e = from_world();
      if (!e) throw stuck{};
      if (const auto* t = std::get_if<timer_event>(&*e); t != nullptr && t->token == token) {
        if (!std::exchange(kill_sent, true))
          for (const auto& k : left)
            w_.kill(k.ref);
        continue;
      }
      const auto* d = std::get_if<down_event>(&*e);
      const auto it = std::find_if(left.begin(), left.end(),
                                   [&](const kid& k) { return d != nullptr && d->ref == k.ref; });
      if (it == left.end()) {
        mailbox_.push_back(*e);
        continue;
      }
      judge_stop(it->spec, d->why);
      left.erase(it);
    }
    kids_.clear();
  }

  [[noreturn]] void finish(const stop_reason& why) {
    dynamic() ? stop_together() : stop_from(0);
    w_.finished(why);
    throw over{};
  }

  // --- ends and restarts -------------------------------------------------------------------------

  void ended(const down_event& d) {
    const auto it =
        std::find_if(kids_.begin(), kids_.end(), [&](const kid& k) { return k.ref == d.ref; });
    if (it == kids_.end()) return;
    const bool quiet = reasons()[d.why].cls != stop_class::abnormal;
    const auto type = it->spec.restart;
    it->ref = 0;
    it->was = d.ref;
    if (type == child_restart::permanent || !quiet)
      w_.report(what::child_terminated, it->spec.id, to_string(reasons()[d.why]));
    if (type == child_restart::permanent || (type == child_restart::transient && !quiet))
      return restart(it->key);
    const bool significant = it->spec.significant;
    forget(it->key);
    if (!significant || s_.flags.when_significant == auto_shutdown::never) return;
    const bool others = std::any_of(kids_.begin(), kids_.end(), [](const kid& k) {
      return k.spec.significant && (k.ref != 0 || k.restarting);
    });
    if (s_.flags.when_significant == auto_shutdown::any_significant || !others)
      finish(stop_shutdown());
  }

  /// Ended for good: its place stays, unless it is temporary or dynamic.
  void forget(std::uint64_t key) {
    const auto i = index(key);
    kids_[i].restarting = false;
    if (kids_[i].spec.restart == child_restart::temporary || dynamic()) kids_.erase(at(i));
  }

  void restart(std::uint64_t key) {
    restarts_.push_back(w_.now());
    const auto counted = std::count_if(restarts_.begin(), restarts_.end(), [&](ms t) {
      return w_.now() - t <= s_.flags.period.count();
    });
    if (counted > static_cast<std::ptrdiff_t>(s_.flags.intensity)) {
      w_.report(what::too_many_restarts, kids_[index(key)].spec.id, "");
      forget(key);
      finish(stop_shutdown());
    }
    auto i = index(key);
    if (s_.flags.strategy == supervision::one_for_all ||
        s_.flags.strategy == supervision::rest_for_one) {
      if (s_.flags.strategy == supervision::one_for_all) i = 0;
      kids_[index(key)].restarting = false;
      stop_from(i);
      start_from(i, false);
      return;
    }
    const auto made = w_.start(kids_[i].starts);
    kids_[i].restarting = made.failed;
    kids_[i].ref = made.ref;
    if (made.failed) {
      w_.report(what::start_failed, kids_[i].spec.id, "");
      w_.retry(key);
    } else if (made.ref == 0 && dynamic()) {
      kids_.erase(at(i));
    }
  }

  // --- requests ----------------------------------------------------------------------------------

  std::string answer(const command& c) {
    using k = command::kind;
    const auto it = std::find_if(kids_.begin(), kids_.end(),
                                 [&](const kid& x) { return x.spec.id == c.spec.id; });
    const auto i = static_cast<std::size_t>(it - kids_.begin());
    switch (c.what) {
    case k::start:
      return dynamic() ? start_dynamic(c.spec.id)
                       : start_new(c.spec, it == kids_.end() ? nullptr : &*it);
    case k::terminate:
      if (dynamic()) return "unsupported";
      if (it == kids_.end()) return "not_found";
      stop(i);
      return "done";
    case k::terminate_dynamic:
      return terminate_dynamic(c.nth);
    case k::restart:
    case k::remove:
      if (dynamic()) return "unsupported";
      if (it == kids_.end()) return "not_found";
      if (it->ref != 0) return "running";
      if (it->restarting) return "restarting";
      if (c.what == k::remove) {
        kids_.erase(it);
        return "done";
      }
      {
        const auto made = w_.start(it->starts);
        if (made.failed) return "failed";
        it->ref = made.ref;
        return "started " + std::to_string(made.ref);
      }
    case k::which:
      return list();
    case k::count:
      return counts();
    default:
      return {};
    }
  }

  std::string start_new(const kid_spec& spec, const kid* present) {
    if (spec.significant && (spec.restart == child_restart::permanent ||
                             s_.flags.when_significant == auto_shutdown::never))
      return "invalid";
    if (present != nullptr) return present->ref != 0 ? "already started" : "already present";
    const auto made = w_.start(spec.id);
    if (made.failed) return "failed";
    if (made.ref != 0 || spec.restart != child_restart::temporary)
      kids_.push_back({++last_key_, spec.id, spec, made.ref});
    return "started " + std::to_string(made.ref);
  }

  std::string start_dynamic(const std::string& id) {
    const auto made = w_.start(id);
    if (made.failed) return "failed";
    if (made.ref != 0) kids_.push_back({++last_key_, id, s_.specs[0], made.ref});
    return "started " + std::to_string(made.ref);
  }

  std::string terminate_dynamic(std::uint64_t ref) {
    if (!dynamic()) return "not_found";
    for (std::size_t i = 0; i < kids_.size() && ref != 0; ++i)
      if (kids_[i].ref == ref || (kids_[i].restarting && kids_[i].was == ref)) {
        stop(i);
        return "done";
      }
    return w_.ended(ref) ? "done" : "not_found";
  }

  [[nodiscard]] std::string list() const {
    std::string out;
    for (auto k = kids_.rbegin(); k != kids_.rend(); ++k)
      out += k->spec.id + ":" +
             (k->ref != 0     ? std::to_string(k->ref)
              : k->restarting ? "r"
                              : "u") +
             " ";
    return out;
  }

  [[nodiscard]] std::string counts() const {
    std::size_t active = 0;
    std::size_t supervisors = 0;
    for (const auto& k : kids_) {
      active += k.ref != 0;
      supervisors += k.spec.supervisor;
    }
    return std::to_string(dynamic() ? 1 : kids_.size()) + " " + std::to_string(active) + " " +
           std::to_string(supervisors) + " " + std::to_string(kids_.size() - supervisors);
  }

  std::vector<kid>::iterator at(std::size_t i) {
    return kids_.begin() + static_cast<std::ptrdiff_t>(i);
  }
  [[nodiscard]] std::size_t index(std::uint64_t key) const {
    return static_cast<std::size_t>(
        std::find_if(kids_.begin(), kids_.end(), [&](const kid& k) { return k.key == key; }) -
        kids_.begin());
  }

  const scenario& s_;
  world& w_;
  std::vector<kid> kids_; ///< in the order of their start
  std::deque<event> mailbox_;
  std::vector<ms> restarts_;
  std::optional<std::size_t> asking_; ///< the request that waits for a stop
  std::uint64_t last_key_ = 0;
  std::uint64_t last_token_ = 0;
};

} // namespace

void run_reference(const scenario& s, world& w) {
  reference{s, w}.run();
}

} // namespace tank::model
