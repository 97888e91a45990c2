#include "cli/cri_log.hpp"

#include <optional>

namespace tank::cli {
namespace {

/// Takes the next word; nullopt when no space follows it.
std::optional<std::string_view> word(std::string_view& text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto taken = text.substr(0, space);
  text.remove_prefix(space + 1);
  return taken;
}

} // namespace

void cri_parser::feed(std::string_view bytes, const sink& give) {
  // A head of time, stream and tag comes on top of the text that the limit is about.
  const std::size_t most = max_line_ + 128;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) {
      rest_.append(bytes);
      if (rest_.size() > most) {
        line(rest_, give);
        rest_.clear();
      }
      return;
    }
    if (rest_.empty()) {
      line(bytes.substr(0, end), give);
    } else {
      rest_.append(bytes.substr(0, end));
      line(rest_, give);
      rest_.clear();
    }
    bytes.remove_prefix(end + 1);
  }
}

void cri_parser::finish(const sink& give) {
  if (!rest_.empty()) line(rest_, give);
  rest_.clear();
  for (auto [stream, open] : {std::pair{log_stream::out, &out_}, {log_stream::err, &err_}}) {
    if (open->open) give({open->time, stream, open->text, false});
    *open = {};
  }
}

void cri_parser::line(std::string_view text, const sink& give) {
  std::string_view left = text;
  const auto time = word(left);
  const auto stream = time ? word(left) : std::nullopt;
  if (stream && (*stream == "stdout" || *stream == "stderr")) {
    // An empty line may come as "... F " or "... F": both are the empty text.
    auto tag = word(left);
    if (!tag) {
      tag = left;
      left = {};
    }
    const auto first = tag->substr(0, tag->find(':')); // tags are a list; the first one counts
    if (first == "P" || first == "F") {
      piece(*stream == "stdout" ? log_stream::out : log_stream::err, *time, left, first == "F",
            give);
      return;
    }
  }
  give({"", log_stream::out, std::string{text}, true});
}

void cri_parser::piece(log_stream stream, std::string_view time, std::string_view text, bool final,
                       const sink& give) {
  auto& open = stream == log_stream::out ? out_ : err_;
  if (!open.open) {
    open.open = true;
    open.time = time;
  }
  open.text.append(text);
  if (final) {
    give({open.time, stream, open.text, true});
    open = {};
  } else if (open.text.size() >= max_line_) {
    give({open.time, stream, open.text, false});
    open.text.clear();
  }
}

} // namespace tank::cli
