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
    const auto room = most - rest_.size();
    const auto end = bytes.substr(0, room + 1).find('\n');
    const bool whole = end != std::string_view::npos;
    if (!whole && bytes.size() <= room) {
      rest_.append(bytes);
      return;
    }
    const auto next = bytes.substr(0, whole ? end : room);
    if (rest_.empty()) {
      line(next, whole, give);
    } else {
      rest_.append(next);
      line(rest_, whole, give);
      rest_.clear();
    }
    bytes.remove_prefix(next.size() + (whole ? 1 : 0));
  }
}

void cri_parser::finish(const sink& give) {
  if (!rest_.empty()) line(rest_, true, give);
  rest_.clear();
  for (auto [stream, open] : {std::pair{log_stream::out, &out_}, {log_stream::err, &err_}}) {
    if (open->open) give({open->time, stream, open->text, false});
    *open = {};
  }
}

void cri_parser::line(std::string_view text, bool whole, const sink& give) {
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
      const auto end = first == "P" ? piece_end::open : whole ? piece_end::line : piece_end::cut;
      piece(*stream == "stdout" ? log_stream::out : log_stream::err, *time, left, end, give);
      return;
    }
  }
  give({"", log_stream::out, std::string{text}, whole});
}

void cri_parser::piece(log_stream stream, std::string_view time, std::string_view text,
                       piece_end end, const sink& give) {
  auto& open = stream == log_stream::out ? out_ : err_;
  if (!open.open) {
    open.open = true;
    open.time = time;
  }
  while (text.size() > max_line_ - open.text.size()) {
    const auto fits = text.substr(0, max_line_ - open.text.size());
    open.text.append(fits);
    text.remove_prefix(fits.size());
    give({open.time, stream, open.text, false});
    open.text.clear();
  }
  open.text.append(text);
  if (end == piece_end::open) return;
  give({open.time, stream, open.text, end == piece_end::line});
  open = {};
}

} // namespace tank::cli
