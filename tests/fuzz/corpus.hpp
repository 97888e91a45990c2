/// The corpus of a target: corpus/<target>/ in this directory.
///
///     ok.lines, bad.lines    one input a line
///     ok-*, bad-*            one input a file
///     found-*                what once broke something; taken or not
///
/// Inputs named ok must be accepted, and those named bad refused: a target that refuses everything
/// proves nothing.
#pragma once

#include "fuzz.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace tank::fuzz {

/// Runs every input, the target's own seeds too. Returns what is wrong, a line each; empty:
/// nothing. With an `out` that is not empty, the inputs are written there as libFuzzer wants them.
std::vector<std::string> replay(const target& t, const std::filesystem::path& corpus,
                                const std::filesystem::path& out = {});

} // namespace tank::fuzz
