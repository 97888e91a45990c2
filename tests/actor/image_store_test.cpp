#include "actors/images/image_store.hpp"

#include "tests/actor/script.hpp"

#include <doctest/doctest.h>

#include <deque>

namespace image_store_test {

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

namespace {

/// A store that has nothing, and a registry that has all but "gone".
struct pulling_world {
  std::shared_ptr<later_runner> jobs = std::make_shared<later_runner>();
  std::shared_ptr<later_runner> pulls = std::make_shared<later_runner>();
  std::shared_ptr<std::vector<oci::cancellation*>> stops =
      std::make_shared<std::vector<oci::cancellation*>>();
  std::shared_ptr<std::vector<std::vector<std::string>>> logins =
      std::make_shared<std::vector<std::vector<std::string>>>(); ///< of each pull
  script s;
  caf::actor store = spawn_image_store(
      s.sys, {.resolve = [](std::string_view name) -> result<oci::image> {
                if (name == "here/x:1")
                  return oci::image{.name = std::string{name}, .layers = {"/l/1"}};
                if (name == "hurt/x:1") return fail(errc::corrupt, "use", "layer", "it is gone");
                if (name == "BAD") return fail(errc::invalid, "parse", "BAD", "upper case");
                return fail(errc::not_found, "find image", std::string{name}, "not here");
              },
              .jobs = jobs,
              .pull = [n = stops, l = logins](const wanted_image& what,
                                              const std::function<void(std::string)>& progress,
                                              oci::cancellation& stop) -> result<oci::image> {
                const auto& name = what.name;
                l->push_back(what.logins);
                n->push_back(&stop);
                progress("pulling: 1 of 2 MiB");
                if (stop.cancelled()) return fail(errc::cancelled, "pull", std::string{name}, "");
                if (name == "gone/x:1")
                  return fail(errc::not_found, "pull image", "gone/x:1", "404");
                return oci::image{.name = std::string{name}, .layers = {"/l/9"}};
              },
              .pulls = pulls});
  pulling_world() { s.settle(); }
  void ask(const std::string& name, const std::string& policy, std::uint64_t ticket,
           const caf::actor& who) {
    s.send(who, store, resolve_image{name, ticket, who, policy});
    s.step(store);
  }
  void ask_as(const std::string& name, std::vector<std::string> as, std::uint64_t ticket,
              const caf::actor& who) {
    s.send(who, store, resolve_image{name, ticket, who, "Always", std::move(as)});
    s.step(store);
  }
  void settle_store() {
    while (s.step(store)) {
    }
  }
  void look() {
    jobs->run_all();
    settle_store();
  }
  void land() {
    pulls->run_all();
    settle_store();
  }
  /// Its answer, and how often it heard of progress before.
  std::pair<image_resolved, int> answer(const caf::actor& who) {
    int heard = 0;
    for (;; ++heard) {
      const auto next = s.peek(who);
      if (!next || !compat::message_as<image_progress>(next->second)) break;
      (void)s.take<image_progress>(who);
    }
    return {s.take<image_resolved>(who), heard};
  }
};

} // namespace

TEST_CASE("what the policies mean, and which names have no registry behind them") {
  CHECK(plan_lookup("web:1", "Never") == image_lookup::here_only);
  CHECK(plan_lookup("web:1", "IfNotPresent") == image_lookup::here_first);
  CHECK(plan_lookup("web:1", "Always") == image_lookup::registry);
  for (const auto* local : {"localhost/web:1", "rootfs:/srv/tree", "oci:/d/layout", "BAD:::"})
    CHECK_MESSAGE(plan_lookup(local, "Always") == image_lookup::here_only, local);
  CHECK(plan_lookup("localhost:5000/web:1", "Always") == image_lookup::registry);
}

TEST_CASE("a hundred pods that want one missing image cause one pull") {
  pulling_world w;
  std::vector<caf::actor> pods;
  for (int i = 0; i < 100; ++i)
    pods.push_back(w.s.peer());
  for (std::uint64_t i = 0; i < 100; ++i)
    w.ask("a/web:1", i % 2 == 0 ? "IfNotPresent" : "Always", i, pods[i]);
  w.look();
  CHECK(w.pulls->jobs.size() == 1);
  w.land();
  CHECK(w.stops->size() == 1);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto [got, heard] = w.answer(pods[i]);
    CHECK(got.ticket == i);
    CHECK(heard == 2); // that it begins, and how far it is
    REQUIRE(got.image);
    CHECK(got.image->layers.size() == 1);
  }
}

TEST_CASE("what is here is not pulled; what is damaged is") {
  pulling_world w;
  auto a = w.s.peer();
  w.ask("here/x:1", "IfNotPresent", 1, a);
  w.ask("hurt/x:1", "IfNotPresent", 2, a);
  w.look();
  CHECK(w.answer(a).first.image);
  CHECK(w.pulls->jobs.size() == 1);
  w.land();
  const auto mended = w.answer(a).first;
  CHECK(mended.ticket == 2);
  CHECK(mended.image);
}

TEST_CASE("each way to have no image has its word") {
  pulling_world w;
  auto a = w.s.peer();
  const auto problem = [&](const std::string& name, const std::string& policy) {
    w.ask(name, policy, 1, a);
    w.look();
    w.land();
    const auto got = w.answer(a).first;
    CHECK_FALSE(got.image);
    return got.problem;
  };
  CHECK(problem("none/x:1", "Never") == image_problem::never_pull);
  CHECK(problem("localhost/x:1", "Always") == image_problem::never_pull);
  CHECK(problem("BAD", "IfNotPresent") == image_problem::invalid_name);
  CHECK(w.stops->empty());
  CHECK(problem("gone/x:1", "IfNotPresent") == image_problem::pull_failed);
  CHECK(problem("gone/x:1", "Always") == image_problem::pull_failed);
}

TEST_CASE("a pull goes on while one pod waits, and is cancelled when none does") {
  pulling_world w;
  auto a = w.s.peer();
  auto b = w.s.peer();
  w.ask("a/web:1", "Always", 1, a);
  w.ask("a/web:1", "Always", 2, b);
  caf::anon_send_exit(a, caf::exit_reason::kill);
  w.s.settle();
  CHECK(w.pulls->jobs.size() == 1);
  caf::anon_send_exit(b, caf::exit_reason::kill);
  w.s.settle();
  // Somebody new starts anew; the cancelled flight's landing is not taken for its own.
  auto c = w.s.peer();
  w.ask("a/web:1", "Always", 3, c);
  CHECK(w.pulls->jobs.size() == 2);
  w.land();
  REQUIRE(w.stops->size() == 2);
  const auto got = w.answer(c).first;
  CHECK(got.ticket == 3);
  CHECK(got.image);
}

TEST_CASE("a pull is shared by those alone that have the same logins") {
  pulling_world w;
  std::vector<caf::actor> pods;
  for (int i = 0; i < 4; ++i)
    pods.push_back(w.s.sys.spawn([](caf::event_based_actor*) -> caf::behavior {
      return {[](const image_resolved&) {}, [](const image_progress&) {}};
    }));
  w.ask_as("a/x:1", {"one"}, 1, pods[0]);
  w.ask_as("a/x:1", {"one"}, 2, pods[1]);
  w.ask_as("a/x:1", {"two"}, 3, pods[2]);
  w.ask_as("a/x:1", {}, 4, pods[3]);
  w.pulls->run_all();
  w.settle_store();
  CHECK(*w.logins == std::vector<std::vector<std::string>>{{"one"}, {"two"}, {}});
  for (const auto& pod : pods)
    caf::anon_send_exit(pod, caf::exit_reason::user_shutdown);
  w.s.settle();
}

TEST_CASE("a store that ends cancels its pulls and answers who waited") {
  pulling_world w;
  auto a = w.s.peer();
  w.ask("a/web:1", "Always", 1, a);
  caf::anon_send_exit(w.store, caf::exit_reason::kill);
  w.s.step(w.store);
  CHECK(w.answer(a).first.problem == image_problem::pull_failed);
  w.pulls->run_all(); // finds itself cancelled, and nobody to tell
}

TEST_CASE("offline, an image that is not here says so, whatever the policy would allow") {
  script s;
  auto jobs = std::make_shared<later_runner>();
  auto store = spawn_image_store(
      s.sys, {.resolve = [](std::string_view name) -> result<oci::image> {
                return fail(errc::not_found, "find image", std::string{name}, "not here");
              },
              .jobs = jobs,
              .offline = true});
  s.settle();
  auto a = s.peer();
  for (const auto& [name, policy, says] :
       {std::tuple{"a/web:1", "Always", true}, std::tuple{"a/web:1", "IfNotPresent", true},
        std::tuple{"a/web:1", "Never", false}, std::tuple{"localhost/web:1", "Always", false}}) {
    s.send(a, store, resolve_image{name, 1, a, policy});
    s.step(store);
    jobs->run_all();
    s.step(store);
    const auto got = s.take<image_resolved>(a);
    CHECK(got.problem == image_problem::never_pull);
    CHECK_MESSAGE((got.why.message().find("not_cached") != std::string::npos) == says,
                  got.why.message());
  }
}

} // namespace image_store_test
