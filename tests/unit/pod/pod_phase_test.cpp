#include "pod/pod_phase.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <map>
#include <string>

namespace pod_phase_test {

using namespace tank;

namespace {

last_exit completed() {
  return {"Completed", 0, 0, "", 5, 9};
}
last_exit failed() {
  return {"Error", 3, 0, "", 5, 9};
}
last_exit never_started() {
  return {"StartError", 128, 0, "", 0, 0};
}

container_status waiting(std::optional<last_exit> last = std::nullopt) {
  container_status c;
  c.last = std::move(last);
  return c;
}
container_status running() {
  container_status c;
  c.state = container_phase::running;
  c.started = c.ready = true;
  return c;
}
container_status terminated(last_exit how) {
  container_status c;
  c.state = container_phase::terminated;
  c.terminated = std::move(how);
  return c;
}

pod_status pod(pod_state state, std::initializer_list<container_status> containers) {
  pod_status p;
  p.state = state;
  p.containers = containers;
  for (std::size_t i = 0; i < p.containers.size(); ++i)
    p.containers[i].name = std::string(1, static_cast<char>('a' + i));
  return p;
}

std::map<std::string, pod_condition> conditions(const pod_status& p) {
  std::map<std::string, pod_condition> out;
  for (const auto& c : conditions_of(p))
    out[c.type] = c;
  return out;
}

} // namespace

TEST_CASE("a pod is Pending until each of its containers has run once") {
  CHECK(phase_of(pod(pod_state::pending, {})) == pod_phase::pending);
  CHECK(phase_of(pod(pod_state::starting, {waiting()})) == pod_phase::pending);
  CHECK(phase_of(pod(pod_state::starting, {running(), waiting()})) == pod_phase::pending);
  CHECK(phase_of(pod(pod_state::running, {running(), waiting(never_started())})) ==
        pod_phase::pending);
  CHECK(phase_of(pod(pod_state::backing_off, {waiting(never_started())})) == pod_phase::pending);
}

TEST_CASE("a pod is Running once they have, whatever became of them, while something may run") {
  CHECK(phase_of(pod(pod_state::running, {running()})) == pod_phase::running);
  CHECK(phase_of(pod(pod_state::running, {running(), terminated(completed())})) ==
        pod_phase::running);
  CHECK(phase_of(pod(pod_state::running, {running(), waiting(failed())})) == pod_phase::running);
  CHECK(phase_of(pod(pod_state::backing_off, {waiting(failed())})) == pod_phase::running);
  CHECK(phase_of(pod(pod_state::starting, {waiting(failed())})) == pod_phase::running);
  CHECK(phase_of(pod(pod_state::stopping, {running()})) == pod_phase::running);
}

TEST_CASE("a pod has Succeeded when all have, and else Failed, once nothing will run again") {
  CHECK(phase_of(pod(pod_state::terminal, {terminated(completed())})) == pod_phase::succeeded);
  CHECK(phase_of(pod(pod_state::terminal, {terminated(completed()), terminated(completed())})) ==
        pod_phase::succeeded);
  CHECK(phase_of(pod(pod_state::terminal, {terminated(completed()), terminated(failed())})) ==
        pod_phase::failed);
  CHECK(phase_of(pod(pod_state::terminal, {terminated(never_started())})) == pod_phase::failed);
  CHECK(phase_of(pod(pod_state::terminal, {terminated({"OOMKilled", 0, 0, "", 5, 9})})) ==
        pod_phase::failed);
  CHECK(phase_of(pod(pod_state::terminal, {terminated(completed()), waiting()})) ==
        pod_phase::failed);
  CHECK(phase_of(pod(pod_state::terminal, {})) == pod_phase::failed);
}

TEST_CASE("phases have Kubernetes' names") {
  CHECK(to_string(pod_phase::pending) == "Pending");
  CHECK(to_string(pod_phase::running) == "Running");
  CHECK(to_string(pod_phase::succeeded) == "Succeeded");
  CHECK(to_string(pod_phase::failed) == "Failed");
}

TEST_CASE("conditions of a pod that is up: all are met") {
  const auto all = conditions(pod(pod_state::running, {running(), running()}));
  CHECK(all.size() == 5);
  for (const auto& [type, c] : all) {
    CAPTURE(type);
    CHECK(c.met);
    CHECK(c.reason.empty());
    CHECK(c.message.empty());
  }
}

TEST_CASE("conditions of a pod that is not ready name the containers that are not") {
  const auto all = conditions(pod(pod_state::running, {waiting(), running(), waiting(failed())}));
  for (const auto* type : {"Ready", "ContainersReady"}) {
    CHECK_FALSE(all.at(type).met);
    CHECK(all.at(type).reason == "ContainersNotReady");
    CHECK(all.at(type).message == "containers with unready status: [a c]");
  }
  CHECK(all.at("PodReadyToStartContainers").met);
  CHECK(all.at("Initialized").met);
  CHECK(all.at("PodScheduled").met);
  CHECK_FALSE(
      conditions(pod(pod_state::starting, {waiting()})).at("PodReadyToStartContainers").met);
}

TEST_CASE("conditions of a pod that is over say so") {
  auto all = conditions(pod(pod_state::terminal, {terminated(completed())}));
  CHECK_FALSE(all.at("Ready").met);
  CHECK(all.at("Ready").reason == "PodCompleted");
  CHECK(all.at("Ready").message.empty());
  CHECK(all.at("ContainersReady").reason == "PodCompleted");
  all = conditions(pod(pod_state::terminal, {terminated(failed())}));
  CHECK(all.at("Ready").reason == "PodFailed");
  // One whose status still says ready is not ready all the same.
  all = conditions(pod(pod_state::terminal, {running()}));
  CHECK_FALSE(all.at("Ready").met);
}

TEST_CASE("a pod without containers is not ready") {
  CHECK_FALSE(conditions(pod(pod_state::running, {})).at("Ready").met);
}

TEST_CASE("restarts: of the whole, and of single containers beside it") {
  auto p = pod(pod_state::running, {running()});
  p.restarts = 3;
  p.containers[0].restarts = 3; // the whole's are each container's too
  CHECK(total_restarts(p) == 3);
  p = pod(pod_state::running, {running(), running()});
  p.restarts = 1;
  p.containers[0].restarts = 1;
  p.containers[1].restarts = 5;
  CHECK(total_restarts(p) == 5);
  p.containers[0].restarts = 0; // as before anything is known of a run
  CHECK(total_restarts(p) == 5);
}

} // namespace pod_phase_test
