#include "actors/runtime.hpp"

#include "actors/log.hpp"
#include "actors/message_types.hpp"
#include "actors/prepare_launch.hpp"
#include "actors/role.hpp"
#include "oci/image.hpp"

#include <algorithm>
#include <deque>
#include <sys/epoll.h>
#include <utility>

namespace tank {

namespace {

using kind = runtime_event_kind;
using act = runtime_action_kind;

constexpr std::uint64_t the_ticket = 1; // a run asks for one image, once

runtime_settings settings_for(const runtime_args& args, runtime_settings s) {
  s.name = args.key;
  s.grace = std::chrono::seconds{args.what.pod->spec.termination_grace_period_seconds.value_or(30)};
  return s;
}

runtime_event plain(kind k) {
  return {.kind = k};
}

runtime_event failed_with(kind k, error why) {
  runtime_event e{.kind = k};
  e.why = std::move(why);
  return e;
}

class runtime final : public role {
 public:
  runtime(caf::actor_config& cfg, std::shared_ptr<const runtime_options> options, runtime_args args)
      : role(cfg)
      , options_(std::move(options))
      , args_(std::move(args))
      , machine_(settings_for(args_, options_->patience)) {
    if (options_->storage) storage_ = options_->storage->hold(args_.what.uid);
  }

  const char* name() const override { return "tank.runtime"; }

  caf::behavior make_behavior() override {
    mark_ = now();
    perform(machine_.begin());
    pump();
    return {
        [this](const image_resolved& m) { on_image(m); },
        [this](const launch_prepared& m) { on_prepared(m); },
        [this](const launch_cleaned& m) { on_cleaned(m); },
        [this](const fd_ready& m) { on_fd(m); },
        [this](const runtime_timer& m) {
          runtime_event e{.kind = kind::timer};
          e.serial = m.serial;
          feed(std::move(e));
        },
        [this](const own_runtime& m) {
          args_.owner = m.owner;
          if (machine_.state() == runtime_state::running) report_running();
        },
        [this](const get_host_pid&) -> caf::result<host_pid> {
          if (!machine_.runs()) return refuse("find the process of");
          return host_pid{machine_.host_pid()};
        },
        [this](const get_exec_context&) -> caf::result<exec_context> {
          if (!machine_.runs()) return refuse("run a command in");
          const auto& process = inputs_->plan.process;
          return exec_context{machine_.host_pid(), process.env, process.cwd, {}};
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
    // Not the orderly way (then it is gone already): do not leave a workload without an owner.
    if (session_ && !session_->shutdown()) session_->end();
    drop_session();
    storage_.reset();
    args_.owner = nullptr;
    options_.reset(); // a timer may keep this object for longer
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
    }
  }

  void on_image(const image_resolved& m) {
    if (m.ticket != the_ticket || image_) return;
    image_ = m.image;
    feed(m.image ? plain(kind::image_ready) : failed_with(kind::image_failed, m.why));
  }

  void on_prepared(const launch_prepared& m) {
    inputs_ = m.inputs;
    if (inputs_) machine_.set_stop_signal(inputs_->stop_signal);
    feed(m.inputs ? plain(kind::prepared) : failed_with(kind::prepare_failed, m.why));
  }

  void on_cleaned(const launch_cleaned& m) {
    if (m.why)
      log_or_none(options_->logger)
          ->error("event=clean_failed pod={} error=\"{}\"", args_.key, m.why->message());
    feed(plain(kind::cleaned));
  }

  void on_fd(const fd_ready& m) {
    if (!session_ || m.id != watch_.id()) return;
    while (session_) { // a session_down drops it
      auto next = session_->next_event();
      if (!next) {
        feed(failed_with(kind::session_down, std::move(next).error()));
        break;
      }
      if (!*next) break;
      feed(to_event(**next));
    }
    if (!session_) return;
    if (const auto armed = watch_.rearm(EPOLLIN); !armed)
      feed(failed_with(kind::session_down, armed.error()));
  }

  struct translate {
    const runtime& self;
    runtime_event operator()(const kernel::ready_event& e) const {
      return {.kind = kind::child_ready, .pid = e.host_pid};
    }
    runtime_event operator()(const kernel::built_event&) const { return plain(kind::child_built); }
    runtime_event operator()(const kernel::running_event& e) const {
      return {.kind = kind::child_running, .pid = e.host_pid, .at_ns = e.started_ns};
    }
    runtime_event operator()(const kernel::exited_event& e) const {
      return {.kind = kind::child_exited, .code = e.code, .at_ns = e.finished_ns};
    }
    runtime_event operator()(const kernel::signaled_event& e) const {
      return {.kind = kind::child_signaled, .code = e.signal, .at_ns = e.finished_ns};
    }
    runtime_event operator()(const kernel::aborted_event&) const {
      return plain(kind::child_aborted);
    }
    runtime_event operator()(const kernel::failed_event& e) const {
      return failed_with(kind::child_failed, explain_failure(e, *self.inputs_));
    }
    runtime_event operator()(const kernel::session_down_event& e) const {
      return failed_with(
          kind::session_down,
          fail(errc::unavailable, "reach the shim of", self.args_.key, e.why).value());
    }
  };
  [[nodiscard]] runtime_event to_event(const kernel::session_event& e) const {
    return std::visit(translate{*this}, e);
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
    case act::proceed:
      return verb([&](auto& s) { return s.proceed(container); });
    case act::abort:
      return verb([&](auto& s) { return s.abort(container); });
    case act::signal:
      return verb([&](auto& s) { return s.signal(container, a.signum); });
    case act::kill:
      return verb([&](auto& s) { return s.kill(container); });
    case act::shutdown:
      return shut_down();
    case act::end_session:
      if (session_) session_->end();
      return;
    case act::arm_timer:
      return compat::send_after(this, self(), a.after, runtime_timer{a.serial});
    case act::drop_session:
      return drop_session();
    case act::clean:
      return clean();
    case act::report_running:
      return report_running();
    case act::finish:
      compat::send(this, args_.owner, pod_ended{args_.key, args_.generation, machine_.how()});
      return stop(machine_.reason());
    }
  }

  [[nodiscard]] caf::error refuse(const char* step) const {
    return to_error(fail(errc::conflict, step, args_.key, "not_running").value());
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
    const auto& image = args_.what.pod->spec.containers.front().image;
    progress("resolving image '" + image + "'");
    // The answer is a message; what is asked for here is to hear when there is nobody to give one.
    compat::ask(this, options_->image_store(), resolve_image{image, the_ticket, self()})
        .then([] {},
              [this, image](const caf::error&) {
                on_image(
                    {the_ticket, nullptr,
                     fail(errc::unavailable, "resolve image", image, "the image store has ended")
                         .value()});
              });
  }

  void prepare() {
    prepare_request request{.pod = args_.what.pod,
                            .image = image_,
                            .host = options_->host,
                            .dirs = options_->dirs,
                            .uid = args_.what.uid,
                            .restart = args_.restarts,
                            .log = options_->log};
    run_job(*options_->jobs, self(), [request = std::move(request), options = options_] {
      auto made = options->prepare(request, *options->port);
      if (!made) return launch_prepared{nullptr, std::move(made).error()};
      return launch_prepared{std::make_shared<const launch_inputs>(*std::move(made)), {}};
    });
  }

  result<void> try_start_session() {
    session_ = TANK_TRY(options_->port->start_session(inputs_->sandbox));
    watch_ = TANK_TRY(options_->fds->watch(session_->poll_fd(), EPOLLIN, self()));
    TANK_TRY(session_->create(inputs_->plan));
    return session_->build(inputs_->plan.container);
  }

  void start_session() {
    if (auto started = try_start_session(); !started)
      pending_.push_back(failed_with(kind::session_failed, std::move(started).error()));
  }

  template <class Verb>
  void verb(Verb call) {
    if (!session_) return;
    if (auto sent = call(*session_); !sent)
      pending_.push_back(failed_with(kind::session_failed, std::move(sent).error()));
  }

  void shut_down() {
    if (!session_) return pending_.push_back(plain(kind::session_down)); // nothing to wait for
    if (!session_->shutdown()) session_->end(); // its directory may go only after the shim
  }

  void drop_session() {
    watch_.reset();
    session_.reset();
  }

  void clean() {
    run_job(
        *options_->jobs, self(), [pod = args_.what.pod, uid = args_.what.uid, options = options_] {
          auto cleaned = options->clean(*pod, options->dirs, uid, *options->port);
          return launch_cleaned{cleaned ? std::nullopt : std::optional{std::move(cleaned).error()}};
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
  }

  std::shared_ptr<const runtime_options> options_;
  runtime_args args_;
  runtime_machine machine_;
  pod_storage::hold_token storage_;
  std::deque<runtime_event> pending_;
  std::shared_ptr<const oci::image> image_;
  std::shared_ptr<const launch_inputs> inputs_;
  std::unique_ptr<kernel::session> session_;
  fd_subscription watch_; ///< of session_: declared after it, gone before it
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
