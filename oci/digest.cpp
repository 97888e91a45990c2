#include "oci/digest.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <openssl/evp.h>

namespace tank::oci {

namespace {

std::size_t hex_length(digest_algorithm a) {
  return a == digest_algorithm::sha256 ? 64 : 128;
}

/// The algorithm part of the image-spec's grammar; used to tell nonsense from the unknown.
bool plausible_algorithm(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '_' ||
           c == '-';
  });
}

} // namespace

std::string_view to_string(digest_algorithm a) noexcept {
  return a == digest_algorithm::sha256 ? "sha256" : "sha512";
}

std::string digest::to_string() const {
  return std::string{oci::to_string(algorithm)} + ":" + hex;
}

std::string digest::file_name() const {
  return std::string{oci::to_string(algorithm)} + "-" + hex;
}

result<digest> parse_digest(std::string_view text) {
  const auto bad = [&](errc code, std::string cause) {
    return fail(code, "parse digest", std::string{text.substr(0, 160)}, std::move(cause));
  };
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return bad(errc::invalid, "no algorithm");
  const auto name = text.substr(0, colon);
  const auto hex = text.substr(colon + 1);
  digest d;
  if (name == "sha256")
    d.algorithm = digest_algorithm::sha256;
  else if (name == "sha512")
    d.algorithm = digest_algorithm::sha512;
  else if (plausible_algorithm(name))
    return bad(errc::unsupported, "unknown algorithm; sha256 and sha512 are known");
  else
    return bad(errc::invalid, "bad algorithm");
  const auto want = hex_length(d.algorithm);
  if (hex.size() != want)
    return bad(errc::invalid, "needs " + std::to_string(want) + " hex digits");
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!std::all_of(hex.begin(), hex.end(), is_hex))
    return bad(errc::invalid, "not lower-case hex digits");
  d.hex = hex;
  return d;
}

void hasher::deleter::operator()(evp_md_ctx_st* context) const noexcept {
  ::EVP_MD_CTX_free(context);
}

hasher::hasher(digest_algorithm algorithm) : algorithm_(algorithm), context_(::EVP_MD_CTX_new()) {
  const auto* md = algorithm == digest_algorithm::sha256 ? ::EVP_sha256() : ::EVP_sha512();
  // Both are built into libcrypto: only exhausted memory can make this fail, and then a hash that
  // silently is none would be worse than an end.
  if (!context_ || ::EVP_DigestInit_ex(context_.get(), md, nullptr) != 1) std::abort();
}

hasher::hasher(hasher&&) noexcept = default;
hasher& hasher::operator=(hasher&&) noexcept = default;
hasher::~hasher() = default;

void hasher::update(std::span<const std::byte> bytes) noexcept {
  ::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

void hasher::update(std::string_view bytes) noexcept {
  ::EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
}

digest hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned int size = 0;
  ::EVP_DigestFinal_ex(context_.get(), raw.data(), &size);
  return {algorithm_, to_hex({reinterpret_cast<const char*>(raw.data()), size})};
}

digest digest_of(std::string_view bytes, digest_algorithm algorithm) {
  hasher h{algorithm};
  h.update(bytes);
  return h.finish();
}

} // namespace tank::oci
