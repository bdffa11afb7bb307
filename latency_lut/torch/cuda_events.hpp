#pragma once

#include <functional>
#include <memory>
#include <optional>

namespace omnifit::latency {

/// Times work on a GPU by the GPU's own clock, so that the host's launches and scheduling do not
/// count. The functions of the CUDA runtime are looked up in the running process: a LibTorch built
/// for CUDA brings them along, and omnifit builds without CUDA's headers.
class CudaEvents {
 public:
  /// Nothing if the process has no CUDA runtime. @throws EnvironmentError if it has one that
  /// creates no events.
  [[nodiscard]] static std::optional<CudaEvents> find();

  /// Milliseconds between the start and the end of what `work` puts on the default stream, which is
  /// the one LibTorch uses unless told otherwise. Returns when all of it is done.
  /// @throws EnvironmentError if CUDA reports an error; what `work` throws passes through.
  [[nodiscard]] double elapsed_ms(const std::function<void()>& work) const;

 private:
  /// The C functions as libcudart exports them: events and streams are pointers, 0 is success.
  struct Functions {
    int (*create)(void** event);
    int (*record)(void* event, void* stream);
    int (*synchronize)(void* event);
    int (*elapsed_time)(float* ms, void* start, void* end);
    int (*destroy)(void* event);
  };
  using Event = std::unique_ptr<void, int (*)(void*)>;

  explicit CudaEvents(const Functions& functions);
  [[nodiscard]] static Event create_event(const Functions& functions);

  Functions functions_;
  Event start_;
  Event end_;
};

}  // namespace omnifit::latency
