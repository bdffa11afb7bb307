#include "core/rng.hpp"
#include "core/threads.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "supernet/loss.hpp"
#include "supernet/network.hpp"
#include "supernet/ops/worker_pool.hpp"
#include "supernet/sgd.hpp"
#include "supernet/supernet_impl.hpp"
#include "supernet/thread_policy.hpp"
#include "tests/space/spaces.hpp"

#include <ATen/ATen.h>
#include <benchmark/benchmark.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

/// Images a second of training steps of mbv3_32px: the full network, and a distillation step (the
/// teacher's forward pass and two sampled subnets), with the own kernels and with LibTorch's
/// operators. Iterations of both alternate, so that what else the machine does slows both alike.
namespace omnifit {
namespace {

constexpr int kSubnetsPerStep = 2;
constexpr int kDrawnSteps = 8;  ///< steps draw their subnets from this many pairs

struct Arguments {
  int batch_size = 128;
  int threads = core::available_cores();
};

/// One network and its optimiser, trained with one kind of kernels.
class Training {
 public:
  Training(const Arguments& arguments, supernet::ops::Kernels kernels)
      : arguments_(arguments),
        kernels_(kernels),
        space_(test::shipped_space("mbv3_32px")),
        network_(space_, io_, 1),
        largest_(space::lower(space_, space::largest(space_), io_)),
        sgd_(network_.impl().parameters(), 0.9, 3e-5) {
    space::Subspace full_resolution = space::Subspace::all(space_);
    full_resolution.keep_largest(space_, space::Axis::kResolution, 1);
    for (std::uint64_t i = 0; i < kDrawnSteps * kSubnetsPerStep; ++i) {
      core::Rng rng = core::Rng::stream(1, core::Purpose::kSubnet, {i});
      subnets_.push_back(space::lower(space_, space::sample(space_, full_resolution, rng), io_));
    }
    at::manual_seed(1);
    const std::int64_t count = arguments.batch_size;
    images_ =
        at::randn({count, io_.in_channels, 32, 32}).contiguous(at::MemoryFormat::ChannelsLast);
    targets_ = supernet::smoothed_targets(at::randint(io_.num_classes, {count}, at::kLong),
                                          io_.num_classes, 0.1);
  }

  void full_step() {
    sgd_.zero_gradients();
    backward(largest_, targets_);
    sgd_.step(1e-3);
  }

  void distillation_step() {
    const at::Tensor targets = targets_ + teacher_targets();
    sgd_.zero_gradients();
    for (int i = 0; i < kSubnetsPerStep; ++i) {
      backward(subnets_[next_], targets);
      next_ = (next_ + 1) % subnets_.size();
    }
    sgd_.step(1e-3);
  }

 private:
  [[nodiscard]] at::Tensor forward(const space::NetworkPlan& plan) const {
    supernet::ExecuteOptions options;
    options.kernels = kernels_;
    return supernet::execute(plan, network_.impl().weights(plan), images_, options);
  }
  [[nodiscard]] at::Tensor teacher_targets() const {
    const at::NoGradGuard no_grad;
    return at::softmax(forward(largest_), 1);
  }
  void backward(const space::NetworkPlan& plan, const at::Tensor& targets) const {
    supernet::soft_cross_entropy(forward(plan), targets).backward();
  }

  Arguments arguments_;
  supernet::ops::Kernels kernels_;
  space::TaskIo io_{1, 10};
  space::SearchSpace space_;
  supernet::Supernet network_;
  space::NetworkPlan largest_;
  supernet::Sgd sgd_;
  std::vector<space::NetworkPlan> subnets_;
  std::size_t next_ = 0;
  at::Tensor images_;
  at::Tensor targets_;
};

double seconds_of(Training& training, void (Training::*step)()) {
  const auto start = std::chrono::steady_clock::now();
  (training.*step)();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// One step with each kind of kernels per iteration; the counters hold the medians.
void train(benchmark::State& state, const Arguments& arguments, void (Training::*step)()) {
  // LibTorch's operators run on its own threads, ours on theirs; neither's idle ones may spin
  // beside the other's, so each side has the threads only while it runs.
  Training own(arguments, supernet::ops::Kernels::kFused);
  Training libtorch(arguments, supernet::ops::Kernels::kLibTorch);
  const auto own_step = [&] {
    const supernet::ThreadPolicy policy(1);
    const supernet::ops::KernelThreads threads(arguments.threads);
    return seconds_of(own, step);
  };
  const auto libtorch_step = [&] {
    const supernet::ThreadPolicy policy(arguments.threads);
    return seconds_of(libtorch, step);
  };
  own_step();
  libtorch_step();
  std::vector<double> own_seconds;
  std::vector<double> libtorch_seconds;
  for (auto _ : state) {
    own_seconds.push_back(own_step());
    libtorch_seconds.push_back(libtorch_step());
  }
  const auto images = static_cast<double>(arguments.batch_size);
  state.counters["images_per_second"] = images / median(own_seconds);
  state.counters["images_per_second_libtorch"] = images / median(libtorch_seconds);
  state.counters["ratio"] = median(libtorch_seconds) / median(own_seconds);
}

void add_benchmark(const char* name, const Arguments& arguments, void (Training::*step)()) {
  benchmark::RegisterBenchmark(
      fmt::format("supernet/train_step/{}/batch:{}/threads:{}", name, arguments.batch_size,
                  arguments.threads)
          .c_str(),
      [&arguments, step](benchmark::State& state) { train(state, arguments, step); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Arguments arguments;
  CLI::App app("Training steps of mbv3_32px with the own kernels and with LibTorch's operators");
  app.add_option("--batch-size", arguments.batch_size)->check(CLI::PositiveNumber);
  app.add_option("--threads", arguments.threads)->check(CLI::PositiveNumber);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  add_benchmark("full", arguments, &Training::full_step);
  add_benchmark("teacher_and_2_subnets", arguments, &Training::distillation_step);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) {
  try {
    return omnifit::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
