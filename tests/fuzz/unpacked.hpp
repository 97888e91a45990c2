/// Unpacks an archive of unknown intent, and looks at the directory and around it.
#pragma once

#include "fuzz.hpp"

#include "oci/unpack.hpp"

#include <filesystem>
#include <string>

namespace tank::fuzz {

/// Where archives are unpacked: `root` inside it, and `outside` beside, whose every change is a
/// find. Removed with the object.
class playground {
 public:
  playground();
  playground(const playground&) = delete;
  playground& operator=(const playground&) = delete;
  ~playground();

  /// What an archive might aim at.
  [[nodiscard]] std::filesystem::path outside() const { return dir_ / "outside"; }

  /// Unpacks `tar`, given out in pieces of `step` bytes, checks all that must hold, and removes it.
  verdict unpack(const std::string& tar, std::size_t step, bool layer);

 private:
  void look_around() const;
  void look_inside(const oci::unpack_report& report, const oci::unpack_options& options) const;

  std::filesystem::path dir_;
  std::string before_; ///< of everything but `root`
};

} // namespace tank::fuzz
