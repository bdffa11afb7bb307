#include "supernet/thread_policy.hpp"

#include "core/error.hpp"
#include "core/threads.hpp"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/version.h>

#include <dlfcn.h>

#include <mutex>
#include <thread>

namespace omnifit::supernet {
namespace {

/// OpenBLAS keeps a pool of its own behind `mm` and linear layers, which LibTorch does not know.
/// Looked up at run time, so that a LibTorch with another BLAS works the same.
struct OpenBlas {
  using SetThreads = void (*)(int);
  using GetThreads = int (*)();
  SetThreads set_threads = nullptr;
  GetThreads get_threads = nullptr;

  static const OpenBlas& instance() {
    static const OpenBlas found = [] {
      OpenBlas blas;
      blas.set_threads =
          reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"));
      blas.get_threads =
          reinterpret_cast<GetThreads>(dlsym(RTLD_DEFAULT, "openblas_get_num_threads"));
      return blas;
    }();
    return found;
  }
};

void set_blas_threads(int threads) {
  if (OpenBlas::instance().set_threads != nullptr) OpenBlas::instance().set_threads(threads);
}

int blas_threads() {
  const OpenBlas& blas = OpenBlas::instance();
  return blas.get_threads != nullptr ? blas.get_threads() : 1;
}

std::mutex owner_mutex;
int owner_depth = 0;
std::thread::id owner;

void take_ownership() {
  const std::lock_guard lock(owner_mutex);
  OMNIFIT_CHECK(owner_depth == 0 || owner == std::this_thread::get_id(),
                "two threads own the thread policy at once");
  owner = std::this_thread::get_id();
  ++owner_depth;
}

void release_ownership() {
  const std::lock_guard lock(owner_mutex);
  --owner_depth;
}

}  // namespace

ThreadPolicy::ThreadPolicy(int inner_threads) {
  OMNIFIT_CHECK(inner_threads >= 1, "threads must be at least 1, got {}", inner_threads);
  take_ownership();
  previous_intra_op_ = at::get_num_threads();
  previous_blas_ = blas_threads();
  at::set_num_threads(inner_threads);
  set_blas_threads(inner_threads);
  core::set_worker_hook([] { at::set_num_threads(1); });
}

ThreadPolicy::~ThreadPolicy() {
  at::set_num_threads(previous_intra_op_);
  set_blas_threads(previous_blas_);
  release_ownership();
}

const char* libtorch_version() { return TORCH_VERSION; }

bool cuda_available() { return at::hasCUDA(); }

}  // namespace omnifit::supernet
