// What the cgroup files are told, and what they say.
#include "kernel/cgroup_files.hpp"
#include "kernel/oom_count.hpp"

#include <doctest/doctest.h>

namespace cgroup_files_test {

using namespace tank;
using namespace tank::kernel;

namespace {

using settings = std::vector<cgroup_setting>;
constexpr auto v1 = cgroup_version::v1;
constexpr auto v2 = cgroup_version::v2;

} // namespace

TEST_CASE("a fresh cgroup is told only what bounds it") {
  CHECK(settings_of(v1, {}, false).empty());
  CHECK(settings_of(v1, {}, true).empty());
  CHECK(settings_of(v2, {}, false).empty());
  CHECK(settings_of(v2, {}, true) == settings{{"memory", "memory.oom.group", "1", false}});
  cgroup_limits l;
  l.memory = 64 << 20;
  l.pids = 50;
  CHECK(settings_of(v2, l, false) == settings{{"memory", "memory.max", "67108864"},
                                              {"memory", "memory.swap.max", "0", false},
                                              {"pids", "pids.max", "50", false}});
  CHECK(settings_of(v1, l, true) ==
        settings{{"memory", "memory.limit_in_bytes", "67108864"},
                 {"memory", "memory.memsw.limit_in_bytes", "67108864", false},
                 {"pids", "pids.max", "50", false}});
  l = {.cpu_quota = 50'000, .cpu_shares = 512};
  CHECK(settings_of(v2, l, false) ==
        settings{{"cpu", "cpu.max", "50000 100000"}, {"cpu", "cpu.weight", "59", false}});
  CHECK(settings_of(v1, l, false) == settings{{"cpu", "cpu.cfs_period_us", "100000"},
                                              {"cpu", "cpu.cfs_quota_us", "50000"},
                                              {"cpu", "cpu.shares", "512", false}});
}

TEST_CASE("a changed one is told everything, so that what no longer bounds it is lifted") {
  CHECK(all_settings_of(v2, {}) == settings{{"memory", "memory.max", "max", false},
                                            {"memory", "memory.swap.max", "max", false},
                                            {"memory", "memory.high", "max", false},
                                            {"cpu", "cpu.max", "max 100000", false},
                                            {"cpu", "cpu.weight", "100", false},
                                            {"pids", "pids.max", "max", false}});
  CHECK(all_settings_of(v1, {}) == settings{{"memory", "memory.limit_in_bytes", "-1", false},
                                            {"memory", "memory.memsw.limit_in_bytes", "-1", false},
                                            {"cpu", "cpu.cfs_period_us", "100000", false},
                                            {"cpu", "cpu.cfs_quota_us", "-1", false},
                                            {"cpu", "cpu.shares", "1024", false},
                                            {"pids", "pids.max", "max", false}});
}

TEST_CASE("shares and weights keep their ends and their defaults") {
  CHECK(weight_of_shares(0) == 1);
  CHECK(weight_of_shares(2) == 1);
  CHECK(weight_of_shares(1024) == 100);
  CHECK(weight_of_shares(262144) == 10000);
  CHECK(weight_of_shares(~std::uint64_t{0}) == 10000);
  std::uint64_t before = 0;
  for (std::uint64_t shares = 2; shares <= 262144; shares *= 2) {
    CHECK(weight_of_shares(shares) > before);
    before = weight_of_shares(shares);
  }
}

TEST_CASE("counters and amounts: what cannot be read is not counted") {
  const auto c = parse_counters("low 0\noom 3\nbroken\nneg -1\nlong 99999999999999999999\n"
                                "two 1 2\noom_kill 2");
  CHECK(c.size() == 3);
  CHECK(c.at("oom") == 3);
  CHECK(c.at("oom_kill") == 2);
  CHECK(parse_counters("").empty());
  CHECK(parse_amount("42\n") == 42);
  CHECK(parse_amount("0") == 0);
  for (const char* none : {"max\n", "", "\n", "9223372036854771712\n", "-1", "12x"})
    CHECK_MESSAGE(!parse_amount(none), none);
}

TEST_CASE("what v2 says") {
  const auto s = stats_of(v2, {{"cpu.stat", "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\n"
                                            "nr_periods 7\nnr_throttled 2\nthrottled_usec 900\n"},
                               {"memory.current", "1000\n"},
                               {"memory.peak", "4000\n"},
                               {"memory.max", "max\n"},
                               {"memory.stat", "anon 1\ninactive_file 300\n"},
                               {"memory.events", "oom 2\noom_kill 1\n"},
                               {"pids.current", "3\n"},
                               {"pids.max", "50\n"}});
  CHECK(s.cpu_us == 5000);
  CHECK(s.cpu_user_us == 3000);
  CHECK(s.cpu_system_us == 2000);
  CHECK(s.periods == 7);
  CHECK(s.throttled_periods == 2);
  CHECK(s.throttled_us == 900);
  CHECK(s.memory == 1000);
  CHECK(s.memory_working_set == 700);
  CHECK(s.memory_peak == 4000);
  CHECK(!s.memory_limit);
  CHECK(s.oom_kills == 1);
  CHECK(s.pids == 3);
  CHECK(s.pids_limit == 50);
}

TEST_CASE("what v1 says, in the same units") {
  const auto s =
      stats_of(v1, {{"cpuacct.usage", "5000000\n"},
                    {"cpuacct.usage_user", "3000000\n"},
                    {"cpuacct.usage_sys", "2000000\n"},
                    {"cpu.stat", "nr_periods 7\nnr_throttled 2\nthrottled_time 900000\n"},
                    {"memory.usage_in_bytes", "1000\n"},
                    {"memory.max_usage_in_bytes", "4000\n"},
                    {"memory.limit_in_bytes", "9223372036854771712\n"},
                    {"memory.stat", "inactive_file 1\ntotal_inactive_file 2000\n"},
                    {"memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"},
                    {"pids.current", "3\n"},
                    {"pids.max", "max\n"}});
  CHECK(s.cpu_us == 5000);
  CHECK(s.cpu_user_us == 3000);
  CHECK(s.throttled_us == 900);
  CHECK(s.memory == 1000);
  CHECK(s.memory_working_set == 0); // the two are read one after the other
  CHECK(s.memory_peak == 4000);
  CHECK(!s.memory_limit);
  CHECK(s.oom_kills == 4);
  CHECK(!s.pids_limit);
}

TEST_CASE("a host that counts nothing says nothing") {
  CHECK(stats_of(v1, {}) == cgroup_stats{});
  CHECK(stats_of(v2, {}) == cgroup_stats{});
}

TEST_CASE("kills for want of memory are read from the files of both versions") {
  CHECK(count_oom_kills_in("") == 0);
  CHECK(count_oom_kills_in("low 0\nhigh 0\nmax 9\noom 1\noom_kill 3\noom_group_kill 1\n") == 3);
  CHECK(count_oom_kills_in("oom_kill_disable 0\nunder_oom 0\noom_kill 12\n") == 12);
  CHECK(count_oom_kills_in("oom_kill_disable 0\nunder_oom 0\n") == 0); // v1 before Linux 4.13
  CHECK(count_oom_kills_in("oom_kill 4") == 4);                        // cut short
  CHECK(count_oom_kills_in("oom_kill ") == 0);
  CHECK(count_oom_kills_in("\n\noom_kill x\n") == 0);
}

TEST_CASE("memory ended an attempt when it killed meanwhile and the end was no good one") {
  CHECK(is_oom_end(0, 1, false));
  CHECK(!is_oom_end(0, 1, true));
  CHECK(!is_oom_end(3, 3, false)); // that was an earlier attempt
  CHECK(!is_oom_end(3, 0, false)); // another cgroup by now
}

} // namespace cgroup_files_test
