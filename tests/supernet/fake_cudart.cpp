// A CUDA runtime of five functions that a test loads to see how they are used, without a GPU.
#include "tests/supernet/fake_cudart.hpp"

#include <cstdio>
#include <cstring>

#define FAKE_EXPORT extern "C" __attribute__((visibility("default")))

FAKE_EXPORT omnifit::test::FakeCuda fake_cuda;
omnifit::test::FakeCuda fake_cuda{};

namespace {

char events[16];

long number(const void* event) {
  return event == nullptr ? 0 : static_cast<const char*>(event) - events + 1;
}

int answer(const char* name, long first, long second) {
  const std::size_t used = std::strlen(fake_cuda.log);
  std::snprintf(fake_cuda.log + used, sizeof fake_cuda.log - used, "%s %ld %ld;", name, first,
                second);
  const bool fails = fake_cuda.failing != nullptr && std::strcmp(name, fake_cuda.failing) == 0 &&
                     fake_cuda.calls_until_fail-- == 0;
  return fails ? 700 : 0;
}

}  // namespace

FAKE_EXPORT int cudaEventCreate(void** event) {
  *event = &events[fake_cuda.created++];
  return answer("cudaEventCreate", number(*event), 0);
}

FAKE_EXPORT int cudaEventRecord(void* event, void* stream) {
  return answer("cudaEventRecord", number(event), stream == nullptr ? 0 : 1);
}

FAKE_EXPORT int cudaEventSynchronize(void* event) {
  return answer("cudaEventSynchronize", number(event), 0);
}

FAKE_EXPORT int cudaEventElapsedTime(float* ms, void* start, void* end) {
  *ms = 2.5F;
  return answer("cudaEventElapsedTime", number(start), number(end));
}

FAKE_EXPORT int cudaEventDestroy(void* event) {
  return answer("cudaEventDestroy", number(event), 0);
}
