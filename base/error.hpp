/// How a fallible function of this project reports failure.
///
/// Below the actors nothing throws on purpose: a function returns `tank::result<T>`, whose error
/// says which step failed on which object and why. The text is made in one place, here, and reads
/// `cannot <step> '<object>': <cause>` with a hint behind it when a way to mend is known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace tank {

/// What kind of failure it is: what callers branch on. Never parse the text.
enum class errc : std::uint8_t {
  invalid,     ///< the input is wrong; trying again cannot help
  not_found,   ///< a named thing does not exist
  exists,      ///< a thing exists that must not
  denied,      ///< permission
  unsupported, ///< valid, but not realised by this program or this host
  limit,       ///< a size or count limit was passed
  io,          ///< the operating system refused; see `sys`
  corrupt,     ///< stored or received data contradicts itself (digest, framing)
  timeout,     ///< did not happen in time
  unavailable, ///< the other side is gone or not there yet
  conflict,    ///< the state does not allow it (not_running, attached, ...)
  cancelled,   ///< the caller no longer wants it
  internal,    ///< a bug of ours
};

std::string_view to_string(errc code) noexcept;

/// One failure. A value: cheap to move, comparable in tests, safe to send between threads.
struct error {
  errc code = errc::internal;
  int sys = 0;        ///< errno of the failed call, 0 when there is none
  std::string step;   ///< the verb phrase: "open", "mount overlay on", "parse"
  std::string object; ///< what it was done to: a path, a name, a field
  std::string cause;  ///< why; the text of `sys` when empty
  std::string hint;   ///< how to mend it; empty when unknown

  /// `cannot <step> '<object>': <cause>[ (<hint>)]`, no trailing period.
  [[nodiscard]] std::string message() const;

  bool operator==(const error&) const = default;
};

template <class T>
using result = tl::expected<T, error>;
using failure = tl::unexpected<error>;

/// An error whose cause is text.
failure fail(errc code, std::string step, std::string object, std::string cause,
             std::string hint = {});

/// An error whose cause is the errno value `sys` (pass `errno`, at once); `code` follows from it
/// (ENOENT -> not_found, EEXIST -> exists, EACCES/EPERM -> denied, ..., else io).
failure fail_errno(int sys, std::string step, std::string object, std::string hint = {});

/// Puts an outer step around `inner`, keeping its code, errno and hint: the message chain grows
/// outermost first, as in `cannot start 'web': cannot open '/x': No such file or directory`.
failure wrap(error inner, std::string step, std::string object);

/// The text of an errno value, thread-safe.
std::string errno_text(int sys);

} // namespace tank

#define TANK_CONCAT_(a, b) a##b
#define TANK_CONCAT(a, b) TANK_CONCAT_(a, b)

/// Evaluates a `result<T>`: yields the value, or returns the error from the enclosing function.
/// `auto fd = TANK_TRY(open_file(path));`  works for `result<void>` too.
#define TANK_TRY(...)                                                                              \
  __extension__({                                                                                  \
    auto tank_try_result_ = (__VA_ARGS__);                                                         \
    if (!tank_try_result_) return ::tl::make_unexpected(std::move(tank_try_result_).error());      \
    ::tank::detail::unwrap(std::move(tank_try_result_));                                           \
  })

namespace tank::detail {
template <class T>
T unwrap(result<T>&& r) {
  return *std::move(r);
}
inline void unwrap(result<void>&&) {}
} // namespace tank::detail
