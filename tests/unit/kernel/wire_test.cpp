#include "kernel/wire.hpp"
#include "kernel/wire_encode.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>

#include <sys/mman.h>

namespace wire_test {

using namespace tank;
using namespace tank::kernel;

static launch_plan every_kind() {
  launch_plan plan{.container = "web", .attempt = 7};
  plan.new_pid_ns = false;
  plan.new_cgroup_ns = false;
  plan.cgroups = {"/sys/fs/cgroup/memory/tank/a", "/sys/fs/cgroup/pids/tank/a"};
  plan.steps = {
      overlay_step{{"/layers/b", "/layers/a"}, "/pods/1/upper", "/pods/1/work", true},
      filesystem_step{"proc", "/proc", 14, ""},
      bind_step{"/host/x", "/data", true, false, 6, true},
      device_step{"/dev/null", 1, 3, 0666, true, 6, 7},
      symlink_step{"/proc/self/fd", "/dev/fd"},
      directory_step{"/run/x", 0700, 1, 2},
      mask_step{"/proc/kcore"},
      read_only_step{"/proc/sys"},
      pivot_step{true},
      fault_step{-7},
      sysctl_step{"net/ipv4/tcp_syncookies", "1"},
      volume_step{"/vol", "a/b", true, "/v", true, 2, true, true},
  };
  plan.process = {.argv = {"sh", "-c", ""},
                  .env = {"A=1", "EMPTY="},
                  .cwd = "/srv",
                  .create_cwd = true,
                  .uid = 4294967294u,
                  .gid = 5,
                  .groups = {1, 2, 3},
                  .umask = 077,
                  .no_new_privs = true,
                  .rlimits = {{7, 1024, ~std::uint64_t{0}}},
                  .capabilities = {1, 2, 3, ~std::uint64_t{0}, 5},
                  .seccomp = {std::string("\0\1\2\3\4\5\6\7", 8), 4},
                  .oom_score_adj = -998};
  plan.log = {"/var/log/x/0.log", 1u << 20, 3};
  return plan;
}

namespace {
/// The bytes end exactly at a page that must not be touched: any read past the end is a crash.
class fenced_buffer {
 public:
  explicit fenced_buffer(std::string_view bytes) {
    const std::size_t page = 4096;
    pages_ = (bytes.size() + page - 1) / page + 1;
    map_ = static_cast<char*>(
        ::mmap(nullptr, pages_ * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    REQUIRE(map_ != MAP_FAILED);
    ::mprotect(map_ + (pages_ - 1) * page, page, PROT_NONE);
    // 8-aligned start, so up to 7 bytes of slack stay before the fence.
    start_ = map_ + (((pages_ - 1) * page - bytes.size()) & ~std::size_t{7});
    std::memcpy(start_, bytes.data(), bytes.size());
  }
  ~fenced_buffer() { ::munmap(map_, pages_ * 4096); }
  fenced_buffer(const fenced_buffer&) = delete;
  fenced_buffer& operator=(const fenced_buffer&) = delete;
  char* data() { return start_; }

 private:
  char* map_ = nullptr;
  char* start_ = nullptr;
  std::size_t pages_ = 0;
};
} // namespace

TEST_CASE("a plan with every kind of step survives encoding and decoding") {
  const auto plan = every_kind();
  const auto bytes = wire::encode_plan(plan);
  REQUIRE(bytes);
  const auto back = wire::decode_plan(*bytes);
  REQUIRE(back);
  CHECK(*back == plan);
}

TEST_CASE("a plan of nothing but what it must have survives too") {
  launch_plan plan{.container = "web"};
  plan.process.argv = {"x"};
  const auto bytes = wire::encode_plan(plan);
  REQUIRE(bytes);
  CHECK(*wire::decode_plan(*bytes) == plan);
}

namespace {
/// Becomes whatever a field wants.
struct any_value {
  template <class T>
  operator T() const; // NOLINT(google-explicit-constructor)
};

/// How many fields an aggregate has.
template <class Part, class... Values>
constexpr std::size_t count_fields() {
  if constexpr (requires { Part{Values{}..., any_value{}}; })
    return count_fields<Part, Values..., any_value>();
  else
    return sizeof...(Values);
}

template <class Part>
void check_list() {
  Part p{};
  const auto listed = Part::fields(p, [](auto&&... field) { return sizeof...(field); });
  CHECK(listed == count_fields<Part>());
}
} // namespace

TEST_CASE("the list of a part's fields holds all of them, each once") {
  using views = wire::plan_views;
  check_list<plan::overlay<views>>();
  check_list<plan::filesystem<views>>();
  check_list<plan::bind<views>>();
  check_list<plan::device<views>>();
  check_list<plan::symlink<views>>();
  check_list<plan::directory<views>>();
  check_list<plan::mask<views>>();
  check_list<plan::read_only<views>>();
  check_list<plan::pivot<views>>();
  check_list<plan::fault<views>>();
  check_list<plan::sysctl<views>>();
  check_list<plan::volume<views>>();
  check_list<plan::capabilities<views>>();
  check_list<plan::seccomp<views>>();
  check_list<plan::process<views>>();
  check_list<plan::log<views>>();
  check_list<plan::launch<views>>();
}

TEST_CASE("two plans are equal when every field is") {
  const auto one = every_kind();
  auto other = every_kind();
  CHECK(one == other);
  other.attempt = 8;
  CHECK(one != other);
  other = every_kind();
  std::get<device_step>(other.steps[3]).gid = 99;
  CHECK(one != other);
  other = every_kind();
  other.process.capabilities.ambient = 0;
  CHECK(one != other);
  other = every_kind();
  other.process.oom_score_adj.reset();
  CHECK(one != other);
}

TEST_CASE("a view's argv is ready for execve: in order, NULL at its end, inside the buffer") {
  auto bytes = *wire::encode_plan(every_kind());
  fenced_buffer buffer{bytes};
  wire::plan_view view;
  REQUIRE(wire::parse_plan(buffer.data(), bytes.size(), &view) == nullptr);
  REQUIRE(view.process.argv.count == 3);
  CHECK(std::string{view.process.argv.items[0]} == "sh");
  CHECK(std::string{view.process.argv.items[2]}.empty());
  CHECK(view.process.argv.items[3] == nullptr);
  CHECK(view.process.env.items[2] == nullptr);
  CHECK(view.process.argv.items[0] > buffer.data());
  CHECK(view.process.argv.items[0] < buffer.data() + bytes.size());
}

TEST_CASE("a plan cut short anywhere is refused and never read past its end") {
  const auto bytes = *wire::encode_plan(every_kind());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    auto cut = bytes.substr(0, n);
    // Once with the header's size as it was, once with a header that agrees with the cut.
    for (int fixed = 0; fixed < 2; ++fixed) {
      const auto size = static_cast<std::uint32_t>(n);
      if (fixed == 1 && n >= 12) std::memcpy(cut.data() + 8, &size, sizeof size);
      fenced_buffer buffer{cut};
      wire::plan_view view;
      CHECK(wire::parse_plan(buffer.data(), cut.size(), &view) != nullptr);
    }
  }
}

TEST_CASE("a plan with any 32-bit word overwritten is refused or still walks inside its bounds") {
  const auto bytes = *wire::encode_plan(every_kind());
  std::size_t refused = 0;
  for (std::size_t at = 0; at + 4 <= bytes.size(); ++at) {
    for (const std::uint32_t evil : {0xffffffffu, 0x7fffffffu, 0x80000000u, 0u, 1u, 4096u}) {
      auto bad = bytes;
      std::memcpy(bad.data() + at, &evil, sizeof evil);
      fenced_buffer buffer{bad};
      wire::plan_view view;
      if (wire::parse_plan(buffer.data(), bad.size(), &view) != nullptr) {
        ++refused;
        continue;
      }
      std::uint32_t seen = 0;
      auto steps = view.steps.walk();
      for (wire::step_view s; steps.next(&s);)
        ++seen;
      CHECK(seen == view.steps.count);
      for (std::uint32_t i = 0; i < view.process.env.count; ++i)
        CHECK(std::strlen(view.process.env.items[i]) < bad.size());
    }
  }
  CHECK(refused > bytes.size());
}

TEST_CASE("a plan of another version is refused by name") {
  auto bytes = *wire::encode_plan(every_kind());
  bytes[4] = 9;
  const auto back = wire::decode_plan(bytes);
  REQUIRE(!back);
  CHECK(back.error().code == errc::corrupt);
  CHECK(back.error().message().find("another version") != std::string::npos);
}

TEST_CASE("a string with a NUL never reaches the kernel") {
  auto plan = every_kind();
  plan.process.argv[1] = std::string{"a\0b", 3};
  const auto bytes = wire::encode_plan(plan);
  REQUIRE(!bytes);
  CHECK(bytes.error().code == errc::invalid);
}

TEST_CASE("plans without a name, without a program, too many steps or too large are refused") {
  auto plan = every_kind();
  plan.container.clear();
  CHECK(wire::encode_plan(plan).error().code == errc::invalid);
  plan = every_kind();
  plan.process.argv.clear();
  CHECK(wire::encode_plan(plan).error().code == errc::invalid);
  plan = every_kind();
  plan.steps.assign(wire::max_steps + 1, mask_step{"/x"});
  CHECK(wire::encode_plan(plan).error().code == errc::limit);
  plan = every_kind();
  plan.process.env.assign(9, std::string(1u << 20, 'x'));
  CHECK(wire::encode_plan(plan).error().code == errc::limit);
}

} // namespace wire_test
