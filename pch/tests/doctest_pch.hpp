// Precompiled for test programs.
#include "pch/json/json_pch.hpp"

#include <doctest/doctest.h>
