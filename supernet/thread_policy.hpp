#pragma once

namespace omnifit::supernet {

/// Owns the cores while it lives: sets LibTorch's intra-op threads and OpenBLAS's own pool, and
/// registers the worker hook that keeps every oneTBB worker's LibTorch at one thread. Restores what
/// it found. Policies may nest on one thread (the innermost holds); a second owner on another
/// thread is a bug (checked). `ThreadPolicy policy(2)`: one computation on two threads.
/// `ThreadPolicy policy(1)`: for outer parallelism.
class ThreadPolicy {
 public:
  explicit ThreadPolicy(int inner_threads);
  ~ThreadPolicy();
  ThreadPolicy(const ThreadPolicy&) = delete;
  ThreadPolicy& operator=(const ThreadPolicy&) = delete;

 private:
  int previous_intra_op_;
  int previous_blas_;
};

/// Version of LibTorch the build used, e.g. "1.13.1".
const char* libtorch_version();
bool cuda_available();

}  // namespace omnifit::supernet
