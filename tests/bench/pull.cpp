/// How long from an image's name to a tree that can be run: `tank image pull` beside
/// `skopeo copy` + `umoci unpack` and `podman pull`, from docker-registry on loopback, interleaved
/// in one run, each into an empty store.
///
/// Run as root: `pull --tank PATH [--rounds N] [--dir SCRATCH]`. Medians; read the ratios. Memory
/// is the largest resident set of any process of the contender.
#include "oci/manifest.hpp"
#include "tests/bench/measure.hpp"
#include "tests/unit/oci/tar_builder.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <spawn.h>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace fs = std::filesystem;
using namespace tank;
using namespace tank::bench;

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "pull: %s\n", why.c_str());
  std::exit(1);
}

pid_t spawn(const std::vector<std::string>& argv, const std::string& errors) {
  std::vector<char*> words;
  for (const auto& word : argv)
    words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&files, 2, errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t pid = -1;
  if (::posix_spawnp(&pid, words[0], &files, nullptr, words.data(), environ) != 0)
    give_up("cannot run " + argv[0]);
  ::posix_spawn_file_actions_destroy(&files);
  return pid;
}

struct cost {
  double ms = 0;
  double peak_mib = 0;
};

/// Runs to the end; its own peak or that of a child it waited for, whichever is larger.
cost spend(const std::vector<std::string>& argv, const fs::path& scratch) {
  const auto errors = (scratch / "errors").string();
  const auto begin = now_ns();
  const auto pid = spawn(argv, errors);
  int status = 0;
  rusage usage{};
  ::wait4(pid, &status, 0, &usage);
  const auto end = now_ns();
  if (status != 0) {
    std::ifstream in{errors};
    give_up(argv[0] + " failed: " + std::string{std::istreambuf_iterator<char>{in}, {}});
  }
  return {static_cast<double>(end - begin) / 1e6, static_cast<double>(usage.ru_maxrss) / 1024};
}

/// Bytes that gzip halves, as programs and texts of an image do.
std::string content(std::size_t size, std::uint64_t seed) {
  std::string out;
  out.reserve(size + 8);
  std::uint64_t x = seed * 0x9e3779b97f4a7c15ULL + 1;
  while (out.size() < size) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    if ((x & 1) != 0)
      out.append(reinterpret_cast<const char*>(&x), 8);
    else
      out.append("symbol_table_entry", 8 + (x >> 60));
  }
  out.resize(size);
  return out;
}

/// Five layers, 3,600 files and about 300 MB; pushed, they are about 150 MB.
void make_layout(const fs::path& dir) {
  fs::create_directories(dir / "blobs/sha256");
  std::ofstream{dir / "oci-layout"} << R"({"imageLayoutVersion":"1.0.0"})";
  const auto put = [&](const std::string& text, std::string_view type) {
    const auto digest = oci::digest_of(text);
    std::ofstream{dir / "blobs/sha256" / digest.hex} << text;
    return oci::descriptor{std::string{type}, digest, text.size(), {}, {}};
  };
  oci::image_settings settings;
  settings.target = oci::host_platform();
  settings.config.cmd = {"/bin/true"};
  oci::image_manifest m;
  std::uint64_t seed = 0;
  for (const auto& [files, size] : std::vector<std::pair<int, std::size_t>>{
           {1000, 100'000}, {20, 5'000'000}, {2000, 25'000}, {500, 80'000}, {80, 125'000}}) {
    oci::testing::tar_builder tar;
    const auto top = "layer" + std::to_string(m.layers.size());
    tar.dir(top);
    for (int i = 0; i < files; ++i) {
      const auto sub = top + "/d" + std::to_string(i / 50);
      if (i % 50 == 0) tar.dir(sub);
      tar.file(sub + "/f" + std::to_string(i), content(size, ++seed));
    }
    const auto text = tar.bytes();
    m.layers.push_back(put(text, oci::media::layer));
    settings.diff_ids.push_back(m.layers.back().content);
  }
  m.config = put(to_json(settings, "bench"), oci::media::config);
  const auto d = put(to_json(m), oci::media::manifest);
  std::ofstream{dir / "index.json"}
      << R"({"schemaVersion":2,"manifests":[{"mediaType":")" << d.media_type << R"(","digest":")"
      << d.content.to_string() << R"(","size":)" << d.size
      << R"(,"annotations":{"org.opencontainers.image.ref.name":"bench"}}]})";
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    give_up("no free port");
  ::close(fd);
  return ntohs(address.sin_port);
}

struct contender {
  std::string name;
  std::vector<std::vector<std::string>> steps; ///< @ is its empty directory
  series time{};
  series memory{};
};

cost run_once(const contender& c, const fs::path& scratch) {
  const auto own = scratch / "own";
  fs::create_directories(own);
  ::sync(); // what others wrote is not charged to this one
  cost all;
  for (auto step : c.steps) {
    for (auto& word : step)
      if (const auto at = word.find('@'); at != std::string::npos)
        word.replace(at, 1, own.string());
    const auto one = spend(step, scratch);
    all.ms += one.ms;
    all.peak_mib = std::max(all.peak_mib, one.peak_mib);
  }
  std::error_code ec;
  fs::remove_all(own, ec);
  return all;
}

} // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2)
    given[argv[i]] = argv[i + 1];
  if (given["--tank"].empty()) give_up("--tank PATH is needed");
  const int rounds = given.count("--rounds") != 0 ? std::atoi(given["--rounds"].c_str()) : 5;
  char name[] = "/var/tmp/tank-pull-XXXXXX";
  const fs::path scratch =
      given.count("--dir") != 0 ? fs::path{given["--dir"]} : fs::path{::mkdtemp(name)};
  fs::create_directories(scratch);
  // In a child: a spawned program's peak begins with the size of who spawned it.
  const auto maker = ::fork();
  if (maker == 0) {
    make_layout(scratch / "layout");
    ::_exit(0);
  }
  ::waitpid(maker, nullptr, 0);
  const auto at = "127.0.0.1:" + std::to_string(free_port());
  std::ofstream{scratch / "registry.yml"}
      << "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: "
         "{rootdirectory: "
      << (scratch / "data").string() << "}}\nhttp: {addr: \"" << at << "\"}\n";
  const auto server = spawn({"docker-registry", "serve", (scratch / "registry.yml").string()},
                            (scratch / "registry.log").string());
  const std::string image = at + "/bench/image:1";
  const auto layout = "oci:" + (scratch / "layout").string() + ":bench";
  // Tries until the registry listens: skopeo's own retries wait for it.
  spend({"skopeo", "--insecure-policy", "copy", "-q", "--retry-times", "5",
         "--dest-tls-verify=false", layout, "docker://" + image},
        scratch);
  fs::remove_all(scratch / "layout");

  std::vector<contender> all{
      {"tank",
       {{given["--tank"], "image", "pull", "--state-dir", "@/state", "--run-dir", "@/run", image}}},
      {"skopeo + umoci",
       {{"skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", "docker://" + image,
         "oci:@/img:1"},
        {"umoci", "unpack", "--image", "@/img:1", "@/bundle"}}},
      {"podman",
       {{"podman", "--root", "@/root", "--runroot", "@/run", "--storage-driver", "overlay", "pull",
         "-q", "--tls-verify=false", image}}}};
  std::erase_if(all, [](const contender& c) {
    return std::any_of(c.steps.begin(), c.steps.end(), [](const auto& step) {
      return step[0].find('/') == std::string::npos && find_program(step[0]).empty();
    });
  });
  const auto before = load_text();
  for (int round = -1; round < rounds; ++round) // the first is to warm up
    for (auto& c : all) {
      const auto one = run_once(c, scratch);
      if (round < 0) continue;
      c.time.add(round, one.ms);
      c.memory.add(round, one.peak_mib);
    }
  ::kill(server, SIGTERM);
  ::waitpid(server, nullptr, 0);
  std::printf("%s; before: %s; after: %s\n", machine_text().c_str(), before.c_str(),
              load_text().c_str());
  std::printf("%-16s %22s %12s %10s\n", "", "ms (p50 / p95)", "to tank", "peak MiB");
  for (const auto& c : all)
    std::printf("%-16s %22s %11.2fx %10.0f\n", c.name.c_str(), c.time.text().c_str(),
                c.time.quantile(0.5) / all.front().time.quantile(0.5), c.memory.quantile(1));
  std::error_code ec;
  fs::remove_all(scratch, ec);
}
