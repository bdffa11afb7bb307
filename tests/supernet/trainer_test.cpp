#include "supernet/trainer.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/interrupt.hpp"
#include "formats/tensor_file.hpp"
#include "space/lower.hpp"
#include "supernet/checkpoint.hpp"
#include "supernet/evaluation.hpp"
#include "supernet/schedule.hpp"
#include "supernet/sgd.hpp"
#include "supernet/static_network.hpp"
#include "supernet/tensor_conversion.hpp"
#include "tests/supernet/network_support.hpp"
#include "tests/supernet/reference_spaces.hpp"
#include "tests/supernet/train_support.hpp"
#include "tests/support/temp_dir.hpp"

#include <cmath>

using namespace omnifit;
using namespace omnifit::supernet;
using Catch::Matchers::ContainsSubstring;
using test::check_same_weights;
using test::RecordedMessages;
using test::Run;
using test::run;
using test::short_training;

TEST_CASE("A stopped and resumed training equals an undisturbed one bit for bit",
          "[supernet][property]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  const test::TempDir undisturbed;
  const test::TempDir stopped;
  const Run whole = run(space, data, short_training(), undisturbed.path());
  REQUIRE(whole.last.final);
  CHECK(whole.last.step == 8);
  CHECK(whole.finished == std::vector<std::string>{"full", "expand"});

  std::map<std::string, double> metrics;
  Run part;
  for (const std::int64_t stop_at : {2, 4, 5, 7, 0}) {
    part = run(space, data, short_training(), stopped.path(), stop_at);
    for (const auto& [name, value] : part.metrics) {
      CAPTURE(name);
      if (metrics.contains(name)) CHECK(metrics[name] == value);
      metrics[name] = value;
    }
  }
  REQUIRE(part.last.final);
  CHECK(part.finished == whole.finished);
  CHECK((metrics == whole.metrics));
  check_same_weights(undisturbed / "full.safetensors", stopped / "full.safetensors");
  check_same_weights(undisturbed / "expand.safetensors", stopped / "expand.safetensors");

  SECTION("a finished training only tells its checkpoints again") {
    const Run again = run(space, data, short_training(), undisturbed.path());
    CHECK(again.metrics.empty());
    CHECK(again.finished == whole.finished);
    CHECK(again.last.sha256 == whole.last.sha256);
  }
}

TEST_CASE("A bottleneck space trains, resumes, evaluates and is extracted",
          "[supernet][property]") {
  const space::SearchSpace space = test::small_bottleneck_space();
  const Dataset data = test::toy_dataset();
  TrainConfig config = short_training();
  config.phases[0].epochs = 8.0;
  config.phases[1].open_width_mults = 0;
  const test::TempDir undisturbed;
  const test::TempDir stopped;
  const Run whole = run(space, data, config, undisturbed.path());
  REQUIRE(whole.last.final);
  CHECK(whole.metrics.at("full/32/train_loss") < 0.8 * whole.metrics.at("full/1/train_loss"));
  run(space, data, config, stopped.path(), 34);
  REQUIRE(run(space, data, config, stopped.path()).last.final);
  check_same_weights(undisturbed / "expand.safetensors", stopped / "expand.safetensors");

  const Supernet network = load_supernet(undisturbed / "expand.safetensors", space, {1, 4});
  const SubnetEvaluator evaluator(network, space, data);
  const std::vector<space::Arch> archs{space::largest(space), space::smallest(space)};
  EvalOptions options;
  options.calibration_images = 48;
  options.threads = 2;
  const auto accuracies = evaluator.evaluate(archs, Split::kTest, options);
  CHECK(accuracies[0].num_images == data.test.count());
  CHECK(accuracies[0].top1 > 0.5);
  for (const space::Arch& arch : archs) {
    const formats::FoldedNetwork extracted = evaluator.extract(arch, options);
    REQUIRE_NOTHROW(extracted.validate());
    const auto proof = evaluator.proof_case(arch, Split::kTest, 4, options);
    const at::Tensor logits =
        StaticNetwork(extracted).forward(to_tensor(proof.images), ops::Kernels::kLibTorch);
    CHECK(test::relative_difference(logits, to_tensor(proof.logits)) < 1e-4);
  }
}

TEST_CASE("Going on with another machine's checkpoint is told", "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  const test::TempDir folder;
  run(space, data, short_training(), folder.path(), 3);
  RecordedMessages same;
  run(space, data, short_training(), folder.path(), 6, &same);
  CHECK_THAT(same.messages, !ContainsSubstring("written by"));
  TrainContext elsewhere;
  elsewhere.seed = 3;
  elsewhere.threads = 2;
  elsewhere.checkpoint_folder = folder.path();
  elsewhere.input_hash = "inputs";
  elsewhere.machine = "LibTorch 2.9.0 on another processor";
  RecordedMessages other;
  elsewhere.progress = &other;
  CHECK(train(space, data, short_training(), elsewhere).final);
  CHECK_THAT(other.messages,
             ContainsSubstring("written by LibTorch 1.13.1 on this one, going on with LibTorch "
                               "2.9.0 on another processor: the result will not be bit for bit "
                               "that of an undisturbed run"));
}

TEST_CASE("Torn and foreign checkpoints are told and passed over", "[supernet][error]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset();
  const test::TempDir undisturbed;
  const test::TempDir damaged;
  run(space, data, short_training(), undisturbed.path());
  run(space, data, short_training(), damaged.path(), 6);
  // The newer of the two progress files is cut off; the older one is one step behind.
  std::filesystem::path newest;
  int steps = -1;
  for (const char* name : {"progress-0.safetensors", "progress-1.safetensors"}) {
    const int step = std::stoi(formats::read_tensor_file(damaged / name).metadata.at("step"));
    if (step > steps) newest = damaged / name;
    steps = std::max(steps, step);
  }
  REQUIRE(steps == 6);
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) / 2);
  RecordedMessages progress;
  const Run resumed = run(space, data, short_training(), damaged.path(), 0, &progress);
  REQUIRE(resumed.last.final);
  CHECK_THAT(progress.messages, ContainsSubstring("ignored a checkpoint: " + newest.string()));
  CHECK(resumed.metrics.contains("expand/6/train_loss"));
  CHECK_FALSE(resumed.metrics.contains("expand/5/train_loss"));
  check_same_weights(undisturbed / "expand.safetensors", damaged / "expand.safetensors");

  SECTION("other inputs start anew") {
    TrainContext context;
    context.seed = 3;
    context.checkpoint_folder = damaged.path();
    context.input_hash = "other inputs";
    RecordedMessages told;
    context.progress = &told;
    std::int64_t first_step = -1;
    context.on_metric = [&](const TrainMetric& metric) {
      if (first_step < 0) first_step = metric.step;
    };
    train(space, data, short_training(), context);
    CHECK(first_step == 1);
    CHECK_THAT(told.messages, ContainsSubstring("made from other inputs, not continued from"));
  }

  SECTION("without the teacher's checkpoint training starts over") {
    std::filesystem::resize_file(damaged / "full.safetensors", 100);
    const Run again = run(space, data, short_training(), damaged.path());
    REQUIRE(again.last.final);
    CHECK(again.metrics.contains("full/1/train_loss"));
    check_same_weights(undisturbed / "expand.safetensors", damaged / "expand.safetensors");
  }
}

TEST_CASE("Training learns, and its subnets are evaluated after calibration",
          "[supernet][property]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  const Dataset data = test::toy_dataset(240);
  TrainConfig config = short_training();
  config.phases[0].epochs = 6;
  config.phases[1].epochs = 6;
  config.phases[1].sandwich = true;
  const test::TempDir folder;
  const Run trained = run(space, data, config, folder.path());
  CHECK(trained.metrics.at("full/60/train_loss") < trained.metrics.at("full/1/train_loss"));
  CHECK(trained.metrics.at("expand/120/val_top1_largest") > 0.9);
  CHECK(trained.metrics.at("expand/120/val_top1_smallest") > 0.8);

  const Supernet network = load_supernet(trained.last.file, space, {1, 4});
  const SubnetEvaluator evaluator(network, space, data);
  const std::vector<space::Arch> archs{space::largest(space), space::smallest(space)};
  EvalOptions options;
  options.calibration_images = 48;
  options.batch_size = 16;
  const auto alone = evaluator.evaluate(archs, Split::kTest, options);
  CHECK(alone[0].top1 > 0.9);
  CHECK(alone[0].num_images == 40);
  CHECK(alone[0].top5 == 1.0);
  CHECK(alone[0].loss < 1.4);

  SECTION("equal for any number of threads and companions") {
    options.threads = 2;
    std::vector<space::Arch> many{archs[1], archs[0], archs[1], archs[0]};
    std::vector<int> done(many.size());
    const auto together = evaluator.evaluate(
        many, Split::kTest, options, [&](std::size_t i, const SubnetAccuracy&) { ++done[i]; });
    CHECK(together[1].loss == alone[0].loss);
    CHECK(together[3].loss == alone[0].loss);
    CHECK(together[0].loss == alone[1].loss);
    CHECK(done == std::vector<int>{1, 1, 1, 1});
  }

  SECTION("a part of a split is its first images, for calibration and for evaluation") {
    Dataset head = data;
    const auto keep = [&](ImageSplit& split, std::size_t count) {
      split.pixels.resize(split.pixels.size() / split.labels.size() * count);
      split.labels.resize(count);
    };
    keep(head.train, 48);
    keep(head.test, 16);
    const SubnetEvaluator of_head(network, space, head);
    EvalOptions all = options;
    all.calibration_images = 1000;
    EvalOptions part = options;
    part.max_images = 16;
    CHECK(evaluator.evaluate(archs, Split::kTest, part)[1].loss ==
          of_head.evaluate(archs, Split::kTest, all)[1].loss);
  }

  SECTION("the extracted network gives the proof's logits") {
    const formats::FoldedNetwork extracted = evaluator.extract(archs[1], options);
    const auto proof = evaluator.proof_case(archs[1], Split::kTest, 5, options);
    CHECK(proof.images.shape == std::vector<std::int64_t>{5, 1, extracted.plan.resolution_px,
                                                          extracted.plan.resolution_px});
    CHECK(proof.logits.shape == std::vector<std::int64_t>{5, 4});
    CHECK_NOTHROW(extracted.validate());
  }

  SECTION("a stop request ends the evaluation") {
    core::request_stop(true);
    CHECK_THROWS_AS(evaluator.evaluate(archs, Split::kTest, options), Interrupted);
    core::request_stop(false);
  }

  SECTION("a split without images is an error") {
    Dataset empty = data;
    empty.test = {};
    const SubnetEvaluator nothing(network, space, empty);
    CHECK_THROWS_MATCHES(nothing.evaluate(archs, Split::kTest, options), DataError,
                         Catch::Matchers::Message("toy: no test images"));
  }

  SECTION("a checkpoint of something else is refused") {
    CHECK_THROWS_MATCHES(
        load_supernet(trained.last.file, space, {1, 5}), DataError,
        Catch::Matchers::Message(trained.last.file.string() +
                                 ": is for 1 channels and 4 classes, the data has 1 channels and 5 "
                                 "classes"));
    CHECK_THROWS_WITH(load_supernet(trained.last.file, test::shipped_space("mbv3_32px"), {1, 4}),
                      ContainsSubstring("belongs to another search space"));
    formats::TensorFile file = formats::read_tensor_file(trained.last.file);
    file.metadata.erase("kind");
    const std::filesystem::path other = folder / "other.safetensors";
    formats::write_tensor_file(other, file);
    CHECK_THROWS_MATCHES(
        load_supernet(other, space, {1, 4}), DataError,
        Catch::Matchers::Message(other.string() + ": not a checkpoint: no metadata 'kind'"));
    file = formats::read_tensor_file(trained.last.file);
    file.tensors.pop_back();
    formats::write_tensor_file(other, file);
    CHECK_THROWS_MATCHES(
        load_supernet(other, space, {1, 4}), DataError,
        Catch::Matchers::Message(other.string() + ": 'classifier.linear.bias' is missing"));
  }
}

TEST_CASE("A diverging training says what to lower", "[supernet][error]") {
  const space::SearchSpace space = test::shipped_space("tiny");
  TrainConfig config = short_training();
  config.phases.resize(1);
  config.phases[0].epochs = 10;
  config.phases[0].learning_rate = 100.0;
  config.weight_decay = 1.0;
  const test::TempDir folder;
  CHECK_THROWS_WITH(run(space, test::toy_dataset(), config, folder.path()),
                    ContainsSubstring("training diverged: the loss of phase 'full' is") &&
                        ContainsSubstring("lower its learning_rate"));
}

TEST_CASE("Training without images is an error", "[supernet][error]") {
  const test::TempDir folder;
  Dataset empty = test::toy_dataset();
  empty.train = {};
  CHECK_THROWS_MATCHES(run(test::shipped_space("tiny"), empty, short_training(), folder.path()),
                       DataError, Catch::Matchers::Message("toy: no training images"));
}

TEST_CASE("The learning rate warms up and falls to zero by a cosine", "[supernet][unit]") {
  PhaseConfig phase;
  phase.epochs = 2.5;
  phase.warmup_epochs = 0.5;
  phase.learning_rate = 0.4;
  const PhaseSchedule schedule(phase, 85, 8);
  CHECK(schedule.steps_per_epoch == 10);
  CHECK(schedule.steps == 25);
  CHECK(schedule.warmup_steps == 5);
  CHECK(schedule.rate(0) == Approx(0.08));
  CHECK(schedule.rate(4) == Approx(0.4));
  CHECK(schedule.rate(5) == Approx(0.4));
  CHECK(schedule.rate(15) == Approx(0.2));
  CHECK(schedule.rate(24) > 0.0);
  CHECK(schedule.rate(24) < 0.005);
}

TEST_CASE("The subnets of a step come from the open part of the space", "[supernet][unit]") {
  const space::SearchSpace space = test::shipped_space("mbv3_32px");
  PhaseConfig phase;
  phase.open_kernel_sizes = 2;
  phase.subnets_per_step = 3;
  phase.sandwich = true;
  const space::Subspace subspace = open_subspace(space, phase);
  const auto first = step_subnets(space, subspace, phase, 1, 17);
  CHECK((first == step_subnets(space, subspace, phase, 1, 17)));
  CHECK((first[0] == corner(space, subspace, Corner::kSmallest)));
  CHECK((first[1] == space::largest(space)));
  CHECK_FALSE((first[2] == step_subnets(space, subspace, phase, 1, 18)[2]));
  for (const space::Arch& arch : first) {
    for (std::size_t g = 0; g < space.genes().size(); ++g) {
      const space::Gene& gene = space.genes()[g];
      if (!space::is_active(space, arch, static_cast<int>(g))) continue;
      const double value = gene.choices[static_cast<std::size_t>(arch.choice(static_cast<int>(g)))];
      if (gene.axis == space::Axis::kKernelSize) CHECK(value >= 5);
      if (gene.axis == space::Axis::kExpandRatio) CHECK(value == 6);
    }
  }
}

TEST_CASE("Gradient steps follow Nesterov's rule and spare batch norm from decay",
          "[supernet][unit]") {
  at::Tensor weight = at::tensor({1.0F, -2.0F});
  at::Tensor norm = at::tensor({1.0F});
  Sgd optimiser({{"conv.weight", weight}, {"bn.weight", norm}}, 0.9, 0.1);
  weight.mutable_grad().fill_(0.5F);
  norm.mutable_grad().fill_(0.5F);
  double w = 1.0;
  double n = 1.0;
  double w_momentum = 0.0;
  double n_momentum = 0.0;
  for (int step = 0; step < 3; ++step) {
    optimiser.step(0.2);
    const double gradient = 0.5 + 0.1 * w;
    w_momentum = 0.9 * w_momentum + gradient;
    w -= 0.2 * (gradient + 0.9 * w_momentum);
    n_momentum = 0.9 * n_momentum + 0.5;
    n -= 0.2 * (0.5 + 0.9 * n_momentum);
    CHECK(weight[0].item<double>() == Approx(w));
    CHECK(norm[0].item<double>() == Approx(n));
  }
  optimiser.zero_gradients();
  const double before = weight[1].item<double>();
  optimiser.step(0.2);  // momentum and decay move a weight that no subnet used
  CHECK(weight[1].item<double>() != before);
}

TEST_CASE("Training configurations are checked", "[supernet][error]") {
  const auto problem = [](const std::string& yaml) -> std::string {
    try {
      core::read_config<TrainConfig>(core::parse_yaml(yaml, "job.yaml"));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(problem("batch_size: 64").empty());
  CHECK(problem(core::write_config(TrainConfig{})).empty());
  CHECK_THAT(problem("phases:\n  - {name: a, epochs: 1}\n  - {name: a, epochs: 2}\n"),
             ContainsSubstring("two phases are named 'a'"));
  CHECK_THAT(problem("phases: []\n"), ContainsSubstring("needs at least one phase"));
  CHECK(problem("start_from: a.pth\nphases: []\n").empty());
  CHECK_THAT(problem("start_expand_ratios: 1\n"),
             ContainsSubstring("start_expand_ratios: says how start_from was trained"));
  CHECK_THAT(problem("phases:\n  - {name: ../x}\n"),
             ContainsSubstring("'../x' is not a phase name"));
  CHECK_THAT(problem("phases:\n  - {name: progress}\n"),
             ContainsSubstring("'progress' is not a phase name"));
  CHECK_THAT(problem("phases:\n  - {name: a, epochs: 1, warmup_epochs: 2}\n"),
             ContainsSubstring("2 is more than the phase's epochs (1)"));
  CHECK(problem("phases:\n  - {name: a, epochs: 0}\n").find("epochs") != std::string::npos);
  CHECK(problem("momentum: 1.5\n").find("momentum") != std::string::npos);
}
