// Precompiled for the rooms that read and write JSON.
#include "pch/base/base_pch.hpp"

#include <nlohmann/json.hpp>
