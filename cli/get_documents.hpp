/// `tank get configmaps|secrets|pvc`.
#pragma once

#include "base/error.hpp"
#include "cli/invocation.hpp"
#include "pod/documents.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tank::cli {

/// "configmaps", "cm", "secret", "pvc", ...; nothing for other words.
std::optional<document_kind> document_kind_of(std::string_view word);

struct document_choice {
  document_kind kind = document_kind::config_map;
  std::vector<std::string> names; ///< empty: all
  std::string ns;                 ///< empty: all
  std::string output;             ///< table, wide, json, yaml or name
  bool show_secrets = false;      ///< with json and yaml: values of Secrets too
};

/// What is in force the daemon says, and where it is kept; what it says is read there.
result<int> get_documents(invocation& line, const document_choice& given);

} // namespace tank::cli
