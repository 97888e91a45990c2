#include "unpacked.hpp"

#include "../unit/oci/support.hpp"
#include "base/file.hpp"
#include "base/remove_tree.hpp"

#include <cstdlib>

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace tank::fuzz {

namespace fs = std::filesystem;

namespace {

oci::unpack_limits small() {
  oci::unpack_limits limits;
  limits.max_entries = 300;
  limits.max_bytes = 1u << 20;
  limits.max_path = 300;
  limits.max_depth = 20;
  limits.max_metadata = 1u << 16;
  limits.max_header = 1u << 16;
  return limits;
}

/// Names, kinds, times of change and contents of what lies in `dir`, but for `root` itself.
std::string describe(const fs::path& dir) {
  std::string all;
  for (const auto& [name, facts] : oci::testing::snapshot(dir / "outside"))
    all += name + " " + facts + "\n";
  for (const auto& e : fs::directory_iterator{dir})
    if (e.path().filename() != "root") all += e.path().filename().string() + "\n";
  return all;
}

void check_attributes(const fs::path& path) {
  char names[4096];
  const auto n = ::llistxattr(path.c_str(), names, sizeof names);
  for (ssize_t at = 0; at < n;) {
    const std::string_view name{names + at};
    at += static_cast<ssize_t>(name.size()) + 1;
    FUZZ_CHECK(name.find(".overlay.") == std::string_view::npos ||
               name.ends_with(".overlay.opaque"));
    FUZZ_CHECK(name.starts_with("user.") || name == "security.capability" ||
               name == "trusted.overlay.opaque" || name.starts_with("security.selinux"));
  }
}

} // namespace

playground::playground() {
  auto name = (fs::temp_directory_path() / "tank-fuzz-XXXXXX").string();
  FUZZ_CHECK(::mkdtemp(name.data()) != nullptr);
  dir_ = name;
  fs::create_directories(outside() / "dir");
  FUZZ_CHECK(write_new_file(outside() / "file", "keep").has_value());
  before_ = describe(dir_);
}

playground::~playground() {
  (void)remove_tree(dir_);
}

void playground::look_around() const {
  FUZZ_CHECK(describe(dir_) == before_);
}

void playground::look_inside(const oci::unpack_report& report,
                             const oci::unpack_options& options) const {
  FUZZ_CHECK(report.entries <= options.limits.max_entries);
  FUZZ_CHECK(report.bytes <= options.limits.max_bytes);
  std::uint64_t names = 0;
  std::error_code ec;
  // A directory that its archive closed to us ends the look, without root.
  for (fs::recursive_directory_iterator it{dir_ / "root", ec}, end; !ec && it != end;
       it.increment(ec)) {
    ++names;
    struct stat st {};
    FUZZ_CHECK(::lstat(it->path().c_str(), &st) == 0);
    FUZZ_CHECK(!S_ISBLK(st.st_mode) && (!S_ISCHR(st.st_mode) || st.st_rdev == 0));
    FUZZ_CHECK(!S_ISSOCK(st.st_mode));
    FUZZ_CHECK(!options.layer || !it->path().filename().string().starts_with(".wh."));
    FUZZ_CHECK(it.depth() <= static_cast<int>(options.limits.max_depth));
    if (S_ISREG(st.st_mode)) FUZZ_CHECK(st.st_size <= (1 << 20));
    check_attributes(it->path());
  }
  FUZZ_CHECK(names <= report.entries * (options.limits.max_depth + 1));
}

verdict playground::unpack(const std::string& tar, std::size_t step, bool layer) {
  const auto root = dir_ / "root";
  FUZZ_CHECK(::mkdir(root.c_str(), 0755) == 0);
  oci::unpack_options options;
  options.limits = small();
  options.rootless = ::geteuid() != 0;
  options.layer = layer;
  result<oci::unpack_report> report = oci::unpack_report{};
  {
    const unique_fd fd{::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    oci::testing::text_source source{tar, step};
    report = oci::unpack_tar(source, fd.get(), options);
  }
  look_around();
  if (report)
    look_inside(*report, options);
  else
    FUZZ_CHECK(report.error().code != errc::internal && report.error().message().size() < 8192);
  FUZZ_CHECK(remove_tree(root).has_value());
  look_around();
  return report ? verdict::accepted : verdict::refused;
}

} // namespace tank::fuzz
