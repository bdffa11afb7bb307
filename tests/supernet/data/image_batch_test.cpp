#include "supernet/data/image_batch.hpp"

#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

using namespace omnifit;
using supernet::Augmentation;
using supernet::Dataset;

namespace {

constexpr int kPx = 6;

/// Random pixels, none of them black, so that what was padded can be told.
Dataset random_dataset(int channels, int count) {
  Dataset data;
  data.channels = channels;
  data.image_px = kPx;
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  for (int i = 0; i < count; ++i) {
    data.train.labels.push_back(static_cast<std::int32_t>(rng.below(10)));
    for (int k = 0; k < kPx * kPx * channels; ++k) {
      data.train.pixels.push_back(static_cast<std::uint8_t>(1 + rng.below(255)));
    }
  }
  for (int c = 0; c < channels; ++c) {
    data.mean.push_back(0.2F + 0.1F * static_cast<float>(c));
    data.deviation.push_back(0.3F + 0.05F * static_cast<float>(c));
  }
  return data;
}

std::vector<float> fill(const Dataset& data, const std::vector<std::int64_t>& indices,
                        const Augmentation* augmentation) {
  std::vector<float> batch(static_cast<std::size_t>(
      supernet::batch_size_floats(data, static_cast<std::int64_t>(indices.size()))));
  supernet::fill_batch(data, data.train, indices, augmentation, batch.data());
  return batch;
}

/// The naive version of one output value: where it comes from, looked up pixel by pixel.
float expected_value(const Dataset& data, std::int64_t index, int y, int x, int channel,
                     bool mirrored, int right, int down) {
  const int source_y = y - down;
  int source_x = x - right;
  const bool inside = source_y >= 0 && source_y < kPx && source_x >= 0 && source_x < kPx;
  if (mirrored) source_x = kPx - 1 - source_x;
  const std::int64_t at = ((index * kPx + source_y) * kPx + source_x) * data.channels + channel;
  const float pixel =
      inside ? static_cast<float>(data.train.pixels[static_cast<std::size_t>(at)]) : 0.0F;
  const auto c = static_cast<std::size_t>(channel);
  return (pixel / 255.0F - data.mean[c]) / data.deviation[c];
}

bool matches(const Dataset& data, const std::vector<float>& image, std::int64_t index,
             bool mirrored, int right, int down) {
  std::size_t at = 0;
  for (int y = 0; y < kPx; ++y) {
    for (int x = 0; x < kPx; ++x) {
      for (int c = 0; c < data.channels; ++c) {
        const float expected = expected_value(data, index, y, x, c, mirrored, right, down);
        if (std::abs(image[at++] - expected) > 1e-5F) return false;
      }
    }
  }
  return true;
}

}  // namespace

TEST_CASE("a plain batch holds the normalised images in order", "[supernet][unit]") {
  for (const int channels : {1, 3}) {
    CAPTURE(channels);
    const Dataset data = random_dataset(channels, 4);
    const std::vector<std::int64_t> indices = {2, 0, 2, 3};
    const std::vector<float> batch = fill(data, indices, nullptr);
    const std::size_t image_size = batch.size() / 4;
    REQUIRE(image_size == static_cast<std::size_t>(kPx * kPx * channels));
    for (std::size_t i = 0; i < 4; ++i) {
      const auto begin = batch.begin() + static_cast<std::ptrdiff_t>(i * image_size);
      const std::vector<float> image(begin, begin + static_cast<std::ptrdiff_t>(image_size));
      CHECK(matches(data, image, indices[i], false, 0, 0));
    }
    std::vector<std::int64_t> labels(4);
    supernet::fill_labels(data.train, indices, labels.data());
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(labels[i] == data.train.labels[static_cast<std::size_t>(indices[i])]);
    }
  }
}

TEST_CASE("augmentation draws every shift and mirroring, and nothing else",
          "[supernet][property]") {
  const Dataset data = random_dataset(3, 1);
  const int max_shift = 2;
  std::set<std::vector<int>> seen;
  for (std::uint64_t epoch = 0; epoch < 600; ++epoch) {
    CAPTURE(epoch);
    const Augmentation augmentation{max_shift, true, 7, epoch};
    const std::vector<float> image = fill(data, {0}, &augmentation);
    int found = 0;
    for (int mirrored = 0; mirrored < 2; ++mirrored) {
      for (int right = -max_shift; right <= max_shift; ++right) {
        for (int down = -max_shift; down <= max_shift; ++down) {
          if (!matches(data, image, 0, mirrored == 1, right, down)) continue;
          seen.insert({mirrored, right, down});
          ++found;
        }
      }
    }
    REQUIRE(found == 1);
  }
  CHECK(seen.size() == 50);
}

TEST_CASE("without flip nothing is mirrored, without shift nothing moves", "[supernet][unit]") {
  const Dataset data = random_dataset(1, 1);
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    const Augmentation still{0, false, 7, epoch};
    CHECK(matches(data, fill(data, {0}, &still), 0, false, 0, 0));
  }
}

TEST_CASE("shifts wider than the image leave black", "[supernet][unit]") {
  const Dataset data = random_dataset(1, 1);
  const Augmentation far{50, true, 7, 0};
  int num_black = 0;
  for (std::uint64_t epoch = 0; epoch < 40; ++epoch) {
    Augmentation augmentation = far;
    augmentation.epoch = epoch;
    const std::vector<float> image = fill(data, {0}, &augmentation);
    num_black += matches(data, image, 0, false, kPx, 0) ? 1 : 0;
  }
  CHECK(num_black > 30);  // 1 − (11/101)² of all shifts, in expectation
}

TEST_CASE("an image's augmentation depends on seed, epoch and index, not on its batch",
          "[supernet][property]") {
  const Dataset data = random_dataset(3, 8);
  const Augmentation augmentation{2, true, 3, 5};
  std::vector<std::int64_t> order(8);
  std::iota(order.begin(), order.end(), 0);
  const std::vector<float> together = fill(data, order, &augmentation);
  const std::size_t image_size = together.size() / 8;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::vector<float> alone = fill(data, {order[i]}, &augmentation);
    CHECK(std::equal(alone.begin(), alone.end(),
                     together.begin() + static_cast<std::ptrdiff_t>(i * image_size)));
  }
  Augmentation other = augmentation;
  other.epoch = 6;
  CHECK(fill(data, order, &other) != together);
  other = augmentation;
  other.seed = 4;
  CHECK(fill(data, order, &other) != together);
}

namespace {

/// Pictures of their own sizes, larger than image_px.
Dataset picture_dataset() {
  Dataset data = random_dataset(3, 0);
  core::Rng rng = core::Rng::stream(2, core::Purpose::kTest);
  for (const auto& [height, width] : {std::pair{7, 9}, {11, 8}, {7, 7}}) {
    data.train.stored.push_back({data.train.pixels.size(), height, width});
    data.train.labels.push_back(0);
    for (int i = 0; i < height * width * 3; ++i) {
      data.train.pixels.push_back(static_cast<std::uint8_t>(rng.below(256)));
    }
  }
  return data;
}

supernet::PictureView picture(const Dataset& data, std::size_t index) {
  const supernet::StoredImage& image = data.train.stored[index];
  return {data.train.pixels.data() + image.offset,
          {image.height_px, image.width_px},
          static_cast<std::size_t>(image.width_px) * 3};
}

/// What a batch shows of one picture, by the part of it.
std::vector<float> expected_part(const Dataset& data, std::size_t index,
                                 const supernet::PixelRect& part, bool mirrored) {
  std::vector<std::uint8_t> rgb(kPx * kPx * 3);
  supernet::resample(picture(data, index).cut(part), {kPx, kPx}, {0, 0, kPx, kPx}, rgb.data());
  std::vector<float> values;
  for (int y = 0; y < kPx; ++y) {
    for (int x = 0; x < kPx; ++x) {
      for (std::size_t c = 0; c < 3; ++c) {
        const int source_x = mirrored ? kPx - 1 - x : x;
        const auto at = static_cast<std::size_t>(y * kPx + source_x) * 3 + c;
        values.push_back((static_cast<float>(rgb[at]) / 255.0F - data.mean[c]) / data.deviation[c]);
      }
    }
  }
  return values;
}

bool nearly_equal(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return std::abs(x - y) < 1e-5F; });
}

}  // namespace

TEST_CASE("of larger pictures a plain batch shows the centre", "[supernet][unit]") {
  Dataset data = picture_dataset();
  for (const bool cropping : {false, true}) {
    if (cropping) data.random_crop = supernet::RandomCrop{0.1};
    for (std::size_t i = 0; i < 3; ++i) {
      const auto centre = supernet::centre_square(picture(data, i).size, kPx);
      CHECK(nearly_equal(fill(data, {static_cast<std::int64_t>(i)}, nullptr),
                         expected_part(data, i, centre, false)));
    }
  }
}

TEST_CASE("random crops show a part of the picture scaled, mirrored half the time",
          "[supernet][property]") {
  Dataset data = picture_dataset();
  data.random_crop = supernet::RandomCrop{0.1};
  int num_mirrored = 0;
  int num_different = 0;
  for (std::uint64_t epoch = 0; epoch < 60; ++epoch) {
    for (const bool flip : {false, true}) {
      const Augmentation augmentation{5, flip, 7, epoch};  // the shift is not used
      const std::vector<float> image = fill(data, {1}, &augmentation);
      // The stream of the image: one draw for the mirror, then the crop.
      core::Rng rng = core::Rng::stream(7, core::Purpose::kAugment, {epoch, 1});
      const bool mirrored = rng.bernoulli(0.5) && flip;
      const auto part = supernet::draw_random_crop(*data.random_crop, picture(data, 1).size, rng);
      CHECK(nearly_equal(image, expected_part(data, 1, part, mirrored)));
      num_mirrored += mirrored ? 1 : 0;
      num_different += part == supernet::centre_square(picture(data, 1).size, kPx) ? 0 : 1;
    }
  }
  CHECK(num_mirrored > 15);
  CHECK(num_mirrored < 45);
  CHECK(num_different > 100);
  const Augmentation augmentation{0, true, 3, 5};
  const std::vector<float> together = fill(data, {0, 1, 2}, &augmentation);
  const std::vector<float> alone = fill(data, {2}, &augmentation);
  CHECK(std::equal(alone.begin(), alone.end(), together.end() - kPx * kPx * 3));
}

TEST_CASE("random crops keep to the picture, the area and the aspect ratio",
          "[supernet][property]") {
  core::Rng rng = core::Rng::stream(3, core::Purpose::kTest);
  const supernet::PictureSize picture{256, 341};
  const double area = 256.0 * 341.0;
  double mean_share = 0.0;
  double lowest = 1.0;
  constexpr int kDraws = 4000;
  for (int i = 0; i < kDraws; ++i) {
    const auto part = supernet::draw_random_crop({0.08}, picture, rng);
    REQUIRE(part.left_px >= 0);
    REQUIRE(part.top_px >= 0);
    REQUIRE(part.left_px + part.width_px <= 341);
    REQUIRE(part.top_px + part.height_px <= 256);
    const double ratio = static_cast<double>(part.width_px) / part.height_px;
    REQUIRE(ratio > 0.73);
    REQUIRE(ratio < 1.37);
    const double share = part.width_px * part.height_px / area;
    REQUIRE(share > 0.075);
    lowest = std::min(lowest, share);
    mean_share += share / kDraws;
  }
  CHECK(lowest < 0.09);
  // Uniform in [0.08, 1] has the mean 0.54; crops that do not fit are drawn again, which lowers it
  // to 0.433 here (a simulation of the rule).
  CHECK(mean_share > 0.42);
  CHECK(mean_share < 0.44);
  // A strip has no part of an allowed ratio with that area: the largest one in its centre.
  CHECK((supernet::draw_random_crop({1.0}, {10, 100}, rng) == supernet::PixelRect{43, 0, 13, 10}));
  CHECK((supernet::draw_random_crop({1.0}, {100, 10}, rng) == supernet::PixelRect{0, 43, 10, 13}));
  CHECK((supernet::draw_random_crop({1.0}, {1, 1}, rng) == supernet::PixelRect{0, 0, 1, 1}));
}

TEST_CASE("an index outside the split is a bug", "[supernet][error]") {
  const Dataset data = random_dataset(1, 2);
  CHECK_THROWS_AS(fill(data, {2}, nullptr), BugError);
  CHECK_THROWS_AS(fill(data, {-1}, nullptr), BugError);
  const Augmentation negative{-1, false, 1, 0};
  CHECK_THROWS_AS(fill(data, {0}, &negative), BugError);
  std::vector<std::int64_t> labels(1);
  CHECK_THROWS_AS(supernet::fill_labels(data.train, std::vector<std::int64_t>{2}, labels.data()),
                  BugError);
}
