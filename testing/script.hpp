/// Scripts actors by messages, one at a time, in virtual time: deterministic actor tests with
/// doctest.
///
///   TEST_CASE("a ping is answered, late") {
///     tank::testing::script s;
///     auto me = s.peer();                          // stands for the other side
///     auto it = s.sys.spawn<my_actor>();
///     s.settle();                                  // the first job of an actor is its start
///     s.send(me, it, ping{1});
///     s.expect(me, it, ping{1});                   // sender, receiver, value; `it` handles it
///     CHECK(s.advance(10s) == 1);                  // a timer is due: its message waits
///     s.expect(it, it, answer_due{});
///     s.expect(it, me, pong{1});
///   }
///
/// The test chooses whose message is handled next; within one mailbox the order is checked. Works
/// with any messages of one element that CAF can send, that have operator== and a number:
/// TANK_INSPECT (actors/caf_compat.hpp) makes a struct sendable and printable in CAF 0.17 and
/// >= 1.0, a type-id block of CAF's gives the number, and
/// compat::init_types<caf::id_block::yours>() makes CAF know it, before the first script. Actors
/// under a script must not be reached from other threads, nor be detached.
#pragma once

#include "actors/caf_compat.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#if TANK_CAF_LEGACY
#include <caf/scheduler/test_coordinator.hpp>
#else
#include "testing/script_backend_v1.hpp"
#endif

namespace tank::testing {

struct any_sender_t {};
inline constexpr any_sender_t any_sender{};

#if TANK_CAF_LEGACY
/// The deterministic scheduler and clock of CAF 0.17.
class script_backend {
  struct config : caf::actor_system_config {
    config() {
      set("scheduler.policy", caf::atom("testing"));
      set("logger.verbosity", caf::atom("quiet"));
    }
  };
  config config_;

 public:
  caf::actor_system sys{config_};

  script_backend() = default;
  script_backend(const script_backend&) = delete;
  script_backend& operator=(const script_backend&) = delete;
  // pending timers hold their receivers: without this ~actor_system would wait for ever
  ~script_backend() {
    scheduler().clock().cancel_all();
    settle();
  }

  /// The next message of `to` with its sender; not taken out.
  std::optional<std::pair<caf::strong_actor_ptr, caf::message>> peek(const caf::actor& to) {
    auto* element = caf::actor_cast<caf::abstract_actor*>(to)->peek_at_next_mailbox_element();
    if (element == nullptr) return std::nullopt;
    return std::pair{element->sender, element->copy_content_to_message()};
  }
  /// Lets `to` handle its next message only; false when it has nothing to do.
  bool step(const caf::actor& to) {
    if (!scheduler().prioritize(to)) return false;
    scheduler().run_once();
    return true;
  }
  [[nodiscard]] std::size_t pending() { return scheduler().jobs.size(); }
  /// Runs everything that can run now.
  void settle() {
    while (scheduler().try_run_once()) {
    }
  }
  /// Moves the clock; returns how many timers fired. Their messages wait to be handled.
  std::size_t advance(std::chrono::nanoseconds by) { return scheduler().advance_time(by); }

 private:
  caf::scheduler::test_coordinator& scheduler() {
    return dynamic_cast<caf::scheduler::test_coordinator&>(sys.scheduler());
  }
};
#endif

class script : public script_backend {
 public:
  /// An actor that takes everything and does nothing: stands for the other side.
  caf::actor peer() {
    auto a = sys.spawn([](caf::event_based_actor* self) -> caf::behavior {
#if TANK_CAF_LEGACY
      // caf::drop would answer every message with an error; a peer says nothing
      self->set_default_handler(
          [](auto*, auto&) -> caf::result<caf::message> { return caf::delegated<caf::message>{}; });
      return {[](caf::unit_t) {}};
#else
      (void)self;
      return {[](const caf::message&) {}};
#endif
    });
    settle();
    return a;
  }

  template <class T>
  void send(const caf::actor& from, const caf::actor& to, T message) {
    compat::check_numbered<T>();
#if TANK_CAF_LEGACY
    to->enqueue(caf::actor_cast<caf::strong_actor_ptr>(from), caf::make_message_id(),
                caf::make_message(std::move(message)), nullptr);
#else
    caf::actor_cast<caf::abstract_actor*>(to)->enqueue(
        caf::make_mailbox_element(caf::actor_cast<caf::strong_actor_ptr>(from),
                                  caf::make_message_id(), std::move(message)),
        nullptr);
#endif
  }

  /// The next message of `to` is exactly `want` from `from` (an actor, nullptr = anonymous, or
  /// any_sender); `to` then handles this message and no other.
  template <class T, class From>
  void expect(const From& from, const caf::actor& to, const T& want) {
    expect_if<T>(from, to, [&](const T& got) {
      CHECK_MESSAGE(got == want, "got ", caf::deep_to_string(got), ", want ",
                    caf::deep_to_string(want));
      return true;
    });
  }

  template <class T, class From, class Predicate>
  void expect_if(const From& from, const caf::actor& to, Predicate accept) {
    auto next = peek(to);
    REQUIRE_MESSAGE(next, "no message waits for the receiver");
    auto got = compat::message_as<T>(next->second);
    REQUIRE_MESSAGE(got, "the next message is another: ", caf::to_string(next->second));
    if constexpr (std::is_same_v<From, std::nullptr_t>)
      CHECK_MESSAGE(!next->first, "the message has a sender");
    else if constexpr (!std::is_same_v<From, any_sender_t>)
      CHECK_MESSAGE(next->first == caf::actor_cast<caf::strong_actor_ptr>(from), "other sender");
    REQUIRE(accept(*got));
    REQUIRE(step(to));
  }

  /// The next message of `to`, handled; fails when it is no T.
  template <class T>
  T take(const caf::actor& to) {
    std::optional<T> out;
    expect_if<T>(any_sender, to, [&](const T& got) {
      out = got;
      return true;
    });
    return *std::move(out);
  }

  void expect_quiet(const caf::actor& to) {
    auto next = peek(to);
    CHECK_MESSAGE(!next, "unexpected message: ", next ? caf::to_string(next->second) : "");
  }

  /// Asks from outside, runs everything, returns the answer; fails on an error answer.
  template <class Answer, class T>
  Answer ask(const caf::actor& to, T question) {
    std::optional<Answer> out;
    caf::scoped_actor self{sys};
    auto handle = compat::request(&*self, to, std::chrono::seconds{1}, std::move(question));
    settle();
    std::move(handle).receive([&](const Answer& a) { out = a; },
                              [&](const caf::error& e) { FAIL("error answer: ", to_string(e)); });
    return *std::move(out);
  }
};

} // namespace tank::testing
