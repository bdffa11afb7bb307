#include "supernet/thread_policy.hpp"

#include "core/threads.hpp"
#include "supernet/network.hpp"
#include "tests/supernet/network_support.hpp"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <chrono>
#include <ctime>
#include <thread>

using namespace omnifit;
using supernet::ThreadPolicy;

namespace {

double cpu_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// LibTorch's convolutions (oneDNN), a matrix product (OpenBLAS) and the fused kernels (OpenMP),
/// for about `duration_s`.
void work(double duration_s) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::randn({16, 32, 24, 24}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor weight = at::randn({32, 32, 3, 3}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor point = at::randn({32, 32, 1, 1});
  const at::Tensor matrix = at::randn({256, 256});
  const auto start = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() <
         duration_s) {
    at::conv2d(x, weight, {}, 1, 1);
    at::mm(matrix, matrix);
    supernet::ops::conv({x, {}, {}}, point, {1, 1, false}, true, supernet::ops::Kernels::kFused);
  }
}

/// What `body` made of the cores.
struct Usage {
  double cpu_per_wall =
      0.0;  ///< CPU seconds of the process per wall second: an upper bound holds on any machine
  double cpu_per_caller =
      0.0;  ///< … per CPU second of the calling thread: a lower bound holds on a busy machine too
};

template <class Body>
Usage usage(Body&& body) {
  const double process = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
  const double caller = cpu_s(CLOCK_THREAD_CPUTIME_ID);
  const auto start = std::chrono::steady_clock::now();
  body();
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double spent = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - process;
  return {spent / wall, spent / (cpu_s(CLOCK_THREAD_CPUTIME_ID) - caller)};
}

}  // namespace

TEST_CASE("A budget of one thread keeps one core busy", "[supernet][unit]") {
  const ThreadPolicy policy(1);
  work(0.05);
  CHECK(usage([] { work(0.4); }).cpu_per_wall <= 1.15);
  CHECK(usage([] { work(0.4); }).cpu_per_caller <= 1.15);
}

TEST_CASE("A budget of two threads keeps two cores busy", "[supernet][unit]") {
  if (core::available_cores() < 2) return;
  const ThreadPolicy policy(2);
  work(0.05);
  const Usage found = usage([] { work(0.6); });
  CHECK(found.cpu_per_wall <= 2.1);
  CHECK(found.cpu_per_caller >= 1.3);
}

TEST_CASE("Two outer workers keep two cores busy and no more", "[supernet][unit]") {
  if (core::available_cores() < 2) return;
  const ThreadPolicy policy(1);
  const auto outer = [] { core::parallel_for(2, 2, [](std::int64_t) { work(0.6); }); };
  outer();
  const Usage found = usage(outer);
  CHECK(found.cpu_per_wall <= 2.1);
  CHECK(found.cpu_per_caller >= 1.3);
}

TEST_CASE("Workers of an outer loop run LibTorch on one thread", "[supernet][unit]") {
  const ThreadPolicy policy(2);
  CHECK(at::get_num_threads() == 2);
  {
    const ThreadPolicy inner(1);
    CHECK(at::get_num_threads() == 1);
    std::vector<int> threads(8);
    core::parallel_for(8, 2, [&](std::int64_t i) {
      threads[static_cast<std::size_t>(i)] = at::get_num_threads();
    });
    CHECK(threads == std::vector<int>(8, 1));
  }
  CHECK(at::get_num_threads() == 2);
}

TEST_CASE("A second owner of the cores is a bug", "[supernet][error]") {
  const ThreadPolicy policy(1);
  bool refused = false;
  std::thread([&] {
    try {
      const ThreadPolicy other(1);
    } catch (const BugError&) {
      refused = true;
    }
  }).join();
  CHECK(refused);
}
