#include "actors/supervision/supervisor.hpp"

#include "actors/role.hpp"
#include "actors/supervision/messages.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace tank {

namespace {

/// A functor that is attached to an ended actor runs at once. (To a live one it stays attached:
/// this is asked only of an actor that a caller thinks is a child, and is none.)
bool has_ended(const caf::actor& who) {
  const auto ran = std::make_shared<std::atomic<bool>>(false);
  who->attach_functor([ran](const caf::error&) { *ran = true; });
  return *ran;
}

/// The shell: carries out what the core decides.
class supervisor : public role, private supervisor_port {
 public:
  supervisor(caf::actor_config& cfg, const supervisor_flags& flags, std::vector<child_spec> specs,
             report_sink reports)
      : role(cfg)
      , reports_(std::move(reports)) {
    supervisor_port& port = *this;
    core_.emplace(flags, std::move(specs), port);
    if (!reports_) reports_ = [](const supervisor_report&) {};
    compat::trap_exit(this, [this](const caf::error& why) {
      if (!compat::is_normal(why)) core_->exit(classify(why)); // a normal end of others is no order
    });
  }

  const char* name() const override { return "tank.supervisor"; }

  caf::behavior make_behavior() override {
    core_->begin();
    return {
        [this](const child_down& m) {
          note_ended(m.ref);
          core_->child_down(m.ref, m.why);
          forget_ended();
        },
        [this](const shutdown_timeout& m) { core_->timed_out(m.token); },
        [this](const try_again_restart& m) {
          core_->try_again(m.key);
          forget_ended();
        },
        [this](const start_child& m) {
          auto promise = make_response_promise();
          core_->start_child(m.spec, answer_started(promise));
          return promise;
        },
        [this](const restart_child& m) {
          auto promise = make_response_promise();
          core_->restart_child(m.id, answer_started(promise));
          return promise;
        },
        [this](const terminate_child& m) {
          auto promise = make_response_promise();
          core_->terminate_child(m.id, answer_done(promise));
          return promise;
        },
        [this](const terminate_dynamic& m) {
          auto promise = make_response_promise();
          const auto ended = [this, who = m.child] {
            return !who || (!refs_.contains(who.address()) && has_ended(who));
          };
          core_->terminate_dynamic(ref_of(m.child), ended, answer_done(promise));
          return promise;
        },
        [this](const delete_child& m) {
          auto promise = make_response_promise();
          core_->delete_child(m.id, answer_done(promise));
          return promise;
        },
        [this](const which_children&) {
          auto promise = make_response_promise();
          core_->which_children([this, promise](result<std::vector<child_row>> rows) mutable {
            if (!rows) return promise.deliver(to_error(rows.error()));
            promise.deliver(listed(*rows));
          });
          return promise;
        },
        [this](const count_children&) {
          auto promise = make_response_promise();
          core_->count_children([promise](result<child_counts> n) mutable {
            n ? promise.deliver(*n) : promise.deliver(to_error(n.error()));
          });
          return promise;
        },
    };
  }

  void on_exit() override {
    core_->abandon(); // answers what waits: an undelivered promise would keep this actor for ever
    core_.reset();    // and the specs with all they hold: a timer may keep this object for longer
    const auto why = to_error({stop_class::abnormal, stop_cause::supervisor_down, 0, {}});
    for (const auto& [ref, child] : std::exchange(children_, {}))
      compat::send_exit(child, why);
    refs_.clear();
    ended_.clear();
  }

 private:
  // --- supervisor_port ---------------------------------------------------------------------------

  start_outcome start(const child_start& how) override {
    start_answer made = ignore_child{};
    try {
      made = how(system());
    } catch (...) {
      // a start function is foreign code; its failure is the child's, not ours
      const auto why = stop_exception(std::current_exception());
      return {0, error{errc::internal, 0, "start", "child", why.text, {}}};
    }
    if (auto* refused = std::get_if<error>(&made)) return {0, std::move(*refused)};
    auto* child = std::get_if<caf::actor>(&made);
    if (child == nullptr || !*child) return {};
    const child_ref ref = ++last_ref_;
    children_[ref] = *child;
    refs_[child->address()] = ref;
    compat::watch(*child, self(), [ref](const caf::error& why) {
      return child_down{ref, classify(why)};
    });
    return {ref, std::nullopt};
  }

  void signal_shutdown(child_ref child) override { tell(child, caf::exit_reason::user_shutdown); }
  void kill(child_ref child) override { tell(child, caf::exit_reason::kill); }

  void tell(child_ref child, caf::exit_reason why) {
    const auto it = children_.find(child);
    if (it != children_.end()) compat::send_exit(it->second, caf::make_error(why));
  }

  void arm(std::uint64_t token, std::chrono::milliseconds delay) override {
    compat::send_after(this, self(), delay, shutdown_timeout{token});
  }
  void retry(std::uint64_t key) override { compat::send(this, self(), try_again_restart{key}); }
  void report(const supervisor_report& r) override { reports_(r); }
  std::chrono::steady_clock::time_point now() override { return role::now(); }
  void finished(const stop_reason& why) override { stop(why); }

  // --- answers -----------------------------------------------------------------------------------

  reply_to<child_ref> answer_started(caf::response_promise promise) {
    return [this, promise](result<child_ref> ref) mutable {
      if (!ref) return promise.deliver(to_error(ref.error()));
      const auto it = children_.find(*ref);
      promise.deliver(child_started{it == children_.end() ? caf::actor{} : it->second});
    };
  }

  static reply_to<void> answer_done(caf::response_promise promise) {
    return [promise](result<void> done) mutable {
      done ? promise.deliver(child_done{}) : promise.deliver(to_error(done.error()));
    };
  }

  [[nodiscard]] child_list listed(const std::vector<child_row>& rows) const {
    child_list out;
    for (const auto& row : rows) {
      const auto it = children_.find(row.ref);
      out.children.push_back(
          {row.id, it == children_.end() ? caf::actor{} : it->second, row.state, row.type});
    }
    return out;
  }

  void note_ended(child_ref ref) {
    const auto it = children_.find(ref);
    if (it == children_.end()) return;
    refs_.erase(it->second.address());
    ended_[it->second.address()] = ref;
    children_.erase(it);
  }

  /// The handle of a child that ended stays good for as long as it names a child.
  void forget_ended() {
    std::erase_if(ended_, [this](const auto& e) { return !core_->knows(e.second); });
  }

  [[nodiscard]] child_ref ref_of(const caf::actor& child) const {
    if (!child) return 0;
    if (const auto it = refs_.find(child.address()); it != refs_.end()) return it->second;
    const auto it = ended_.find(child.address());
    return it == ended_.end() ? 0 : it->second;
  }

  std::optional<supervisor_core> core_; ///< until the end
  report_sink reports_;
  std::map<child_ref, caf::actor> children_; ///< alive
  std::map<caf::actor_addr, child_ref> refs_;
  std::map<caf::actor_addr, child_ref> ended_; ///< ended, and still known to the core
  child_ref last_ref_ = 0;
};

} // namespace

void init_supervisor_types() {
  compat::init_types<caf::id_block::tank_supervision>();
}

child_spec supervisor_child(std::string id, const supervisor_flags& flags,
                            std::vector<child_spec> specs, report_sink reports) {
  child_spec spec;
  spec.id = std::move(id);
  spec.shutdown = shutdown_after::infinity();
  spec.type = child_type::supervisor;
  spec.start = [flags, specs = std::move(specs),
                reports = std::move(reports)](caf::actor_system& sys) -> start_answer {
    auto made = spawn_supervisor(sys, flags, specs, reports);
    if (!made) return std::move(made).error();
    return *std::move(made);
  };
  return spec;
}

result<caf::actor> spawn_supervisor(caf::actor_system& sys, const supervisor_flags& flags,
                                    std::vector<child_spec> specs, report_sink reports) {
  TANK_TRY(check_supervisor(flags, specs));
  return caf::actor{sys.spawn<supervisor>(flags, std::move(specs), std::move(reports))};
}

} // namespace tank
