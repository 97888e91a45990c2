#include "kernel/wire_encode.hpp"

#include "kernel/wire.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>

namespace tank::kernel::wire {

namespace {

/// Mirror of `reader`: the lists of fields say what is written.
class writer {
 public:
  void write(std::uint32_t v) { raw(&v, sizeof v); }
  void write(std::int32_t v) { raw(&v, sizeof v); }
  void write(std::uint64_t v) { raw(&v, sizeof v); }
  void write(bool v) { write(std::uint32_t{v}); }
  void write(const std::string& s) {
    if (s.find('\0') != std::string::npos && nul_.empty()) nul_ = s.c_str();
    count(s);
    out_.append(s).push_back('\0');
  }
  void write(const std::filesystem::path& p) { write(p.native()); }
  template <class T>
  void write(const std::vector<T>& texts) {
    count(texts);
    align(alignof(std::uint64_t));
    out_.append((texts.size() + 1) * sizeof(std::uint64_t), '\0');
    for (const auto& text : texts)
      write(text);
  }
  void write(const std::vector<std::uint32_t>& numbers) {
    count(numbers);
    align(alignof(std::uint32_t));
    for (auto n : numbers)
      write(n);
  }
  void write(const std::vector<plan::rlimit>& items) {
    count(items);
    align(alignof(plan::rlimit));
    for (const auto& item : items) {
      char bytes[sizeof item] = {}; // what is between the fields is zero too
      std::memcpy(bytes + offsetof(plan::rlimit, resource), &item.resource, sizeof item.resource);
      std::memcpy(bytes + offsetof(plan::rlimit, soft), &item.soft, sizeof item.soft);
      std::memcpy(bytes + offsetof(plan::rlimit, hard), &item.hard, sizeof item.hard);
      raw(bytes, sizeof bytes);
    }
  }
  void write(const std::optional<std::int32_t>& number) {
    write(number.has_value());
    write(number.value_or(0));
  }
  void write(const plan::raw_field<const std::string>& bytes) {
    count(bytes.value);
    align(alignof(std::uint64_t));
    out_.append(bytes.value);
  }
  void write(const std::vector<step>& steps) {
    count(steps);
    for (const auto& s : steps) {
      write(static_cast<std::uint32_t>(s.index()));
      std::visit([this](const auto& one) { write(one); }, s);
    }
  }
  template <plan::part P>
  void write(const P& p) {
    P::fields(p, [this](const auto&... field) { (this->write(field), ...); });
  }

  [[nodiscard]] const std::string& string_with_nul() const { return nul_; }
  /// The finished buffer, its size in the header.
  std::string take() {
    const auto size = static_cast<std::uint32_t>(out_.size());
    std::memcpy(out_.data() + 8, &size, sizeof size);
    return std::move(out_);
  }

 private:
  void raw(const void* p, std::size_t n) { out_.append(static_cast<const char*>(p), n); }
  void count(const auto& items) { write(static_cast<std::uint32_t>(items.size())); }
  void align(std::size_t n) { out_.resize((out_.size() + n - 1) & ~(n - 1)); }

  std::string out_;
  std::string nul_; // the first string that holds one, up to it
};

template <std::uint32_t... I>
constexpr bool same_kinds(std::integer_sequence<std::uint32_t, I...>) {
  step_view s;
  bool same = true;
  const auto check = [&]<std::uint32_t N>(std::integral_constant<std::uint32_t, N>) {
    s.kind = static_cast<step_kind>(N);
    s.visit([&]<template <class> class Part>(Part<plan_views>&) {
      same = same && std::is_same_v<std::variant_alternative_t<N, step>, Part<plan_values>>;
    });
  };
  (check(std::integral_constant<std::uint32_t, I>{}), ...);
  return same;
}
static_assert(std::variant_size_v<step> == step_kinds);
static_assert(same_kinds(std::make_integer_sequence<std::uint32_t, step_kinds>{}));

/// A view's fields into those of what owns them.
struct assign {
  template <class T>
  void operator()(T& to, const T& from) const { // numbers, flags
    to = from;
  }
  void operator()(std::string& to, const text& from) const { to = from.view(); }
  void operator()(std::filesystem::path& to, const text& from) const { to = from.view(); }
  template <class T>
  void operator()(std::vector<T>& to, const text_list& from) const {
    to.assign(from.items, from.items + from.count);
  }
  void operator()(std::vector<std::uint32_t>& to, const number_list& from) const {
    to.assign(from.items, from.items + from.count);
  }
  void operator()(std::vector<plan::rlimit>& to, const rlimit_list& from) const {
    to.assign(from.items, from.items + from.count);
  }
  void operator()(std::optional<std::int32_t>& to, const maybe_number& from) const {
    if (from.there) to = from.value;
  }
  void operator()(plan::raw_field<std::string> to, plan::raw_field<const byte_view> from) const {
    to.value.assign(from.value.data, from.value.size);
  }
  void operator()(std::vector<step>& to, const step_list& from) const {
    auto steps = from.walk();
    for (step_view s; steps.next(&s);)
      s.visit([&]<template <class> class Part>(const Part<plan_views>& one) {
        Part<plan_values> owned;
        plan::copy(owned, one, *this);
        to.emplace_back(std::move(owned));
      });
  }
  template <template <class> class Part>
  void operator()(Part<plan_values>& to, const Part<plan_views>& from) const {
    plan::copy(to, from, *this);
  }
};

} // namespace

result<std::string> encode_plan(const launch_plan& plan) {
  if (plan.container.empty())
    return fail(errc::invalid, "encode the launch plan", "", "the container has no name");
  if (plan.process.argv.empty())
    return fail(errc::invalid, "encode the launch plan of", plan.container,
                "there is no program to run");
  if (plan.steps.size() > max_steps)
    return fail(errc::limit, "encode the launch plan of", plan.container,
                "it has more than 4096 steps");
  if (plan.process.seccomp.program.size() > max_filter * sizeof(std::uint64_t))
    return fail(errc::limit, "encode the launch plan of", plan.container,
                "its seccomp filter has more than 4096 instructions");
  writer w;
  for (const std::uint32_t word : {plan_magic, plan_version, std::uint32_t{0}, std::uint32_t{0}})
    w.write(word);
  w.write(plan);
  if (!w.string_with_nul().empty())
    return fail(errc::invalid, "encode the launch plan of", plan.container,
                "a string holds a NUL after '" + w.string_with_nul() + "'");
  auto buffer = w.take();
  if (buffer.size() > max_plan_bytes)
    return fail(errc::limit, "encode the launch plan of", plan.container,
                "it is larger than 8 MiB");
  return buffer;
}

result<launch_plan> decode_plan(std::string_view buffer) {
  // parse_plan fills pointer tables in: it gets an aligned copy.
  std::vector<std::uint64_t> copy((buffer.size() + 7) / 8 + 1);
  std::memcpy(copy.data(), buffer.data(), buffer.size());
  plan_view view;
  if (const char* why = parse_plan(reinterpret_cast<char*>(copy.data()), buffer.size(), &view))
    return fail(errc::corrupt, "decode the launch plan", "", why);
  launch_plan plan;
  plan::copy(plan, view, assign{});
  return plan;
}

result<unique_fd> make_sealed_memfd(const char* name, std::string_view bytes) {
  unique_fd fd{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (!fd) return fail_errno(errno, "create a memfd for", name);
  while (!bytes.empty()) {
    const auto n = ::write(fd.get(), bytes.data(), bytes.size());
    if (n < 0) return fail_errno(errno, "write the memfd of", name);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail_errno(errno, "seal the memfd of", name);
  return fd;
}

} // namespace tank::kernel::wire
