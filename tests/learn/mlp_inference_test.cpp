#include "learn/mlp_inference.hpp"

#include "core/error.hpp"
#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace omnifit::learn {
namespace {

core::Rng test_rng(std::uint64_t seed) {
  return core::Rng::stream(seed, core::Purpose::kTest, {0});
}

std::vector<DenseLayer> random_layers(const std::vector<int>& widths, std::uint64_t seed) {
  core::Rng rng = test_rng(seed);
  std::vector<DenseLayer> layers;
  for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
    DenseLayer layer{Eigen::MatrixXf(widths[i + 1], widths[i]), Eigen::VectorXf(widths[i + 1])};
    const double scale = std::sqrt(2.0 / widths[i]);
    for (float& value : layer.weight.reshaped()) value = static_cast<float>(rng.normal() * scale);
    for (float& value : layer.bias) value = static_cast<float>(rng.normal() * 0.1);
    layers.push_back(std::move(layer));
  }
  return layers;
}

OneHotBatch random_batch(int rows, int num_columns, std::uint64_t seed) {
  core::Rng rng = test_rng(seed);
  OneHotBatch batch;
  for (int i = 0; i < rows; ++i) {
    std::vector<std::uint16_t> columns;
    for (int c = 0; c < num_columns; ++c) {
      if (rng.below(4) == 0) columns.push_back(static_cast<std::uint16_t>(c));
    }
    batch.add_row(columns);
  }
  return batch;
}

/// The same network on dense inputs in double.
Eigen::VectorXd dense_forward(const std::vector<DenseLayer>& layers,
                              std::span<const std::uint16_t> columns) {
  Eigen::VectorXd x = Eigen::VectorXd::Zero(layers.front().weight.cols());
  for (const std::uint16_t column : columns) x(column) += 1.0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    x = layers[i].weight.cast<double>() * x + layers[i].bias.cast<double>();
    if (i + 1 < layers.size()) x = x.cwiseMax(0.0);
  }
  return x;
}

std::vector<float> run(const MlpInference& network, const OneHotBatch& batch, int threads) {
  std::vector<float> out(static_cast<std::size_t>(batch.size() * network.num_outputs()));
  network.run(batch, out, threads);
  return out;
}

TEST_CASE("an MLP gives what its layers say, for any widths", "[learn][property]") {
  const std::vector<std::vector<int>> shapes{
      {128, 400, 400, 400, 1}, {82, 400, 400, 400, 1}, {5, 3}, {7, 1, 1},
      {33, 17, 65, 3},         {1, 129, 31, 16}};
  for (std::size_t shape = 0; shape < shapes.size(); ++shape) {
    const std::vector<DenseLayer> layers = random_layers(shapes[shape], shape);
    const MlpInference network(layers);
    CHECK(network.num_inputs() == shapes[shape].front());
    CHECK(network.num_outputs() == shapes[shape].back());
    const OneHotBatch batch = random_batch(37, network.num_inputs(), 10 + shape);
    const std::vector<float> out = run(network, batch, 1);
    for (int row = 0; row < batch.size(); ++row) {
      const Eigen::VectorXd expected = dense_forward(layers, batch.row(row));
      for (int j = 0; j < network.num_outputs(); ++j) {
        const double found = out[static_cast<std::size_t>(row * network.num_outputs() + j)];
        REQUIRE(found == Approx(expected(j)).epsilon(1e-4).margin(1e-4));
      }
    }
  }
}

TEST_CASE("MLP results are the same bits for any batch size and thread count",
          "[learn][property]") {
  const MlpInference network(random_layers({128, 400, 400, 400, 1}, 3));
  const OneHotBatch all = random_batch(1000, network.num_inputs(), 4);
  const std::vector<float> expected = run(network, all, 1);
  CHECK(run(network, all, 2) == expected);
  for (const int size : {1, 7, 64}) {
    for (const int threads : {1, 2}) {
      std::vector<float> found;
      for (int first = 0; first < all.size(); first += size) {
        OneHotBatch part;
        for (int row = first; row < std::min(first + size, all.size()); ++row) {
          part.add_row(all.row(row));
        }
        for (const float value : run(network, part, threads)) found.push_back(value);
      }
      INFO("batches of " << size << ", threads " << threads);
      CHECK(found == expected);
    }
  }
  OneHotBatch reversed;
  for (int row = all.size() - 1; row >= 0; --row) reversed.add_row(all.row(row));
  std::vector<float> found = run(network, reversed, 2);
  std::ranges::reverse(found);
  CHECK(found == expected);
}

TEST_CASE("an MLP of an empty batch and of empty rows", "[learn][unit]") {
  const std::vector<DenseLayer> layers = random_layers({4, 6, 2}, 5);
  const MlpInference network(layers);
  CHECK(run(network, OneHotBatch(), 2).empty());
  OneHotBatch batch;
  batch.add_row({});
  const std::vector<float> out = run(network, batch, 1);
  const Eigen::VectorXd expected = dense_forward(layers, {});
  CHECK(out[0] == Approx(expected(0)).epsilon(1e-5));
  CHECK(out[1] == Approx(expected(1)).epsilon(1e-5));
  batch.clear();
  CHECK(batch.size() == 0);
}

TEST_CASE("an MLP refuses layers that do not chain", "[learn][error]") {
  CHECK_THROWS_WITH(MlpInference({}), "a network needs at least one layer");
  std::vector<DenseLayer> layers = random_layers({4, 6, 2}, 6);
  layers[1].weight.resize(2, 5);
  layers[1].weight.setZero();
  CHECK_THROWS_WITH(MlpInference(layers), "layer 1 takes 5 inputs but layer 0 gives 6");
  layers = random_layers({4, 6, 2}, 6);
  layers[0].bias.resize(5);
  CHECK_THROWS_WITH(MlpInference(layers), "layer 0 has 6 outputs but a bias of 5");
  layers = random_layers({4, 6, 2}, 6);
  layers[1].weight(1, 2) = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(MlpInference(layers), "layer 1 has a weight that is not finite");
  layers[0].weight.resize(0, 4);
  CHECK_THROWS_WITH(MlpInference(layers),
                    "layer 0 has 0 outputs and 4 inputs; allowed: 1 to 65536");
}

TEST_CASE("layers of an MLP survive saving, bit for bit", "[learn][unit]") {
  const std::vector<DenseLayer> layers = random_layers({33, 17, 3}, 8);
  const std::vector<std::byte> bytes = save_layers(layers);
  const std::vector<DenseLayer> restored = restore_layers(bytes);
  REQUIRE(restored.size() == layers.size());
  for (std::size_t i = 0; i < layers.size(); ++i) {
    CHECK((restored[i].weight == layers[i].weight));
    CHECK((restored[i].bias == layers[i].bias));
  }
}

TEST_CASE("damaged bytes of an MLP are refused", "[learn][error]") {
  const std::vector<std::byte> bytes = save_layers(random_layers({4, 2, 1}, 9));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_THROWS_AS(restore_layers(std::span(bytes).first(size)), DataError);
  }
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte{0});
  CHECK_THROWS_WITH(restore_layers(longer), "saved mlp model: there are bytes behind its end");
  CHECK_THROWS_WITH(restore_layers(save_layers({})), "saved mlp model: it has no layer");
  std::vector<DenseLayer> layers = random_layers({4, 1}, 9);
  layers[0].weight(0, 3) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(restore_layers(save_layers(layers)), "saved mlp model: a number is not finite");
}

TEST_CASE("an MLP refuses columns it does not have and outputs of another size", "[learn][error]") {
  const MlpInference network(random_layers({4, 6, 2}, 7));
  OneHotBatch batch;
  const std::vector<std::uint16_t> columns{0, 4};
  batch.add_row(columns);
  std::vector<float> out(2);
  CHECK_THROWS_WITH(network.run(batch, out), "row 0 names column 4; the network has 4 inputs");
  out.resize(3);
  CHECK_THROWS_WITH(network.run(batch, out), "1 rows of 2 outputs do not fit 3 places");
}

}  // namespace
}  // namespace omnifit::learn
