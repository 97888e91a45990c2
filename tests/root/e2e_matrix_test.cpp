// Who ends, how, under which policy and which strategy: what runs again then, in which order, and with
// which counts. What is expected is computed here, from the rules as doc/man/tank-pod.7 has them; what is
// seen comes from inside: each container of a pod notes its starts and its stop signal in one file.
//
// A pod is a list of four: the init container `i`, the sidecar `s`, and `a` and `b`. One of the first
// three is its subject: it ends once, when all of the pod that can run does.
#include "pod/pod_phase.hpp"
#include "tests/root/host_fixture.hpp"
#include "tests/root/pod_view.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace e2e_matrix_test {

using namespace tank;
using namespace tank::testing;
namespace fs = std::filesystem;

namespace {

enum class policy { always, on_failure, never };
enum class strategy { one_for_one, rest_for_one, one_for_all };
enum class way { exit_0, exit_3, killed, out_of_memory };
constexpr const char* policies[] = {"Always", "OnFailure", "Never"};
constexpr const char* strategies[] = {"one_for_one", "rest_for_one", "one_for_all"};
constexpr const char* ways[] = {"exit 0", "exit 3", "SIGKILL", "OOM"};
const std::string list = "isab";

struct cell {
  char subject = 'a';
  way how = way::exit_0;
  policy pod = policy::always;
  strategy otp = strategy::one_for_one;
  [[nodiscard]] std::string name() const {
    return std::string{subject} + std::to_string(static_cast<int>(how)) +
           std::to_string(static_cast<int>(pod)) + std::to_string(static_cast<int>(otp));
  }
  [[nodiscard]] std::string text() const {
    return std::string{subject} + ": " + ways[static_cast<int>(how)] + ", " +
           policies[static_cast<int>(pod)] + ", " + strategies[static_cast<int>(otp)];
  }
};

// --- what is expected ----------------------------------------------------------------------------

struct expected {
  std::vector<std::string> order;
  std::map<char, unsigned> restarts;
  bool stays_ended = false; ///< the subject does, while others run
  std::string phase = "Running";
};

/// As the policy says of one that ended.
bool runs_again(char who, way how, policy pod) {
  const bool failed = how != way::exit_0;
  if (who == 's') return true;
  if (who == 'i') return failed && pod != policy::never;
  return pod == policy::always || (pod == policy::on_failure && failed);
}

/// Stopped for another one's sake: does it run again?
bool comes_back(char who, policy pod) {
  return who == 'i' || who == 's' || pod != policy::never;
}

expected expect(const cell& c) {
  expected e;
  const auto at = list.find(c.subject);
  const auto start = [&](char who) { e.order.push_back(std::string{who} + " start"); };
  const auto stop = [&](char who) { e.order.push_back(std::string{who} + " term"); };
  const bool again = runs_again(c.subject, c.how, c.pod);
  if (c.subject == 'i') { // it ends on the way up: whatever the strategy, it alone is concerned
    start('i');
    if (c.how != way::exit_0 && !again) {
      e.phase = "Failed";
      return e;
    }
    if (c.how != way::exit_0) {
      start('i');
      e.restarts['i'] = 1;
    }
    for (const char who : {'s', 'a', 'b'})
      start(who);
    return e;
  }
  for (const char who : list)
    start(who);
  if (!again) { // `b` runs on
    e.stays_ended = true;
    return e;
  }
  std::size_t from = at;
  auto to = at + 1;
  if (c.otp == strategy::one_for_all) from = 0;
  if (c.otp != strategy::one_for_one) to = list.size();
  for (auto i = to; i-- > from;)
    if (i != at && list[i] != 'i') stop(list[i]);
  const bool a_main_comes_back =
      c.otp == strategy::one_for_one || comes_back('a', c.pod) || list[at] == 'a';
  if (!a_main_comes_back) { // all that count are gone: the pod is over
    if (from > 1) stop('s');
    for (auto i = from; i < to; ++i) // those that were to begin anew had been put back for it
      if (i == at || comes_back(list[i], c.pod)) e.restarts[list[i]] = 1;
    e.phase = "Failed"; // they were stopped by a signal, and exited with what is not 0
    return e;
  }
  for (auto i = from; i < to; ++i) {
    if (i != at && !comes_back(list[i], c.pod)) continue;
    start(list[i]);
    e.restarts[list[i]] = 1;
  }
  return e;
}

// --- the pods ------------------------------------------------------------------------------------

/// What a container does that shall end in this way, once it may; the second time it stays.
std::string script(char who, const cell& c, const std::string& here) {
  const auto note = here + "/order";
  std::string text = "trap 'echo " + std::string{who} + " term >> " + note + "; exit 7' TERM\n" +
                     "echo " + who + " start >> " + note + "\n";
  const std::string last = who == 'i' ? "exit 0\n" : std::string{stay} + "\n";
  if (who != c.subject) return text + last;
  text += "[ -e " + here + "/done ] && { " + last + "}\necho > " + here + "/done\n";
  text += "read go < " + here + "/go\n";
  switch (c.how) {
  case way::exit_0:
    return text + "exit 0\n";
  case way::exit_3:
    return text + "exit 3\n";
  case way::out_of_memory:
    return text + "/bin/witness eat 64\nexit $?\n";
  case way::killed: // from outside: its own namespace's first process survives it
    break;
  }
  return text + "echo > " + here + "/kill\n" + stay + "\n";
}

std::string container(char who, const cell& c) {
  const auto here = "/shared/" + c.name();
  std::istringstream lines{script(who, c, here)};
  std::string text =
      "  - name: " + std::string{who} +
      "\n    image: localhost/witness:1\n    command:\n    - /bin/sh\n    - -c\n    - |\n";
  for (std::string line; std::getline(lines, line);)
    text += "      " + line + "\n";
  if (who == 's') text += "    restartPolicy: Always\n";
  if (who == c.subject && c.how == way::out_of_memory)
    text += "    resources: {limits: {memory: 24Mi}}\n";
  return text + "    volumeMounts:\n    - {name: shared, mountPath: /shared}\n";
}

std::string manifest_of(const cell& c, const host& h) {
  return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: " + c.name() +
         "\n  annotations: {tank/strategy: " + strategies[static_cast<int>(c.otp)] +
         "}\nspec:\n  terminationGracePeriodSeconds: 20\n  restartPolicy: " +
         policies[static_cast<int>(c.pod)] + "\n  initContainers:\n" + container('i', c) +
         container('s', c) + "  containers:\n" + container('a', c) + container('b', c) +
         "  volumes:\n  - name: shared\n    hostPath: {path: " + h.shared.string() + "}\n";
}

std::vector<cell> all_cells() {
  std::vector<cell> all;
  for (const char subject : {'i', 's', 'a'})
    for (const auto how : {way::exit_0, way::exit_3, way::killed, way::out_of_memory})
      for (const auto pod : {policy::always, policy::on_failure, policy::never})
        for (const auto otp :
             {strategy::one_for_one, strategy::rest_for_one, strategy::one_for_all})
          all.push_back({subject, how, pod, otp});
  return all;
}

/// Two main containers are let go in order, and do not wait for what the other one does then.
std::string in_order(std::string seen) {
  const std::string crossed = "b start\na start\n";
  for (auto at = seen.find(crossed); at != std::string::npos; at = seen.find(crossed))
    seen.replace(at, crossed.size(), "a start\nb start\n");
  return seen;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines)
    text += line + "\n";
  return text;
}

const container_status& of(const pod_status& pod, char who) {
  return testing::of(pod, std::string{who});
}

/// It ends now, when all others have noted that they run. A process that waits to be killed is.
void end_subject(host& h, const cell& c, const fs::path& here, const gate& go) {
  if (c.subject != 'i')
    REQUIRE(await_file(here / "order",
                       [](const auto& text) { return text.find("b start") != text.npos; }));
  go.open();
  if (c.how != way::killed) return;
  REQUIRE(await_file(here / "kill", [](const std::string& text) { return !text.empty(); }));
  const auto pod = h.await_pod(c.name(), "its subject runs",
                               [&](const auto& p) { return of(p, c.subject).host_pid > 1; });
  kill_one(of(pod, c.subject));
}

} // namespace

TEST_CASE("every end, of every kind, under every policy and strategy: as the rules say") {
  host h{"stopPodsOnExit: false\nbackoff: {base: 10ms, max: 10ms}\n"};
  h.start_daemon();
  for (const auto& c : all_cells()) {
    CAPTURE(c.text());
    const auto want = expect(c);
    const auto here = h.shared / c.name();
    fs::create_directory(here);
    const gate go{here / "go"};
    h.put(c.name() + ".yaml", manifest_of(c, h));
    end_subject(h, c, here, go);
    const auto order = in_order(joined(want.order));
    const bool all_noted = await_file(
        here / "order", [&](const std::string& text) { return in_order(text) == order; });
    CHECK_MESSAGE(all_noted, "wanted:\n", joined(want.order), "seen:\n", file_text(here / "order"));
    const bool over = want.phase != "Running";
    const auto restarts = [&](char who) {
      return want.restarts.contains(who) ? want.restarts.at(who) : 0U;
    };
    const auto pod = h.await_pod(c.name(), "has settled", [&](const auto& p) {
      if (over) return p.state == pod_state::terminal;
      if (want.stays_ended && !of(p, c.subject).terminated) return false;
      return p.state == pod_state::running &&
             std::all_of(p.containers.begin(), p.containers.end(), [&](const auto& one) {
               return one.state != container_phase::waiting &&
                      one.restarts >= restarts(one.name.front());
             });
    });
    for (const char who : list)
      CHECK_MESSAGE(of(pod, who).restarts == restarts(who), who);
    CHECK(to_string(phase_of(pod)) == want.phase);
    CHECK(in_order(file_text(here / "order")) == order); // and nobody has begun since
    h.remove(c.name() + ".yaml");
    h.await_gone(c.name());
  }
  h.stop_daemon();
}

} // namespace e2e_matrix_test
