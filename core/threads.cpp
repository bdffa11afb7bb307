#include "core/threads.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <sched.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <tbb/task_scheduler_observer.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace omnifit::core {
namespace {

/// The one hook of this process, made at its first use.
class WorkerHook {
 public:
  static WorkerHook& instance() {
    static WorkerHook hook;
    return hook;
  }
  void set(std::function<void()> call) {
    const std::lock_guard lock(mutex_);
    call_ = std::move(call);
    version_.fetch_add(1, std::memory_order_release);
  }
  /// Calls what is set. Nothing that was set before is still called once set() has returned.
  void call() const {
    const std::lock_guard lock(mutex_);
    if (call_) call_();
  }
  /// Another number after every set.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  mutable std::mutex mutex_;
  std::function<void()> call_;
  std::atomic<std::uint64_t> version_{0};
};

int affinity_cores() {
  // The kernel refuses a mask smaller than its own, so grow until it fits.
  for (int capacity = 1024; capacity <= (1 << 20); capacity *= 2) {
    std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> mask(CPU_ALLOC(capacity),
                                                          [](cpu_set_t* set) { CPU_FREE(set); });
    const std::size_t size_bytes = CPU_ALLOC_SIZE(capacity);
    if (sched_getaffinity(0, size_bytes, mask.get()) == 0) {
      return CPU_COUNT_S(size_bytes, mask.get());
    }
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// Tightest quota on the way from this process's cgroup (version 2) to the root; infinity if none.
double cgroup_cores() {
  constexpr std::uint64_t kMaxBytes = 1 << 16;
  constexpr std::string_view kPrefix = "0::";
  double cores = std::numeric_limits<double>::infinity();
  const std::filesystem::path root = "/sys/fs/cgroup";
  try {
    const std::string groups = read_text_file("/proc/self/cgroup", kMaxBytes);
    const std::size_t start = groups.rfind(kPrefix);
    if (start == std::string::npos) return cores;
    const std::size_t end = std::min(groups.find('\n', start), groups.size());
    const std::size_t name = start + kPrefix.size();
    std::filesystem::path group = root / groups.substr(name + 1, end - std::min(end, name + 1));
    while (true) {
      std::error_code error;
      const std::filesystem::path quota = group / "cpu.max";
      if (std::filesystem::exists(quota, error)) {
        cores = std::min(cores, cores_of_cpu_max(read_text_file(quota, kMaxBytes)));
      }
      if (group == root || !group.has_relative_path()) return cores;
      group = group.parent_path();
    }
  } catch (const DataError&) {
    return cores;  // no cgroups on this machine, or not ours to read: no quota known
  }
}

/// Repeats in code of ours what oneTBB promises anyway: all that happened before a task is handed
/// out is seen by it, and the task's own doing by whoever waited for it. The thread sanitizer
/// cannot look into oneTBB; without this it takes every hand-over for a race. Counters of the
/// process, because those of one call would themselves have to be handed over.
class HandOver {
 public:
  static void give() { given().fetch_add(1, std::memory_order_release); }
  static void take() { given().load(std::memory_order_acquire); }
  static void finish() { finished().fetch_add(1, std::memory_order_release); }
  static void collect() { finished().load(std::memory_order_acquire); }

 private:
  static std::atomic<std::uint64_t>& given() {
    static std::atomic<std::uint64_t> count{0};
    return count;
  }
  static std::atomic<std::uint64_t>& finished() {
    static std::atomic<std::uint64_t> count{0};
    return count;
  }
};

/// Tells each worker thread that joins the arena to keep to one thread inside.
class WorkerObserver final : public tbb::task_scheduler_observer {
 public:
  explicit WorkerObserver(tbb::task_arena& arena) : tbb::task_scheduler_observer(arena) {
    HandOver::give();
    observe(true);
  }
  ~WorkerObserver() override {
    observe(false);  // waits for entries that are under way
    HandOver::collect();
  }
  void on_scheduler_entry(bool is_worker) override {
    HandOver::take();
    if (is_worker) WorkerHook::instance().call();
    HandOver::finish();
  }
};

/// Whether this thread is in a body of a parallel_for that has workers.
bool& in_body() {
  thread_local bool inside = false;
  return inside;
}

/// Hands out indices in ascending order and keeps the exception of the lowest index.
///
/// Every index below a failing one was handed out before it, so the lowest failing index always
/// runs: which exception is rethrown does not depend on the thread count.
class IndexQueue {
 public:
  IndexQueue(std::int64_t count, const std::function<void(std::int64_t)>& body)
      : count_(count), body_(body) {}

  void drain() {
    const bool outer = std::exchange(in_body(), true);
    take_all();
    in_body() = outer;
  }

  void rethrow_if_failed() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void take_all() {
    while (!failed_.load(std::memory_order_relaxed)) {
      const std::int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
      if (index >= count_) return;
      try {
        body_(index);
      } catch (...) {
        record(index, std::current_exception());
      }
    }
  }

  void record(std::int64_t index, std::exception_ptr failure) {
    const std::lock_guard lock(mutex_);
    if (!failure_ || index < failed_index_) {
      failure_ = std::move(failure);
      failed_index_ = index;
    }
    failed_.store(true, std::memory_order_relaxed);
  }

  const std::int64_t count_;
  const std::function<void(std::int64_t)>& body_;
  std::atomic<std::int64_t> next_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::int64_t failed_index_ = 0;
};

/// An arena whose workers have the hook.
class Team {
 public:
  explicit Team(int threads)
      : threads_(threads), hook_version_(WorkerHook::instance().version()), arena_(threads) {
    arena_.initialize();
    observer_.emplace(arena_);
  }

  [[nodiscard]] bool fits(int threads) const {
    return threads_ == threads && hook_version_ == WorkerHook::instance().version();
  }

  /// Has the queue drained by this thread and up to `workers` - 1 others.
  void drain(IndexQueue& queue, int workers) {
    arena_.execute([&queue, workers] {
      tbb::task_group group;
      for (int worker = 1; worker < workers; ++worker) {
        tbb::task_handle task = group.defer([&queue] {
          HandOver::take();
          queue.drain();
          HandOver::finish();
        });
        // Once the task is written: its thread may have been in the arena for long.
        HandOver::give();
        group.run(std::move(task));
      }
      queue.drain();
      group.wait();
      HandOver::collect();
    });
  }

 private:
  int threads_;
  std::uint64_t hook_version_;
  tbb::task_arena arena_;
  std::optional<WorkerObserver> observer_;
};

/// The team that this thread used last, while it is outside of any body. Threads of a new arena
/// have to be woken up, which takes 100 microseconds and more; those of a known one still look out
/// for work where calls follow each other closely.
Team& kept_team(int threads) {
  thread_local std::unique_ptr<Team> team;
  if (!team || !team->fits(threads)) team = std::make_unique<Team>(threads);
  return *team;
}

}  // namespace

double cores_of_cpu_max(std::string_view cpu_max) {
  double quota_us = 0;
  double period_us = 0;
  const char* end = cpu_max.data() + cpu_max.size();
  const auto quota = std::from_chars(cpu_max.data(), end, quota_us);
  if (quota.ec == std::errc() && quota.ptr != end) {
    const auto period = std::from_chars(quota.ptr + 1, end, period_us);
    if (period.ec == std::errc() && quota_us > 0 && period_us > 0) return quota_us / period_us;
  }
  return std::numeric_limits<double>::infinity();
}

int available_cores() {
  const double cores = std::min(static_cast<double>(affinity_cores()), cgroup_cores());
  return std::max(1, static_cast<int>(std::floor(cores)));
}

void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body) {
  OMNIFIT_CHECK(threads >= 1, "parallel_for needs at least one thread, got {}", threads);
  if (count <= 0) return;
  const int workers = static_cast<int>(std::min<std::int64_t>(count, threads));
  if (workers == 1) {
    for (std::int64_t index = 0; index < count; ++index) body(index);
    return;
  }
  // oneTBB starts at most one thread per core unless told otherwise; bodies that wait for a device
  // or a runner are worth more threads than that.
  const auto hardware = static_cast<int>(tbb::info::default_concurrency());
  std::optional<tbb::global_control> limit;
  if (threads > hardware) {
    limit.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads));
  }
  IndexQueue queue(count, body);
  if (in_body()) {
    Team(workers).drain(queue, workers);
  } else {
    kept_team(threads).drain(queue, workers);
  }
  queue.rethrow_if_failed();
}

void set_worker_hook(std::function<void()> hook) { WorkerHook::instance().set(std::move(hook)); }

}  // namespace omnifit::core
