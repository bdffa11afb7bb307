#include "core/threads.hpp"

#include "tests/support/catch.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace omnifit::core;

namespace {

/// Holds threads until `expected` of them have arrived, so that a test does not depend on timing.
class Gate {
 public:
  explicit Gate(int expected) : expected_(expected) {}
  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return arrived_ >= expected_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int expected_;
  int arrived_ = 0;
};

/// Removes the worker hook at the end of a test.
struct HookGuard {
  ~HookGuard() { set_worker_hook({}); }
};

}  // namespace

TEST_CASE("every index is visited once", "[core][property]") {
  for (int threads : {1, 2, 8}) {
    for (std::int64_t count : {0, 1, 2, 7, 1000}) {
      CAPTURE(threads, count);
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
      parallel_for(count, threads, [&](std::int64_t i) { ++visits[static_cast<std::size_t>(i)]; });
      for (const auto& visit : visits) REQUIRE(visit == 1);
    }
  }
}

TEST_CASE("the thread count that was asked for is what runs", "[core][unit]") {
  // More threads than this machine may have cores: all must be inside at once to pass the gate.
  Gate gate(6);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  parallel_for(6, 6, [&](std::int64_t) {
    gate.arrive_and_wait();
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  CHECK(ids.size() == 6);

  std::atomic<int> inside{0}, most{0};
  parallel_for(200, 3, [&](std::int64_t) {
    const int now = ++inside;
    int seen = most;
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    std::this_thread::yield();
    --inside;
  });
  CHECK(most <= 3);
}

TEST_CASE("one thread runs everything in order on the calling thread", "[core][unit]") {
  const HookGuard guard;
  set_worker_hook([] { FAIL("the calling thread is no worker"); });
  std::vector<std::int64_t> order;
  const auto caller = std::this_thread::get_id();
  parallel_for(5, 1, [&](std::int64_t i) {
    CHECK(std::this_thread::get_id() == caller);
    order.push_back(i);
  });
  CHECK(order == std::vector<std::int64_t>{0, 1, 2, 3, 4});
}

TEST_CASE("results do not depend on the thread count", "[core][property]") {
  const auto run = [](int threads) {
    std::vector<double> results(500);
    parallel_for(500, threads, [&](std::int64_t i) {
      const auto index = static_cast<std::uint64_t>(i);
      Rng rng = Rng::stream(3, Purpose::kTest, {index});
      for (int k = 0; k <= i % 13; ++k) results[index] += rng.normal();
    });
    return results;
  };
  const std::vector<double> expected = run(1);
  CHECK(run(2) == expected);
  CHECK(run(8) == expected);
}

TEST_CASE("indices start in ascending order", "[core][property]") {
  // An index that starts has all lower ones started before it: with everybody held at the gate,
  // exactly the first four can be inside.
  const int threads = 4;
  Gate gate(threads);
  std::mutex mutex;
  std::set<std::int64_t> first;
  parallel_for(50, threads, [&](std::int64_t i) {
    {
      const std::lock_guard lock(mutex);
      if (first.size() < threads) first.insert(i);
    }
    gate.arrive_and_wait();
  });
  CHECK(first == std::set<std::int64_t>{0, 1, 2, 3});
}

TEST_CASE("each worker gets the hook before its first body, the caller does not", "[core][unit]") {
  const HookGuard guard;
  static thread_local bool hooked = false;
  std::atomic<int> hooks{0};
  set_worker_hook([&hooks] {
    hooked = true;
    ++hooks;
  });
  hooked = false;
  const auto caller = std::this_thread::get_id();
  std::atomic<int> workers{0}, wrong{0};
  Gate gate(4);
  parallel_for(4, 4, [&](std::int64_t) {
    gate.arrive_and_wait();
    const bool is_caller = std::this_thread::get_id() == caller;
    if (!is_caller) ++workers;
    if (hooked == is_caller) ++wrong;
  });
  CHECK(workers == 3);
  CHECK(wrong == 0);
  CHECK(hooks >= 3);
}

TEST_CASE("a call knows the hook of its time, whatever ran before", "[core][unit]") {
  const HookGuard guard;
  std::atomic<int> first{0}, second{0};
  const auto meet = [](int threads) {
    Gate gate(threads);
    parallel_for(threads, threads, [&](std::int64_t) { gate.arrive_and_wait(); });
  };
  set_worker_hook([&first] { ++first; });
  for (const int threads : {2, 4, 2, 3}) meet(threads);
  CHECK(first >= 1 + 3 + 1 + 2);
  set_worker_hook([&second] { ++second; });
  const int before = first;  // never called again, though its workers may still arrive
  meet(3);
  CHECK(first == before);
  CHECK(second >= 2);
}

TEST_CASE("threads of one's own call side by side and end", "[core][unit]") {
  std::atomic<int> visits{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int call = 0; call < 50; ++call) parallel_for(10, 2, [&](std::int64_t) { ++visits; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(visits == 4 * 50 * 10);
}

TEST_CASE("the exception of the lowest failing index is rethrown after all ended",
          "[core][error]") {
  for (int threads : {1, 2, 8}) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::atomic<int> inside{0};
      std::string message;
      try {
        parallel_for(200, threads, [&](std::int64_t i) {
          ++inside;
          if (i % 2 == 0) std::this_thread::yield();
          --inside;
          if (i >= 40 && i % 5 == 0) throw std::runtime_error("index " + std::to_string(i));
        });
      } catch (const std::runtime_error& error) {
        message = error.what();
      }
      REQUIRE(message == "index 40");
      REQUIRE(inside == 0);
    }
  }
}

TEST_CASE("after a failure no further index starts", "[core][unit]") {
  std::atomic<int> started{0};
  CHECK_THROWS_AS(parallel_for(100000, 4,
                               [&](std::int64_t) {
                                 ++started;
                                 throw std::runtime_error("at once");
                               }),
                  std::runtime_error);
  CHECK(started <= 4);
}

TEST_CASE("nested calls visit every pair and keep their exceptions", "[core][unit]") {
  std::vector<std::atomic<int>> visits(20 * 30);
  parallel_for(20, 4, [&](std::int64_t i) {
    parallel_for(30, 3, [&](std::int64_t j) { ++visits[static_cast<std::size_t>(i * 30 + j)]; });
  });
  for (const auto& visit : visits) REQUIRE(visit == 1);

  CHECK_THROWS_WITH(parallel_for(8, 4,
                                 [](std::int64_t i) {
                                   parallel_for(8, 2, [i](std::int64_t j) {
                                     if (i == 3 && j == 5) throw std::runtime_error("inner");
                                   });
                                 }),
                    "inner");
}

TEST_CASE("no thread at all is a bug", "[core][error]") {
  CHECK_THROWS_AS(parallel_for(1, 0, [](std::int64_t) {}), omnifit::BugError);
}

TEST_CASE("available cores respect the affinity mask", "[core][unit]") {
  CHECK(available_cores() >= 1);
  CHECK(available_cores() <= static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF)));
  cpu_set_t saved;
  REQUIRE(sched_getaffinity(0, sizeof(saved), &saved) == 0);
  int first = 0;
  while (!CPU_ISSET(first, &saved)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
  const int cores = available_cores();
  REQUIRE(sched_setaffinity(0, sizeof(saved), &saved) == 0);
  CHECK(cores == 1);
}

TEST_CASE("a cgroup quota is a number of cores", "[core][unit]") {
  const double unlimited = std::numeric_limits<double>::infinity();
  CHECK(cores_of_cpu_max("200000 100000\n") == 2.0);
  CHECK(cores_of_cpu_max("150000 100000") == 1.5);
  CHECK(cores_of_cpu_max("max 100000\n") == unlimited);
  for (const char* text : {"", "x", "100000", "100000 ", "0 100000", "100000 0", "-1 100000"}) {
    CAPTURE(text);
    CHECK(cores_of_cpu_max(text) == unlimited);
  }
}
