/// Reads fields of the settings file; the first thing wrong ends it. Private to the settings.
#pragma once

#include "base/error.hpp"
#include "config/node.hpp"
#include "config/settings_images.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace tank::config {

class settings_reader {
 public:
  explicit settings_reader(const std::string& file) : file_(file) {}

  [[nodiscard]] failure wrong(position at, std::string reason) const;
  [[nodiscard]] failure wrong_value(const member& field, const std::string& reason) const;
  [[nodiscard]] failure unexpected(const node& value, const std::string& name,
                                   std::string_view wanted) const;

  [[nodiscard]] result<std::string> text(const member& field) const;
  result<void> flag(const member& field, bool& to) const;
  result<void> word(const member& field, std::string& to,
                    std::initializer_list<std::string_view> words) const;
  /// A number without a unit is refused but for 0: nobody knows whether it means seconds.
  result<void> duration(const member& field, std::chrono::milliseconds& to,
                        std::chrono::milliseconds least = {}) const;
  result<void> number(const member& field, std::uint64_t& to, std::uint64_t least,
                      std::uint64_t most) const;
  result<void> number(const member& field, std::uint32_t& to, std::uint32_t least,
                      std::uint32_t most) const;
  /// A quantity such as 10Mi; `least` and `most` are said in `range`.
  result<void> size(const member& field, std::uint64_t& to, std::uint64_t least, std::uint64_t most,
                    const char* range) const;

 private:
  const std::string& file_;
};

result<void> read_registries(const settings_reader& in, const member& field,
                             std::vector<registry_setting>& to);
result<void> read_images(const settings_reader& in, const member& field, image_settings& to);

} // namespace tank::config
