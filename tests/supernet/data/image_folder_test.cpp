#include "supernet/data/image_folder.hpp"

#include "core/interrupt.hpp"
#include "supernet/data/resample.hpp"
#include "tests/supernet/data/jpeg_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <numeric>

using namespace omnifit;
using namespace omnifit::test;
using supernet::DataConfig;
using supernet::Dataset;
using supernet::ImageFolder;
using supernet::list_image_folder;
using supernet::load_dataset;

namespace {

std::string list_error(const std::filesystem::path& folder) {
  return message_of<DataError>([&folder] { list_image_folder(folder); });
}
std::string load_error(const DataConfig& config) {
  return message_of<DataError>([&config] { load_dataset(config, 1); });
}
std::string config_error(const DataConfig& config) {
  return message_of<ConfigError>([&config] { load_dataset(config, 1); });
}

void decode_all(const ImageFolder& folder) {
  std::vector<std::int64_t> all(folder.files.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::string> warnings;
  supernet::DecodeMemory memory(1'000'000);
  decode_images(plan_decoding(folder.files, all, {}), {}, memory, warnings);
}

/// The centre of a picture, computed in one piece.
std::vector<std::uint8_t> centre_of(const std::filesystem::path& file, int resize_px,
                                    int image_px) {
  const supernet::Picture picture = supernet::read_jpeg(file);
  const supernet::PictureSize size = supernet::resized_size(picture.size, resize_px);
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(image_px * image_px * 3));
  supernet::resample(supernet::view(picture), size, supernet::centre_square(size, image_px),
                     rgb.data());
  return rgb;
}

}  // namespace

TEST_CASE("class folders and the pictures in them are listed in order", "[supernet][unit]") {
  const TempDir root;
  const Bytes jpeg = shaded_jpeg(8, 8, 0);
  for (const char* name : {"b/2.JPG", "b/10.jpeg", "B/x.Jpe", "b/notes.txt", "b/.hidden.jpg",
                           "c\xff/y.jpg", ".git/z.jpg", "readme.md"}) {
    std::filesystem::create_directories((root / name).parent_path());
    write_bytes(root / name, jpeg);
  }
  const ImageFolder found = list_image_folder(root.path());
  CHECK(found.classes == std::vector<std::string>{"B", "b", "c\xff"});
  std::vector<std::filesystem::path> paths;
  std::vector<int> labels;
  for (const supernet::ImageFile& file : found.files) {
    paths.push_back(file.path);
    labels.push_back(file.label);
  }
  CHECK(paths ==
        std::vector{root / "B/x.Jpe", root / "b/10.jpeg", root / "b/2.JPG", root / "c\xff/y.jpg"});
  CHECK(labels == std::vector<int>{0, 1, 1, 2});
  CHECK(found.num_skipped == 2);
  CHECK(found.first_skipped == root / "b/notes.txt");
}

TEST_CASE("a folder that is no folder of class folders is refused", "[supernet][error]") {
  const TempDir root;
  SECTION("missing") {
    CHECK(list_error(root / "no") ==
          (root / "no").string() + ": cannot list this folder: No such file or directory");
  }
  SECTION("without class folders") {
    write_bytes(root / "0.jpg", shaded_jpeg(8, 8, 0));
    CHECK(list_error(root.path()) == root.path().string() + ": holds no class folder");
  }
  SECTION("a class without images") {
    std::filesystem::create_directories(root / "cats");
    write_bytes(root / "cats/notes.txt", {});
    CHECK(list_error(root.path()) ==
          (root / "cats").string() +
              ": a class without images: no file ends in .jpg, .jpeg or .jpe");
  }
  SECTION("folders inside a class folder") {
    std::filesystem::create_directories(root / "cats/more");
    CHECK(list_error(root.path()) ==
          (root / "cats/more").string() +
              ": a folder inside a class folder; images must lie in the class folder itself");
  }
}

TEST_CASE("symbolic links are followed, never in a circle", "[supernet][error]") {
  const TempDir root;
  std::filesystem::create_directories(root / "set/cats");
  write_bytes(root / "cat.jpg", shaded_jpeg(8, 8, 0));
  std::filesystem::create_symlink("../../cat.jpg", root / "set/cats/0.jpg");
  SECTION("to a file and to a class folder") {
    std::filesystem::create_directory_symlink("cats", root / "set/dogs");
    CHECK(list_image_folder(root / "set").files.size() == 2);
  }
  SECTION("a class folder that is a link to itself") {
    std::filesystem::create_symlink("loop", root / "set/loop");
    CHECK(list_error(root / "set") ==
          (root / "set/loop").string() + ": cannot read: Too many levels of symbolic links");
  }
  SECTION("a link from a class folder to the folder above") {
    std::filesystem::create_directory_symlink("..", root / "set/cats/up");
    CHECK(list_error(root / "set") ==
          (root / "set/cats/up").string() +
              ": a folder inside a class folder; images must lie in the class folder itself");
  }
  SECTION("an image that is a link to nowhere") {
    std::filesystem::create_symlink("gone.jpg", root / "set/cats/1.jpg");
    const ImageFolder found = list_image_folder(root / "set");
    REQUIRE(found.files.size() == 2);
    CHECK(message_of<DataError>([&] { decode_all(found); }) ==
          (root / "set/cats/1.jpg").string() + ": no such file");
  }
}

TEST_CASE("an image folder loads as centres of its pictures", "[supernet][unit]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  DataConfig config = folder_config(root / "set");
  const Dataset data = load_dataset(config, 1);
  CHECK(data.name == "set");
  CHECK(data.channels == 3);
  CHECK(data.image_px == 12);
  CHECK(data.train.count() == 18);
  CHECK(data.validation.count() == 12);
  CHECK(data.test.count() == 9);
  CHECK(data.warnings.empty());
  CHECK(data.train.stored.empty());
  REQUIRE(data.test.pixels.size() == 9 * 12 * 12 * 3);
  // Every test picture appears once, under its label: its shorter side is 14 = ceil(12 / 0.875).
  std::vector<std::vector<std::uint8_t>> images;
  for (std::size_t i = 0; i < 9; ++i) {
    const auto begin = data.test.pixels.begin() + static_cast<std::ptrdiff_t>(i * 12 * 12 * 3);
    images.emplace_back(begin, begin + 12 * 12 * 3);
  }
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 3; ++i) {
      const auto file =
          root / "set/val" / std::string(1, static_cast<char>('a' + c)) / fmt::format("{}.jpg", i);
      const auto found = std::find(images.begin(), images.end(), centre_of(file, 14, 12));
      REQUIRE(found != images.end());
      CHECK(data.test.labels[static_cast<std::size_t>(found - images.begin())] == c);
    }
  }
  CHECK((load_dataset(config, 1).fingerprint == data.fingerprint));
  CHECK((load_dataset(config, 2).fingerprint != data.fingerprint));
  config.resize_px = 12;
  CHECK((load_dataset(config, 1).fingerprint != data.fingerprint));
}

TEST_CASE("the test split alone is the same as with the others", "[supernet][unit]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  DataConfig config = folder_config(root / "set");
  const Dataset all = load_dataset(config, 5);
  CHECK(message_of<ConfigError>([&] { supernet::load_test_split(config, 5); }) ==
        "data.mean: give data.mean and data.deviation, which the network was trained with, or the "
        "training images are needed to measure them");
  config.mean = {0.5, 0.4, 0.3};
  config.deviation = {0.2, 0.25, 0.3};
  std::filesystem::remove_all(root / "set/train");
  const Dataset test = supernet::load_test_split(config, 5);
  CHECK((test.test.pixels == all.test.pixels));
  CHECK((test.test.labels == all.test.labels));
  CHECK(test.train.count() == 0);
  CHECK(test.validation.count() == 0);
  CHECK(test.mean == std::vector<float>{0.5F, 0.4F, 0.3F});
  CHECK(test.deviation == std::vector<float>{0.2F, 0.25F, 0.3F});
}

TEST_CASE("folders can be named in the job", "[supernet][unit]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  std::filesystem::rename(root / "set/train", root / "set/first");
  DataConfig config = folder_config(root / "set");
  CHECK(load_error(config) == (root / "set/train").string() + ": no such folder");
  config.train_files = {"first"};
  CHECK(load_dataset(config, 1).train.count() == 18);
  config.test_files = {"second"};
  CHECK(load_error(config) == (root / "set/second").string() + ": no such folder");
}

TEST_CASE("both folders need the classes that the job says", "[supernet][error]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  DataConfig config = folder_config(root / "set");
  SECTION("number") {
    config.num_classes = 4;
    CHECK(load_error(config) ==
          (root / "set/val").string() + ": 3 class folders, but data.num_classes = 4");
  }
  SECTION("a name that only the training images have") {
    std::filesystem::rename(root / "set/val/b", root / "set/val/d");
    CHECK(load_error(config) ==
          (root / "set").string() +
              ": class folder 'b' is only among the training images; both need the same, or a "
              "file that data.labels names");
  }
  SECTION("a name that only the test images have") {
    std::filesystem::rename(root / "set/train/b", root / "set/train/d");
    CHECK(load_error(config) ==
          (root / "set").string() +
              ": class folder 'b' is only among the test images; both need the same, or a file "
              "that data.labels names");
  }
  SECTION("an empty split") {
    std::filesystem::remove_all(root / "set/val");
    std::filesystem::create_directories(root / "set/val");
    CHECK(load_error(config) == (root / "set/val").string() + ": holds no class folder");
  }
  SECTION("no image of a class in a split") {
    config.num_validation = 29;
    CHECK_THAT(load_error(config), Catch::Matchers::ContainsSubstring(
                                       "has no image among the 1 of the training split"));
  }
}

TEST_CASE("labels can come from a file", "[supernet][unit]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  DataConfig config = folder_config(root / "set");
  config.labels = "labels.csv";
  config.label_column = "index";
  config.num_classes = 1000;
  std::string csv = "path,index\n";
  for (const char* split : {"train", "val"}) {
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < 10; ++i) {
        csv += fmt::format("{}/{}/{}.jpg,{}\n", split, static_cast<char>('a' + c), i, 7 + 300 * c);
      }
    }
  }
  core::write_file_atomically(root / "set/labels.csv", csv);
  const Dataset data = load_dataset(config, 1);
  CHECK(data.num_classes == 1000);
  std::vector<std::int32_t> labels = data.test.labels;
  std::sort(labels.begin(), labels.end());
  CHECK(labels == std::vector<std::int32_t>{7, 7, 7, 307, 307, 307, 607, 607, 607});

  write_bytes(root / "set/val/a/new\xff.jpg", shaded_jpeg(8, 8, 0));
  CHECK(load_error(config) ==
        (root / "set/labels.csv").string() + ": no row for image 'val/a/new\\xff.jpg'");
  config.num_classes = 607;
  CHECK(load_error(config) ==
        (root / "set/labels.csv").string() +
            ":22: label '607' of 'train/c/0.jpg' is not a whole number from 0 to 606");
}

TEST_CASE("for random crops the training pictures are kept whole", "[supernet][unit]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  for (int i = 0; i < 10; ++i) {
    const auto [height, width] = i % 2 == 0 ? std::pair{10, 100} : std::pair{120, 10};
    write_bytes(root / fmt::format("set/train/a/{}.jpg", i), shaded_jpeg(height, width, 1));
  }
  DataConfig config = folder_config(root / "set");
  config.random_crop = true;
  config.min_crop_area = 0.25;
  const std::string plain = [&] {
    DataConfig centres = config;
    centres.random_crop = false;
    return load_dataset(centres, 2).fingerprint;
  }();
  const Dataset data = load_dataset(config, 2);
  REQUIRE(data.random_crop);
  CHECK(data.random_crop->min_area == 0.25);
  CHECK(data.fingerprint != plain);
  CHECK(data.validation.stored.empty());
  CHECK(data.test.stored.empty());
  REQUIRE(data.train.stored.size() == 18);
  std::uint64_t offset = 0;
  int num_usual = 0;
  int num_long = 0;
  for (const supernet::StoredImage& image : data.train.stored) {
    CHECK(image.offset == offset);
    offset += static_cast<std::uint64_t>(image.height_px * image.width_px * 3);
    // 20x30 scaled to the shorter side 14; the long ones keep three shorter sides.
    num_usual += image.height_px == 14 && image.width_px == 21 ? 1 : 0;
    num_long += std::min(image.height_px, image.width_px) == 14 &&
                        std::max(image.height_px, image.width_px) == 42
                    ? 1
                    : 0;
  }
  CHECK(offset == data.train.pixels.size());
  CHECK(num_usual + num_long == 18);
  CHECK(num_long >= 1);
  config.min_crop_area = 0.5;
  CHECK(load_dataset(config, 2).fingerprint != data.fingerprint);
}

TEST_CASE("images that memory is not meant for are refused before they are decoded",
          "[supernet][error]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  DataConfig config = folder_config(root / "set");
  // 39 images of 12 x 12 pixels, and room to decode one of 20 x 30 at a time.
  config.memory_limit_gb = 39 * 432e-9 + 5e-6;
  CHECK(load_dataset(config, 1).train.count() == 18);
  config.memory_limit_gb = 39 * 432e-9 + 1e-6;
  CHECK_THAT(
      load_error(config),
      Catch::Matchers::Contains(".jpg: decoding its 30x20 pixels (width x height) takes ") &&
          Catch::Matchers::EndsWith(", more than the 1.0 kB that data.memory_limit_gb leaves "
                                    "beside the images that are kept"));
  config.memory_limit_gb = 38 * 432e-9;
  write_bytes(root / "set/train/a/0.jpg", {});  // never opened
  CHECK(config_error(config) ==
        "data.memory_limit_gb: 39 decoded images take 16.8 kB, the limit is 16.4 kB; use fewer "
        "images, a smaller data.image_px or a higher limit");
}

TEST_CASE("a picture that cannot be decoded is named, whichever thread meets it",
          "[supernet][error]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  Bytes cut = shaded_jpeg(20, 30, 0);
  cut.resize(cut.size() / 2);
  for (const char* name : {"a/3.jpg", "b/4.jpg"}) write_bytes(root / "set/val" / name, cut);
  const ImageFolder found = list_image_folder(root / "set/val");
  for (int repeat = 0; repeat < 5; ++repeat) {
    CHECK(message_of<DataError>([&] { decode_all(found); }) ==
          (root / "set/val/a/3.jpg").string() + ": truncated: it ends before the picture does");
  }
  CHECK(load_error(folder_config(root / "set")).find("truncated") != std::string::npos);
}

TEST_CASE("skipped and damaged files are told", "[supernet][error]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  write_bytes(root / "set/val/b/notes.txt", {});
  Bytes damaged = shaded_jpeg(20, 30, 0);
  damaged.insert(damaged.end() - 2, 20, std::byte{0x12});
  for (const char* name : {"0.jpg", "1.jpg"}) write_bytes(root / "set/val/c" / name, damaged);
  const Dataset data = load_dataset(folder_config(root / "set"), 1);
  REQUIRE(data.warnings.size() == 2);
  CHECK(data.warnings[0] == (root / "set/val").string() +
                                ": skipped 1 files that are not named .jpg, .jpeg or .jpe; the "
                                "first is " +
                                (root / "set/val/b/notes.txt").string());
  CHECK_THAT(data.warnings[1], Catch::Matchers::ContainsSubstring(
                                   "extraneous bytes before marker 0xd9; 2 such files of 9"));
}

TEST_CASE("decoding stops when asked to", "[supernet][unit]") {
  const TempDir root;
  write_image_set(root / "set", 3, 10, 3);
  core::request_stop(true);
  CHECK_THROWS_AS(load_dataset(folder_config(root / "set"), 1), Interrupted);
  core::request_stop(false);
}

TEST_CASE("Imagenette at 224 pixels loads whole", "[supernet][golden]") {
  OMNIFIT_REQUIRE_DATA("imagenette224");
  DataConfig config;
  config.format = supernet::DataFormat::kImageFolder;
  config.root = std::string(OMNIFIT_SHARED_DATA) + "/imagenette224";
  config.image_px = 112;
  config.labels = "labels.csv";
  config.label_column = "imagenet1k_index";
  config.num_classes = 1000;
  config.mean = {0.5, 0.5, 0.5};
  config.deviation = {0.5, 0.5, 0.5};
  const Dataset data = supernet::load_test_split(config, 1);
  CHECK(data.test.count() == 500);
  CHECK(std::count(data.test.labels.begin(), data.test.labels.end(), 701) == 50);
  CHECK(data.warnings.empty());
}
