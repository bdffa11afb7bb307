// What a parallel loop costs beside its work: a few bodies of some microseconds each, on one and on
// two threads, call after call, and with work of the caller between the calls. With two cores, two
// threads should take half of the time of one.
#include "core/threads.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdint>

namespace {

using Clock = std::chrono::steady_clock;

void work(std::int64_t us) {
  const auto end = Clock::now() + std::chrono::microseconds(us);
  while (Clock::now() < end) {
  }
}

/// Threads, microseconds of each of eight bodies, microseconds between two calls (not timed).
void parallel_for(benchmark::State& state) {
  const auto threads = static_cast<int>(state.range(0));
  for (auto _ : state) {
    work(state.range(2));
    const auto start = Clock::now();
    omnifit::core::parallel_for(8, threads, [&](std::int64_t) { work(state.range(1)); });
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
  }
}

BENCHMARK(parallel_for)
    ->ArgNames({"threads", "body_us", "pause_us"})
    ->ArgsProduct({{1, 2}, {0, 5, 50}, {0, 50, 200}})
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
