/// A manual page's source (mdoc) as far as tests look into it: sections, list items, words.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace tank::cli {

struct manual_section {
  int level = 1; ///< 1: .Sh, 2: .Ss
  std::string title;
  std::vector<std::string> lines;

  /// The options that list items describe: ".It Fl o , Fl -output Ar FORMAT" is
  /// "-o,--output FORMAT", as a help page writes it.
  [[nodiscard]] std::set<std::string> option_items() const {
    std::set<std::string> found;
    for (const auto& line : lines) {
      if (!line.starts_with(".It Fl ")) continue;
      std::istringstream words{line.substr(4)};
      std::string option;
      std::string before;
      for (std::string word; words >> word;) {
        if (before == "Fl")
          option += "-" + word;
        else if (before == "Ar")
          option += " " + word;
        else if (word == ",")
          option += ",";
        before = word;
      }
      found.insert(option);
    }
    return found;
  }

  /// The words behind `macro` on the lines of list items: ".It Va a , b".
  [[nodiscard]] std::set<std::string> item_words(std::string_view macro) const {
    return words_of(".It " + std::string{macro} + " ", lines);
  }

  /// The same of lines that are that macro: ".Va a , b".
  [[nodiscard]] std::set<std::string> macro_words(std::string_view macro) const {
    auto found = item_words(macro);
    found.merge(words_of("." + std::string{macro} + " ", lines));
    return found;
  }

  /// What stands behind `macro` on lines of its own.
  [[nodiscard]] std::set<std::string> lines_of(std::string_view macro) const {
    const auto begin = "." + std::string{macro} + " ";
    std::set<std::string> found;
    for (const auto& line : lines)
      if (line.starts_with(begin)) found.insert(line.substr(begin.size()));
    return found;
  }

  /// The words of `macro` in what the list item ".It Em <title>" holds.
  [[nodiscard]] std::set<std::string> words_below_item(std::string_view item,
                                                       std::string_view macro) const {
    auto at = std::find(lines.begin(), lines.end(), ".It Em " + std::string{item});
    if (at == lines.end()) return {};
    const auto end = std::find_if(++at, lines.end(), [](const auto& line) {
      return line.starts_with(".It") || line == ".El";
    });
    return words_of("." + std::string{macro} + " ", {at, end});
  }

  /// The displays: .Bd to .Ed.
  [[nodiscard]] std::vector<std::string> literals() const {
    std::vector<std::string> found;
    bool within = false;
    for (const auto& line : lines) {
      if (line == ".Ed") within = false;
      if (within) found.back() += line + "\n";
      if (!line.starts_with(".Bd")) continue;
      within = true;
      found.emplace_back();
    }
    return found;
  }

 private:
  static std::set<std::string> words_of(const std::string& begin,
                                        const std::vector<std::string>& from) {
    std::set<std::string> found;
    for (const auto& line : from) {
      if (!line.starts_with(begin)) continue;
      std::istringstream words{line.substr(begin.size())};
      for (std::string word; words >> word;)
        if (std::string_view{",;:.)"}.find(word) == std::string_view::npos) found.insert(word);
    }
    return found;
  }
};

struct manual_page {
  std::vector<manual_section> sections;

  /// Empty when there is none of that title.
  [[nodiscard]] manual_section section(std::string_view title) const {
    for (const auto& one : sections)
      if (one.title == title) return one;
    return {};
  }

  /// The subsections of a section.
  [[nodiscard]] std::vector<manual_section> below(std::string_view title) const {
    std::vector<manual_section> found;
    bool within = false;
    for (const auto& one : sections) {
      if (one.level == 1) within = one.title == title;
      if (within && one.level == 2) found.push_back(one);
    }
    return found;
  }
};

/// Without sections when the file cannot be read.
inline manual_page read_manual_page(const std::filesystem::path& file) {
  manual_page page;
  std::ifstream in{file};
  for (std::string line; std::getline(in, line);) {
    const int level = line.starts_with(".Sh ") ? 1 : line.starts_with(".Ss ") ? 2 : 0;
    if (level != 0)
      page.sections.push_back({level, line.substr(4), {}});
    else if (!page.sections.empty())
      page.sections.back().lines.push_back(line);
  }
  return page;
}

} // namespace tank::cli
