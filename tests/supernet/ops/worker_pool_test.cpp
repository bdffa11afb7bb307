#include "supernet/ops/worker_pool.hpp"

#include "tests/support/catch.hpp"

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace omnifit::supernet::ops;

TEST_CASE("Every part runs once, on no more threads than asked for", "[supernet][unit]") {
  const KernelThreads threads(3);
  for (int round = 0; round < 3000; ++round) {
    const int parts = 1 + round % 7;
    std::vector<std::atomic<int>> runs(static_cast<std::size_t>(parts));
    parallel_parts(parts, [&](int part) { ++runs[static_cast<std::size_t>(part)]; });
    for (const auto& count : runs) REQUIRE(count == 1);
  }
}

TEST_CASE("Kernels split their work only for the thread that owns kernel threads",
          "[supernet][unit]") {
  CHECK(kernel_parts() == 1);
  const KernelThreads threads(2);
  CHECK(kernel_parts() > 1);
  int elsewhere = 0;
  std::thread([&] { elsewhere = kernel_parts(); }).join();
  CHECK(elsewhere == 1);
  {
    const KernelThreads inner(1);
    CHECK(kernel_parts() == 1);
  }
  CHECK(kernel_parts() > 1);
}

TEST_CASE("Kernel threads share the work", "[supernet][unit]") {
  const KernelThreads threads(2);
  std::atomic<int> inside{0};
  std::atomic<bool> met{false};
  // Both parts must be running at once for either to end.
  parallel_parts(2, [&](int) {
    ++inside;
    while (inside < 2) std::this_thread::yield();
    met = true;
  });
  CHECK(met);
}

TEST_CASE("An exception of a part reaches the caller, and the threads go on working",
          "[supernet][error]") {
  const KernelThreads threads(2);
  CHECK_THROWS_AS(parallel_parts(4,
                                 [](int part) {
                                   if (part == 2) throw std::runtime_error("no memory");
                                 }),
                  std::runtime_error);
  std::atomic<int> sum{0};
  parallel_parts(4, [&](int part) { sum += part; });
  CHECK(sum == 6);
}
