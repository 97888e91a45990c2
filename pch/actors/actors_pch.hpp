// Precompiled for actors and their tests: CAF costs a source three seconds else.
#include "pch/base/base_pch.hpp"

#include "actors/caf_compat.hpp"
#include "base/log.hpp"
