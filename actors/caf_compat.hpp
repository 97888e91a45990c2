/// One dialect for CAF 0.17.x (Debian) and CAF >= 1.0: the only file that knows which one it is.
///
/// Include it in .cpp files and in headers of actors; it pulls in all of CAF, so keep it out of
/// headers that other rooms read. Conventions that make one source enough:
///   * actors are classes that derive from tank::role (role.hpp); no typed, no stateful actors
///   * one plain struct per message, declared sendable by its role's list; no atoms; sending one
///     that has no number there does not compile, on either line
///   * no links and no monitors: compat::watch() turns an end into a message of our own
///   * timers cannot be cancelled: a generation number in the message makes a stale one harmless
#pragma once

#include "actors/caf_build.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

// CAF 1.1.0 defines CAF_VERSION as an octal number; CAF_MAJOR_VERSION is right everywhere.
#if CAF_MAJOR_VERSION == 0
#if CAF_VERSION < 1700 || CAF_VERSION >= 1800
#error "only CAF 0.17.x and >= 1.0 are supported"
#endif
#define TANK_CAF_LEGACY 1
#else
#define TANK_CAF_LEGACY 0
#include <caf/anon_mail.hpp>
#include <caf/const_typed_message_view.hpp>
#include <caf/init_global_meta_objects.hpp>
#endif

// --- a macro loop over at most 25 arguments ------------------------------------------------------

#define TANK_PARENS ()
#define TANK_EXPAND(...) TANK_E3(TANK_E3(TANK_E3(__VA_ARGS__)))
#define TANK_E3(...) TANK_E2(TANK_E2(TANK_E2(__VA_ARGS__)))
#define TANK_E2(...) TANK_E1(TANK_E1(TANK_E1(__VA_ARGS__)))
#define TANK_E1(...) __VA_ARGS__
#define TANK_FOR_EACH(m, ...) __VA_OPT__(TANK_EXPAND(TANK_FE_(m, __VA_ARGS__)))
#define TANK_FE_(m, a, ...) , m(a) __VA_OPT__(TANK_FE_AGAIN TANK_PARENS(m, __VA_ARGS__))
#define TANK_FE_AGAIN() TANK_FE_

// --- TANK_INSPECT(type, fields...): makes a struct sendable and printable ------------------------
// Goes into the namespace of the struct. Fields that CAF cannot inspect (shared_ptr, std::optional,
// handles of threads) make the struct a CAF_ALLOW_UNSAFE_MESSAGE_TYPE instead.

#if TANK_CAF_LEGACY
#define TANK_FIELD(a) x.a
#define TANK_INSPECT(T, ...)                                                                       \
  template <class I>                                                                               \
  typename I::result_type inspect(I& f, T& x) {                                                    \
    (void)x;                                                                                       \
    return f(caf::meta::type_name(#T) TANK_FOR_EACH(TANK_FIELD, __VA_ARGS__));                     \
  }
/// 0.17 inspects an enum as its number by itself.
#define TANK_INSPECT_ENUM(E)
#else
#define TANK_FIELD(a) f.field(#a, x.a)
#define TANK_INSPECT(T, ...)                                                                       \
  template <class I>                                                                               \
  bool inspect(I& f, T& x) {                                                                       \
    return ::tank::compat::object_fields(f, x, 0 TANK_FOR_EACH(TANK_FIELD, __VA_ARGS__));          \
  }
#define TANK_INSPECT_ENUM(E)                                                                       \
  template <class I>                                                                               \
  bool inspect(I& f, E& x) {                                                                       \
    using number = std::underlying_type_t<E>;                                                      \
    auto get = [&x] { return static_cast<number>(x); };                                            \
    auto set = [&x](number v) {                                                                    \
      x = static_cast<E>(v);                                                                       \
      return true;                                                                                 \
    };                                                                                             \
    return f.apply(get, set);                                                                      \
  }
#endif

// --- TANK_ROLE_MESSAGES(block, role, list): all that a message needs, from one list per role -----
// `list(M, O, block)` names each message once: M(block, type, fields...) for a struct whose fields CAF
// can inspect, O(block, type) for one that it cannot (a shared_ptr, a std::optional, a descriptor).
// `role` is its number in compat::roles; the upper private_numbers of its range are for what its
// actors tell only themselves. At global scope; the structs are in
// namespace tank, and their enums are TANK_INSPECT_ENUM before.
//
//   #define MY_MESSAGES(M, O, b) M(b, door_opened, name, at) M(b, door_closed) O(b, picture_taken)
//   TANK_ROLE_MESSAGES(tank_doors, compat::roles::doors, MY_MESSAGES)

#define TANK_ROLE_MESSAGES(block, role, list)                                                      \
  TANK_MESSAGE_BLOCK_(block, (role) * ::tank::compat::role_numbers,                                \
                      ::tank::compat::role_numbers - ::tank::compat::private_numbers, list)
/// The same for messages of one source file, which nobody else sends; registered before main().
#define TANK_PRIVATE_MESSAGES(block, role, list)                                                   \
  TANK_MESSAGE_BLOCK_(                                                                             \
      block, ((role) + 1) * ::tank::compat::role_numbers - ::tank::compat::private_numbers,        \
      ::tank::compat::private_numbers, list);                                                      \
  [[maybe_unused]] static const bool block##_is_known =                                            \
      ::tank::compat::init_types<::caf::id_block::block>()
#define TANK_MESSAGE_BLOCK_(block, first, most, list)                                              \
  namespace tank {                                                                                 \
  list(TANK_LIST_INSPECT_, TANK_LIST_SKIP_, block)                                                 \
  }                                                                                                \
  list(TANK_LIST_SKIP_, TANK_LIST_OPAQUE_, block)                                                  \
      CAF_BEGIN_TYPE_ID_BLOCK(block, TANK_TYPE_ID_BASE + (first))                                  \
          list(TANK_LIST_NUMBER_, TANK_LIST_NUMBER_, block)                                        \
              CAF_END_TYPE_ID_BLOCK(block) static_assert(                                          \
                  ::caf::id_block::block::end <= TANK_TYPE_ID_BASE + (first) + (most),             \
                  "this role has more messages than numbers")
#define TANK_LIST_SKIP_(b, ...)
#define TANK_LIST_INSPECT_(b, ...) TANK_INSPECT(__VA_ARGS__)
#define TANK_LIST_OPAQUE_(b, T) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(tank::T)
#define TANK_LIST_NUMBER_(b, T, ...) CAF_ADD_TYPE_ID(b, (tank::T))

// --- TANK_MESSAGES(block, types...): a program's own messages, at most 25 ------------------------
// Gives them numbers behind tank's and registers them before main() runs. At global scope, behind
// their TANK_INSPECT and before the first use. For a program of one source file, such as a test:
// the numbers depend on what the file includes. A larger one uses CAF's own type-id blocks and
// calls compat::init_types for each.
//
//   namespace { struct go { int n = 0; };  TANK_INSPECT(go, n) }
//   TANK_MESSAGES(my_test, go)

#define TANK_MESSAGES(block, ...)                                                                  \
  CAF_BEGIN_TYPE_ID_BLOCK(block, TANK_TYPE_ID_BASE + ::tank::compat::all_numbers + __COUNTER__)    \
  TANK_EXPAND(TANK_NUMBER_(block, __VA_ARGS__))                                                    \
  CAF_END_TYPE_ID_BLOCK(block)                                                                     \
  [[maybe_unused]] static const bool block##_is_known =                                            \
      ::tank::compat::init_types<::caf::id_block::block>();
#define TANK_NUMBER_(block, T, ...)                                                                \
  CAF_ADD_TYPE_ID(block, (T))                                                                      \
  __VA_OPT__(TANK_NUMBER_AGAIN_ TANK_PARENS(block, __VA_ARGS__))
#define TANK_NUMBER_AGAIN_() TANK_NUMBER_

namespace tank::compat {

/// Numbers of messages behind TANK_TYPE_ID_BASE: a range for each role, then those of programs.
/// CAF >= 1.0 knows a message by its number, in one table of the process; two with one number abort.
inline constexpr unsigned role_numbers = 64;
inline constexpr unsigned private_numbers = 16; ///< of those
enum class roles : unsigned {
  supervision,
  poller,
  runtime,
  run_registry,
  reconcile,
  janitor,
  images,
  manifests,
  sessions,
  network,
  api,
  count
};
constexpr unsigned operator*(roles r, unsigned n) {
  return static_cast<unsigned>(r) * n;
}
constexpr unsigned operator+(roles r, unsigned n) {
  return static_cast<unsigned>(r) + n;
}
inline constexpr unsigned all_numbers = roles::count * role_numbers;

/// Whether T has a number, by which CAF >= 1.0 knows a message. Debian's CAF needs none, so what
/// was forgotten would show only on the other line: everything here that sends asks for it.
template <class T>
concept numbered = requires {
  caf::type_id<std::decay_t<T>>::value;
};

template <class T>
constexpr void check_numbered() {
  static_assert(numbered<T>, "give this message a line in its role's list (TANK_ROLE_MESSAGES), "
                             "or TANK_MESSAGES in a test");
}

#if !TANK_CAF_LEGACY
template <class I, class T, class... F>
bool object_fields(I& f, T& x, int, F&&... fields) {
  return f.object(x).fields(std::forward<F>(fields)...);
}
#endif

/// Makes CAF know the types of a block; any number of times, but before the first actor_system of
/// the process. Nothing to do in 0.17.
template <class Block>
bool init_types() {
#if !TANK_CAF_LEGACY
  caf::init_global_meta_objects<Block>();
  caf::core::init_global_meta_objects();
#endif
  return true;
}

/// The scheduler a daemon wants: `sharing` sleeps when idle, while the default work stealing keeps
/// polling (measured: 15 ms against 0.04 ms of CPU in two idle seconds).
inline void set_scheduler(caf::actor_system_config& cfg, std::size_t threads) {
#if TANK_CAF_LEGACY
  cfg.set("scheduler.policy", caf::atom("sharing"));
  cfg.set("scheduler.max-threads", threads);
#else
  cfg.set("caf.scheduler.policy", "sharing");
  cfg.set("caf.scheduler.max-threads", threads);
#endif
}

// --- sending -------------------------------------------------------------------------------------

template <class Self, class Dst, class Msg>
void send(Self* self, const Dst& dst, Msg&& m) {
  check_numbered<Msg>();
#if TANK_CAF_LEGACY
  self->send(dst, std::forward<Msg>(m));
#else
  self->mail(std::forward<Msg>(m)).send(dst);
#endif
}

/// Without a sender, from any thread.
template <class Dst, class Msg>
void anon_send(const Dst& dst, Msg&& m) {
  check_numbered<Msg>();
#if TANK_CAF_LEGACY
  caf::anon_send(dst, std::forward<Msg>(m));
#else
  caf::anon_mail(std::forward<Msg>(m)).send(dst);
#endif
}

/// A pending timer keeps its receiver alive until it fires.
template <class Self, class Dst, class Dur, class Msg>
void send_after(Self* self, const Dst& dst, Dur delay, Msg&& m) {
  check_numbered<Msg>();
#if TANK_CAF_LEGACY
  self->delayed_send(dst, delay, std::forward<Msg>(m));
#else
  self->mail(std::forward<Msg>(m)).delay(delay).send(dst);
#endif
}

/// `.then(ok, error)` in an actor, `std::move(h).receive(ok, error)` outside.
template <class Self, class Dst, class Msg>
auto request(Self* self, const Dst& dst, std::chrono::milliseconds timeout, Msg&& m) {
  check_numbered<Msg>();
#if TANK_CAF_LEGACY
  return self->request(dst, timeout, std::forward<Msg>(m));
#else
  return self->mail(std::forward<Msg>(m)).request(dst, timeout);
#endif
}

/// A request without a deadline: an answer, an error, or the end of `dst` ends it.
template <class Self, class Dst, class Msg>
auto ask(Self* self, const Dst& dst, Msg&& m) {
  check_numbered<Msg>();
#if TANK_CAF_LEGACY
  return self->request(dst, caf::infinite, std::forward<Msg>(m));
#else
  return self->mail(std::forward<Msg>(m)).request(dst, caf::infinite);
#endif
}

// --- errors and messages as values ---------------------------------------------------------------

inline bool is_normal(const caf::error& e) {
  return e == caf::error{} || e == caf::make_error(caf::exit_reason::normal);
}

/// The only element of `m`, when it is a T.
template <class T>
std::optional<T> message_as(const caf::message& m) {
#if TANK_CAF_LEGACY
  if (m.match_elements<T>()) return m.get_as<T>(0);
#else
  if (auto v = caf::make_const_typed_message_view<T>(m)) return caf::get<0>(v);
#endif
  return std::nullopt;
}

/// An error that carries one struct. sec::runtime_error is only the envelope: error-code enums
/// register differently in the two lines of CAF.
template <class T>
caf::error wrap_error(T carried) {
  check_numbered<T>();
  return caf::make_error(caf::sec::runtime_error, std::move(carried));
}

template <class T>
std::optional<T> context_as(const caf::error& e) {
  if (is_normal(e)) return std::nullopt;
  return message_as<T>(e.context());
}

// --- the end of an actor -------------------------------------------------------------------------

/// Sends `make(reason)` to `watcher` when `child` ends, at once when it already has. `make` runs in
/// the thread that ends the child: it must only build a message.
template <class Make>
void watch(const caf::actor& child, const caf::actor& watcher, Make make) {
  child->attach_functor(
      [weak = watcher.address(), make = std::move(make)](const caf::error& reason) {
        if (auto strong = caf::actor_cast<caf::actor>(weak))
          compat::anon_send(strong, make(reason));
      });
}

/// A watch that can be given up: for one who comes and goes, while what it watches stays. (A plain
/// watch() stays attached for the other's life; a thousand of them are a leak.) Ends with this
/// object; a message that is under way may still arrive.
class end_watch {
 public:
  end_watch() noexcept = default;
  end_watch(caf::actor_addr child, std::shared_ptr<const int> key) noexcept
      : child_(std::move(child))
      , key_(std::move(key)) {}
  end_watch(end_watch&& other) noexcept = default;
  end_watch& operator=(end_watch&& other) noexcept {
    reset();
    child_ = std::move(other.child_);
    key_ = std::move(other.key_);
    return *this;
  }
  ~end_watch() { reset(); }
  void reset() noexcept {
    if (const auto key = std::exchange(key_, nullptr))
      if (const auto child = caf::actor_cast<caf::strong_actor_ptr>(child_))
        caf::actor_cast<caf::abstract_actor*>(child)->detach({token_type, key.get()});
  }

  static constexpr std::size_t token_type = 0x7a6e6b; ///< apart from CAF's own

 private:
  caf::actor_addr child_;
  std::shared_ptr<const int> key_; ///< its address is the name of the watch
};

namespace detail {
template <class Make>
class watch_attachable final : public caf::attachable {
 public:
  watch_attachable(std::shared_ptr<const int> key, caf::actor_addr watcher, Make make)
      : key_(std::move(key))
      , watcher_(std::move(watcher))
      , make_(std::move(make)) {}
#if TANK_CAF_LEGACY
  void actor_exited(const caf::error& reason, caf::execution_unit*) override {
#else
  void actor_exited(const caf::error& reason, caf::scheduler*) override {
#endif
    if (auto strong = caf::actor_cast<caf::actor>(watcher_))
      compat::anon_send(strong, make_(reason));
  }
  bool matches(const token& what) override {
    return what.subtype == end_watch::token_type && what.ptr == key_.get();
  }

 private:
  std::shared_ptr<const int> key_;
  caf::actor_addr watcher_;
  Make make_;
};
} // namespace detail

/// watch(), until the result is reset or destroyed.
template <class Make>
[[nodiscard]] end_watch watch_until_reset(const caf::actor& child, const caf::actor& watcher,
                                          Make make) {
  auto key = std::make_shared<const int>(0);
  end_watch watch{child.address(), key};
  caf::actor_cast<caf::abstract_actor*>(child)->attach(caf::attachable_ptr{
      new detail::watch_attachable<Make>(std::move(key), watcher.address(), std::move(make))});
  return watch;
}

/// Hands exit signals to `handle(reason)` instead of ending the actor. A kill still ends it.
template <class Self, class Handle>
void trap_exit(Self* self, Handle handle) {
#if TANK_CAF_LEGACY
  self->set_exit_handler([handle](caf::exit_msg& m) { handle(m.reason); });
#else
  CAF_PUSH_DEPRECATED_WARNING
  self->set_exit_handler([handle](caf::exit_msg& m) { handle(m.reason); });
  CAF_POP_WARNINGS
#endif
}

/// Lets an error that arrives as a message end nobody. CAF >= 1.0 answers a message whose handler
/// threw with an error to whoever sent it, and the default handler then ends the sender: one
/// actor's failure would be another's. Errors of requests still reach the request's own handler.
template <class Self>
void outlive_errors([[maybe_unused]] Self* self) {
#if !TANK_CAF_LEGACY
  CAF_PUSH_DEPRECATED_WARNING
  self->set_error_handler([](caf::error&) {});
  CAF_POP_WARNINGS
#endif
}

/// Ends `to` as a linked actor's end would: with any reason, unlike anon_send_exit. From any
/// thread.
inline void send_exit(const caf::actor& to, caf::error reason) {
#if TANK_CAF_LEGACY
  to->eq_impl(caf::make_message_id(caf::message_priority::high), nullptr, nullptr,
              caf::exit_msg{to.address(), std::move(reason)});
#else
  caf::anon_mail(caf::exit_msg{to.address(), std::move(reason)}).urgent().send(to);
#endif
}

} // namespace tank::compat
