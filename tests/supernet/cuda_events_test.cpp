#include "latency_lut/torch/cuda_events.hpp"

#include "core/error.hpp"
#include "tests/supernet/fake_cudart.hpp"
#include "tests/support/catch.hpp"

#include <dlfcn.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>

using namespace omnifit;
using latency::CudaEvents;

namespace {

/// A LibTorch built for CUDA has its runtime in the process, which would hide the fake one.
bool has_real_runtime() { return dlsym(RTLD_DEFAULT, "cudaRuntimeGetVersion") != nullptr; }

/// The fake CUDA runtime as if just loaded. It stays in the process once it is there, because the
/// loader keeps every library that a look-up has found something in.
class FakeRuntime {
 public:
  FakeRuntime() : state_(loaded()) { state_ = test::FakeCuda{}; }

  void fail(const char* function, int calls_before) {
    state_.failing = function;
    state_.calls_until_fail = calls_before;
  }
  void note(const char* text) { std::strcat(state_.log, text); }
  [[nodiscard]] std::string log() const { return state_.log; }

 private:
  static test::FakeCuda& loaded() {
    static test::FakeCuda* const state = [] {
      // The only moment to see this, whatever the order of the tests.
      INFO("before the runtime is loaded there are no events");
      CHECK_FALSE(CudaEvents::find().has_value());
      void* library = dlopen(OMNIFIT_FAKE_CUDART, RTLD_NOW | RTLD_GLOBAL);
      REQUIRE(library != nullptr);
      return static_cast<test::FakeCuda*>(dlsym(library, "fake_cuda"));
    }();
    REQUIRE(state != nullptr);
    return *state;
  }

  test::FakeCuda& state_;
};

const std::string kCreated = "cudaEventCreate 1 0;cudaEventCreate 2 0;";
const std::string kStarted = kCreated + "cudaEventRecord 1 0;work;";
const std::string kDestroyed = "cudaEventDestroy 2 0;cudaEventDestroy 1 0;";

}  // namespace

TEST_CASE("CUDA events are found with the runtime and time the default stream", "[latency][unit]") {
  if (has_real_runtime()) return;
  FakeRuntime cuda;
  {
    std::optional<CudaEvents> events = CudaEvents::find();
    REQUIRE(events.has_value());
    CHECK(cuda.log() == kCreated);
    const CudaEvents moved = *std::move(events);
    events.reset();
    CHECK(cuda.log() == kCreated);
    CHECK(moved.elapsed_ms([&] { cuda.note("work;"); }) == 2.5);
    CHECK(cuda.log() == kStarted +
                            "cudaEventRecord 2 0;cudaEventSynchronize 2 0;"
                            "cudaEventElapsedTime 1 2;");
  }
  CHECK(cuda.log().ends_with("cudaEventElapsedTime 1 2;" + kDestroyed));
}

TEST_CASE("Errors of CUDA events end the measurement and leave no event behind",
          "[latency][error]") {
  if (has_real_runtime()) return;
  FakeRuntime cuda;
  const auto measure = [&] {
    const std::optional<CudaEvents> events = CudaEvents::find();
    REQUIRE(events.has_value());
    static_cast<void>(events->elapsed_ms([&] { cuda.note("work;"); }));
  };
  const auto fails_with = [](const std::string& function) {
    return Catch::Matchers::Message("CUDA: " + function + " failed with status 700");
  };

  SECTION("of the second event's creation") {
    cuda.fail("cudaEventCreate", 1);
    CHECK_THROWS_MATCHES(measure(), EnvironmentError, fails_with("cudaEventCreate"));
    CHECK(cuda.log() == kCreated + "cudaEventDestroy 1 0;");
  }
  SECTION("of the first record") {
    cuda.fail("cudaEventRecord", 0);
    CHECK_THROWS_MATCHES(measure(), EnvironmentError, fails_with("cudaEventRecord"));
    CHECK(cuda.log() == kCreated + "cudaEventRecord 1 0;" + kDestroyed);
  }
  SECTION("of the second record") {
    cuda.fail("cudaEventRecord", 1);
    CHECK_THROWS_MATCHES(measure(), EnvironmentError, fails_with("cudaEventRecord"));
    CHECK(cuda.log() == kStarted + "cudaEventRecord 2 0;" + kDestroyed);
  }
  SECTION("of the synchronisation") {
    cuda.fail("cudaEventSynchronize", 0);
    CHECK_THROWS_MATCHES(measure(), EnvironmentError, fails_with("cudaEventSynchronize"));
    CHECK(cuda.log().ends_with("cudaEventSynchronize 2 0;" + kDestroyed));
  }
  SECTION("of the time") {
    cuda.fail("cudaEventElapsedTime", 0);
    CHECK_THROWS_MATCHES(measure(), EnvironmentError, fails_with("cudaEventElapsedTime"));
    CHECK(cuda.log().ends_with("cudaEventElapsedTime 1 2;" + kDestroyed));
  }
  SECTION("of the work itself") {
    const auto stop = [] { throw std::runtime_error("no kernel"); };
    {
      const std::optional<CudaEvents> events = CudaEvents::find();
      REQUIRE(events.has_value());
      CHECK_THROWS_MATCHES(static_cast<void>(events->elapsed_ms(stop)), std::runtime_error,
                           Catch::Matchers::Message("no kernel"));
    }
    CHECK(cuda.log() == kCreated + "cudaEventRecord 1 0;" + kDestroyed);
  }
}
