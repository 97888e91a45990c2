#include "cli/volume.hpp"
#include "tests/unit/cli/temp_dir.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace volume_test {

using namespace tank;

TEST_CASE("a volume is as large as its files, each counted once, and no link leads out of it") {
  const temp_dir dir;
  const auto& top = dir.path();
  std::filesystem::create_directory(top / "below");
  append(top / "one", std::string(1000, 'x'));
  append(top / "below/two", std::string(200, 'x'));
  std::filesystem::create_hard_link(top / "one", top / "below/again");
  std::filesystem::create_symlink("one", top / "link");
  std::filesystem::create_directory_symlink("/usr", top / "out");
  volume_row row;
  row.directory = top;
  const auto document = nlohmann::json::parse(cli::volume_document({row}));
  CHECK(document["items"][0]["bytes"].get<int>() == 1200);
}

} // namespace volume_test
