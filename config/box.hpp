/// An optional value kept on the heap: small when absent, and a value all the same.
#pragma once

#include <memory>
#include <utility>

namespace tank::config {

/// Like std::optional<T> (empty, copied and compared by value), for what is large and rarely set.
/// Not for hot paths: a copy allocates.
template <class T>
class box {
 public:
  using value_type = T;

  box() noexcept = default;
  box(T value) : ptr_(std::make_unique<T>(std::move(value))) {}
  box(const box& other) : ptr_(other.ptr_ ? std::make_unique<T>(*other.ptr_) : nullptr) {}
  box(box&&) noexcept = default;
  box& operator=(const box& other) {
    if (this != &other) ptr_ = other.ptr_ ? std::make_unique<T>(*other.ptr_) : nullptr;
    return *this;
  }
  box& operator=(box&&) noexcept = default;
  ~box() = default;

  [[nodiscard]] bool has_value() const noexcept { return ptr_ != nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  T& operator*() noexcept { return *ptr_; }
  const T& operator*() const noexcept { return *ptr_; }
  T* operator->() noexcept { return ptr_.get(); }
  const T* operator->() const noexcept { return ptr_.get(); }
  T& emplace() {
    ptr_ = std::make_unique<T>();
    return *ptr_;
  }
  void reset() noexcept { ptr_.reset(); }

  friend bool operator==(const box& a, const box& b) {
    return a.ptr_ && b.ptr_ ? *a.ptr_ == *b.ptr_ : !a.ptr_ && !b.ptr_;
  }

 private:
  std::unique_ptr<T> ptr_;
};

} // namespace tank::config
