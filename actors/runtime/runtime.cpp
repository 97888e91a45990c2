#include "actors/runtime/runtime.hpp"

#include "actors/sessions/attach_desk.hpp"
#include "base/log.hpp"
#include "actors/images/messages.hpp"
#include "actors/run_job.hpp"
#include "actors/runtime/messages.hpp"
#include "actors/sessions/messages.hpp"
#include "actors/role.hpp"
#include "pod/run_notes.hpp"
#include "actors/runtime/runtime_events.hpp"
#include "actors/runtime/runtime_jobs.hpp"
#include "oci/image.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <optional>
#include <sys/epoll.h>
#include <utility>
#include <vector>

namespace tank {

namespace {

using kind = runtime_event_kind;
using act = runtime_action_kind;

constexpr std::uint64_t the_ticket = 1; // a run asks for one image, once

class runtime final : public role {
 public:
  runtime(caf::actor_config& cfg, std::shared_ptr<const runtime_options> options, runtime_args args)
      : role(cfg)
      , options_(std::move(options))
      , args_(std::move(args))
      , machine_(settings_for(args_, options_->patience))
      , notes_(options_->records, args_.key, args_.run, options_->logger) {
    if (options_->storage) storage_ = options_->storage->hold(args_.what.uid);
    disk_ = options_->storage ? options_->storage->work_on(args_.what.uid) : options_->jobs;
    if (args_.ends_orderly)
      compat::trap_exit(this, [this](const caf::error& why) {
        if (compat::is_normal(why)) return;
        runtime_event e{.kind = kind::stop};
        e.grace = std::chrono::seconds{0};
        feed(std::move(e));
      });
  }

  const char* name() const override { return "tank.runtime"; }

  caf::behavior make_behavior() override {
    mark_ = now();
    limits_edited_ = args_.limits_edited;
    if (args_.adopt) {
      facts_ = args_.adopt->facts;
      phases_ = args_.adopt->phases;
    }
    perform(args_.adopt ? machine_.begin_adoption(*args_.adopt) : machine_.begin());
    pump();
    return {
        [this](const image_resolved& m) { on_image(m); },
        [this](const image_progress& m) {
          if (m.ticket == the_ticket && !image_ && !machine_.stop_asked()) progress(m.text);
        },
        [this](const launch_prepared& m) { on_prepared(m); },
        [this](const launch_cleaned& m) { on_cleaned(m); },
        [this](const change_limits& m) {
          args_.what = m.what;
          limits_edited_ = true;
          if (machine_.state() == runtime_state::image)
            tell_limits({}); // what is made is made with them
          else
            put_limits();
        },
        [this](const limits_put& m) { on_limits_put(m); },
        [this](const fd_ready& m) { on_fd(m); },
        [this](const runtime_timer& m) {
          runtime_event e{.kind = kind::timer};
          e.serial = m.serial;
          feed(std::move(e));
        },
        [this](const own_runtime& m) {
          args_.owner = m.owner;
          if (machine_.runs()) report_running();
        },
        [this](const get_host_pid&) -> caf::result<host_pid> {
          if (!machine_.runs()) return to_error(refusal("find the process of"));
          return host_pid{machine_.host_pid()};
        },
        [this](const get_exec_context&) -> caf::result<exec_context> {
          if (!machine_.runs()) return to_error(refusal("run a command in"));
          return exec_context{machine_.host_pid(), facts_.env, facts_.working_dir, cgroup_dir()};
        },
        [this](const begin_attach& m) { return on_begin_attach(m); },
        [this](const end_attach& m) { return on_end_attach(m); },
        [this](const attach_down& m) {
          if (desk_.lent() && m.serial == desk_.serial()) feed(plain_event(kind::attach_over));
        },
        [this](const stop_pod& m) {
          if (!machine_.stop_asked()) progress("stopping");
          runtime_event e{.kind = kind::stop};
          e.grace = m.grace;
          feed(std::move(e));
        },
    };
  }

  void on_exit() override {
    take_events_back("the pod's runtime has failed");
    // Not the orderly way (then it is gone already): do not leave a workload without an owner.
    if (session_ && !args_.has_heir && !session_->shutdown()) session_->end();
    *abandoned_ = true;
    drop_session();
    storage_.reset();
    args_.owner = nullptr;
    // A timer may keep this object for two minutes: what is large goes now.
    notes_ = {nullptr, {}, 0, nullptr};
    inputs_.reset();
    image_.reset();
    options_.reset();
  }

 private:
  // --- what happens, as events -------------------------------------------------------------------

  void feed(runtime_event e) {
    pending_.push_back(std::move(e));
    pump();
  }

  /// Actions may cause events at once; they queue up here instead of recursing.
  void pump() {
    while (!pending_.empty()) {
      const auto e = std::move(pending_.front());
      pending_.pop_front();
      note_time(e.kind);
      perform(machine_.handle(e));
      // A predecessor may have been killed between its record of other limits and the cgroups.
      if (e.kind == kind::adopted) put_limits();
    }
  }

  void on_image(const image_resolved& m) {
    if (m.ticket != the_ticket || image_) return;
    image_ = m.image;
    auto e = m.image ? plain_event(kind::image_ready) : failed_event(kind::image_failed, m.why);
    e.code = static_cast<int>(m.problem);
    feed(std::move(e));
  }

  void on_prepared(const launch_prepared& m) {
    inputs_ = m.inputs;
    phases_.limits = m.limits;
    mark_ += m.limits; // counted there
    if (inputs_) machine_.set_stop_signal(inputs_->stop_signal);
    feed(m.inputs ? plain_event(kind::prepared) : failed_event(kind::prepare_failed, m.why));
  }

  void on_cleaned(const launch_cleaned& m) {
    if (m.why)
      log_or_none(options_->logger)
          ->error("event=clean_failed pod={} error=\"{}\"", args_.key, m.why->message());
    feed(plain_event(kind::cleaned));
  }

  void on_fd(const fd_ready& m) {
    if (!session_ || m.id != watch_.id()) return;
    while (session_) { // a session_down drops it
      auto next = session_->next_event();
      if (!next) {
        feed(failed_event(kind::session_down, std::move(next).error()));
        break;
      }
      if (!*next) break;
      if (auto e = to_event(**next, view())) feed(*std::move(e));
    }
    if (!session_) return;
    if (const auto armed = watch_.rearm(EPOLLIN); !armed)
      feed(failed_event(kind::session_down, armed.error()));
  }

  [[nodiscard]] run_view view() const { return {*options_, args_, inputs_.get(), session_.get()}; }

  [[nodiscard]] std::string cgroup_dir() const {
    const auto& all = options_->dirs.cgroups.hierarchies;
    return all.empty() ? std::string{}
                       : (all.front().directory / container_cgroup(view())).string();
  }

  // --- what to do --------------------------------------------------------------------------------

  void perform(const std::vector<runtime_action>& actions) {
    for (const auto& a : actions)
      perform(a);
  }

  void perform(const runtime_action& a) {
    const auto& container = args_.what.pod->spec.containers.front().name;
    switch (a.kind) {
    case act::resolve_image:
      return resolve();
    case act::prepare:
      return prepare();
    case act::start_session:
      return start_session();
    case act::adopt_session:
      return adopt_session();
    case act::build:
      return verb([&](auto& s) { return s.build(container); });
    case act::proceed:
      notes_.released(now().time_since_epoch() / std::chrono::nanoseconds{1});
      return verb([&](auto& s) { return s.proceed(container); });
    case act::abort:
      return verb([&](auto& s) { return s.abort(container); });
    case act::signal:
      return verb([&](auto& s) { return s.signal(container, a.signum); });
    case act::kill:
      return verb([&](auto& s) { return s.kill(container); });
    case act::shutdown:
      notes_.ended({machine_.reason(), machine_.how()});
      return shut_down();
    case act::end_session:
      if (session_) session_->end();
      return;
    case act::arm_timer:
      return compat::send_after(this, self(), a.after, runtime_timer{a.serial});
    case act::drop_session:
      return drop_session();
    case act::clean:
      notes_.ended({machine_.reason(), machine_.how()});
      return clean();
    case act::report_running:
      return report_running();
    case act::finish:
      compat::send(this, args_.owner, pod_ended{args_.key, args_.generation, machine_.how()});
      return stop(machine_.reason());
    case act::begin_attach:
      return lend_events();
    case act::refuse_attach:
      attach_answer_ = failure{
          refusal("attach to", std::string{a.refusal},
                  a.refusal == "not_a_tty" ? "its container has no 'tty: true'" : std::string{})};
      return;
    case act::end_attach:
      return end_attach_session();
    case act::reclaim:
      return reclaim();
    case act::unexpected:
      return log_or_none(options_->logger)
          ->warn("event=unexpected pod={} state={} what={}", args_.key, to_string(machine_.state()),
                 to_string(a.about));
    }
  }

  // --- attach ------------------------------------------------------------------------------------

  caf::result<attach_begun> on_begin_attach(const begin_attach& m) {
    if (!m.attacher)
      return to_error(fail(errc::invalid, "attach to", args_.key, "there is no attacher").value());
    notice_end_of_attach();
    attacher_ = m.attacher;
    feed(plain_event(kind::begin_attach)); // answered in each state
    attacher_ = nullptr;
    if (!attach_answer_) return to_error(attach_answer_.error());
    return *std::move(attach_answer_);
  }

  caf::response_promise on_end_attach(const end_attach& m) {
    auto promise = make_response_promise();
    notice_end_of_attach();
    if (desk_.lent() && !desk_.is(m.attacher)) {
      promise.deliver(to_error(refusal("end the attach to", "attached", "by another one")));
      return promise;
    }
    end_waiters_.push_back(promise);
    feed(plain_event(kind::end_attach));
    return promise;
  }

  /// The attach session gives its lease back before it tells its attacher, who may be here again
  /// before the attach_down is.
  void notice_end_of_attach() {
    if (desk_.given_back()) feed(plain_event(kind::attach_over));
  }

  void lend_events() {
    watch_.reset();
    attach_answer_ = desk_.lend({.system = system(),
                                 .lender = self(),
                                 .attacher = attacher_,
                                 .session = *session_,
                                 .container = args_.what.pod->spec.containers.front().name,
                                 .fds = *options_->fds,
                                 .limits = options_->attach});
    if (!attach_answer_) pending_.push_back(plain_event(kind::attach_over));
  }

  void end_attach_session() {
    if (desk_.lent())
      desk_.ask_to_leave();
    else
      answer_end_waiters();
  }

  void answer_end_waiters() {
    for (auto& waiting : std::exchange(end_waiters_, {}))
      waiting.deliver(attach_finished{});
  }

  void take_events_back(const char* why) {
    desk_.take_back({attach_end::lost, 0, why});
    answer_end_waiters();
  }

  /// Level-triggered: an end that the attach session has read does not come again, but is known.
  void reclaim() {
    if (!desk_.lent()) return;
    take_events_back("the pod is being ended");
    std::deque<runtime_event> news;
    for (const auto& known : known_ends(*session_))
      if (auto e = to_event(known, view())) news.push_back(*std::move(e));
    if (!session_->down()) {
      auto watching = options_->fds->watch(session_->poll_fd(), EPOLLIN, self());
      if (watching)
        watch_ = *std::move(watching);
      else
        news.push_back(failed_event(kind::session_failed, std::move(watching).error()));
    }
    pending_.insert(pending_.begin(), news.begin(), news.end());
  }

  // --- what to do, continued ---------------------------------------------------------------------

  [[nodiscard]] error refusal(const char* step, std::string cause = "not_running",
                              std::string hint = {}) const {
    return fail(errc::conflict, step, args_.key, std::move(cause), std::move(hint)).value();
  }

  void report_running() {
    compat::send(this, args_.owner,
                 pod_running{args_.key, args_.generation, machine_.host_pid(),
                             machine_.started_ns(), phases_});
  }

  void progress(std::string text) {
    compat::send(this, args_.owner, pod_progress{args_.key, args_.generation, std::move(text)});
  }

  void resolve() {
    const auto& container = args_.what.pod->spec.containers.front();
    const auto& image = container.image;
    progress("resolving image '" + image + "'");
    // The answer is a message; what is asked for here is to hear when there is nobody to give one.
    compat::ask(this, options_->image_store(),
                resolve_image{image, the_ticket, self(), container.image_pull_policy})
        .then([] {},
              [this, image](const caf::error&) {
                on_image(
                    {the_ticket, nullptr,
                     fail(errc::unavailable, "resolve image", image, "the image store has ended")
                         .value(),
                     image_problem::pull_failed});
              });
  }

  void prepare() {
    tell_limits({}); // they are of what is made now
    run_job(*disk_, self(),
            [request = request_for(args_, *options_, image_), options = options_,
             abandoned = abandoned_] {
              if (*abandoned) return launch_prepared{}; // its heir prepares the same directories
              return prepare_run(request, *options);
            });
  }

  /// Behind the job that makes the cgroups, should that be on its way.
  void put_limits() {
    if (!machine_.has_cgroups()) return;
    auto wanted = cgroups_of(args_, *options_);
    if (!wanted) return on_limits_put({args_.what.hash, std::move(wanted).error()});
    if (wanted->name.empty()) return tell_limits({});
    run_job(*disk_, self(),
            [hash = args_.what.hash, wanted = *std::move(wanted), options = options_] {
              return put_run_limits(hash, wanted, *options);
            });
  }

  void on_limits_put(const limits_put& m) {
    if (m.hash != args_.what.hash || !machine_.has_cgroups()) return;
    if (m.why && !limits_edited_)
      log_or_none(options_->logger)
          ->warn("event=limits_not_put pod={} error=\"{}\"", args_.key, m.why->message());
    tell_limits(m.why ? m.why->message() : std::string{});
  }

  void tell_limits(std::string why) {
    if (!std::exchange(limits_edited_, false)) return;
    compat::send(this, args_.owner,
                 limits_changed{args_.key, args_.generation, args_.what.hash, std::move(why)});
  }

  result<void> try_adopt_session() {
    session_ = TANK_TRY(options_->port->adopt_session(options_->dirs.pod_run(args_.what.uid)));
    watch_ = TANK_TRY(options_->fds->watch(session_->poll_fd(), EPOLLIN, self()));
    return {};
  }

  void adopt_session() {
    if (auto adopted = try_adopt_session(); !adopted) {
      drop_session();
      pending_.push_back(failed_event(kind::session_failed, std::move(adopted).error()));
    }
  }

  result<void> try_start_session() {
    session_ = TANK_TRY(options_->port->start_session(inputs_->sandbox));
    watch_ = TANK_TRY(options_->fds->watch(session_->poll_fd(), EPOLLIN, self()));
    TANK_TRY(session_->create(inputs_->plan));
    return session_->build(inputs_->plan.container);
  }

  void start_session() {
    const auto& process = inputs_->plan.process;
    facts_ = {inputs_->stop_signal, process.env, process.cwd};
    notes_.prepared(facts_);
    if (auto started = try_start_session(); !started)
      pending_.push_back(failed_event(kind::session_failed, std::move(started).error()));
  }

  template <class Verb>
  void verb(Verb call) {
    if (!session_) return;
    auto sent = [&] {
      const auto held = desk_.lock();
      return call(*session_);
    }();
    if (sent) return;
    // Lent, the session may know an end that we do not: then that is why, and no news.
    if (desk_.lent()) pending_.push_back(plain_event(kind::attach_over));
    pending_.push_back(failed_event(kind::session_failed, std::move(sent).error()));
  }

  void shut_down() {
    if (!session_)
      return pending_.push_back(plain_event(kind::session_down)); // nothing to wait for
    if (!session_->shutdown()) session_->end(); // its directory may go only after the shim
  }

  void drop_session() {
    take_events_back("the pod's shim went away");
    watch_.reset();
    session_.reset();
  }

  void clean() {
    run_job(
        *disk_, self(),
        [pod = args_.what.pod, uid = args_.what.uid, options = options_, abandoned = abandoned_] {
          return *abandoned ? launch_cleaned{} : clean_run(*pod, uid, *options);
        });
  }

  /// Each phase lasts from the event before it to its own.
  void note_time(kind k) {
    auto* phase = k == kind::image_ready     ? &phases_.image
                  : k == kind::child_ready   ? &phases_.spawn
                  : k == kind::child_built   ? &phases_.rootfs
                  : k == kind::child_running ? &phases_.proceed
                                             : nullptr;
    if (phase == nullptr) return;
    const auto at = now();
    *phase = std::chrono::duration_cast<std::chrono::microseconds>(at - mark_);
    mark_ = at;
    if (k == kind::child_running) notes_.brought_up(phases_);
  }

  std::shared_ptr<const runtime_options> options_;
  runtime_args args_;
  runtime_machine machine_;
  pod_storage::hold_token storage_;
  std::shared_ptr<job_runner> disk_; ///< for jobs on the pod's directories
  std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
  run_notes notes_;
  bool limits_edited_ = false; ///< and what became of that not told
  run_facts facts_;            ///< once prepared, or as a predecessor left them
  std::deque<runtime_event> pending_;
  std::shared_ptr<const oci::image> image_;
  std::shared_ptr<const launch_inputs> inputs_;
  std::unique_ptr<kernel::session> session_;
  fd_subscription watch_; ///< of session_: declared after it, gone before it

  attach_desk desk_;
  caf::actor attacher_; ///< of the begin_attach at hand; its answer is the next
  result<attach_begun> attach_answer_;
  std::vector<caf::response_promise> end_waiters_;

  std::chrono::steady_clock::time_point mark_;
  phase_times phases_;
};

} // namespace

runtime_factory make_runtime_factory_as_is(runtime_options options) {
  return [shared = std::make_shared<const runtime_options>(std::move(options))](
             caf::actor_system& sys, runtime_args args) {
    return sys.spawn<runtime>(shared, std::move(args));
  };
}

} // namespace tank
