/// How fast pods start, end and stop: Tank beside the launchers installed here, interleaved in one
/// run, with a minimal launcher as the floor.
///
/// Run as root: `start --tank PATH --floor PATH --witness PATH [--rounds N] [--pods N]`. The
/// figures are medians and 95th percentiles in ms; on a noisy machine read the ratios to the floor.
#include "tests/bench/measure.hpp"
#include "tests/bench/peers.hpp"
#include "tests/bench/tank_host.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sched.h>
#include <string>
#include <sys/mount.h>
#include <thread>
#include <unistd.h>

using namespace tank::bench;
namespace fs = std::filesystem;

namespace {

struct options {
  std::string tank, floor, witness;
  int rounds = 30;
  int pods = 100;
  int peer_pods = 30; ///< the slowest peer needs a quarter of a second for each
};

struct figures {
  series first, complete, stop;
};

/// What the witness says of its first instruction: the last number of its line.
std::optional<std::int64_t> first_instruction(std::string_view line) {
  line = line.substr(0, line.find('\n'));
  const auto space = line.rfind(' ');
  if (space == std::string_view::npos) return std::nullopt;
  return number_after(line.substr(space), "");
}

double ms(std::int64_t from, std::int64_t to) {
  return static_cast<double>(to - from) / 1e6;
}

options parse(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2)
    given[argv[i]] = argv[i + 1];
  options o{given["--tank"], given["--floor"], given["--witness"]};
  if (given.count("--rounds")) o.rounds = std::atoi(given["--rounds"].c_str());
  if (given.count("--pods")) o.pods = std::atoi(given["--pods"].c_str());
  return o;
}

/// crun refuses a hybrid cgroup tree; in a mount namespace of our own it does not see one.
void hide_hybrid_cgroup() {
  if (::unshare(CLONE_NEWNS) != 0) return;
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  ::umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

void measure_peer(const peer& p, figures& f) {
  const auto done = run(p.run);
  if (const auto at = first_instruction(done.out); done.status == 0 && at) {
    f.first.add(ms(done.begin, *at));
    f.complete.add(ms(done.begin, done.end));
  }
}

double stop_held(const peer& p, const std::string& id, pid_t child) {
  const auto begin = now_ns();
  if (p.remove)
    run(p.remove(id));
  else
    ::kill(child, SIGKILL);
  wait_for(child);
  return ms(begin, now_ns());
}

/// Stop and removal of one held workload, from the order to everything reaped.
void measure_peer_stop(const peer& p, figures& f) {
  if (!p.hold) return;
  if (const pid_t child = start_and_hear(p.hold("bench-hold")); child > 0)
    f.stop.add(stop_held(p, "bench-hold", child));
}

/// `pods` held workloads, started by two workers, each waiting for a workload's first line.
void print_peer_throughput(const peer& p, int pods) {
  if (!p.hold) return;
  std::vector<pid_t> held(static_cast<std::size_t>(pods), -1);
  const auto id = [](std::size_t i) { return "bench-many" + std::to_string(i); };
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = 0; (i = next.fetch_add(1)) < held.size();)
      held[i] = start_and_hear(p.hold(id(i)));
  };
  const auto begin = now_ns();
  std::thread other{work};
  work();
  other.join();
  const auto up = std::count_if(held.begin(), held.end(), [](pid_t c) { return c > 0; });
  const auto took = ms(begin, now_ns());
  std::int64_t kib = 0;
  for (const pid_t helper : processes_named(p.helper))
    kib += pss_kib(helper);
  for (std::size_t i = 0; i < held.size(); ++i)
    if (held[i] > 0) stop_held(p, id(i), held[i]);
  std::printf("%-18s %ld of %d up, %.0f pods/s by two workers; helpers %.0f KiB PSS per pod\n",
              p.name.c_str(), static_cast<long>(up), pods, static_cast<double>(up) / (took / 1e3),
              static_cast<double>(kib) / std::max<double>(1, static_cast<double>(up)));
}

void measure_up(const tank_host& host, int round, figures& f) {
  const auto name = "up" + std::to_string(round);
  const auto file = host.dirs().state_dir / (name + ".yaml");
  std::ofstream{file} << tank_host::manifest(name, "first", "Never");
  const auto done = run(host.command({"up", "--for=exit", file}, "run-up"));
  const auto line = host.first_line(name);
  if (done.status != 0 || !line) return;
  if (const auto at = first_instruction(*line)) f.first.add(ms(done.begin, *at));
  f.complete.add(ms(done.begin, done.end));
}

/// From the file event to the first instruction, and from the removal of the file to nothing left.
void measure_event(const tank_host& host, int round, figures& f) {
  const auto name = "ev" + std::to_string(round);
  const auto begin = host.drop(name, tank_host::manifest(name, "first-sleep", "Never"));
  const auto line = host.first_line(name);
  if (line)
    if (const auto at = first_instruction(*line)) f.first.add(ms(begin, *at));
  const auto removed = host.remove(name);
  f.stop.add(ms(removed, host.wait_gone(name)));
}

/// From the file event to a workload that has ended and left nothing to clean up.
void measure_event_to_end(const tank_host& host, int round, figures& f) {
  const auto name = "end" + std::to_string(round);
  const auto begin = host.drop(name, tank_host::manifest(name, "first", "Never"));
  f.complete.add(ms(begin, host.wait_gone(name)));
  host.remove(name);
}

void print_throughput(tank_host& host, int pods) {
  for (int i = 0; i < pods; ++i)
    host.drop("many" + std::to_string(i),
              tank_host::manifest("many" + std::to_string(i), "first-sleep", "Always"));
  const auto begin = now_ns();
  if (!host.start_daemon()) return;
  const auto empty_kib = pss_kib(host.daemon());
  std::int64_t last = begin;
  int up = 0;
  for (int i = 0; i < pods; ++i)
    if (const auto line = host.first_line("many" + std::to_string(i)))
      if (const auto at = first_instruction(*line)) last = std::max(last, *at), ++up;
  std::int64_t shims_kib = 0;
  const auto shims = host.shims();
  for (const pid_t shim : shims)
    shims_kib += pss_kib(shim);
  const auto daemon_kib = pss_kib(host.daemon()) - empty_kib;
  const auto stopping = now_ns();
  host.stop_daemon();
  const double n = std::max<double>(1, static_cast<double>(shims.size()));
  std::printf(
      "\n%d of %d pods up in %.0f ms: %.0f pods/s (from the daemon's start); all stopped in "
      "%.0f ms\n",
      up, pods, ms(begin, last), up / (ms(begin, last) / 1e3), ms(stopping, now_ns()));
  std::printf("memory per pod: shim %.0f KiB PSS, daemon %.0f KiB\n",
              static_cast<double>(shims_kib) / n, static_cast<double>(daemon_kib) / n);
}

int measure(const options& o, const fs::path& scratch) {
  const auto rootfs = scratch / "rootfs";
  for (const char* dir : {"bin", "proc", "dev", "sys", "etc", "tmp"})
    fs::create_directories(rootfs / dir);
  fs::copy_file(o.witness, rootfs / "bin/witness");
  const auto tar = (scratch / "rootfs.tar").string();
  if (run({"tar", "-C", rootfs, "-cf", tar, "."}, true).status != 0) return 1;
  tank_host host;
  if (!host.open(o.tank, scratch, tar)) return 1;
  const auto peers = installed_peers(rootfs, scratch, o.floor);
  std::map<std::string, figures> table;
  if (!host.start_daemon()) return 1;
  for (int i = 0; i < o.rounds; ++i) {
    for (const auto& p : peers) {
      measure_peer(p, table[p.name]);
      if (i % 8 == 0) measure_peer_stop(p, table[p.name]);
    }
    measure_up(host, i, table["tank up"]);
    measure_event(host, i, table["tank (file event)"]);
    measure_event_to_end(host, i, table["tank (file event)"]);
  }
  host.stop_daemon();
  std::printf("%-18s %20s %20s %20s %10s   (ms, p50 / p95)\n", "", "first instruction",
              "run to completion", "stop + remove", "x floor");
  const double floor = table["floor"].first.quantile(0.5);
  for (const auto& [name, f] : table)
    std::printf("%-18s %20s %20s %20s %9.1fx\n", name.c_str(), f.first.text().c_str(),
                f.complete.text().c_str(), f.stop.text().c_str(),
                floor > 0 ? f.first.quantile(0.5) / floor : 0);
  print_throughput(host, o.pods);
  for (const auto& p : peers)
    print_peer_throughput(p, o.peer_pods);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const auto o = parse(argc, argv);
  if (o.tank.empty() || o.floor.empty() || o.witness.empty() || ::geteuid() != 0) {
    std::fputs("usage (as root): start --tank PATH --floor PATH --witness PATH [--rounds N] "
               "[--pods N]\n",
               stderr);
    return 2;
  }
  hide_hybrid_cgroup();
  auto scratch = (fs::temp_directory_path() / "tank-bench-XXXXXX").string();
  if (!::mkdtemp(scratch.data())) return 1;
  const int rc = measure(o, scratch);
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  return rc;
}
