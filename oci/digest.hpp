/// Content digests: `sha256:<64 hex>` and `sha512:<128 hex>`, nothing else.
///
/// A digest is a file name and an URL part elsewhere, so its text is never used before it went
/// through `parse_digest` (SECURITY.md class 10: odd algorithms, upper case, path characters).
#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct evp_md_ctx_st; // OpenSSL's EVP_MD_CTX, kept out of this header

namespace tank::oci {

enum class digest_algorithm : std::uint8_t { sha256, sha512 };

std::string_view to_string(digest_algorithm a) noexcept;

/// A checked digest. `hex` is lower case and of the algorithm's exact length.
struct digest {
  digest_algorithm algorithm = digest_algorithm::sha256;
  std::string hex;

  [[nodiscard]] std::string to_string() const; ///< "sha256:<hex>"
  [[nodiscard]] std::string file_name() const; ///< "sha256-<hex>": safe as one path component
  [[nodiscard]] bool empty() const noexcept { return hex.empty(); }
  auto operator<=>(const digest&) const = default;
};

/// Fails with errc::invalid, or errc::unsupported for an algorithm that is well-formed but unknown.
result<digest> parse_digest(std::string_view text);

/// Streaming hash. One thread at a time. After `finish()` it must not be used again.
class hasher {
 public:
  explicit hasher(digest_algorithm algorithm = digest_algorithm::sha256);
  hasher(hasher&&) noexcept;
  hasher& operator=(hasher&&) noexcept;
  ~hasher();

  void update(std::span<const std::byte> bytes) noexcept;
  void update(std::string_view bytes) noexcept;
  digest finish();

 private:
  struct deleter {
    void operator()(evp_md_ctx_st* context) const noexcept;
  };
  digest_algorithm algorithm_;
  std::unique_ptr<evp_md_ctx_st, deleter> context_;
};

/// Digest of a whole text.
digest digest_of(std::string_view bytes, digest_algorithm algorithm = digest_algorithm::sha256);

} // namespace tank::oci
