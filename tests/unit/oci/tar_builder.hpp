/// Makes tar archives byte by byte, also those that no honest program would make.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

namespace tank::oci::testing {

struct tar_entry {
  std::string name;
  char type = '0'; ///< '0' file '1' hard link '2' symbolic link '3' char '4' block '5' dir '6' fifo
  std::string content{};
  std::string link{};
  unsigned mode = 0644;
  unsigned uid = 0;
  unsigned gid = 0;
  std::uint64_t mtime = 1'000'000'000;
  std::map<std::string, std::string> pax{};
  unsigned device_major = 0;
  unsigned device_minor = 0;
  std::uint64_t claimed_size = 0; ///< when not 0: in the header, instead of the content's
};

class tar_builder {
 public:
  tar_builder& add(const tar_entry& e) {
    auto pax = e.pax;
    if (e.name.size() > 100) pax["path"] = e.name;
    if (e.link.size() > 100) pax["linkpath"] = e.link;
    if (!pax.empty()) {
      std::string body;
      for (const auto& [k, v] : pax)
        body += record(k, v);
      header({.name = "PaxHeader", .type = 'x'}, body.size());
      data(body);
    }
    header(e, e.claimed_size != 0 ? e.claimed_size : e.content.size());
    data(e.content);
    return *this;
  }
  tar_builder& file(std::string name, std::string content = "x", unsigned mode = 0644) {
    return add({.name = std::move(name), .content = std::move(content), .mode = mode});
  }
  tar_builder& dir(std::string name, unsigned mode = 0755) {
    return add({.name = std::move(name), .type = '5', .mode = mode});
  }
  tar_builder& symlink(std::string name, std::string target) {
    return add({.name = std::move(name), .type = '2', .link = std::move(target), .mode = 0777});
  }
  tar_builder& hardlink(std::string name, std::string target) {
    return add({.name = std::move(name), .type = '1', .link = std::move(target)});
  }
  [[nodiscard]] std::string bytes() const { return out_ + std::string(1024, '\0'); }
  [[nodiscard]] std::string unfinished() const { return out_; }

 private:
  static std::string record(const std::string& key, const std::string& value) {
    const auto rest = " " + key + "=" + value + "\n";
    auto size = rest.size() + 1;
    while (std::to_string(size).size() + rest.size() != size)
      size = std::to_string(size).size() + rest.size();
    return std::to_string(size) + rest;
  }
  void header(const tar_entry& e, std::uint64_t size) {
    char block[512] = {};
    const auto octal = [&](std::size_t at, int digits, std::uint64_t value) {
      for (int i = digits - 1; i >= 0; --i, value >>= 3)
        block[at + static_cast<std::size_t>(i)] = static_cast<char>('0' + (value & 7));
    };
    std::memcpy(block, e.name.data(), std::min<std::size_t>(e.name.size(), 100));
    octal(100, 7, e.mode);
    octal(108, 7, e.uid);
    octal(116, 7, e.gid);
    octal(124, 11, size);
    octal(136, 11, e.mtime);
    block[156] = e.type;
    std::memcpy(block + 157, e.link.data(), std::min<std::size_t>(e.link.size(), 100));
    std::memcpy(block + 257, "ustar\00000", 8);
    octal(329, 7, e.device_major);
    octal(337, 7, e.device_minor);
    std::memset(block + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : block)
      sum += static_cast<unsigned char>(c);
    std::snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    out_.append(block, sizeof block);
  }
  void data(const std::string& content) {
    out_ += content;
    out_.append((512 - content.size() % 512) % 512, '\0');
  }
  std::string out_;
};

} // namespace tank::oci::testing
