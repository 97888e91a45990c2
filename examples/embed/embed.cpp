// Pods inside a CAF program. Usage: embed DIRECTORY ROOTFS, as root; both absolute. The pods' image
// is the directory ROOTFS, which has /bin/busybox; all that Tank writes goes below DIRECTORY.
#include <tank/actors/messages.hpp>
#include <tank/actors/role.hpp>
#include <tank/actors/runtime/runtime_supervisor.hpp>
#include <tank/api/start.hpp>

#include <cstdio>
#include <string>

namespace {

std::string manifest(const std::string& name, const std::string& rootfs,
                     const std::string& script) {
  return "{apiVersion: v1, kind: Pod, metadata: {name: " + name +
         "}, spec: {containers: [{name: main, image: 'rootfs:" + rootfs +
         "', command: [/bin/busybox, sh, -c, '" + script + "']}]}}";
}

int say(const tank::error& why) {
  std::printf("%s\n", why.message().c_str());
  return 1;
}

/// Owns two pods: a job, which it runs twice, and a service, which it stops then.
class app : public tank::role {
 public:
  app(caf::actor_config& cfg, tank::runtime_supervisor pods, std::string rootfs)
      : role(cfg)
      , pods_{std::move(pods)}
      , rootfs_{std::move(rootfs)} {}

  caf::behavior make_behavior() override {
    service_ = run("service", "trap \"exit 0\" TERM; while :; do /bin/busybox sleep 1; done");
    return {
        [this](const tank::workload_running& e) {
          std::printf("%s runs\n", e.pod.c_str());
          if (e.pod == "default/service") ask_for_pid(e.host_pid);
        },
        [this](const tank::workload_exited& e) {
          std::printf("%s exited %d\n", e.pod.c_str(), e.code);
          ended(e.pod);
        },
        [this](const tank::workload_signaled& e) {
          std::printf("%s was ended by signal %d\n", e.pod.c_str(), e.signal);
          ended(e.pod);
        },
        [this](const tank::workload_error& e) {
          std::printf("%s failed: %s\n", e.pod.c_str(), to_string(e.why).c_str());
          stop(tank::stop_shutdown());
        },
    };
  }

 private:
  caf::actor run(const std::string& name, const std::string& script) {
    const auto pod = tank::read_pod(manifest(name, rootfs_, script));
    if (!pod) return give_up(pod.error());
    const auto runtime = tank::spawn_runtime(pods_, *pod, {.owner = self()});
    return runtime ? *runtime : give_up(runtime.error());
  }

  caf::actor give_up(const tank::error& why) {
    say(why);
    stop(tank::stop_shutdown());
    return {};
  }

  void ask_for_pid(pid_t told) {
    tank::compat::ask(this, service_, tank::get_host_pid{})
        .then(
            [this, told](const tank::host_pid& p) {
              std::printf("its pid is %s\n", p.pid == told ? "as told" : "another one");
              run("job", "exit 3");
            },
            [](const caf::error& e) { std::printf("%s\n", tank::error_of(e).message().c_str()); });
  }

  void ended(const std::string& pod) {
    if (pod == "default/service") return stop(tank::stop_normal());
    if (++jobs_ == 2) return tank::compat::send(this, service_, tank::stop_pod{});
    run("job", "exit 3"); // everything of the last run is gone: fresh namespaces, fresh files
  }

  tank::runtime_supervisor pods_;
  std::string rootfs_;
  caf::actor service_;
  int jobs_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  tank::init_message_types();
  caf::actor_system_config config;
  caf::actor_system system{config};
  auto options = tank::private_options(argv[1], TANK_SHIM);
  if (!options) return say(options.error());
  auto pods = tank::start(system, *std::move(options));
  if (!pods) return say(pods.error());
  caf::scoped_actor self{system};
  self->wait_for(system.spawn<app>((*pods)->runtimes(), argv[2]));
  pods->reset(); // ends what still runs; the system goes on
  std::printf("done\n");
}
