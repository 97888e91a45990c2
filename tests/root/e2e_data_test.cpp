// ConfigMaps, Secrets, claims and volumes in memory, looked at from inside the pods that use them.
#include "tests/root/host_fixture.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

namespace e2e_data_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string document(const std::string& kind, const std::string& name, const std::string& more) {
  return "apiVersion: v1\nkind: " + kind + "\nmetadata: {name: " + name + "}\n" + more + "\n";
}

struct data_host : host {
  explicit data_host(const std::string& more = "")
      : host("backoff: {base: 20ms, max: 200ms}\n" + more) {
    start_daemon();
  }
  ~data_host() {
    if (!ended_) stop_daemon();
    // Nothing is left, wherever it was mounted.
    std::ifstream mounts{"/proc/self/mountinfo"};
    const std::string all{std::istreambuf_iterator<char>{mounts}, {}};
    CHECK_MESSAGE(!has(all, dirs.run_dir.string()), all);
  }
  void end() {
    stop_daemon();
    ended_ = true;
  }
  /// A pod that carries out lines of shell that are written into its FIFO.
  void put_obedient(const std::string& name, const std::string& container_more = "",
                    const std::string& mounts = "", const std::string& volumes = "",
                    const std::string& spec_more = "") {
    const auto fifo = shared / name;
    if (!fs::exists(fifo)) REQUIRE(::mkfifo(fifo.c_str(), 0666) == 0);
    pod_text pod{.name = name};
    pod.command = {"/bin/sh", "-c",
                   "trap 'exit 0' TERM; while :; do read line < /shared/" + name +
                       " && eval \"$line\"; done"};
    pod.container_more =
        container_more + "    volumeMounts:\n    - {name: shared, mountPath: /shared}\n" + mounts;
    pod.spec_more = spec_more +
                    "  volumes:\n  - {name: shared, hostPath: {path: " + shared.string() +
                    ", type: Directory}}\n" + volumes;
    put(pod);
  }
  /// What a command prints in the pod.
  std::string say(const std::string& name, const std::string& command) {
    const auto out = name + "." + std::to_string(++orders_);
    {
      const unique_fd fifo{
          ::open((shared / name).c_str(), O_WRONLY | O_CLOEXEC)}; // awaits its reader
      REQUIRE(fifo);
      const auto line = "{ " + command + "; } > /shared/" + out + ".tmp 2>&1; mv /shared/" + out +
                        ".tmp /shared/" + out + "\n";
      REQUIRE(::write(fifo.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()));
    }
    REQUIRE(await_file(shared / out, [&](const auto&) { return fs::exists(shared / out); }));
    return shared_text(out);
  }
  pod_status await_waiting(const std::string& name, const std::string& what) {
    return await_pod(name, "waits for " + what, [&](const pod_status& p) {
      return p.containers.size() == 1 && p.containers[0].reason == "CreateContainerConfigError" &&
             has(p.containers[0].message, what);
    });
  }
  /// All that Tank wrote: files below its directories, but for what is mounted there.
  [[nodiscard]] std::string written() const {
    std::string all;
    for (const auto& dir : {dirs.state_dir, dirs.run_dir, dirs.log_dir}) {
      struct stat top {};
      if (::lstat(dir.c_str(), &top) != 0) continue;
      for (fs::recursive_directory_iterator it{dir}, end; it != end; ++it) {
        struct stat st {};
        if (::lstat(it->path().c_str(), &st) != 0) continue;
        if (S_ISDIR(st.st_mode) && st.st_dev != top.st_dev) it.disable_recursion_pending();
        if (S_ISREG(st.st_mode) && st.st_dev == top.st_dev) all += file_text(it->path());
      }
    }
    return all;
  }

 private:
  int orders_ = 0;
  bool ended_ = false;
};

} // namespace

TEST_CASE(
    "a pod waits for the ConfigMap it names, says which, and starts by itself when it comes") {
  data_host h;
  h.put_obedient(
      "web",
      "    env:\n    - {name: MODE, valueFrom: {configMapKeyRef: {name: app, key: mode}}}\n"
      "    envFrom: [{prefix: ALL_, configMapRef: {name: app}}]\n",
      "    - {name: conf, mountPath: /etc/app}\n", "  - {name: conf, configMap: {name: app}}\n");
  const auto waiting = h.await_waiting("web", "configmap 'default/app' is missing");
  CHECK(has(waiting.message, "configmap 'default/app' is missing"));
  CHECK(has(h.hear({"describe", "pod", "web"}), "configmap 'default/app' is missing"));
  h.put("app.yaml", document("ConfigMap", "app", "data: {other: x}"));
  h.await_waiting("web", "key 'mode' of configmap 'default/app' is missing");
  h.put("app.yaml", document("ConfigMap", "app", "data: {mode: fast}"));
  const auto running = h.await_running("web");
  CHECK(running.restarts == 0);
  CHECK(h.say("web", "echo $MODE $ALL_mode; cat /etc/app/mode; echo; ls -a /etc/app") ==
        "fast fast\nfast\n.\n..\n..1\n..data\nmode\n");
  CHECK(has(h.say("web", "echo x > /etc/app/mode; echo x > /etc/app/new"), "Read-only"));
  CHECK(has(h.hear({"get", "configmaps"}), "app"));
}

TEST_CASE(
    "an edit reaches what is mounted at once and whole; variables keep the values of the start") {
  data_host h;
  h.put("app.yaml", document("ConfigMap", "app", "data: {a: '1', b: '1'}"));
  h.put_obedient("web", "    env: [{name: A, valueFrom: {configMapKeyRef: {name: app, key: a}}}]\n",
                 "    - {name: conf, mountPath: /conf}\n",
                 "  - {name: conf, configMap: {name: app, defaultMode: 0440}}\n");
  const auto before = h.await_running("web");
  CHECK(h.say("web", "cd /conf; cat a b; ls -l ..data/ | grep -c r--r-----") == "112\n");
  h.put("app.yaml", document("ConfigMap", "app", "data: {b: '2', c: '2'}"));
  h.barrier();
  CHECK(h.say("web", "until [ -e /conf/c ]; do :; done; cat /conf/b /conf/c; ls /conf; echo $A") ==
        "22b\nc\n1\n");
  CHECK(h.await_running("web").host_pid == before.host_pid); // nothing was restarted
  // It is gone: what is mounted stays, and what starts from now on waits.
  h.remove("app.yaml");
  h.barrier();
  CHECK(h.say("web", "cat /conf/b") == "2");
  kill_workload(before);
  h.await_waiting("web", "configmap 'default/app' is missing");
  h.put("app.yaml", document("ConfigMap", "app", "data: {a: '3'}"));
  h.await_running("web");
  CHECK(h.say("web", "echo $A; cat /conf/a") == "3\n3");
}

TEST_CASE("values of Secrets are in memory alone: not in state, records, logs, messages") {
  data_host h{"stopPodsOnExit: false\n"};
  const std::string planted = "pl4nted-s3cret";
  h.put("db.yaml", document("Secret", "db", "stringData: {pw: " + planted + "}"));
  h.put_obedient(
      "web",
      "    env:\n    - {name: PW, valueFrom: {secretKeyRef: {name: db, key: pw}}}\n"
      "    - {name: URL, value: 'db://u:$(PW)@h'}\n",
      "    - {name: s, mountPath: /s}\n",
      "  - {name: s, projected: {defaultMode: 0400, sources: [{secret: {name: db}}, "
      "{downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]}}\n");
  h.await_running("web");
  CHECK(h.say("web", "echo $PW $URL; cat /s/pw; stat -f -c %T /s; stat -c %a /s/..data/pw") ==
        planted + " db://u:" + planted + "@h\n" + planted + "tmpfs\n400\n");
  // Wrong on purpose, with the value in it.
  h.put("bad.yaml",
        document("Secret", "bad", "stringData: {pw: " + planted + "}\ntype: [" + planted + "\n"));
  h.put("worse.yaml", document("Secret", "worse", "data: {pw: '" + planted + "'}"));
  h.barrier();
  const auto check = [&](const std::string& text) { CHECK(!has(text, planted)); };
  check(h.written());
  check(h.daemon().err);
  check(h.daemon().out);
  check(h.hear({"get", "files"}));
  check(h.hear({"get", "pods", "-o", "json"}));
  check(h.hear({"describe", "pod", "web", "-o", "json"}));
  check(h.hear({"get", "secrets", "-o", "yaml"}));
  CHECK(has(h.hear({"get", "secrets"}), "Opaque"));
  CHECK(has(h.hear({"get", "secrets", "db", "-o", "json", "--show-secrets"}),
            "cGw0bnRlZC1zM2NyZXQ="));
  // A new daemon takes the pod over, and the volume with it.
  h.kill_daemon();
  check(h.written());
  h.start_daemon({"daemon", "--stop-pods-on-exit"});
  h.await_running("web");
  CHECK(h.say("web", "cat /s/pw") == planted);
  h.put("db.yaml", document("Secret", "db", "stringData: {pw: another}"));
  h.barrier();
  CHECK(h.say("web", "until grep -q another /s/pw; do :; done; cat /s/pw") == "another");
  check(h.written());
}

TEST_CASE("a claim's volume outlives its pods, is shared, and goes by a verb alone") {
  data_host h;
  h.put("claim.yaml",
        document("PersistentVolumeClaim", "data",
                 "spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}"));
  const auto put = [&](const std::string& name) {
    h.put_obedient(name, "", "    - {name: d, mountPath: /d}\n",
                   "  - {name: d, persistentVolumeClaim: {claimName: data}}\n");
    h.await_running(name);
  };
  put("one");
  CHECK(h.say("one", "echo kept > /d/file; cat /d/file") == "kept\n");
  put("two");
  CHECK(h.say("two", "cat /d/file; echo more >> /d/file") == "kept\n");
  const auto busy = h.tank({"volume", "rm", "data"});
  CHECK(busy.code == 1);
  CHECK_MESSAGE(has(busy.err, "2 pods use it"), busy.err);
  CHECK(has(h.hear({"volume", "list"}), "data"));
  h.remove("one.yaml");
  h.remove("two.yaml");
  h.await_gone("one");
  h.await_gone("two");
  h.end();
  h.start_daemon();
  put("one");
  CHECK(h.say("one", "cat /d/file") == "kept\nmore\n");
  h.remove("one.yaml");
  h.await_gone("one");
  h.stop_daemon(); // the pod's storage is removed by then
  CHECK(has(h.hear({"volume", "inspect", "data"}), "\"claim\": \"data\""));
  CHECK(h.hear({"volume", "rm", "data"}) == "data removed\n");
  CHECK(h.tank({"volume", "rm", "data"}).code == 1);
  CHECK(h.hear({"volume", "list", "-o", "name"}).empty());
  CHECK(!fs::exists(h.dirs.managed_volume("default", "data")));
}

TEST_CASE("an emptyDir in memory: its size holds, it outlives restarts, and goes with the pod") {
  data_host h;
  h.put_obedient("web", "", "    - {name: m, mountPath: /m}\n",
                 "  - {name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}\n");
  const auto first = h.await_running("web");
  CHECK(h.say("web", "stat -f -c %T /m; stat -c %a /m; echo kept > /m/file") == "tmpfs\n777\n");
  CHECK(has(h.say("web", "cat /dev/zero > /m/large"), "No space left"));
  CHECK(h.say("web", "rm /m/large; cat /m/file") == "kept\n");
  kill_workload(first);
  h.await_pod("web", "runs again",
              [](const pod_status& p) { return p.restarts == 1 && p.state == pod_state::running; });
  CHECK(h.say("web", "cat /m/file") == "kept\n");
  const auto mounted = h.dirs.pod_volumes(first.uid);
  CHECK(fs::exists(mounted));
  h.remove("web.yaml");
  h.await_gone("web");
}

TEST_CASE("a pod with users of its own sees its volumes as its root's") {
  data_host h;
  h.put("app.yaml", document("ConfigMap", "app", "data: {a: '1'}"));
  h.put_obedient(
      "web", "",
      "    - {name: c, mountPath: /c}\n    - {name: m, mountPath: /m}\n"
      "    - {name: d, mountPath: /d}\n",
      "  - {name: c, configMap: {name: app}}\n  - {name: m, emptyDir: {medium: Memory}}\n"
      "  - {name: d, persistentVolumeClaim: {claimName: data}}\n",
      "  hostUsers: false\n");
  h.await_running("web");
  CHECK(h.say("web", "stat -c %u:%g /c/..data/a /m /d; cat /c/a; echo x > /m/x; echo x > /d/x; "
                     "stat -c %u /m/x /d/x") == "0:0\n0:0\n0:0\n10\n0\n");
}

TEST_CASE("a pod that asks for it begins anew when its ConfigMap changes") {
  data_host h;
  h.put("app.yaml", document("ConfigMap", "app", "data: {a: '1'}"));
  pod_text pod{.name = "web"};
  pod.container_more = "    env: [{name: A, valueFrom: {configMapKeyRef: {name: app, key: a}}}]\n";
  auto text = manifest(pod);
  text.insert(text.find("metadata:\n") + 10, "  annotations: {tank/restart-on: configmap/app}\n");
  h.put("web.yaml", text);
  const auto first = h.await_running("web");
  h.put("app.yaml", document("ConfigMap", "app", "data: {a: '2'}"));
  const auto second = h.await_pod("web", "begins anew", [&](const pod_status& p) {
    return p.state == pod_state::running && p.host_pid > 0 && p.host_pid != first.host_pid;
  });
  CHECK(has(file_text("/proc/" + std::to_string(second.host_pid) + "/environ"), "A=2"));
}

TEST_CASE("documents are applied and deleted like pods") {
  data_host h;
  const auto text = document("ConfigMap", "app", "data: {a: '1'}") + "---\n" +
                    document("Secret", "db", "stringData: {b: '2'}");
  CHECK(h.hear({"apply", "-f", "-"}, text) == "configmap/app applied\nsecret/db applied\n");
  CHECK(h.hear({"apply", "-f", "-"}, text) == "configmap/app unchanged\nsecret/db unchanged\n");
  struct stat st {};
  REQUIRE(::stat((h.dirs.manifest_dir / "secret.db.yaml").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  h.barrier();
  CHECK(h.hear({"get", "cm", "-o", "name"}) == "configmap/app\n");
  CHECK(h.hear({"delete", "secret/db"}) == "secret/db deleted\n");
  CHECK(h.hear({"delete", "-f", "-"}, document("ConfigMap", "app", "")) ==
        "configmap/app deleted\n");
  CHECK(fs::is_empty(h.dirs.manifest_dir));
}

} // namespace e2e_data_test
