#pragma once

namespace omnifit::test {

/// What the fake CUDA runtime was asked for, and what it shall answer.
struct FakeCuda {
  int created;           ///< events so far
  char log[1024];        ///< one "call arguments;" per call; events are numbered from 1
  const char* failing;   ///< the function that fails, or null
  int calls_until_fail;  ///< calls of it that succeed before
};

}  // namespace omnifit::test
