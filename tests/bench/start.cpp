/// How fast pods start, end and stop: Tank beside the launchers installed here, interleaved in one
/// run, with a minimal launcher as the floor.
///
/// Run as root: `build/tests/bench/start`. To compare two builds of Tank, name both:
/// `start --tank old=OLD/cli/tank --tank new=build/cli/tank`. The figures are medians and 95th
/// percentiles in ms; on a noisy machine read the ratios, which are of the same rounds. What fails
/// is told below the tables, with the reason.
#include "tests/bench/failures.hpp"
#include "tests/bench/measure.hpp"
#include "tests/bench/peers.hpp"
#include "tests/bench/start_options.hpp"
#include "tests/bench/start_report.hpp"
#include "tests/bench/tank_host.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <poll.h>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace tank::bench;
namespace fs = std::filesystem;

namespace {

constexpr int rounds_for_a_stop = 8; // a peer's stop is measured in one round of so many

/// What the witness says of its first instruction: the last number of its line.
std::optional<std::int64_t> first_instruction(std::string_view line) {
  line = line.substr(0, line.find('\n'));
  const auto space = line.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return number_after(line.substr(space), "");
}

/// crun refuses a hybrid cgroup tree; in a mount namespace of our own it does not see one.
void hide_hybrid_cgroup() {
  if (::unshare(CLONE_NEWNS) != 0) return;
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  ::umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

// ---- peers -----------------------------------------------------------------------------------

void measure_peer(const peer& p, int round, figures& f, failures& failed) {
  if (failed.hopeless(p.name, "run")) return;
  const auto done = run(p.run);
  const auto at = first_instruction(done.out);
  if (done.status != 0 || !at) {
    failed.add(p.name, "run", why_failed(done));
    return;
  }
  f.first.add(round, ms(done.begin, *at));
  f.complete.add(round, ms(done.begin, done.end));
}

/// Whether it ends by itself within a second.
bool ends_soon(pid_t child) {
  const tank::unique_fd end{static_cast<int>(::syscall(SYS_pidfd_open, child, 0))};
  pollfd readable{end.get(), POLLIN, 0};
  return ::poll(&readable, 1, 1000) == 1;
}

double stop_held(const peer& p, const std::string& id, pid_t child, failures& failed) {
  const auto begin = now_ns();
  const auto done = p.remove ? run(p.remove(id)) : finished{.status = ::kill(child, SIGKILL)};
  // The child removes itself when its workload ends, and then crun finds nothing to remove.
  if (done.status != 0 && !ends_soon(child)) {
    failed.add(p.name, "remove", why_failed(done));
    ::kill(child, SIGKILL);
  }
  wait_for(child);
  return ms(begin, now_ns());
}

running hold(const peer& p, const std::string& id, failures& failed) {
  if (failed.hopeless(p.name, "hold") || failed.hopeless(p.name, "remove")) return {};
  finished ended;
  auto child = start_and_hear(p.hold(id), ended);
  if (child.pid <= 0) failed.add(p.name, "hold", why_failed(ended));
  return child;
}

/// Stop and removal of one held workload, from the order to everything reaped.
void measure_peer_stop(const peer& p, int round, figures& f, failures& failed) {
  if (!p.hold || round % rounds_for_a_stop != 0) return;
  if (const auto child = hold(p, "bench-hold", failed); child.pid > 0)
    f.stop.add(round, stop_held(p, "bench-hold", child.pid, failed));
}

/// `pods` held workloads, started by two workers, each waiting for a workload's first line.
void print_peer_throughput(const peer& p, int pods, failures& failed) {
  if (!p.hold) return;
  std::vector<running> held(static_cast<std::size_t>(pods));
  const auto id = [](std::size_t i) { return "bench-many" + std::to_string(i); };
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = 0; (i = next.fetch_add(1)) < held.size();)
      held[i] = hold(p, id(i), failed);
  };
  const auto begin = now_ns();
  std::thread other{work};
  work();
  other.join();
  const auto up = std::count_if(held.begin(), held.end(), [](const auto& c) { return c.pid > 0; });
  const auto took = ms(begin, now_ns());
  std::int64_t kib = 0;
  for (const pid_t helper : processes_named(p.helper))
    kib += pss_kib(helper);
  for (std::size_t i = 0; i < held.size(); ++i)
    if (held[i].pid > 0) stop_held(p, id(i), held[i].pid, failed);
  if (up > 0)
    std::printf("%-24s %ld of %d up, %.0f pods/s by two workers; helpers %.0f KiB PSS per pod\n",
                p.name.c_str(), static_cast<long>(up), pods, static_cast<double>(up) / (took / 1e3),
                static_cast<double>(kib) / static_cast<double>(up));
}

// ---- Tank ------------------------------------------------------------------------------------

/// One build of Tank with its rows in the tables.
struct contender {
  tank_host host;
  figures event, up;
  crowd many;
};

void measure_up(contender& c, int round, failures& failed) {
  if (failed.hopeless(c.up.name, "run")) return;
  const auto name = "up" + std::to_string(round);
  const auto file = c.host.dirs().state_dir / (name + ".yaml");
  std::ofstream{file} << tank_host::manifest(name, "first", "Never");
  const auto done = run(c.host.command({"up", "--for=exit", file}, "run-up"));
  if (done.status != 0) {
    failed.add(c.up.name, "run", why_failed(done));
    return;
  }
  const auto line = c.host.first_line(name);
  if (const auto at = line ? first_instruction(*line) : std::nullopt)
    c.up.first.add(round, ms(done.begin, *at));
  else
    failed.add(c.up.name, "run", "its log has no line");
  c.up.complete.add(round, ms(done.begin, done.end));
}

/// From the file event to the first instruction, and from the removal of the file to nothing left.
void measure_event(contender& c, int round, failures& failed) {
  if (failed.hopeless(c.event.name, "start")) return;
  const auto name = "ev" + std::to_string(round);
  const auto begin = c.host.drop(name, tank_host::manifest(name, "first-sleep", "Never"));
  const auto line = c.host.first_line(name);
  if (const auto at = line ? first_instruction(*line) : std::nullopt)
    c.event.first.add(round, ms(begin, *at));
  else
    failed.add(c.event.name, "start", c.host.failure());
  const auto removed = c.host.remove(name);
  if (const auto gone = c.host.wait_gone(name))
    c.event.stop.add(round, ms(removed, *gone));
  else
    failed.add(c.event.name, "stop", c.host.failure());
}

/// From the file event to a workload that has ended and left nothing to clean up.
void measure_event_to_end(contender& c, int round, failures& failed) {
  if (failed.hopeless(c.event.name, "end")) return;
  const auto name = "end" + std::to_string(round);
  const auto begin = c.host.drop(name, tank_host::manifest(name, "first", "Never"));
  if (const auto gone = c.host.wait_gone(name))
    c.event.complete.add(round, ms(begin, *gone));
  else
    failed.add(c.event.name, "end", c.host.failure());
  c.host.remove(name);
}

/// What a daemon without pods takes.
std::int64_t empty_kib(contender& c) {
  if (!c.host.start_daemon()) return 0;
  const auto kib = pss_kib(c.host.daemon());
  c.host.stop_daemon();
  return kib;
}

/// All pods of a directory that the daemon finds when it starts, until each has run.
void measure_crowd(contender& c, int pods, int repeat, failures& failed) {
  if (pods == 0 || failed.hopeless(c.many.name, "start many")) return;
  const auto empty = empty_kib(c);
  const auto name = [&](int i) {
    return "many" + std::to_string(repeat) + "-" + std::to_string(i);
  };
  for (int i = 0; i < pods; ++i)
    c.host.drop(name(i), tank_host::manifest(name(i), "first-sleep", "Always"));
  const auto begin = now_ns();
  std::int64_t last = begin;
  int up = 0;
  if (c.host.start_daemon())
    for (int i = 0; i < pods && (i == up || i < 3); ++i)
      if (const auto line = c.host.first_line(name(i)))
        if (const auto at = first_instruction(*line)) last = std::max(last, *at), ++up;
  if (up == pods) {
    std::int64_t shims_kib = 0;
    for (const pid_t shim : c.host.shims())
      shims_kib += pss_kib(shim);
    c.many.per_second.add(repeat, up / (ms(begin, last) / 1e3));
    c.many.shim_kib.add(repeat, static_cast<double>(shims_kib) / pods);
    c.many.daemon_kib.add(repeat, static_cast<double>(pss_kib(c.host.daemon()) - empty) / pods);
    const auto stopping = now_ns();
    c.host.stop_daemon();
    c.many.stop_ms.add(repeat, ms(stopping, now_ns()));
  } else {
    failed.add(c.many.name, "start many",
               "pod " + std::to_string(up) + " did not run; " + c.host.failure());
    c.host.stop_daemon();
  }
  for (int i = 0; i < pods; ++i)
    c.host.remove(name(i));
}

// ---- the run ---------------------------------------------------------------------------------

/// Calls each once; who comes first changes with the round, for each works in the wake of the one
/// before.
void in_turn(const std::vector<std::function<void()>>& all, int round) {
  for (std::size_t i = 0; i < all.size(); ++i)
    all[(i + static_cast<std::size_t>(round)) % all.size()]();
}

/// False: nothing can be measured.
bool open_all(std::deque<contender>& tanks, const start_options& o, const fs::path& scratch,
              const std::string& tar) {
  for (const auto& build : o.tanks) {
    auto& c = tanks.emplace_back();
    c.event.name = build.label + " (file event)";
    c.up.name = build.label + " up";
    c.many.name = build.label;
    if (!c.host.open(build, scratch / build.label, tar) || !c.host.start_daemon()) {
      std::fprintf(stderr, "start: %s: %s\n", build.label.c_str(), c.host.failure().c_str());
      for (auto& started : tanks)
        started.host.stop_daemon();
      return false;
    }
  }
  return true;
}

void measure_rounds(const start_options& o, const std::vector<peer>& peers,
                    std::vector<figures>& peer_rows, std::deque<contender>& tanks,
                    failures& failed) {
  for (int round = 0; round < o.rounds; ++round) {
    std::vector<std::function<void()>> all;
    for (std::size_t i = 0; i < peers.size(); ++i)
      all.emplace_back([&, i] {
        measure_peer(peers[i], round, peer_rows[i], failed);
        measure_peer_stop(peers[i], round, peer_rows[i], failed);
      });
    for (auto& c : tanks) {
      all.emplace_back([&] { measure_up(c, round, failed); });
      all.emplace_back([&] { measure_event(c, round, failed); });
      all.emplace_back([&] { measure_event_to_end(c, round, failed); });
    }
    in_turn(all, round);
  }
  for (auto& c : tanks)
    c.host.stop_daemon();
  for (int repeat = 0; repeat < o.repeats; ++repeat) {
    std::vector<std::function<void()>> all;
    for (auto& c : tanks)
      all.emplace_back([&] { measure_crowd(c, o.pods, repeat, failed); });
    in_turn(all, repeat);
  }
}

void print_all(const start_options& o, std::vector<figures> rows,
               const std::deque<contender>& tanks) {
  std::vector<crowd> crowds;
  for (const auto& c : tanks) {
    rows.push_back(c.event);
    rows.push_back(c.up);
    crowds.push_back(c.many);
  }
  print_starts(rows);
  print_crowds(crowds, o.pods);
  if (tanks.size() > 1)
    std::puts("\ncompared, by the ratios of the same rounds: median (half of them are between)");
  for (std::size_t i = 1; i < tanks.size(); ++i) {
    print_comparison(tanks[i].event, tanks[0].event);
    print_comparison(tanks[i].up, tanks[0].up);
    print_comparison(tanks[i].many, tanks[0].many);
  }
  std::puts("");
}

int measure(const start_options& o, const fs::path& scratch) {
  const auto rootfs = scratch / "rootfs";
  for (const char* dir : {"bin", "proc", "dev", "sys", "etc", "tmp"})
    fs::create_directories(rootfs / dir);
  fs::copy_file(o.witness, rootfs / "bin/witness");
  const auto tar = (scratch / "rootfs.tar").string();
  if (const auto made = run({"tar", "-C", rootfs, "-cf", tar, "."}); made.status != 0) {
    std::fprintf(stderr, "start: tar: %s\n", why_failed(made).c_str());
    return 1;
  }
  const auto found = installed_peers(rootfs, scratch, o.floor, o.peers);
  std::vector<figures> peer_rows;
  for (const auto& p : found.peers)
    peer_rows.push_back({p.name, {}, {}, {}});
  for (const auto& name : found.missing)
    std::printf("%s is not installed\n", name.c_str());
  std::printf("%s; %d rounds, %d repeats; before: %s\n", machine_text().c_str(), o.rounds,
              o.repeats, load_text().c_str());
  std::fflush(stdout);
  std::deque<contender> tanks;
  failures failed;
  if (!open_all(tanks, o, scratch, tar)) return 1;
  measure_rounds(o, found.peers, peer_rows, tanks, failed);
  print_all(o, peer_rows, tanks);
  for (const auto& p : found.peers)
    print_peer_throughput(p, o.peer_pods, failed);
  std::printf("after: %s\n", load_text().c_str());
  failed.print();
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  std::error_code ec;
  const auto o = parse_start(fs::read_symlink("/proc/self/exe", ec), {argv + 1, argv + argc});
  if (!o || ::geteuid() != 0) {
    if (!o) std::fprintf(stderr, "start: %s\n", o.error().message().c_str());
    std::fputs(start_usage, stderr);
    return 2;
  }
  hide_hybrid_cgroup();
  auto scratch = (fs::temp_directory_path() / "tank-bench-XXXXXX").string();
  if (!::mkdtemp(scratch.data())) return 1;
  const int rc = measure(*o, scratch);
  fs::remove_all(scratch, ec);
  return rc;
}
