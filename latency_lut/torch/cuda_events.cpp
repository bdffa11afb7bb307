#include "latency_lut/torch/cuda_events.hpp"

#include "core/error.hpp"

#include <dlfcn.h>

namespace omnifit::latency {
namespace {

/// Points `function` to what the process knows as `name`; false if it knows nothing.
template <typename Function>
bool look_up(Function& function, const char* name) {
  function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return function != nullptr;
}

void check(int status, const char* name) {
  if (status != 0) {
    throw EnvironmentError(fmt::format("CUDA: {} failed with status {}", name, status));
  }
}

}  // namespace

std::optional<CudaEvents> CudaEvents::find() {
  Functions functions{};
  if (!look_up(functions.create, "cudaEventCreate") ||
      !look_up(functions.record, "cudaEventRecord") ||
      !look_up(functions.synchronize, "cudaEventSynchronize") ||
      !look_up(functions.elapsed_time, "cudaEventElapsedTime") ||
      !look_up(functions.destroy, "cudaEventDestroy")) {
    return std::nullopt;
  }
  return CudaEvents(functions);
}

CudaEvents::CudaEvents(const Functions& functions)
    : functions_(functions), start_(create_event(functions)), end_(create_event(functions)) {}

CudaEvents::Event CudaEvents::create_event(const Functions& functions) {
  void* event = nullptr;
  check(functions.create(&event), "cudaEventCreate");
  return {event, functions.destroy};
}

double CudaEvents::elapsed_ms(const std::function<void()>& work) const {
  check(functions_.record(start_.get(), nullptr), "cudaEventRecord");
  work();
  check(functions_.record(end_.get(), nullptr), "cudaEventRecord");
  check(functions_.synchronize(end_.get()), "cudaEventSynchronize");
  float ms = 0.0F;
  check(functions_.elapsed_time(&ms, start_.get(), end_.get()), "cudaEventElapsedTime");
  return static_cast<double>(ms);
}

}  // namespace omnifit::latency
