#include "supernet/data/jpeg.hpp"

#include "core/rng.hpp"
#include "tests/supernet/data/jpeg_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

using namespace omnifit;
using namespace omnifit::test;
using supernet::Picture;
using supernet::PictureSize;
using supernet::read_jpeg;

namespace {

struct JpegFile {
  TempDir folder;
  std::filesystem::path path = folder / "picture.jpg";

  explicit JpegFile(const Bytes& bytes) { write_bytes(path, bytes); }
  [[nodiscard]] std::string error() const {
    return message_of<DataError>([this] { read_jpeg(path); });
  }
  [[nodiscard]] std::string named(const std::string& message) const {
    return path.string() + ": " + message;
  }
};

int largest_difference(const Picture& picture, const std::vector<int>& rgb) {
  int worst = 0;
  for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
    worst = std::max(worst, std::abs(picture.pixels[i] - rgb[i % 3]));
  }
  return worst;
}

/// Every coefficient of every component in two scans of its own.
std::vector<jpeg_scan_info> many_scans() {
  std::vector<jpeg_scan_info> scans = {{3, {0, 1, 2, 0}, 0, 0, 0, 0}};
  for (int pass = 0; pass < 2; ++pass) {
    for (int component = 0; component < 3; ++component) {
      for (int k = 1; k < 64; ++k) {
        scans.push_back({1, {component, 0, 0, 0}, k, k, pass, 1 - pass});
      }
    }
  }
  return scans;
}

}  // namespace

TEST_CASE("a JPEG file's pixels are red, green and blue row by row", "[supernet][unit]") {
  for (const bool progressive : {false, true}) {
    const JpegFile file(encode_jpeg(
        16, 24, [](int y, int x, int c) { return c == 0   ? 8 * y
                                                 : c == 1 ? 4 * x
                                                          : 100; },
        {.progressive = progressive}));
    const Picture picture = read_jpeg(file.path);
    CHECK((picture.size == PictureSize{16, 24}));
    CHECK((supernet::read_jpeg_size(file.path) == PictureSize{16, 24}));
    CHECK(picture.damage.empty());
    REQUIRE(picture.pixels.size() == 16 * 24 * 3);
    int worst = 0;
    for (int y = 0; y < 16; ++y) {
      for (int x = 0; x < 24; ++x) {
        const std::size_t at = static_cast<std::size_t>(y * 24 + x) * 3;
        worst = std::max({worst, std::abs(picture.pixels[at] - 8 * y),
                          std::abs(picture.pixels[at + 1] - 4 * x),
                          std::abs(picture.pixels[at + 2] - 100)});
      }
    }
    CHECK(worst <= 4);
  }
}

TEST_CASE("grey becomes equal red, green and blue", "[supernet][unit]") {
  const JpegFile file(encode_jpeg(8, 8, [](int, int, int) { return 77; },
                                  {.in = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}));
  CHECK(largest_difference(read_jpeg(file.path), {77, 77, 77}) == 0);
}

TEST_CASE("pictures stored as red, green and blue are not converted", "[supernet][unit]") {
  const std::vector<int> rgb = {200, 10, 90};
  const JpegFile file(encode_jpeg(8, 8,
                                  [&](int, int, int c) { return rgb[static_cast<std::size_t>(c)]; },
                                  {.stored = JCS_RGB}));
  CHECK(largest_difference(read_jpeg(file.path), rgb) <= 1);
}

TEST_CASE("CMYK and YCCK are converted the way the reference's loader does", "[supernet][unit]") {
  // Stored inverted: 255 is no ink. What is left of white: black · ink / 255.
  const std::vector<int> inks = {255, 128, 0, 200};
  for (const J_COLOR_SPACE stored : {JCS_CMYK, JCS_YCCK}) {
    CAPTURE(stored);
    const JpegFile file(
        encode_jpeg(8, 8, [&](int, int, int c) { return inks[static_cast<std::size_t>(c)]; },
                    {.in = JCS_CMYK, .stored = stored}));
    CHECK(largest_difference(read_jpeg(file.path), {200, 100, 0}) <= 2);
  }
}

TEST_CASE("an EXIF rotation is ignored", "[supernet][unit]") {
  Bytes jpeg = shaded_jpeg(16, 24, 0);
  const std::vector<int> exif = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0,    0,    'M', 'M',
                                 0,    42,   0, 0,  0,   8,   0,   1,   0x01, 0x12, 0,   3,
                                 0,    0,    0, 1,  0,   6,   0,   0,   0,    0,    0,   0};
  Bytes segment;
  for (const int byte : exif) append(segment, byte);
  const Picture plain = read_jpeg(JpegFile(jpeg).path);
  jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
  const Picture rotated = read_jpeg(JpegFile(jpeg).path);
  CHECK((rotated.size == PictureSize{16, 24}));
  CHECK((rotated.pixels == plain.pixels));
  CHECK(rotated.damage.empty());
}

TEST_CASE("a JPEG file cut anywhere is refused by name", "[supernet][error]") {
  for (const bool progressive : {false, true}) {
    const Bytes whole = shaded_jpeg(16, 16, 3, {.progressive = progressive});
    const TempDir folder;
    const std::filesystem::path file = folder / "cut.jpg";
    for (std::size_t size = 2; size < whole.size(); ++size) {
      CAPTURE(size, progressive);
      write_bytes(file, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
      REQUIRE(message_of<DataError>([&] { read_jpeg(file); }) ==
              file.string() + ": truncated: it ends before the picture does");
    }
  }
}

TEST_CASE("files that are no JPEG pictures say why", "[supernet][error]") {
  SECTION("missing") {
    const TempDir folder;
    CHECK(message_of<DataError>([&] { read_jpeg(folder / "no.jpg"); }) ==
          (folder / "no.jpg").string() + ": no such file");
  }
  SECTION("empty") {
    const JpegFile file({});
    CHECK(file.error() == file.named("an empty file, not a JPEG picture"));
  }
  SECTION("another format") {
    Bytes png;
    for (const int byte : {0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A}) append(png, byte);
    const JpegFile file(png);
    CHECK(file.error() == file.named("not a JPEG file: it does not start with FF D8"));
  }
  SECTION("larger than any picture") {
    const JpegFile file({});
    std::filesystem::resize_file(file.path, supernet::kMaxJpegFileBytes + 1);  // sparse
    CHECK(file.error() == file.named("larger than the 268.4 MB allowed"));
  }
}

TEST_CASE("pictures that 8-bit RGB cannot hold are refused", "[supernet][error]") {
  SECTION("12 and 16 bits per sample") {
    for (const int bits : {12, 16}) {
      Bytes jpeg = shaded_jpeg(8, 8, 0);
      jpeg[frame_header(jpeg)] = static_cast<std::byte>(bits);
      const JpegFile file(jpeg);
      CHECK(file.error() ==
            file.named(fmt::format("cannot be decoded: Unsupported JPEG data precision {}", bits)));
    }
  }
  SECTION("no pixels") {
    const JpegFile flat(with_size(shaded_jpeg(8, 8, 0), 0, 8));
    CHECK_THAT(flat.error(), Catch::Matchers::ContainsSubstring("cannot be decoded: Empty"));
    const JpegFile thin(with_size(shaded_jpeg(8, 8, 0), 8, 0));
    CHECK_THAT(thin.error(), Catch::Matchers::ContainsSubstring("cannot be decoded: Empty"));
  }
}

TEST_CASE("a small file that asks for gigabytes is refused from its header", "[supernet][error]") {
  SECTION("pixels") {
    const JpegFile bomb(with_size(shaded_jpeg(8, 8, 0), 50000, 60000));
    const std::string message =
        bomb.named("60000x50000 pixels (width x height), more than the 100 million allowed");
    CHECK(bomb.error() == message);
    CHECK(message_of<DataError>([&] { supernet::read_jpeg_size(bomb.path); }) == message);
  }
  SECTION("the largest size that a header can say") {
    const JpegFile bomb(with_size(shaded_jpeg(8, 8, 0), 65500, 65500));
    CHECK(bomb.error() ==
          bomb.named("65500x65500 pixels (width x height), more than the 100 million allowed"));
  }
  SECTION("more than the memory for decoding") {
    for (const bool progressive : {false, true}) {
      const Bytes jpeg = with_size(shaded_jpeg(8, 8, 0, {.progressive = progressive}), 1000, 2000);
      const JpegFile large(jpeg);
      const std::uint64_t needed = jpeg.size() + (progressive ? 9 : 3) * std::uint64_t{2'000'000};
      supernet::DecodeMemory enough(needed);
      const Picture picture = read_jpeg(large.path, &enough);
      CHECK((picture.size == PictureSize{1000, 2000}));
      CHECK(picture.memory.has_value());
      supernet::DecodeMemory less(needed - 1);
      CHECK(message_of<DataError>([&] { read_jpeg(large.path, &less); }) ==
            large.named(fmt::format("decoding its 2000x1000 pixels (width x height) takes {} MB, "
                                    "more than the {} MB that data.memory_limit_gb leaves beside "
                                    "the images that are kept",
                                    progressive ? "18.0" : "6.0", progressive ? "18.0" : "6.0")));
    }
  }
  SECTION("passes over the pixels") {
    const JpegFile bomb(shaded_jpeg(16, 16, 0, {.scans = many_scans()}));
    CHECK(bomb.error() == bomb.named("cannot be decoded: more than 200 passes over its pixels"));
  }
}

TEST_CASE("damage that can be decoded is reported, not refused", "[supernet][error]") {
  Bytes jpeg = shaded_jpeg(16, 16, 0);
  const Picture whole = read_jpeg(JpegFile(jpeg).path);
  const Bytes stray(20, std::byte{0x12});
  jpeg.insert(jpeg.end() - 2, stray.begin(), stray.end());
  const Picture damaged = read_jpeg(JpegFile(jpeg).path);
  CHECK_THAT(damaged.damage,
             Catch::Matchers::ContainsSubstring("extraneous bytes before marker 0xd9"));
  CHECK((damaged.pixels == whole.pixels));
}

TEST_CASE("whatever the bytes, a file is decoded or refused", "[supernet][property]") {
  const TempDir folder;
  const std::filesystem::path file = folder / "fuzz.jpg";
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  int num_refused = 0;
  int num_decoded = 0;
  for (int i = 0; i < 600; ++i) {
    Bytes jpeg = shaded_jpeg(16, 16, i % 200, {.progressive = i % 2 == 0});
    for (std::uint64_t change = 0; change <= rng.below(4); ++change) {
      jpeg[2 + rng.below(jpeg.size() - 2)] = static_cast<std::byte>(rng.below(256));
    }
    write_bytes(file, jpeg);
    try {
      const Picture picture = read_jpeg(file);
      REQUIRE(picture.pixels.size() == static_cast<std::size_t>(picture.size.height_px) *
                                           static_cast<std::size_t>(picture.size.width_px) * 3);
      ++num_decoded;
    } catch (const DataError& error) {
      REQUIRE(std::string_view(error.what()).starts_with(file.string() + ": "));
      ++num_refused;
    }
  }
  CHECK(num_refused > 50);
  CHECK(num_decoded > 50);
}
