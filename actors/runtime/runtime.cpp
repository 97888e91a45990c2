#include "actors/runtime/runtime.hpp"

#include "actors/images/messages.hpp"
#include "actors/role.hpp"
#include "actors/run_job.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/runtime/runtime_attach.hpp"
#include "actors/runtime/runtime_events.hpp"
#include "actors/runtime/runtime_jobs.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "config/pod.hpp"
#include "oci/image.hpp"
#include "pod/phase_clock.hpp"
#include "pod/run_notes.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <optional>
#include <sys/epoll.h>
#include <utility>
#include <variant>
#include <vector>

namespace tank {

namespace {

class runtime final : public role {
 public:
  runtime(caf::actor_config& cfg, std::shared_ptr<const runtime_options> options, runtime_args args)
      : role(cfg)
      , options_(std::move(options))
      , args_(std::move(args))
      , run_(run_settings_of(args_.key, *args_.what.pod, options_->backoff, options_->patience))
      , attaches_(run_, args_.key)
      , notes_(options_->records, args_.key, args_.run, options_->logger)
      , images_(run_.settings().containers.size())
      , inputs_(run_.settings().containers.size()) {
    if (options_->storage) storage_ = options_->storage->hold(args_.what.uid);
    disk_ = options_->storage ? options_->storage->work_on(args_.what.uid) : options_->jobs;
    if (args_.ends_orderly)
      compat::trap_exit(this, [this](const caf::error& why) {
        if (!compat::is_normal(why)) feed(run::stop{std::chrono::seconds{0}});
      });
  }

  const char* name() const override { return "tank.runtime"; }

  caf::behavior make_behavior() override {
    limits_edited_ = args_.limits_edited;
    phases_.begin(now(), args_.adopt ? args_.adopt->phases : phase_times{});
    pending_.emplace_back(data_known_of(args_));
    if (args_.adopt) {
      restore_secret_env(*args_.adopt, args_.what.uid, options_->dirs);
      perform(run_.begin_adoption(*args_.adopt, at()));
      refresh_volumes();
    } else {
      perform(run_.begin(at()));
    }
    pump();
    return {
        [this](const image_resolved& m) { on_image(m); },
        [this](const image_progress& m) {
          if (asked_by(m.ticket) && !run_.stop_asked()) progress(m.text);
        },
        [this](const launch_prepared& m) { on_prepared(m); },
        [this](const launch_cleaned& m) { on_cleaned(m); },
        [this](const change_limits& m) { on_change_limits(m.what); },
        [this](const data_changed& m) { on_data(m.data); },
        [this](const volumes_refreshed& m) { complain("volumes_stale", m.why); },
        [this](const limits_put& m) { on_limits_put(m); },
        [this](const fd_ready& m) { on_fd(m); },
        [this](const timer_fired& m) { feed(run::timer_due{m.id}); },
        [this](const own_runtime& m) {
          args_.owner = m.owner;
          if (run_.runs()) report_running();
        },
        [this](const get_host_pid& m) -> caf::result<host_pid> {
          const auto who = running_one(m.container, "find the process of");
          if (!who) return to_error(who.error());
          return host_pid{run_.container(*who).pid()};
        },
        [this](const get_exec_context& m) -> caf::result<exec_context> {
          const auto who = running_one(m.container, "run a command in");
          if (!who) return to_error(who.error());
          const auto& facts = run_.facts(*who);
          return exec_context{run_.container(*who).pid(), facts.env, facts.working_dir,
                              container_cgroup_directory(*options_, args_, run_, *who)};
        },
        [this](const begin_attach& m) {
          auto promise = make_response_promise();
          attaches_.begin(m, promise, session_.get());
          return promise;
        },
        [this](const end_attach& m) {
          auto promise = make_response_promise();
          attaches_.end(m, promise);
          return promise;
        },
        [this](const attach_down& m) { attaches_.session_ended(m); },
        [this](const stop_pod& m) {
          if (!run_.stop_asked()) progress("stopping");
          feed(run::stop{m.grace});
        },
    };
  }

  void on_exit() override {
    attaches_.lose_all("the pod's runtime has failed");
    // Not the orderly way (then it is gone already): do not leave a workload without an owner.
    if (session_ && !args_.has_heir && !session_->shutdown()) session_->end();
    *abandoned_ = true;
    drop_session();
    timers_.clear();
    storage_.reset();
    args_.owner = nullptr;
    options_.reset();
  }

 private:
  [[nodiscard]] instant at() const {
    return {now(), options_->wall_clock ? options_->wall_clock() : system_wall_clock()};
  }

  // --- what happens, as events -------------------------------------------------------------------

  void feed(run::event e) {
    pending_.push_back(std::move(e));
    pump();
  }

  /// Actions may cause events at once; they queue up here instead of recursing.
  void pump() {
    while (!pending_.empty()) {
      const auto e = std::move(pending_.front());
      pending_.pop_front();
      phases_.note(e, run_, now());
      perform(run_.handle(e, at()));
      if (const auto* ended = std::get_if<run::child_ended>(&e)) attaches_.container_ended(*ended);
      // A predecessor may have been killed between its record of other limits and the cgroups.
      if (std::holds_alternative<run::adopted>(e)) put_limits();
    }
  }

  /// Of one attempt of one container.
  [[nodiscard]] std::uint64_t ticket_of(run::index who) const {
    return (std::uint64_t{run_.container(who).attempt()} << 32U | who) + 1;
  }
  [[nodiscard]] std::optional<run::index> asked_by(std::uint64_t ticket) const {
    const auto who = static_cast<run::index>((ticket - 1) & 0xffff'ffffU);
    const bool waits = who < images_.size() && ticket == ticket_of(who) &&
                       run_.container(who).state() == container_state::resolving;
    return waits ? std::optional{who} : std::nullopt;
  }

  void on_image(const image_resolved& m) {
    const auto who = asked_by(m.ticket);
    if (!who) return;
    images_[*who] = m.image;
    if (m.image)
      feed(run::image_found{*who});
    else
      feed(run::image_missing{*who, m.why, m.problem});
  }

  void on_prepared(const launch_prepared& m) {
    if (m.sandbox) {
      shared_ = m.shared;
      phases_.note_limits(m.limits);
    }
    if (m.sandbox && !shared_) pending_.emplace_back(run::sandbox_not_prepared{m.why});
    for (const auto& c : m.containers) {
      if (c.attempt != run_.container(c.who).attempt()) continue;
      inputs_[c.who] = c.inputs;
      if (c.inputs)
        pending_.emplace_back(run::container_prepared{c.who, facts_of(*c.inputs)});
      else
        pending_.emplace_back(run::container_not_prepared{c.who, c.why});
    }
    if (m.sandbox && shared_) pending_.emplace_back(run::sandbox_prepared{});
    pump();
  }

  void complain(const char* event, const std::optional<error>& why) {
    if (why)
      log_or_none(options_->logger)
          ->error("event={} pod={} error={}", event, args_.key, in_quotes(why->message()));
  }

  void on_cleaned(const launch_cleaned& m) {
    complain("clean_failed", m.why);
    feed(run::cleaned{});
  }

  void on_fd(const fd_ready& m) {
    if (!session_ || m.id != watch_.id()) return;
    while (session_) { // a session_down drops it
      auto next = session_->next_event();
      if (!next) {
        feed(run::session_down{std::move(next).error(), false});
        break;
      }
      if (!*next) break;
      on_session_event(**next);
    }
    if (!session_) return;
    if (const auto armed = watch_.rearm(EPOLLIN); !armed) feed(run::session_failed{armed.error()});
  }

  void on_session_event(const kernel::session_event& e) {
    if (const auto* up = std::get_if<kernel::sandbox_ready_event>(&e)) protocol_ = up->version;
    if (const auto* opened = std::get_if<kernel::terminal_opened_event>(&e)) {
      attaches_.open(*opened, system(),
                     {.fds = options_->fds, .limits = options_->attach, .runtime = self()});
      return;
    }
    if (const auto* no = std::get_if<kernel::refused_event>(&e);
        no != nullptr && no->about == kernel::request::open_terminal)
      return attaches_.refuse(*no);
    const run_view view{*options_, args_, run_, inputs_, *session_, protocol_};
    if (auto event = to_event(e, view)) feed(*std::move(event));
  }

  // --- what to do --------------------------------------------------------------------------------

  void perform(const run::actions& actions) {
    for (const auto& a : actions)
      std::visit([this](const auto& one) { carry_out(one); }, a);
  }

  /// A successor finds what is done next.
  void keep_record() {
    auto record = run_.record();
    record.phases = phases_.times();
    notes_.keep(std::move(record));
  }

  void carry_out(const run::resolve_image& a) { resolve(a.who); }
  void carry_out(const run::create& a) {
    keep_record();
    if (!session_) return;
    const auto& plan = inputs_[a.who]->plan;
    auto created = session_->create(plan);
    if (created) return send_request([&](auto& s) { return s.build(instance_of(a.who)); });
    if (is_about_plan(created.error())) {
      run::container_end end;
      end.how = run::outcome::failed;
      end.why = std::move(created).error();
      pending_.emplace_back(run::child_ended{a.who, a.attempt, std::move(end)});
    } else {
      note_failure(std::move(created).error());
    }
  }
  void carry_out(const run::build& a) {
    send_request([&](auto& s) { return s.build(instance_of(a.who)); });
  }
  void carry_out(const run::proceed& a) {
    keep_record();
    send_request([&](auto& s) { return s.proceed(instance_of(a.who)); });
  }
  void carry_out(const run::abort& a) {
    send_request([&](auto& s) { return s.abort(instance_of(a.who)); });
  }
  void carry_out(const run::signal& a) {
    send_request([&](auto& s) { return s.signal(instance_of(a.who), a.number); });
  }
  void carry_out(const run::kill& a) {
    send_request([&](auto& s) { return s.kill(instance_of(a.who)); });
  }
  void carry_out(const run::shut_down&) {
    keep_record();
    if (!session_) { // nothing to wait for
      pending_.emplace_back(run::session_down{});
      return;
    }
    if (!session_->shutdown()) session_->end(); // its directory may go only after the shim
  }
  void carry_out(const run::end_session&) {
    if (session_) session_->end();
  }
  void carry_out(const run::drop_session&) { drop_session(); }
  // Manifests with probes and hooks are refused: no run asks for one.
  void carry_out(const run::begin_probes&) {}
  void carry_out(const run::only_readiness&) {}
  void carry_out(const run::end_probes&) {}
  void carry_out(const run::call_hook&) {}
  void carry_out(const run::drop_hook&) {}
  void carry_out(const run::arm_timer& a) {
    timers_[a.of] = options_->timers->after(a.after, self(), a.serial);
  }
  void carry_out(const run::disarm_timer& a) { timers_.erase(a.of); }
  void carry_out(const run::report_running&) {
    keep_record(); // with the times of the bring-up
    report_running();
  }
  void carry_out(const run::report_containers&) {
    keep_record();
    if (const auto lacking = run_.lacking(); !lacking.empty()) progress("waiting: " + lacking);
    compat::send(this, args_.owner,
                 containers_changed{args_.key, args_.generation, run_.statuses()});
  }
  void carry_out(const run::finish&) {
    pod_ended end{args_.key, args_.generation, run_.how(), run_.statuses(), run_.is_final()};
    compat::send(this, args_.owner, std::move(end));
    stop(run_.reason());
  }
  void carry_out(const run::unexpected& a) {
    log_or_none(options_->logger)
        ->warn("event=unexpected pod={} of={} state={} what={}", args_.key,
               a.of ? run_.settings().containers[*a.of].name : "the sandbox", a.state, a.about);
  }

  // --- what to do, continued ---------------------------------------------------------------------

  [[nodiscard]] result<run::index> running_one(const std::string& container,
                                               const char* step) const {
    return running_container(run_, args_.key, container, step);
  }

  [[nodiscard]] kernel::instance instance_of(run::index who) const {
    return {run_.settings().containers[who].name, run_.container(who).attempt()};
  }

  void report_running() {
    const auto& first = run_.container(*run_.find({}));
    compat::send(this, args_.owner,
                 pod_running{args_.key, args_.generation, first.pid(), first.started_ns(),
                             phases_.times(), run_.statuses()});
  }

  void progress(std::string text) {
    compat::send(this, args_.owner, pod_progress{args_.key, args_.generation, std::move(text)});
  }

  void resolve(run::index who) {
    images_[who].reset();
    inputs_[who].reset();
    const auto& container = container_of(*args_.what.pod, who);
    const auto ticket = ticket_of(who);
    progress("resolving image '" + container.image + "'");
    // The answer is a message; what is asked for here is to hear when there is nobody to give one.
    compat::ask(this, options_->image_store(),
                resolve_image{container.image, ticket, self(), container.image_pull_policy,
                              pull_logins(*args_.what.pod, args_.data.get())})
        .then([] {},
              [this, image = container.image, ticket](const caf::error&) {
                on_image(
                    {ticket, nullptr,
                     fail(errc::unavailable, "resolve image", image, "the image store has ended")
                         .value(),
                     image_problem::pull_failed});
              });
  }

  void carry_out(const run::prepare& a) {
    if (a.sandbox) tell_limits({}); // they are of what is made now
    prepare_job job{request_for(args_, *options_), a.sandbox, {}};
    for (const auto who : a.containers)
      job.containers.push_back({who, run_.container(who).attempt(), images_[who]});
    run_job(*disk_, self(), [job = std::move(job), options = options_, abandoned = abandoned_] {
      if (*abandoned) return launch_prepared{}; // its heir prepares the same directories
      return prepare_run(job, *options);
    });
  }

  void on_data(std::shared_ptr<const documents> data) {
    const auto before = std::exchange(args_.data, std::move(data));
    if (shows_edit(*args_.what.pod, before.get(), *args_.data)) refresh_volumes();
    feed(data_known_of(args_));
  }

  /// Behind the job that makes them, should that be on its way.
  void refresh_volumes() {
    const auto s = run_.sandbox();
    const bool there = s == sandbox_state::preparing || s == sandbox_state::starting ||
                       s == sandbox_state::up || s == sandbox_state::adopting;
    if (!there || !args_.data || !shows_data(*args_.what.pod)) return;
    run_job(*disk_, self(), [request = request_for(args_, *options_), options = options_] {
      return refresh_run_volumes(request, *options);
    });
  }

  void on_change_limits(const desired_pod& what) {
    args_.what = what;
    limits_edited_ = true;
    if (run_.sandbox() == sandbox_state::idle)
      tell_limits({}); // what is made is made with them
    else
      put_limits();
  }

  /// Behind the job that makes the cgroups, should that be on its way.
  void put_limits() {
    if (!run_.has_cgroups()) return;
    auto wanted = cgroups_of(args_, *options_);
    if (!wanted) return on_limits_put({args_.what.hash, std::move(wanted).error()});
    if (wanted->name.empty()) return tell_limits({});
    run_job(*disk_, self(),
            [hash = args_.what.hash, wanted = *std::move(wanted), options = options_] {
              return put_run_limits(hash, wanted, *options);
            });
  }

  void on_limits_put(const limits_put& m) {
    if (m.hash != args_.what.hash || !run_.has_cgroups()) return;
    if (m.why && !limits_edited_)
      log_or_none(options_->logger)
          ->warn("event=limits_not_put pod={} error={}", args_.key, in_quotes(m.why->message()));
    tell_limits(m.why ? m.why->message() : std::string{});
  }

  void tell_limits(std::string why) {
    if (!std::exchange(limits_edited_, false)) return;
    compat::send(this, args_.owner,
                 limits_changed{args_.key, args_.generation, args_.what.hash, std::move(why)});
  }

  // --- the session -------------------------------------------------------------------------------

  result<void> open_session(result<std::unique_ptr<kernel::session>> opened) {
    session_ = TANK_TRY(std::move(opened));
    watch_ = TANK_TRY(options_->fds->watch(session_->poll_fd(), EPOLLIN, self()));
    return {};
  }

  void carry_out(const run::adopt_session&) {
    const auto dir = options_->dirs.pod_run(args_.what.uid);
    if (auto adopted = open_session(options_->port->adopt_session(dir)); !adopted) {
      drop_session();
      pending_.emplace_back(run::session_failed{std::move(adopted).error()});
    }
  }

  void carry_out(const run::start_session&) {
    keep_record();
    if (auto started = open_session(options_->port->start_session(shared_->spec)); !started)
      pending_.emplace_back(run::session_failed{std::move(started).error()});
  }

  template <class Request>
  void send_request(Request request) {
    if (!session_) return;
    if (auto sent = request(*session_); !sent) note_failure(std::move(sent).error());
  }

  /// Of a request. What crossed the end of the attempt is no failure of the session: its event is on
  /// the way.
  void note_failure(error why) {
    if (why.code == errc::conflict || why.code == errc::not_found) return;
    pending_.emplace_back(run::session_failed{std::move(why)});
  }

  void drop_session() {
    attaches_.lose_all("the pod's shim went away");
    watch_.reset();
    session_.reset();
  }

  void carry_out(const run::clean&) {
    keep_record();
    run_job(
        *disk_, self(),
        [pod = args_.what.pod, uid = args_.what.uid, options = options_, abandoned = abandoned_] {
          return *abandoned ? launch_cleaned{} : clean_run(*pod, uid, *options);
        });
  }

  std::shared_ptr<const runtime_options> options_;
  runtime_args args_;
  pod_run run_;
  runtime_attach attaches_;
  pod_storage::hold_token storage_;
  std::shared_ptr<job_runner> disk_; ///< for jobs on the pod's directories
  std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
  run_notes notes_;
  bool limits_edited_ = false; ///< and what became of that not told
  std::deque<run::event> pending_;
  std::vector<std::shared_ptr<const oci::image>> images_; ///< by container, of the present attempt
  std::vector<std::shared_ptr<const container_inputs>> inputs_; ///< the same
  std::shared_ptr<const sandbox_inputs> shared_;                ///< once prepared
  std::unique_ptr<kernel::session> session_;
  fd_subscription watch_; ///< of session_: declared after it, gone before it
  std::uint32_t protocol_ = 2;
  std::map<std::optional<run::index>, timer> timers_; ///< by owner, see run::arm_timer
  phase_clock phases_;
};

} // namespace

runtime_factory make_runtime_factory_as_is(runtime_options options) {
  return [shared = std::make_shared<const runtime_options>(std::move(options))](
             caf::actor_system& sys, runtime_args args) {
    return sys.spawn<runtime>(shared, std::move(args));
  };
}

} // namespace tank
