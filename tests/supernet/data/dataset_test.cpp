#include "supernet/data/dataset.hpp"

#include "core/fields.hpp"
#include "tests/supernet/data/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

using namespace omnifit;
using namespace omnifit::test;
using omnifit::supernet::DataConfig;
using omnifit::supernet::DataFormat;
using omnifit::supernet::Dataset;
using omnifit::supernet::load_dataset;

namespace {

std::string load_error(const DataConfig& config) {
  return message_of<DataError>([&config] { load_dataset(config, 1); });
}
std::string config_error(const DataConfig& config) {
  return message_of<ConfigError>([&config] { load_dataset(config, 1); });
}
std::string yaml_error(const std::string& text) {
  return message_of<ConfigError>(
      [&text] { core::read_config<DataConfig>(core::parse_yaml(text, "job.yaml")); });
}

/// The pixel value of an image of idx_images() tells its index in the file.
std::multiset<int> file_indices(const supernet::ImageSplit& split, std::size_t image_bytes) {
  std::multiset<int> indices;
  for (std::size_t at = image_bytes / 2; at < split.pixels.size(); at += image_bytes) {
    indices.insert(split.pixels[at]);
  }
  return indices;
}

}  // namespace

TEST_CASE("the training files are split without loss or overlap, by the seed alone",
          "[supernet][property]") {
  const TempDir folder;
  write_idx_set(folder / "digits");
  const DataConfig config = idx_config(folder / "digits");
  const Dataset data = load_dataset(config, 1);
  CHECK(data.name == "digits");
  CHECK(data.channels == 1);
  CHECK(data.train.count() == 18);
  CHECK(data.validation.count() == 12);
  CHECK(data.test.count() == 9);

  std::multiset<int> all = file_indices(data.train, 64);
  all.merge(file_indices(data.validation, 64));
  REQUIRE(all.size() == 30);
  int expected = 0;
  for (const int index : all) CHECK(index == expected++);
  for (const supernet::ImageSplit* split : {&data.train, &data.validation, &data.test}) {
    for (std::size_t i = 0; i < split->labels.size(); ++i) {
      CHECK(split->labels[i] == split->pixels[i * 64] % 3);
    }
  }

  const Dataset again = load_dataset(config, 1);
  CHECK(again.validation.pixels == data.validation.pixels);
  CHECK(again.fingerprint == data.fingerprint);
  CHECK(load_dataset(config, 2).validation.pixels != data.validation.pixels);
}

TEST_CASE("limits take a random sample, and num_train leaves the validation split alone",
          "[supernet][unit]") {
  const TempDir folder;
  write_idx_set(folder / "digits");
  DataConfig config = idx_config(folder / "digits");
  const Dataset whole = load_dataset(config, 1);
  config.num_train = 15;
  config.num_test = 7;
  const Dataset limited = load_dataset(config, 1);
  CHECK(limited.train.count() == 15);
  CHECK(limited.test.count() == 7);
  CHECK(limited.validation.pixels == whole.validation.pixels);
  CHECK(std::equal(limited.train.pixels.begin(), limited.train.pixels.end(),
                   whole.train.pixels.begin()));
  CHECK(limited.fingerprint != whole.fingerprint);
}

TEST_CASE("smaller images are padded evenly with black", "[supernet][unit]") {
  const TempDir folder;
  write_idx_set(folder / "digits", 5);
  const Dataset data = load_dataset(idx_config(folder / "digits"), 1);
  REQUIRE(data.train.pixels.size() == 18 * 64);
  for (std::size_t i = 0; i < 18; ++i) {
    const std::uint8_t* image = data.train.pixels.data() + i * 64;
    const std::uint8_t value = image[8 + 1];  // one pixel of border on the left and top, two after
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 8; ++x) {
        const bool inside = x >= 1 && x < 6 && y >= 1 && y < 6;
        CHECK(image[y * 8 + x] == (inside ? value : 0));
      }
    }
    CHECK(value % 3 == data.train.labels[i]);
  }
}

TEST_CASE("mean and deviation are those of the training split", "[supernet][unit]") {
  const TempDir folder;
  write_idx_set(folder / "digits");
  const Dataset data = load_dataset(idx_config(folder / "digits"), 1);
  double sum = 0.0;
  for (const std::uint8_t pixel : data.train.pixels) sum += pixel / 255.0;
  const double mean = sum / static_cast<double>(data.train.pixels.size());
  double squares = 0.0;
  for (const std::uint8_t pixel : data.train.pixels) {
    squares += (pixel / 255.0 - mean) * (pixel / 255.0 - mean);
  }
  const double deviation = std::sqrt(squares / static_cast<double>(data.train.pixels.size()));
  REQUIRE(data.mean.size() == 1);
  CHECK(data.mean[0] == Approx(mean));
  CHECK(data.deviation[0] == Approx(deviation));
}

TEST_CASE("images without contrast get the smallest deviation, not zero", "[supernet][unit]") {
  const TempDir folder;
  write_idx_set(folder / "digits");
  Bytes black = idx_images(30, 8, 8);
  std::fill(black.begin() + 16, black.end(), std::byte{0});
  write_bytes(folder / "digits/train-images-idx3-ubyte", black);
  const Dataset data = load_dataset(idx_config(folder / "digits"), 1);
  CHECK(data.mean[0] == 0.0F);
  CHECK(data.deviation[0] == 1.0F / 255.0F);
}

TEST_CASE("the fingerprint follows every pixel, label and split", "[supernet][property]") {
  const TempDir folder;
  const std::filesystem::path root = folder / "digits";
  write_idx_set(root);
  const DataConfig config = idx_config(root);
  const std::string before = load_dataset(config, 1).fingerprint;
  CHECK(before.size() == 64);
  SECTION("a test pixel") {
    Bytes images = idx_images(9, 8, 8);
    images.back() ^= std::byte{1};
    write_bytes(root / "t10k-images-idx3-ubyte", images);
    CHECK(load_dataset(config, 1).fingerprint != before);
  }
  SECTION("a training label") {
    std::vector<int> labels = cyclic_labels(30, 3);
    labels[17] = 0;
    write_bytes(root / "train-labels-idx1-ubyte", idx_labels(labels));
    CHECK(load_dataset(config, 1).fingerprint != before);
  }
  SECTION("another split") { CHECK(load_dataset(config, 2).fingerprint != before); }
  SECTION("the same content under another name and compression") {
    std::filesystem::rename(root, folder / "moved");
    write_bytes(folder / "moved/t10k-images-idx3-ubyte", gzipped(idx_images(9, 8, 8)));
    CHECK(load_dataset(idx_config(folder / "moved"), 1).fingerprint == before);
  }
}

TEST_CASE("a folder that is not one is named", "[supernet][error]") {
  const TempDir folder;
  const std::filesystem::path root = folder / "digits";
  const DataConfig config = idx_config(root);
  SECTION("missing") { CHECK(load_error(config) == root.string() + ": no such folder"); }
  SECTION("a file") {
    write_bytes(root, {});
    CHECK(load_error(config) == root.string() + ": not a folder");
  }
  SECTION("symbolic links in a circle") {
    std::filesystem::create_symlink("digits", root);
    CHECK(load_error(config) == root.string() + ": cannot read: Too many levels of symbolic links");
  }
  SECTION("a link to a folder is followed") {
    write_idx_set(folder / "elsewhere");
    std::filesystem::create_symlink("elsewhere", root);
    CHECK(load_dataset(config, 1).name == "elsewhere");
  }
  SECTION("a name that is not UTF-8 is read, and shown escaped") {
    write_idx_set(folder / "di\xffgits");
    CHECK(load_dataset(idx_config(folder / "di\xffgits"), 1).name == "di\\xffgits");
  }
}

TEST_CASE("images larger than image_px are refused", "[supernet][error]") {
  const TempDir folder;
  write_idx_set(folder.path(), 9);
  CHECK(load_error(idx_config(folder.path())) ==
        folder.path().string() + ": training images are 9x9 pixels, larger than data.image_px = 8");
  write_idx_set(folder.path(), 8);
  write_bytes(folder / "t10k-images-idx3-ubyte", idx_images(9, 8, 10));
  CHECK(load_error(idx_config(folder.path())) ==
        folder.path().string() + ": test images are 8x10 pixels, larger than data.image_px = 8");
}

TEST_CASE("more images than there are cannot be asked for", "[supernet][error]") {
  const TempDir folder;
  write_idx_set(folder.path());
  DataConfig config = idx_config(folder.path());
  SECTION("validation") {
    config.num_validation = 30;
    CHECK(config_error(config) ==
          "data.num_validation: 30 images asked for, at most 29 possible: the training files hold "
          "30, and one must be left to train on");
  }
  SECTION("training") {
    config.num_train = 19;
    CHECK(config_error(config) ==
          "data.num_train: 19 images asked for, at most 18 possible: the training files hold 30, "
          "12 of them are for validation");
  }
  SECTION("test") {
    config.num_test = 10;
    CHECK(config_error(config) ==
          "data.num_test: 10 images asked for, at most 9 possible: the test files hold no more");
  }
}

TEST_CASE("a class without images is named", "[supernet][error]") {
  const TempDir folder;
  write_idx_set(folder.path());
  DataConfig config = idx_config(folder.path());
  SECTION("in the training split") {
    config.num_classes = 4;
    CHECK(load_error(config) ==
          folder.path().string() +
              ": class 3 has no image among the 18 of the training split; lower "
              "data.num_classes = 4 or use more images");
  }
  SECTION("in the validation split") {
    config.num_validation = 1;
    CHECK_THAT(load_error(config), Catch::Matchers::ContainsSubstring(
                                       "has no image among the 1 of the validation split"));
  }
  SECTION("in the test split") {
    write_bytes(folder / "t10k-labels-idx1-ubyte", idx_labels({0, 0, 0, 2, 2, 2, 0, 0, 0}));
    CHECK(load_error(config) == folder.path().string() +
                                    ": class 1 has no image among the 9 of the test split; lower "
                                    "data.num_classes = 3 or use more images");
  }
}

TEST_CASE("files can be named, relative to the folder", "[supernet][unit]") {
  const TempDir folder;
  write_bytes(folder / "part1.bin", cifar_records(cyclic_labels(20, 3)));
  write_bytes(folder / "part2.bin", cifar_records(cyclic_labels(10, 3)));
  write_bytes(folder / "rest.bin", cifar_records(cyclic_labels(9, 3)));
  DataConfig config;
  config.format = DataFormat::kCifar;
  config.root = folder.path().string();
  config.num_classes = 3;
  config.num_validation = 12;
  config.train_files = {"part1.bin", "part2.bin"};
  CHECK(load_error(config) == folder.path().string() +
                                  ": no test file: looked for test_batch.bin and val.bin; name "
                                  "another in data.test_files");
  config.test_files = {"rest.bin"};
  const Dataset data = load_dataset(config, 1);
  CHECK(data.channels == 3);
  CHECK(data.train.count() == 18);
  CHECK(data.test.count() == 9);
  CHECK(data.mean[0] == Approx(25.5 / 255.0));
  CHECK(data.mean[2] == Approx(45.5 / 255.0));
}

TEST_CASE("the data section is checked where it was written", "[supernet][error]") {
  CHECK(core::read_config<DataConfig>(core::parse_yaml("", "job.yaml")) == DataConfig{});
  CHECK(yaml_error("format: idx") ==
        "job.yaml:1:1: root: format idx needs the folder of its files");
  CHECK(yaml_error("format: idx\nroot: x\ntrain_files: [a]") ==
        "job.yaml:3:14: train_files: format idx takes two files, images then labels, got 1");
  CHECK(yaml_error("format: idx\nroot: x\ntest_files: [a, b, c]") ==
        "job.yaml:3:13: test_files: format idx takes two files, images then labels, got 3");
  CHECK(yaml_error("root: x") ==
        "job.yaml:1:7: root: the synthetic set is drawn, not read; leave this out");
  CHECK(yaml_error("train_files: [x]") ==
        "job.yaml:1:14: train_files: the synthetic set is drawn, not read; leave this out");
  CHECK(yaml_error("test_files: [x]") ==
        "job.yaml:1:13: test_files: the synthetic set is drawn, not read; leave this out");
  CHECK(yaml_error("num_classes: 41") ==
        "job.yaml:1:14: num_classes: the synthetic set has 40 classes, got 41");
  CHECK(yaml_error("num_train: 9") ==
        "job.yaml:1:12: num_train: must hold an image of each of the 10 classes, got 9");
  CHECK(yaml_error("num_validation: 9") ==
        "job.yaml:1:17: num_validation: must hold an image of each of the 10 classes, got 9");
  CHECK(yaml_error("num_test: 9") ==
        "job.yaml:1:11: num_test: must hold an image of each of the 10 classes, got 9");
}

TEST_CASE("a configuration built in code meets the same checks", "[supernet][error]") {
  const auto with = [](const std::function<void(DataConfig&)>& change) {
    DataConfig config;
    change(config);
    return config_error(config);
  };
  CHECK(with([](DataConfig& c) { c.num_classes = 1; }) ==
        "data.num_classes must be in [2, 65536], got 1");
  CHECK(with([](DataConfig& c) { c.image_px = 7; }) == "data.image_px must be in [8, 1024], got 7");
  CHECK(with([](DataConfig& c) { c.num_train = -1; }) ==
        "data.num_train must be in [0, 2147483647], got -1");
  CHECK(with([](DataConfig& c) { c.num_validation = 0; }) ==
        "data.num_validation must be in [1, 2147483647], got 0");
  CHECK(with([](DataConfig& c) { c.num_test = -1; }) ==
        "data.num_test must be in [0, 2147483647], got -1");
  CHECK(with([](DataConfig& c) { c.format = DataFormat::kCifar; }) ==
        "data.root: format cifar needs the folder of its files");
}

TEST_CASE("keys of image folders are checked, and refused elsewhere", "[supernet][error]") {
  const std::string folder = "format: image_folder\nroot: x\n";
  CHECK(yaml_error("format: image_folder") ==
        "job.yaml:1:1: root: format image_folder needs the folder of its files");
  CHECK(yaml_error(folder + "train_files: [a, b]") ==
        "job.yaml:3:14: train_files: format image_folder takes one folder of class folders, got 2");
  CHECK(yaml_error(folder + "test_files: [a, b]") ==
        "job.yaml:3:13: test_files: format image_folder takes one folder of class folders, got 2");
  CHECK(yaml_error(folder + "resize_px: 31") ==
        "job.yaml:3:12: resize_px: must be 0 or at least image_px = 32, got 31");
  CHECK(yaml_error("labels: x") ==
        "job.yaml:1:9: labels: is for format image_folder, not for synthetic; leave this out");
  CHECK(yaml_error("format: cifar\nroot: x\nresize_px: 40") ==
        "job.yaml:3:12: resize_px: is for format image_folder, not for cifar; leave this out");
  CHECK(yaml_error("format: idx\nroot: x\nrandom_crop: true") ==
        "job.yaml:3:14: random_crop: is for format image_folder, not for idx; leave this out");
  CHECK(yaml_error("format: cifar\nroot: x\nnum_classes: 257") ==
        "job.yaml:3:14: num_classes: format cifar holds labels of one byte, at most 256 classes, "
        "got 257");
  CHECK(yaml_error("mean: [0.5]") ==
        "job.yaml:1:1: deviation: mean and deviation need one value per channel each, got 1 and 0");
  CHECK(yaml_error("deviation: [0.5, 0.5]\nmean: [0.5]") ==
        "job.yaml:2:7: mean: mean and deviation need one value per channel each, got 1 and 2");
  for (const char* key : {"min_crop_area: 0", "memory_limit_gb: 0", "deviation: [0]", "mean: [1.1]",
                          "label_column: ''"}) {
    CAPTURE(key);
    CHECK(yaml_error(key) != "nothing was thrown");
  }
}

TEST_CASE("pictures are scaled to image_px / 0.875 unless the job says otherwise",
          "[supernet][unit]") {
  DataConfig config;
  for (const auto& [image_px, expected] :
       {std::pair{112, 128}, {128, 147}, {160, 183}, {176, 202}, {192, 220}, {224, 256}}) {
    config.image_px = image_px;
    CHECK(config.effective_resize_px() == expected);
  }
  config.resize_px = 300;
  CHECK(config.effective_resize_px() == 300);
}

TEST_CASE("normalisation can be given", "[supernet][unit]") {
  const TempDir folder;
  write_idx_set(folder.path());
  DataConfig config = idx_config(folder.path());
  const Dataset measured = load_dataset(config, 1);
  config.mean = {0.25};
  config.deviation = {0.5};
  const Dataset given = load_dataset(config, 1);
  CHECK(given.mean == std::vector<float>{0.25F});
  CHECK(given.deviation == std::vector<float>{0.5F});
  CHECK((given.train.pixels == measured.train.pixels));
  CHECK(given.fingerprint != measured.fingerprint);
  config.mean = {0.25, 0.25, 0.25};
  config.deviation = {0.5, 0.5, 0.5};
  CHECK(config_error(config) == "data.mean: 3 values for images of 1 channels");
  config.deviation = {0.5, 0.0, 0.5};
  CHECK(config_error(config) == "data.deviation must be in (0, 1], got 0");
  config.mean = {0.25, -0.5, 0.25};
  CHECK(config_error(config) == "data.mean must be in [0, 1], got -0.5");
}

TEST_CASE("the test split can be loaded alone from every format", "[supernet][unit]") {
  const TempDir folder;
  write_idx_set(folder.path());
  DataConfig config = idx_config(folder.path());
  const Dataset all = load_dataset(config, 3);
  config.mean = {0.25};
  config.deviation = {0.5};
  std::filesystem::remove(folder / "train-images-idx3-ubyte");
  const Dataset test = supernet::load_test_split(config, 3);
  CHECK((test.test.pixels == all.test.pixels));
  CHECK((test.test.labels == all.test.labels));
  CHECK(test.train.count() == 0);
  CHECK(test.channels == 1);

  DataConfig drawn;
  drawn.num_test = 50;
  drawn.num_train = 50;
  drawn.num_validation = 50;
  drawn.image_px = 16;
  const Dataset synthetic = load_dataset(drawn, 3);
  drawn.mean = {0.5, 0.5, 0.5};
  drawn.deviation = {0.5, 0.5, 0.5};
  CHECK((supernet::load_test_split(drawn, 3).test.pixels == synthetic.test.pixels));
  CHECK(supernet::load_test_split(drawn, 3).train.count() == 0);
}

TEST_CASE("a written data section reads back equal", "[supernet][property]") {
  DataConfig config = idx_config("some/folder");
  config.train_files = {"a", "b c"};
  config.num_test = 100;
  config.mean = {0.25};
  config.deviation = {0.125};
  config.memory_limit_gb = 1.5;
  config.min_crop_area = 0.25;
  const std::string text = core::write_config(config, core::Fields::Style::kCommented);
  CHECK(core::read_config<DataConfig>(core::parse_yaml(text, "job.yaml")) == config);
}

TEST_CASE("Fashion-MNIST loads as the study uses it", "[supernet][golden]") {
  OMNIFIT_REQUIRE_DATA("fashion-mnist");
  DataConfig config;
  config.format = DataFormat::kIdx;
  config.root = std::string(OMNIFIT_SHARED_DATA) + "/fashion-mnist";
  const Dataset data = load_dataset(config, 1);
  CHECK(data.name == "fashion-mnist");
  CHECK(data.channels == 1);
  CHECK(data.image_px == 32);
  CHECK(data.train.count() == 55000);
  CHECK(data.validation.count() == 5000);
  CHECK(data.test.count() == 10000);
  // The published mean 0.2860 and deviation 0.3530 are of 28x28 pixels; padding adds black ones.
  const double share = 28.0 * 28.0 / (32.0 * 32.0);
  CHECK(data.mean[0] == Approx(0.2860 * share).margin(0.002));
  const double square = share * (0.3530 * 0.3530 + 0.2860 * 0.2860);
  CHECK(data.deviation[0] ==
        Approx(std::sqrt(square - 0.2860 * share * 0.2860 * share)).margin(0.002));
}
