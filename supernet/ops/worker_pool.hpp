#pragma once

#include <memory>
#include <type_traits>

namespace omnifit::supernet::ops {

/// Threads of the fused kernels, for as long as this lives, of calls made by the thread that
/// created it. Without one (also on every other thread) kernels run on their caller alone.
///
/// Not OpenMP's pool, because its idle threads spin: on a machine with anything else to do a
/// training step then takes up to ten times as long. These threads look for work for a moment and
/// then sleep, and a part that no thread has taken yet is done by the caller. May nest; the
/// innermost holds.
class KernelThreads {
 public:
  /// @pre threads >= 1
  explicit KernelThreads(int threads);
  ~KernelThreads();
  KernelThreads(const KernelThreads&) = delete;
  KernelThreads& operator=(const KernelThreads&) = delete;

 private:
  struct Pool;
  friend void run_parts(int parts, void (*body)(void*, int), void* context);
  friend int kernel_parts();
  std::unique_ptr<Pool> pool_;
  KernelThreads* previous_;
};

/// Parts that kernels called from this thread split their work into: one on one thread, otherwise
/// more than there are threads, so that a thread that had to wait for its core holds up little.
int kernel_parts();

/// Calls `body(context, part)` for every part in [0, parts), on the caller and the threads of its
/// KernelThreads. Rethrows the first exception once all running parts ended.
void run_parts(int parts, void (*body)(void*, int), void* context);

/// As above for a callable. What a part computes must depend on its number alone, so that results
/// are reproducible for a given number of parts.
template <class Body>
void parallel_parts(int parts, Body&& body) {
  run_parts(
      parts,
      [](void* context, int part) {
        (*static_cast<std::remove_reference_t<Body>*>(context))(part);
      },
      &body);
}

}  // namespace omnifit::supernet::ops
