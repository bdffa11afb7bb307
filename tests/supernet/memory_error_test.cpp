#include "supernet/memory_error.hpp"

#include "tests/support/catch.hpp"

#include <ATen/ATen.h>

#include <new>
#include <stdexcept>

using namespace omnifit;

TEST_CASE("running out of memory is told apart from bugs, in one line", "[supernet][error]") {
  CHECK((supernet::out_of_memory(std::bad_alloc()) == "out of memory"));
  CHECK_FALSE(supernet::out_of_memory(std::runtime_error("can't allocate memory")));
  std::optional<std::string> text;
  try {
    at::empty({std::int64_t{1} << 50}, at::kFloat);
  } catch (const std::exception& error) {
    text = supernet::out_of_memory(error);
  }
  CHECK((text == "out of memory: a tensor of 4.5 PB does not fit"));
  try {
    at::empty({2}).view({3});
    FAIL("a view of another size was made");
  } catch (const std::exception& error) {
    CHECK_FALSE(supernet::out_of_memory(error));
  }
}
