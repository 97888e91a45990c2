// Precompiled for tests of actors.
#include "pch/actors/actors_pch.hpp"

#include <doctest/doctest.h>
