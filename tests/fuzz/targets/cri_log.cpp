// Logs: what the shim writes is what the reader gives back; and of any file the reader gives the
// same entries however it was cut.
#include "../fuzz.hpp"

#include "cli/cri_log.hpp"
#include "kernel/shim/cri.hpp"

#include <memory>

namespace tank::fuzz {
namespace cri_log_target {
namespace {

using cli::cri_parser;
using cli::log_entry;
using cli::log_stream;

constexpr std::size_t most = 64; ///< of a line, here

struct sink {
  std::string& file;
  static bool full(std::size_t, std::size_t) { return false; }
  static void rotate() {}
  void write(const iovec* pieces, unsigned count, std::size_t) {
    for (unsigned i = 0; i < count; ++i)
      file.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
};

std::vector<log_entry> read(std::string_view file, std::size_t cut, std::size_t max_line) {
  std::vector<log_entry> all;
  cri_parser parser{max_line};
  const auto give = [&](const log_entry& e) { all.push_back(e); };
  for (; !file.empty(); file.remove_prefix(std::min(cut, file.size())))
    parser.feed(file.substr(0, cut), give);
  parser.finish(give);
  return all;
}

void round_trip(std::string_view text, std::size_t cut) {
  std::string file;
  sink to{file};
  const auto out = std::make_unique<kernel::shim::partial_line>();
  const auto err = std::make_unique<kernel::shim::partial_line>();
  out->size = err->size = 0;
  std::string said[2];
  bool second = false;
  for (auto rest = text; !rest.empty(); second = !second) {
    const auto part = rest.substr(0, cut);
    rest.remove_prefix(part.size());
    kernel::shim::cri_writer writer{to, second ? *err : *out, second ? "stderr" : "stdout", 1};
    writer.feed(part.data(), part.size());
    said[second ? 1 : 0] += part;
  }
  kernel::shim::cri_writer{to, *out, "stdout", 2}.finish();
  kernel::shim::cri_writer{to, *err, "stderr", 2}.finish();
  std::string heard[2];
  for (const auto& e : read(file, 7, 1u << 20)) {
    FUZZ_CHECK(e.time.size() == kernel::shim::stamp_size);
    heard[e.stream == log_stream::err ? 1 : 0] += e.text + (e.ended ? "\n" : "");
  }
  FUZZ_CHECK(heard[0] == said[0] && heard[1] == said[1]);
}

verdict run(std::string_view input) {
  round_trip(input, 1 + input.size() % 50);
  const auto whole = read(input, input.size() + 1, most);
  for (const std::size_t cut : {1u, 5u, 100u})
    FUZZ_CHECK(read(input, cut, most) == whole);
  std::size_t bytes = 0;
  bool ours = false;
  for (const auto& e : whole) {
    FUZZ_CHECK(e.text.size() <= most + 128);
    bytes += e.text.size();
    ours = ours || !e.time.empty();
  }
  FUZZ_CHECK(bytes <= input.size());
  return ours ? verdict::accepted : verdict::refused;
}

} // namespace
} // namespace cri_log_target
const target targets::cri_log{"cri_log", cri_log_target::run};
} // namespace tank::fuzz
