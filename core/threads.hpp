#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace omnifit::core {

/// Cores this process may run on (affinity mask and cgroup quota respected), at least 1.
int available_cores();

/// Cores that a cgroup's `cpu.max` ("QUOTA PERIOD" in microseconds, or "max PERIOD") grants;
/// infinity if it sets no limit.
double cores_of_cpu_max(std::string_view cpu_max);

/// Runs `body(i)` for i in [0, count) on at most `threads` threads (oneTBB arena), one call per
/// index.
///
/// Outer parallelism: each worker is told to use one thread inside numerical libraries through the
/// registered worker hook (see set_worker_hook). Results must be keyed by i, never by thread.
/// Indices start in ascending order. After a failure no further index starts; once the running
/// calls ended, the exception of the lowest failing index is rethrown: the same one for any thread
/// count. The calling thread works too and never gets the hook; with one thread or one index
/// everything runs on it. Calls may be nested: an inner call has an arena of its own. Outside of
/// any body the calling thread keeps its arena, so that calls in quick succession wake nobody up:
/// one costs a few microseconds. Blocking.
/// @pre threads >= 1
void parallel_for(std::int64_t count, int threads, const std::function<void(std::int64_t)>& body);

/// Called on every worker thread that enters an arena of parallel_for, before its first body.
/// LibTorch's owner of threads (supernet/thread_policy) registers itself here, because a new thread
/// would otherwise run LibTorch kernels on all cores. Must not throw; an empty function removes it.
void set_worker_hook(std::function<void()> hook);

}  // namespace omnifit::core
