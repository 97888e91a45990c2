// What the shim is made of: it must stay small, and need nothing of the host at run time.
#include "tests/root/shim_fixture.hpp"

#include <cstring>
#include <elf.h>
#include <set>

namespace shim_program_test {

using namespace tank;
using namespace tank::kernel;

namespace {
/// A 64-bit ELF file of this machine.
class program {
 public:
  explicit program(const std::filesystem::path& path) : bytes_(slurp(path)) {
    REQUIRE(bytes_.size() > sizeof(Elf64_Ehdr));
    REQUIRE(std::memcmp(bytes_.data(), ELFMAG, SELFMAG) == 0);
  }
  [[nodiscard]] std::set<std::string> symbols() const {
    std::set<std::string> names;
    const auto& head = at<Elf64_Ehdr>(0);
    for (unsigned i = 0; i < head.e_shnum; ++i) {
      const auto& table = section(i);
      if (table.sh_type != SHT_SYMTAB) continue;
      const auto& text = section(table.sh_link);
      for (std::uint64_t one = 0; one < table.sh_size / sizeof(Elf64_Sym); ++one)
        names.insert(bytes_.data() + text.sh_offset +
                     at<Elf64_Sym>(table.sh_offset + one * sizeof(Elf64_Sym)).st_name);
    }
    return names;
  }
  [[nodiscard]] bool has_segment(std::uint32_t type) const {
    const auto& head = at<Elf64_Ehdr>(0);
    for (unsigned i = 0; i < head.e_phnum; ++i)
      if (at<Elf64_Phdr>(head.e_phoff + i * sizeof(Elf64_Phdr)).p_type == type) return true;
    return false;
  }
  /// Of what is loaded: code, constants, variables.
  [[nodiscard]] std::uint64_t loaded() const {
    const auto& head = at<Elf64_Ehdr>(0);
    std::uint64_t size = 0;
    for (unsigned i = 0; i < head.e_phnum; ++i) {
      const auto& segment = at<Elf64_Phdr>(head.e_phoff + i * sizeof(Elf64_Phdr));
      if (segment.p_type == PT_LOAD) size += segment.p_filesz;
    }
    return size;
  }

 private:
  template <class T>
  [[nodiscard]] const T& at(std::uint64_t offset) const {
    REQUIRE(offset + sizeof(T) <= bytes_.size());
    return *reinterpret_cast<const T*>(bytes_.data() + offset);
  }
  [[nodiscard]] const Elf64_Shdr& section(unsigned i) const {
    return at<Elf64_Shdr>(at<Elf64_Ehdr>(0).e_shoff + i * sizeof(Elf64_Shdr));
  }
  std::string bytes_;
};
} // namespace

TEST_CASE("the shim is static, and loads less than 800 KiB") {
  const program shim{shim_program()};
  CHECK(!shim.has_segment(PT_INTERP));
  CHECK(!shim.has_segment(PT_DYNAMIC));
  CHECK(shim.loaded() < 800 * 1024);
}

TEST_CASE(
    "the shim has nothing of libstdc++'s runtime: no heap of C++, no exceptions, no type names") {
  const auto symbols = program{shim_program()}.symbols();
  REQUIRE_MESSAGE(!symbols.empty(), "the program was stripped");
  CHECK(symbols.count("main") == 1);
  for (const auto& name : symbols) {
    const bool allocates = name.starts_with("_Znw") || name.starts_with("_Zna") ||
                           name.starts_with("_Zdl") || name.starts_with("_Zda");
    const bool throws = name.starts_with("__cxa_throw") || name.starts_with("__cxa_begin_catch") ||
                        name.starts_with("__gxx_personality");
    const bool library = name.starts_with("_ZSt") || name.starts_with("_ZNSt") ||
                         name.starts_with("_ZNKSt") || name.starts_with("_ZTI") ||
                         name.starts_with("__cxa_guard");
    CHECK_MESSAGE(!allocates, name);
    CHECK_MESSAGE(!throws, name);
    CHECK_MESSAGE(!library, name);
  }
}

} // namespace shim_program_test
