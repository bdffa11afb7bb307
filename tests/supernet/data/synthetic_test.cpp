#include "supernet/data/synthetic.hpp"

#include "core/hash.hpp"
#include "tests/support/catch.hpp"

#include <set>
#include <span>
#include <vector>

using namespace omnifit;
using supernet::draw_synthetic_image;
using supernet::draw_synthetic_split;
using supernet::ImageSplit;

namespace {

std::vector<std::uint8_t> draw(std::uint64_t seed, int split, std::int64_t index, int label,
                               int image_px = 32) {
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(image_px * image_px * 3));
  draw_synthetic_image(seed, split, index, label, image_px, rgb);
  return rgb;
}

}  // namespace

TEST_CASE("an image of the synthetic set depends on seed, split, index and class alone",
          "[supernet][property]") {
  const std::vector<std::uint8_t> image = draw(1, 0, 17, 3);
  CHECK(draw(1, 0, 17, 3) == image);
  CHECK(draw(2, 0, 17, 3) != image);
  CHECK(draw(1, 1, 17, 3) != image);
  CHECK(draw(1, 0, 18, 3) != image);
  CHECK(draw(1, 0, 17, 4) != image);
}

TEST_CASE("a split is balanced, and a longer one begins with the shorter", "[supernet][property]") {
  const ImageSplit drawn = draw_synthetic_split(1, 2, 150, 7, 32);
  REQUIRE(drawn.count() == 150);
  for (std::int64_t i = 0; i < 150; ++i) {
    CAPTURE(i);
    const int label = drawn.labels[static_cast<std::size_t>(i)];
    CHECK(label == i % 7);
    const std::vector<std::uint8_t> image = draw(1, 2, i, label);
    CHECK(std::equal(image.begin(), image.end(),
                     drawn.pixels.begin() + i * static_cast<std::int64_t>(image.size())));
  }
  const ImageSplit prefix = draw_synthetic_split(1, 2, 70, 7, 32);
  CHECK(std::equal(prefix.pixels.begin(), prefix.pixels.end(), drawn.pixels.begin()));
}

TEST_CASE("the synthetic set has the same bytes on every machine", "[supernet][golden]") {
  const ImageSplit drawn = draw_synthetic_split(1, 0, 400, 40, 32);
  CHECK(core::hex64(core::stable_hash(std::as_bytes(std::span(drawn.pixels)))) ==
        "9c53588bd97be6c9");
  const ImageSplit small = draw_synthetic_split(1, 0, 40, 10, 16);
  CHECK(core::hex64(core::stable_hash(std::as_bytes(std::span(small.pixels)))) ==
        "acd94ef6f53f9352");
}

TEST_CASE("another size shows the same picture", "[supernet][property]") {
  // Averaged over 2x2 pixels, the picture of twice the size is close to the smaller one: only
  // noise, which is drawn per pixel, and thin edges differ.
  double sum = 0.0;
  for (int label = 0; label < 10; ++label) {
    const std::vector<std::uint8_t> small = draw(1, 0, label, label, 32);
    const std::vector<std::uint8_t> large = draw(1, 0, label, label, 64);
    for (std::size_t i = 0; i < small.size(); ++i) {
      const std::size_t c = i % 3;
      const std::size_t x = i / 3 % 32;
      const std::size_t y = i / 96;
      const auto at = [&](std::size_t dy, std::size_t dx) {
        return static_cast<int>(large[((2 * y + dy) * 64 + 2 * x + dx) * 3 + c]);
      };
      const int mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
      sum += std::abs(mean - static_cast<int>(small[i]));
    }
  }
  CHECK(sum / (10.0 * 32 * 32 * 3) < 14.0);
}

TEST_CASE("every class has a name and a look of its own", "[supernet][property]") {
  std::set<std::string> names;
  std::set<std::vector<std::uint8_t>> pictures;
  for (int label = 0; label < supernet::kMaxSyntheticClasses; ++label) {
    names.insert(supernet::synthetic_class_name(label));
    pictures.insert(draw(1, 0, 0, label));
  }
  CHECK(names.size() == 40);
  CHECK(pictures.size() == 40);
  CHECK(supernet::synthetic_class_name(0) == "disc, stripes");
  CHECK(supernet::synthetic_class_name(9) == "crescent, checker");
  CHECK(supernet::synthetic_class_name(10) == "disc, checker");
  CHECK(supernet::synthetic_class_name(39) == "crescent, stripes");
  CHECK_THROWS_AS(supernet::synthetic_class_name(40), BugError);
  CHECK_THROWS_AS(draw(1, 0, 0, 40), BugError);
}

TEST_CASE("the default synthetic job draws what the documentation says", "[supernet][unit]") {
  supernet::DataConfig config;
  config.num_validation = 20;
  const supernet::Dataset data = supernet::load_dataset(config, 1);
  CHECK(data.name == "synthetic");
  CHECK(data.channels == 3);
  CHECK(data.train.count() == supernet::kDefaultSyntheticTrain);
  CHECK(data.validation.count() == 20);
  CHECK(data.test.count() == supernet::kDefaultSyntheticTest);
  CHECK(data.train.pixels.size() == 10000U * 32 * 32 * 3);
  CHECK(data.fingerprint != supernet::load_dataset(config, 2).fingerprint);
}
