#include "tests/attack/attack_fixture.hpp"

#include "oci/digest.hpp"
#include "oci/manifest.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tank::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string witness_program() {
  const char* path = std::getenv("TANK_WITNESS");
  REQUIRE_MESSAGE(path != nullptr, "TANK_WITNESS is not set: the build does it for its own tests");
  return file_text(path);
}

json put_blob(const fs::path& layout, const std::string& content, std::string_view type) {
  const auto digest = oci::digest_of(content);
  std::ofstream{layout / "blobs/sha256" / digest.hex} << content;
  return {{"mediaType", type}, {"digest", digest.to_string()}, {"size", content.size()}};
}

} // namespace

std::string errno_name(long result) {
  return result >= 0 ? "ok" : ::strerrorname_np(errno);
}

std::string without_defence(const std::function<std::string()>& careless) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string text = "no namespace";
    if (::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0)
      text = careless();
    const auto n = ::write(ends[1], text.data(), text.size());
    ::_exit(n == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  const unique_fd in{ends[0]};
  ::close(ends[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(in.get(), buffer, sizeof buffer)) > 0;)
    said.append(buffer, static_cast<std::size_t>(n));
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status == 0 ? said : "died";
}

pid_t parent_of(pid_t pid) {
  return static_cast<pid_t>(status_number(pid, "PPid"));
}

long status_number(pid_t pid, const std::string& field) {
  std::istringstream lines{file_text("/proc/" + std::to_string(pid) + "/status")};
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(field + ":")) return std::atol(line.c_str() + field.size() + 1);
  return 0;
}

std::size_t open_files(pid_t pid) {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& e :
       fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    ++n;
  return n;
}

arena::arena(const std::string& more_settings, const std::map<std::string, std::string>& variables)
    : host("backoff: {base: 20ms, max: 200ms}\n" + more_settings)
    , outside(root / "outside")
    , witness_(witness_program()) {
  make_outside();
  outside_before_ = oci::testing::snapshot(outside);
  environment.insert(variables.begin(), variables.end());
  start_daemon();
}

arena::~arena() {
  stop_daemon();
}

void arena::make_outside() const {
  fs::create_directories(outside / "sub");
  std::ofstream{outside / "secret"} << "the host's";
  std::ofstream{outside / "passwd"} << "root:x:0:0::/:\nevil:x:4242:4242::/:\n";
}

void arena::check_untouched() const {
  // Times too: a file that was written and put back has changed.
  CHECK(oci::testing::snapshot(outside) == outside_before_);
  CHECK(!has(file_text("/proc/self/mountinfo"), outside.string()));
}

void arena::restore_outside() {
  CHECK(oci::testing::snapshot(outside) != outside_before_); // or there was nothing to restore
  fs::remove_all(outside);
  make_outside();
  outside_before_ = oci::testing::snapshot(outside);
}

pod_status arena::run(pod_text pod) {
  if (pod.name.empty()) pod.name = "p" + std::to_string(names_++);
  pod.restart = "Never";
  put(pod);
  return await_pod(pod.name, "ends",
                   [](const pod_status& p) { return p.state == pod_state::terminal && p.last; });
}

std::string arena::stdout_of(const pod_status& pod) const {
  return log_text(log_dir(pod) / "0.log");
}

std::string arena::say(pod_text pod) {
  const auto ended = run(std::move(pod));
  CHECK_MESSAGE(ended.last->exit_code == 0,
                ended.last->message << log_text(log_dir(ended) / "0.log", "stderr"));
  return stdout_of(ended);
}

std::string arena::refusal(pod_text pod) {
  const auto ended = run(std::move(pod));
  CHECK_MESSAGE(ended.last->reason == "StartError", ended.last->reason << ended.last->message);
  CHECK(stdout_of(ended).empty());
  return ended.last->message;
}

std::string arena::image(const std::vector<std::string>& layers, const json& config) {
  const auto layout = root / ("image" + std::to_string(names_++));
  fs::create_directories(layout / "blobs/sha256");
  std::vector<std::string> all{
      oci::testing::tar_builder{}.dir("bin").file("bin/witness", witness_, 0755).bytes()};
  all.insert(all.end(), layers.begin(), layers.end());
  const auto here = oci::host_platform();
  json settings{{"os", here.os}, {"architecture", here.architecture}, {"config", config}};
  settings["rootfs"] = {{"type", "layers"}, {"diff_ids", json::array()}};
  json manifest{{"schemaVersion", 2}, {"layers", json::array()}};
  for (const auto& tar : all) {
    settings["rootfs"]["diff_ids"].push_back(oci::digest_of(tar).to_string());
    manifest["layers"].push_back(put_blob(layout, tar, oci::media::layer));
  }
  manifest["config"] = put_blob(layout, settings.dump(), oci::media::config);
  json index{{"schemaVersion", 2}};
  index["manifests"] = {put_blob(layout, manifest.dump(), oci::media::manifest)};
  std::ofstream{layout / "index.json"} << index.dump();
  std::ofstream{layout / "oci-layout"} << R"({"imageLayoutVersion":"1.0.0"})";
  return "oci:" + layout.string();
}

fs::path arena::tree() {
  const auto dir = root / ("tree" + std::to_string(names_++));
  fs::create_directories(dir / "bin");
  for (const auto* name : {"etc", "proc", "sys", "dev", "tmp", "v"})
    fs::create_directory(dir / name);
  std::ofstream{dir / "bin/witness"} << witness_;
  fs::permissions(dir / "bin/witness", fs::perms{0755});
  return dir;
}

} // namespace tank::testing
