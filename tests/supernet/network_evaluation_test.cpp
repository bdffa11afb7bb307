#include "supernet/network_evaluation.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "space/arch.hpp"
#include "space/lower.hpp"
#include "supernet/images.hpp"
#include "supernet/static_network.hpp"
#include "tests/supernet/data/data_files.hpp"
#include "tests/supernet/network_support.hpp"

#include <cmath>
#include <numeric>

using namespace omnifit;
using namespace omnifit::supernet;

namespace {

/// The naive count of one image: how many classes among `allowed` score at least the wanted one.
int rank_of(const float* logits, std::int64_t label, const std::vector<std::int64_t>& allowed) {
  int rank = 0;
  for (const std::int64_t c : allowed) rank += logits[c] >= logits[label] ? 1 : 0;
  return rank;
}

formats::FoldedNetwork random_network(int in_channels, int num_classes) {
  const space::SearchSpace space = test::shipped_space("tiny");
  return StaticNetwork::random(
             space::lower(space, space::largest(space), {in_channels, num_classes}), 5)
      .folded();
}

/// Four quadrants, labelled as classes 2, 5, 6 and 7 of eight.
Dataset some_of_eight() {
  Dataset data = test::toy_dataset(96, 24);
  data.num_classes = 8;
  for (ImageSplit* split : {&data.train, &data.validation, &data.test}) {
    for (std::int32_t& label : split->labels)
      label = std::array{2, 5, 6, 7}.at(static_cast<std::size_t>(label));
  }
  return data;
}

}  // namespace

TEST_CASE("a network is scored image by image, over all classes and over those shown",
          "[supernet][unit]") {
  const Dataset data = some_of_eight();
  const formats::FoldedNetwork network = random_network(1, 8);
  const StaticNetwork runnable(network);
  std::vector<std::int64_t> all(40);
  std::iota(all.begin(), all.end(), 0);
  const at::Tensor logits = runnable.forward(
      resize_images(image_batch(data, data.test, all, nullptr), network.plan.resolution_px));
  const std::vector<std::int64_t> every = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<std::int64_t> shown = {2, 5, 6, 7};
  for (const std::int64_t count : {40, 33}) {
    int top1 = 0;
    int top5 = 0;
    int shown_top1 = 0;
    double loss = 0.0;
    for (std::int64_t i = 0; i < count; ++i) {
      const float* row = logits.data_ptr<float>() + i * 8;
      const std::int64_t label = data.test.labels[static_cast<std::size_t>(i)];
      top1 += rank_of(row, label, every) == 1 ? 1 : 0;
      top5 += rank_of(row, label, every) <= 5 ? 1 : 0;
      shown_top1 += rank_of(row, label, shown) == 1 ? 1 : 0;
      double sum = 0.0;
      for (int c = 0; c < 8; ++c) sum += std::exp(static_cast<double>(row[c] - row[label]));
      loss += std::log(sum);
    }
    const auto images = static_cast<double>(count);
    const NetworkAccuracy found =
        evaluate_network(network, data, Split::kTest, {7, count == 40 ? 0 : count, 2});
    CHECK(found.num_images == count);
    CHECK(found.num_classes == 8);
    CHECK(found.num_shown_classes == 4);
    CHECK(found.top1 == Approx(top1 / images));
    CHECK(found.top5 == Approx(top5 / images));
    CHECK(found.shown_top1 == Approx(shown_top1 / images));
    CHECK(found.loss == Approx(loss / images).epsilon(1e-4));
    CHECK(found.shown_top1 >= found.top1);
  }
}

TEST_CASE("a network's score does not depend on the thread count", "[supernet][property]") {
  const Dataset data = some_of_eight();
  const formats::FoldedNetwork network = random_network(1, 8);
  const NetworkAccuracy one = evaluate_network(network, data, Split::kValidation, {6, 0, 1});
  const NetworkAccuracy two = evaluate_network(network, data, Split::kValidation, {6, 0, 2});
  CHECK(one.top1 == two.top1);
  CHECK(one.loss == two.loss);
}

TEST_CASE("a network that does not fit the data is refused", "[supernet][error]") {
  Dataset data = some_of_eight();
  const auto error = [&data](const formats::FoldedNetwork& network) {
    return test::message_of<DataError>([&] { evaluate_network(network, data, Split::kTest, {}); });
  };
  CHECK(error(random_network(3, 8)) == "toy: images of 1 channels, but the network takes 3");
  CHECK(error(random_network(1, 1000)) ==
        "toy: data.num_classes = 8, but the network has 1000 classes; a file that data.labels "
        "names can give the network's labels");
  data.test = {};
  CHECK(error(random_network(1, 8)) == "toy: no test images");
}

TEST_CASE("scoring a network stops when asked to", "[supernet][unit]") {
  core::request_stop(true);
  CHECK_THROWS_AS(evaluate_network(random_network(1, 8), some_of_eight(), Split::kTest, {}),
                  Interrupted);
  core::request_stop(false);
}
