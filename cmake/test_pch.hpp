#pragma once
// Precompiled for the tests.
#include "cmake/pch.hpp"
#include "tests/support/catch.hpp"
