#include "pod/id_ranges.hpp"

#include "base/file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include <unistd.h>

namespace id_ranges_test {

using namespace tank;
namespace fs = std::filesystem;

namespace {

constexpr id_pool three{1'000'000, 3};

id_lease taken(std::uint32_t first, std::string uid = "u") {
  return {first, "/run/tank", std::move(uid), "/s/pods/u"};
}

struct world {
  fs::path root;
  world() {
    std::string name = (fs::temp_directory_path() / "tank-ids-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root = name;
  }
  ~world() { fs::remove_all(root); }
  [[nodiscard]] directories dirs(const std::string& run) const {
    directories d;
    d.state_dir = root;
    d.run_dir = root / run;
    return d;
  }
  [[nodiscard]] std::shared_ptr<id_ranges> instance(const std::string& run,
                                                    id_pool pool = three) const {
    return std::make_shared<id_ranges>(dirs(run), pool);
  }
  [[nodiscard]] std::vector<id_lease> leases() const {
    return *decode_leases(*read_file(root / "ids.json", 1 << 20));
  }
};

std::uint32_t first_of(id_ranges& of, const std::string& uid) {
  const auto range = of.acquire(uid);
  REQUIRE_MESSAGE(range, range.error().message());
  CHECK(range->count == 65536);
  return range->first;
}

} // namespace

TEST_CASE("the lowest range that touches no other is chosen") {
  CHECK(*choose_ids({}, three) == 1'000'000);
  CHECK(*choose_ids({taken(1'000'000)}, three) == 1'065'536);
  CHECK(*choose_ids({taken(1'131'072), taken(1'000'000)}, three) == 1'065'536);
  CHECK(*choose_ids({taken(1'065'536)}, three) == 1'000'000);
  // Of a pool that was another before: half a range is in the way of two.
  CHECK(*choose_ids({taken(1'000'001)}, three) == 1'131'072);
  CHECK(*choose_ids({taken(999'999)}, three) == 1'065'536);
  CHECK(*choose_ids({taken(934'464)}, three) == 1'000'000); // ends where the pool begins
  CHECK(*choose_ids({taken(4'294'901'760)}, {4'294'770'688, 2}) == 4'294'770'688);
  const auto full = choose_ids({taken(1'000'000), taken(1'131'072), taken(1'065'536)}, three);
  REQUIRE_FALSE(full);
  CHECK(full.error().code == errc::limit);
  CHECK(full.error().message() ==
        "cannot take ids for 'a user namespace': all 3 ranges are taken (give it more by "
        "userNamespaces.count, or run fewer pods with 'hostUsers: false')");
  CHECK_FALSE(choose_ids({}, {1'000'000, 0}));
}

TEST_CASE("every pod of a large pool has ids of its own, in whatever order they come and go") {
  const id_pool pool{0x7000'0000, 4094};
  std::vector<id_lease> leases;
  std::uint32_t dice = 1;
  for (int i = 0; i < 3000; ++i) {
    dice = dice * 1664525 + 1013904223;
    if (dice % 3 == 0 && !leases.empty()) {
      leases.erase(leases.begin() + static_cast<std::ptrdiff_t>(dice / 3 % leases.size()));
      continue;
    }
    const auto first = choose_ids(leases, pool);
    REQUIRE(first);
    for (const auto& l : leases) {
      REQUIRE((l.first + 65536 <= *first || *first + 65536 <= l.first));
    }
    leases.push_back(taken(*first));
  }
}

TEST_CASE("leases are read as they were written; what contradicts itself is refused") {
  const std::vector<id_lease> two{taken(1'000'000, "a"), taken(2'000'000, "b")};
  CHECK(*decode_leases(encode_leases(two)) == two);
  for (const std::string bad :
       {"", "[]", "{}", R"({"version":2,"ranges":[]})", R"({"version":1})",
        R"({"version":1,"ranges":[{"first":"x","runDir":"","uid":"","storage":""}]})",
        R"({"version":1,"ranges":[{"first":1,"runDir":"","uid":""}]})"})
    CHECK_MESSAGE(decode_leases(bad).error().code == errc::corrupt, bad);
  CHECK(decode_leases(encode_leases({taken(1'000'000), taken(1'065'535)})).error().message() ==
        "cannot read 'the ids of user namespaces': two pods have id 1065535");
}

TEST_CASE("subordinate ids of user tank, which both files must know alike") {
  const auto pool = [](std::string_view users, std::string_view groups) {
    return subordinate_ids(users, groups, "tank");
  };
  CHECK(*pool("", "") == std::nullopt);
  CHECK(*pool("tanker:100000:65536\ncontainers:1:2\n", "") == std::nullopt);
  CHECK(*pool("a:1:2\ntank:100000:200000", "tank:100000:200000\n") == id_pool{100'000, 3});
  for (const auto& [users, groups] :
       {std::pair{"tank:100000:65536", ""}, std::pair{"tank:100000:65536", "tank:100001:65536"},
        std::pair{"tank:1:65536", "tank:1:65536"}, std::pair{"tank:100000:1", "tank:100000:1"},
        std::pair{"tank:x:65536", ""}, std::pair{"tank:100000", "tank:100000"},
        std::pair{"tank:100000:4294867296", "tank:100000:4294867296"}})
    CHECK_MESSAGE(pool(users, groups).error().code == errc::invalid, users);
}

TEST_CASE("a pod keeps its ids over daemons; others, of other instances too, have others") {
  world w;
  auto a = w.instance("a");
  const auto web = first_of(*a, "web");
  CHECK(first_of(*a, "web") == web);
  auto b = w.instance("b");
  const auto other = first_of(*b, "web"); // the same manifest in another instance
  CHECK(other != web);
  a = w.instance("a", {5'000'000, 1}); // the next daemon, set up otherwise
  CHECK(first_of(*a, "web") == web);
  CHECK(first_of(*a, "db") == 5'000'000);
  REQUIRE(a->release("web"));
  REQUIRE(a->release("web"));
  CHECK(w.leases().size() == 2);
  REQUIRE(b->keep_only({}));
  CHECK(w.leases().size() == 1); // a's is not b's to free
  REQUIRE(a->keep_only({"db"}));
  CHECK(w.leases().size() == 1);
  CHECK(first_of(*b, "new") == web); // free again
}

TEST_CASE("when all are taken, those that died with their instance are taken back, no others") {
  world w;
  auto dead = w.instance("dead", {1'000'000, 4});
  for (const char* uid : {"stored", "running", "gone"})
    first_of(*dead, uid);
  fs::create_directories(w.dirs("dead").pod_state("stored"));
  fs::create_directories(w.dirs("dead").pod_run("running"));
  auto waiting = w.instance("waiting", {1'000'000, 4});
  first_of(*waiting, "backs-off");
  fs::create_directories(w.dirs("waiting").run_dir);
  std::ofstream{w.dirs("waiting").lock_file()} << ::getpid();
  auto mine = w.instance("mine", {1'000'000, 4});
  CHECK(first_of(*mine, "a") == 1'131'072);
  CHECK(mine->acquire("b").error().code == errc::limit);
  CHECK(w.leases().size() == 4);
}

TEST_CASE("a file that nobody can read stops new pods, and nothing is handed out twice") {
  world w;
  std::ofstream{w.root / "ids.json"} << "{";
  const auto refused = w.instance("a")->acquire("web");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("remove it when no pod with 'hostUsers: false' runs") !=
        std::string::npos);
  CHECK(*read_file(w.root / "ids.json", 10) == "{");
}

TEST_CASE("an instance without such pods makes no file") {
  world w;
  REQUIRE(w.instance("a")->keep_only({}));
  CHECK(fs::is_empty(w.root));
}

TEST_CASE("instances that ask at once get different ids") {
  world w;
  std::vector<std::shared_ptr<id_ranges>> all;
  for (int i = 0; i < 8; ++i)
    all.push_back(w.instance(std::to_string(i), {1'000'000, 80}));
  std::vector<std::thread> threads;
  for (auto& one : all)
    threads.emplace_back([&one] {
      for (int i = 0; i < 10; ++i)
        static_cast<void>(one->acquire(std::to_string(i)));
    });
  for (auto& t : threads)
    t.join();
  CHECK(w.leases().size() == 80); // decoding refuses overlaps
}

} // namespace id_ranges_test
