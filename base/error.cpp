#include "base/error.hpp"

#include <array>
#include <cerrno>
#include <cstring>

namespace tank {

std::string_view to_string(errc code) noexcept {
  switch (code) {
  case errc::invalid:
    return "invalid";
  case errc::not_found:
    return "not_found";
  case errc::exists:
    return "exists";
  case errc::denied:
    return "denied";
  case errc::unsupported:
    return "unsupported";
  case errc::limit:
    return "limit";
  case errc::io:
    return "io";
  case errc::corrupt:
    return "corrupt";
  case errc::timeout:
    return "timeout";
  case errc::unavailable:
    return "unavailable";
  case errc::conflict:
    return "conflict";
  case errc::cancelled:
    return "cancelled";
  case errc::internal:
    return "internal";
  }
  return "internal";
}

std::string errno_text(int sys) {
  std::array<char, 128> buffer{};
  return ::strerror_r(sys, buffer.data(), buffer.size()); // GNU variant: returns the text
}

std::string error::message() const {
  std::string text = "cannot " + step;
  if (!object.empty()) text += " '" + object + "'";
  if (!cause.empty())
    text += ": " + cause;
  else if (sys != 0)
    text += ": " + errno_text(sys);
  if (!hint.empty()) text += " (" + hint + ")";
  return text;
}

static errc code_of(int sys) {
  switch (sys) {
  case ENOENT:
  case ENOTDIR:
  case ESRCH:
    return errc::not_found;
  case EEXIST:
    return errc::exists;
  case EACCES:
  case EPERM:
    return errc::denied;
  case ENOSYS:
  case EOPNOTSUPP:
    return errc::unsupported;
  case EINVAL:
  case ENAMETOOLONG:
    return errc::invalid;
  case EFBIG:
  case E2BIG:
  case EMFILE:
  case ENFILE:
    return errc::limit;
  case ETIMEDOUT:
    return errc::timeout;
  case ECONNREFUSED:
  case ECONNRESET:
  case EPIPE:
    return errc::unavailable;
  case ECANCELED:
    return errc::cancelled;
  default:
    return errc::io;
  }
}

failure fail(errc code, std::string step, std::string object, std::string cause, std::string hint) {
  return failure{
      error{code, 0, std::move(step), std::move(object), std::move(cause), std::move(hint)}};
}

failure fail_errno(int sys, std::string step, std::string object, std::string hint) {
  return failure{error{code_of(sys), sys, std::move(step), std::move(object), {}, std::move(hint)}};
}

failure wrap(error inner, std::string step, std::string object) {
  auto hint = std::exchange(inner.hint, {});
  return failure{error{inner.code, inner.sys, std::move(step), std::move(object), inner.message(),
                       std::move(hint)}};
}

} // namespace tank
