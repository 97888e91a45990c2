#include "oci/inflate.hpp"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>
#ifdef TANK_HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

namespace tank::oci {

namespace {

failure damaged(const char* cause) {
  return fail(errc::corrupt, "decompress", "stream", cause);
}

std::uint32_t clamp(std::size_t n) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(n, 1u << 30));
}

/// What all gzip decoders share: members one after another, then perhaps zeros.
class gunzip : public decompressor {
 public:
  result<progress> run(std::span<const std::byte> in, std::span<std::byte> out) final {
    if (where_ == place::between && !in.empty()) {
      if (in.front() == std::byte{0} && members_ > 0) {
        where_ = place::padding;
      } else {
        restart();
        where_ = place::inside;
      }
    }
    switch (where_) {
    case place::between:
      return progress{};
    case place::padding:
      if (std::any_of(in.begin(), in.end(), [](std::byte b) { return b != std::byte{0}; }))
        return damaged("other data follows its end");
      return progress{in.size(), 0};
    case place::inside:
      break;
    }
    bool ended = false;
    auto done = member(in, out, ended);
    if (!done && members_ > 0 && done.error().cause == not_gzip)
      return damaged("other data follows its end");
    if (done && ended) {
      ++members_;
      where_ = place::between;
    }
    return done;
  }

  [[nodiscard]] bool complete() const final { return members_ > 0 && where_ != place::inside; }

 protected:
  static constexpr const char* not_gzip = "it is not gzip";
  static constexpr const char* bad_checksum = "its checksum does not match";
  static constexpr const char* bad_data = "damaged data";

  virtual void restart() = 0;
  /// A part of one member, from its header to its checksum.
  virtual result<progress> member(std::span<const std::byte> in, std::span<std::byte> out,
                                  bool& ended) = 0;

 private:
  enum class place : std::uint8_t { between, inside, padding };
  place where_ = place::between;
  std::uint64_t members_ = 0;
};

class zlib_gunzip final : public gunzip {
 public:
  zlib_gunzip() {
    constexpr int gzip_only = 16 + MAX_WBITS;
    if (::inflateInit2(&z_, gzip_only) != Z_OK) std::abort(); // no memory
  }
  zlib_gunzip(const zlib_gunzip&) = delete;
  zlib_gunzip& operator=(const zlib_gunzip&) = delete;
  ~zlib_gunzip() override { ::inflateEnd(&z_); }

 private:
  void restart() override {
    ::inflateReset(&z_);
    began_ = false;
  }

  result<progress> member(std::span<const std::byte> in, std::span<std::byte> out,
                          bool& ended) override {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(in.data()));
    z_.avail_in = clamp(in.size());
    z_.next_out = reinterpret_cast<Bytef*>(out.data());
    z_.avail_out = clamp(out.size());
    const auto given = z_.avail_in;
    const auto room = z_.avail_out;
    const int rc = ::inflate(&z_, Z_NO_FLUSH);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
      const std::string_view why = z_.msg != nullptr ? z_.msg : "";
      if (!began_) return damaged(not_gzip);
      return damaged(why.find("check") != std::string_view::npos ? bad_checksum : bad_data);
    }
    ended = rc == Z_STREAM_END;
    began_ = began_ || z_.avail_out != room;
    return progress{given - z_.avail_in, room - z_.avail_out};
  }

  z_stream z_{};
  bool began_ = false;
};

#ifdef TANK_HAVE_ISAL
class isal_gunzip final : public gunzip {
 public:
  isal_gunzip() { ::isal_inflate_init(&s_); }

 private:
  void restart() override {
    ::isal_inflate_reset(&s_);
    s_.crc_flag = ISAL_GZIP; // header and checksum too
  }

  result<progress> member(std::span<const std::byte> in, std::span<std::byte> out,
                          bool& ended) override {
    s_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(in.data()));
    s_.avail_in = clamp(in.size());
    s_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    s_.avail_out = clamp(out.size());
    const auto given = s_.avail_in;
    const auto room = s_.avail_out;
    const int rc = ::isal_inflate(&s_);
    if (rc == ISAL_INVALID_WRAPPER || rc == ISAL_UNSUPPORTED_METHOD) return damaged(not_gzip);
    if (rc == ISAL_INCORRECT_CHECKSUM) return damaged(bad_checksum);
    if (rc < 0 || rc == ISAL_NEED_DICT) return damaged(bad_data);
    ended = s_.block_state == ISAL_BLOCK_FINISH;
    return progress{given - s_.avail_in, room - s_.avail_out};
  }

  inflate_state s_{};
};
#endif

class unzstd final : public decompressor {
 public:
  explicit unzstd(std::uint64_t max_window) : context_(::ZSTD_createDCtx()) {
    if (context_ == nullptr) std::abort(); // no memory
    const int log = std::clamp(static_cast<int>(std::bit_width(max_window)) - 1, 10, 31);
    ::ZSTD_DCtx_setParameter(context_, ZSTD_d_windowLogMax, log);
  }
  unzstd(const unzstd&) = delete;
  unzstd& operator=(const unzstd&) = delete;
  ~unzstd() override { ::ZSTD_freeDCtx(context_); }

  result<progress> run(std::span<const std::byte> in, std::span<std::byte> out) override {
    // At a frame's end without input, one more call would ask for a new frame.
    if (in.empty() && frame_ended_) return progress{};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const auto rc = ::ZSTD_decompressStream(context_, &to, &from);
    if (::ZSTD_isError(rc) != 0) {
      switch (::ZSTD_getErrorCode(rc)) {
      case ZSTD_error_frameParameter_windowTooLarge:
        return fail(errc::limit, "decompress", "stream", "it wants too much memory");
      case ZSTD_error_prefix_unknown:
        return damaged("other data follows its end");
      case ZSTD_error_checksum_wrong:
        return damaged("its checksum does not match");
      default:
        return damaged("damaged data");
      }
    }
    frame_ended_ = rc == 0;
    return progress{from.pos, to.pos};
  }

  [[nodiscard]] bool complete() const override { return frame_ended_; }

 private:
  ZSTD_DCtx* context_;
  bool frame_ended_ = false;
};

} // namespace

std::unique_ptr<decompressor> make_gunzip_zlib() {
  return std::make_unique<zlib_gunzip>();
}

std::unique_ptr<decompressor> make_gunzip_isal() {
#ifdef TANK_HAVE_ISAL
  return std::make_unique<isal_gunzip>();
#else
  return nullptr;
#endif
}

std::unique_ptr<decompressor> make_gunzip() {
  auto fast = make_gunzip_isal();
  return fast ? std::move(fast) : make_gunzip_zlib();
}

std::unique_ptr<decompressor> make_unzstd(std::uint64_t max_window) {
  return std::make_unique<unzstd>(max_window);
}

} // namespace tank::oci
