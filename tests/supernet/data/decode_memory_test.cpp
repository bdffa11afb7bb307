#include "supernet/data/decode_memory.hpp"

#include "core/threads.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

using namespace omnifit;
using supernet::DecodeMemory;

TEST_CASE("claims on memory never exceed the limit together", "[supernet][unit]") {
  DecodeMemory memory(100);
  std::atomic<int> used = 0;
  std::atomic<int> most = 0;
  core::parallel_for(200, 8, [&](std::int64_t i) {
    const int size = static_cast<int>(20 + i % 80);
    const auto claim = memory.claim(static_cast<std::uint64_t>(size));
    const int now = used += size;
    int seen = most;
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    used -= size;
  });
  CHECK(most <= 100);
  CHECK(most >= 99);
}

TEST_CASE("a claim larger than the limit is refused at once", "[supernet][unit]") {
  DecodeMemory memory(100);
  CHECK_FALSE(memory.claim(101).has_value());
  CHECK_FALSE(memory.claim(~std::uint64_t{0}).has_value());
  CHECK(memory.limit_bytes() == 100);
  // All of it again after the first is given back, also out of a moved-to claim.
  for (int i = 0; i < 3; ++i) {
    auto first = memory.claim(60);
    REQUIRE(first.has_value());
    std::optional<DecodeMemory::Claim> second(std::move(*first));
    first.reset();
    *second = std::move(*memory.claim(40));
    CHECK(memory.claim(60).has_value());
  }
}
