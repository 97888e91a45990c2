#include "corpus.hpp"

#include "base/file.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace tank::fuzz {

namespace {

struct input {
  std::string name;
  std::string bytes;
  std::optional<verdict> wanted;
};

std::optional<verdict> wanted_by(const std::string& name) {
  if (name.starts_with("ok")) return verdict::accepted;
  if (name.starts_with("bad")) return verdict::refused;
  return std::nullopt;
}

void split(const std::string& name, const std::string& text, std::vector<input>& to) {
  for (std::size_t begin = 0, line = 1; begin < text.size(); ++line) {
    const auto end = std::min(text.find('\n', begin), text.size());
    if (end > begin)
      to.push_back(
          {name + ":" + std::to_string(line), text.substr(begin, end - begin), wanted_by(name)});
    begin = end + 1;
  }
}

std::vector<input> read_corpus(const target& t, const std::filesystem::path& corpus,
                               std::vector<std::string>& wrong) {
  std::vector<input> all;
  std::error_code ec;
  for (std::filesystem::directory_iterator it{corpus / t.name, ec}, end; !ec && it != end;
       it.increment(ec)) {
    const auto name = it->path().filename().string();
    const auto text = read_file(it->path(), 1u << 20);
    if (!text) {
      wrong.push_back(text.error().message());
    } else if (name == "ok.lines" || name == "bad.lines") {
      split(name, *text, all);
    } else if (name.starts_with("ok-") || name.starts_with("bad-") || name.starts_with("found-")) {
      all.push_back({name, *text, wanted_by(name)});
    } else {
      wrong.push_back("the corpus has no files named '" + name + "'");
    }
  }
  if (t.seeds != nullptr)
    for (auto& bytes : t.seeds())
      all.push_back({"ok-made-" + std::to_string(all.size()), std::move(bytes), verdict::accepted});
  return all;
}

} // namespace

void broken(const char* what, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
  std::abort();
}

std::vector<std::string> replay(const target& t, const std::filesystem::path& corpus,
                                const std::filesystem::path& out) {
  std::vector<std::string> wrong;
  const auto all = read_corpus(t, corpus, wrong);
  for (const auto wanted : {verdict::accepted, verdict::refused})
    if (std::none_of(all.begin(), all.end(), [&](const input& i) { return i.wanted == wanted; }))
      wrong.push_back(std::string{"no input of the corpus should be "} +
                      (wanted == verdict::accepted ? "accepted" : "refused"));
  std::size_t number = 0;
  for (const auto& i : all) {
    const auto got = t.run(i.bytes);
    if (i.wanted && got != *i.wanted)
      wrong.push_back(i.name + (got == verdict::accepted ? " is accepted" : " is refused"));
    if (out.empty()) continue;
    if (auto made = write_new_file(out / ("seed-" + std::to_string(number++)), i.bytes); !made)
      wrong.push_back(made.error().message());
  }
  return wrong;
}

} // namespace tank::fuzz
