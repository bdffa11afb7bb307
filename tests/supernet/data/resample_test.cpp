#include "supernet/data/resample.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/rng.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

using namespace omnifit;
using supernet::Picture;
using supernet::PictureSize;
using supernet::PixelRect;

namespace {

Picture random_picture(int height, int width, std::uint64_t seed) {
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kTest);
  Picture picture;
  picture.size = {height, width};
  picture.pixels.resize(static_cast<std::size_t>(height * width * 3));
  for (std::uint8_t& value : picture.pixels) value = static_cast<std::uint8_t>(rng.below(256));
  return picture;
}

std::vector<std::uint8_t> scaled_part(const Picture& picture, PictureSize size,
                                      const PixelRect& part) {
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(part.width_px * part.height_px * 3));
  supernet::resample(supernet::view(picture), size, part, rgb.data());
  return rgb;
}

std::vector<std::uint8_t> scaled(const Picture& picture, PictureSize size) {
  return scaled_part(picture, size, {0, 0, size.width_px, size.height_px});
}

/// The filter's definition for one output value, in both directions at once and without rounding.
double naive_value(const Picture& picture, PictureSize size, int y, int x, int channel) {
  const auto weights = [](int source_px, int target_px, int position) {
    const double scale = static_cast<double>(source_px) / target_px;
    const double stretch = std::max(scale, 1.0);
    std::vector<double> weight(static_cast<std::size_t>(source_px));
    double sum = 0.0;
    for (int i = 0; i < source_px; ++i) {
      const double distance = std::abs(i + 0.5 - (position + 0.5) * scale) / stretch;
      sum += weight[static_cast<std::size_t>(i)] = std::max(0.0, 1.0 - distance);
    }
    for (double& value : weight) value /= sum;
    return weight;
  };
  const auto rows = weights(picture.size.height_px, size.height_px, y);
  const auto columns = weights(picture.size.width_px, size.width_px, x);
  double value = 0.0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < columns.size(); ++c) {
      value += rows[r] * columns[c] *
               picture.pixels[(r * columns.size() + c) * 3 + static_cast<std::size_t>(channel)];
    }
  }
  return value;
}

}  // namespace

TEST_CASE("resampling is the triangle filter's definition to a rounding step",
          "[supernet][property]") {
  const Picture picture = random_picture(13, 19, 1);
  for (const PictureSize size :
       {PictureSize{5, 7}, {13, 30}, {26, 19}, {1, 1}, {12, 18}, {40, 4}, {14, 20}}) {
    CAPTURE(size.height_px, size.width_px);
    const std::vector<std::uint8_t> result = scaled(picture, size);
    double worst = 0.0;
    std::size_t at = 0;
    for (int y = 0; y < size.height_px; ++y) {
      for (int x = 0; x < size.width_px; ++x) {
        for (int c = 0; c < 3; ++c) {
          worst = std::max(worst, std::abs(naive_value(picture, size, y, x, c) - result[at++]));
        }
      }
    }
    CHECK(worst <= 1.001);  // half a step in each direction
  }
}

TEST_CASE("a part of a scaled picture is that part and nothing else", "[supernet][property]") {
  const Picture picture = random_picture(40, 60, 2);
  const PictureSize size{25, 37};
  const std::vector<std::uint8_t> whole = scaled(picture, size);
  for (const PixelRect part : {PixelRect{0, 0, 37, 25}, {5, 3, 20, 11}, {36, 24, 1, 1}}) {
    const std::vector<std::uint8_t> result = scaled_part(picture, size, part);
    for (int y = 0; y < part.height_px; ++y) {
      const auto row = whole.begin() + ((part.top_px + y) * 37 + part.left_px) * 3;
      REQUIRE(std::equal(row, row + part.width_px * 3, result.begin() + y * part.width_px * 3));
    }
  }
  CHECK_THROWS_AS(scaled_part(picture, size, {30, 0, 8, 5}), BugError);
  CHECK_THROWS_AS(supernet::view(picture).cut({0, 36, 5, 5}), BugError);
}

TEST_CASE("a picture of the right size is copied", "[supernet][unit]") {
  const Picture picture = random_picture(9, 11, 3);
  CHECK((scaled(picture, picture.size) == picture.pixels));
}

TEST_CASE("an even picture stays even at every size", "[supernet][property]") {
  Picture picture = random_picture(17, 23, 4);
  for (const int value : {0, 1, 127, 254, 255}) {
    std::fill(picture.pixels.begin(), picture.pixels.end(), static_cast<std::uint8_t>(value));
    for (int px = 1; px < 60; ++px) {
      const std::vector<std::uint8_t> result = scaled(picture, {px, 61 - px});
      REQUIRE(std::all_of(result.begin(), result.end(), [=](int v) { return v == value; }));
    }
  }
}

TEST_CASE("sizes and corners are rounded as the reference's loader rounds them",
          "[supernet][unit]") {
  CHECK((supernet::resized_size({375, 500}, 256) == PictureSize{256, 341}));
  CHECK((supernet::resized_size({500, 333}, 128) == PictureSize{192, 128}));
  CHECK((supernet::resized_size({224, 224}, 128) == PictureSize{128, 128}));
  CHECK((supernet::resized_size({1, 65500}, 128) == PictureSize{128, 8384000}));
  CHECK((supernet::centre_square({128, 192}, 112) == PixelRect{40, 8, 112, 112}));
  // A spare of 17, 19 and 21 pixels: 8.5 → 8, 9.5 → 10, 10.5 → 10.
  CHECK((supernet::centre_square({129, 131}, 112) == PixelRect{10, 8, 112, 112}));
  CHECK((supernet::centre_square({133, 112}, 112) == PixelRect{0, 10, 112, 112}));
}

TEST_CASE("a very long picture costs no more than what is shown of it", "[supernet][unit]") {
  const Picture picture = random_picture(1, 5000, 5);
  const PictureSize size = supernet::resized_size(picture.size, 4096);
  const PixelRect part = supernet::centre_square(size, 8);
  CHECK(size.width_px == 20480000);
  const std::vector<std::uint8_t> result = scaled_part(picture, size, part);
  double worst = 0.0;
  for (int x = 0; x < 8; ++x) {
    const double expected = naive_value(picture, size, part.top_px, part.left_px + x, 0);
    worst = std::max(worst, std::abs(expected - result[static_cast<std::size_t>(x) * 3]));
  }
  CHECK(worst <= 1.001);
}

TEST_CASE("a reference network's inputs are reproduced bit by bit", "[supernet][golden]") {
  OMNIFIT_REQUIRE_DATA("pretrained");
  OMNIFIT_REQUIRE_DATA("imagenette224");
  const std::filesystem::path shared = OMNIFIT_SHARED_DATA;
  const std::filesystem::path folder = shared / "pretrained" / "proxyless-w0.25-r112_imagenet";
  const std::vector<std::byte> inputs = core::read_file(folder / "input_8x3x112x112.f32le.bin");
  std::istringstream names(core::read_text_file(folder / "input_files.txt"));
  constexpr int kPx = 112;
  constexpr std::size_t kPlane = std::size_t{kPx} * kPx;
  std::size_t at = 0;
  int num_images = 0;
  for (std::string name; std::getline(names, name); ++num_images) {
    CAPTURE(name);
    const Picture picture = supernet::read_jpeg(shared / "imagenette224" / name);
    const PictureSize size = supernet::resized_size(picture.size, 128);
    const std::vector<std::uint8_t> pixels =
        scaled_part(picture, size, supernet::centre_square(size, kPx));
    int num_different = 0;
    for (std::size_t channel = 0; channel < 3; ++channel) {
      for (std::size_t i = 0; i < kPlane; ++i, at += sizeof(float)) {
        float expected = 0.0F;
        std::memcpy(&expected, inputs.data() + at, sizeof(float));
        const double pixel = (static_cast<double>(expected) * 0.5 + 0.5) * 255.0;
        num_different += std::abs(pixel - pixels[i * 3 + channel]) > 1e-3 ? 1 : 0;
      }
    }
    CHECK(num_different == 0);
  }
  CHECK(num_images == 8);
  CHECK(at == inputs.size());
}
