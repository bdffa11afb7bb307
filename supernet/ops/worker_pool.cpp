#include "supernet/ops/worker_pool.hpp"

#include "core/error.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace omnifit::supernet::ops {
namespace {

/// How long a thread looks for work before it sleeps: longer than the gap between two kernels of a
/// step.
constexpr std::chrono::microseconds kPatience{50};
constexpr int kPartsPerThread = 2;

thread_local KernelThreads* current_threads = nullptr;

void pause_core() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

/// True as soon as `ready()`; false if it is not within kPatience.
template <class Ready>
bool look_out(Ready&& ready) {
  const auto start = std::chrono::steady_clock::now();
  while (!ready()) {
    for (int i = 0; i < 32; ++i) pause_core();
    if (std::chrono::steady_clock::now() - start > kPatience) return ready();
  }
  return true;
}

}  // namespace

/// One job at a time. A thread takes part in a job only while the job is open, and a job ends only
/// when no thread takes part in it, so no thread ever sees the next job's parts with this one's
/// body.
struct KernelThreads::Pool {
  explicit Pool(int threads) : num_threads(threads) {
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { work(); });
  }

  ~Pool() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
      ++generation;
    }
    wake.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void run(int parts, void (*job_body)(void*, int), void* job_context) {
    {
      const std::lock_guard lock(mutex);
      body = job_body;
      context = job_context;
      num_parts = parts;
      next.store(0, std::memory_order_relaxed);
      open = true;
      ++generation;
    }
    wake.notify_all();
    drain();
    std::unique_lock lock(mutex);
    open = false;
    if (busy.load(std::memory_order_relaxed) > 0) {
      lock.unlock();
      look_out([this] { return busy.load(std::memory_order_acquire) == 0; });
      lock.lock();
      finished.wait(lock, [this] { return busy.load(std::memory_order_relaxed) == 0; });
    }
    if (const std::exception_ptr failed = std::exchange(failure, nullptr)) {
      lock.unlock();
      std::rethrow_exception(failed);
    }
  }

  const int num_threads;

 private:
  void drain() {
    for (int part = next.fetch_add(1); part < num_parts; part = next.fetch_add(1)) {
      try {
        body(context, part);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    }
  }

  void work() {
    std::uint64_t seen = 0;
    while (true) {
      look_out([&] { return generation.load(std::memory_order_acquire) != seen; });
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return generation.load(std::memory_order_relaxed) != seen; });
      seen = generation.load(std::memory_order_relaxed);
      if (stop) return;
      if (!open) continue;
      busy.fetch_add(1, std::memory_order_relaxed);
      lock.unlock();
      drain();
      lock.lock();
      if (busy.fetch_sub(1, std::memory_order_release) == 1) finished.notify_all();
    }
  }

  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable finished;
  std::atomic<std::uint64_t> generation{0};
  std::atomic<int> next{0};
  std::atomic<int> busy{0};
  void (*body)(void*, int) = nullptr;
  void* context = nullptr;
  int num_parts = 0;
  bool open = false;
  bool stop = false;
  std::exception_ptr failure;
};

KernelThreads::KernelThreads(int threads) : previous_(current_threads) {
  OMNIFIT_CHECK(threads >= 1, "threads must be at least 1, got {}", threads);
  pool_ = std::make_unique<Pool>(threads);
  current_threads = this;
}

KernelThreads::~KernelThreads() { current_threads = previous_; }

int kernel_parts() {
  if (current_threads == nullptr || current_threads->pool_->num_threads == 1) return 1;
  return current_threads->pool_->num_threads * kPartsPerThread;
}

void run_parts(int parts, void (*body)(void*, int), void* context) {
  if (parts == 1 || current_threads == nullptr || current_threads->pool_->num_threads == 1) {
    for (int part = 0; part < parts; ++part) body(context, part);
    return;
  }
  current_threads->pool_->run(parts, body, context);
}

}  // namespace omnifit::supernet::ops
