#include "actors/image_store.hpp"

#include "tests/actor/script.hpp"

#include <doctest/doctest.h>

#include <deque>

using namespace tank;
using namespace tank::testing;

namespace {

/// Keeps jobs until the test runs them: a pull that takes its time.
class later_runner final : public job_runner {
 public:
  std::deque<std::function<void()>> jobs;
  void submit(std::function<void()> job) override { jobs.push_back(std::move(job)); }
  void run_all() {
    while (!jobs.empty()) {
      auto job = std::move(jobs.front());
      jobs.pop_front();
      job();
    }
  }
};

struct world {
  std::shared_ptr<later_runner> jobs = std::make_shared<later_runner>();
  std::shared_ptr<int> resolved = std::make_shared<int>(0);
  script s;
  caf::actor store = spawn_image_store(
      s.sys, {.resolve = [n = resolved](std::string_view name) -> result<oci::image> {
                ++*n;
                if (name == "none") return fail(errc::not_found, "read", "refs/none", "no file");
                if (name == "bad") return fail(errc::corrupt, "read", "blob", "digest differs");
                return oci::image{.name = std::string{name}, .layers = {"/l/1", "/l/2"}};
              },
              .jobs = jobs});
  world() { s.settle(); }
  void ask(const std::string& name, std::uint64_t ticket, const caf::actor& who) {
    s.send(who, store, resolve_image{name, ticket, who});
    s.step(store);
  }
};

} // namespace

TEST_CASE("questions for one name share one flight; each gets its answer") {
  world w;
  auto a = w.s.peer();
  auto b = w.s.peer();
  w.ask("web", 1, a);
  w.ask("web", 2, b);
  CHECK(w.jobs->jobs.size() == 1);
  w.jobs->run_all();
  w.s.step(w.store);
  CHECK(*w.resolved == 1);
  w.s.expect_if<image_resolved>(w.store, a, [](const image_resolved& m) {
    CHECK(m.ticket == 1);
    CHECK(m.image->name == "web");
    return true;
  });
  w.s.expect_if<image_resolved>(w.store, b, [](const image_resolved& m) {
    CHECK(m.ticket == 2);
    return true;
  });
  w.ask("web", 3, a); // landed: the next question flies anew
  CHECK(w.jobs->jobs.size() == 1);
}

TEST_CASE("layers are in use until their user ends") {
  world w;
  auto a = w.s.peer();
  w.ask("web", 1, a);
  w.jobs->run_all();
  w.s.settle();
  CHECK(w.s.ask<layers_in_use>(w.store, get_layers_in_use{}).layers.size() == 2);
  caf::anon_send_exit(a, caf::exit_reason::kill);
  w.s.settle();
  CHECK(w.s.ask<layers_in_use>(w.store, get_layers_in_use{}).layers.empty());
}

TEST_CASE("a missing image says how to get it, another failure speaks for itself") {
  world w;
  auto a = w.s.peer();
  w.ask("none", 1, a);
  w.ask("bad", 2, a);
  w.jobs->run_all();
  w.s.step(w.store);
  w.s.step(w.store);
  CHECK(w.s.take<image_resolved>(a).why.message() ==
        "cannot find image 'none': not in the local store (load it with: tank image load ARCHIVE, "
        "or tank image import ROOTFS.tar none)");
  CHECK(w.s.take<image_resolved>(a).why.message() == "cannot read 'blob': digest differs");
  CHECK(w.s.ask<layers_in_use>(w.store, get_layers_in_use{}).layers.empty());
}

TEST_CASE("a store that ends with questions in its hands answers them") {
  world w;
  auto a = w.s.peer();
  w.ask("web", 7, a);
  caf::anon_send_exit(w.store, caf::exit_reason::kill);
  w.s.step(w.store);
  const auto answer = w.s.take<image_resolved>(a);
  CHECK(answer.ticket == 7);
  CHECK(answer.image == nullptr);
  CHECK(answer.why.message() == "cannot resolve image 'web': the image store has ended");
}
