#include "supernet/data/cifar.hpp"

#include "tests/supernet/data/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace omnifit;
using namespace omnifit::test;

namespace {

std::string read_error(const std::filesystem::path& file) {
  return message_of<DataError>(
      [&file] { supernet::read_cifar(std::vector<std::filesystem::path>{file}, 3); });
}

}  // namespace

TEST_CASE("CIFAR records of several files are joined, planes become channels", "[supernet][unit]") {
  const TempDir folder;
  write_bytes(folder / "a.bin", cifar_records({2, 0}));
  write_bytes(folder / "b.bin", cifar_records({1}));
  const supernet::RawImages raw =
      supernet::read_cifar(std::vector{folder / "a.bin", folder / "b.bin"}, 3);
  CHECK(raw.labels == std::vector<std::int32_t>{2, 0, 1});
  CHECK(raw.height_px == 32);
  CHECK(raw.width_px == 32);
  CHECK(raw.channels == 3);
  REQUIRE(raw.pixels.size() == 3 * 32 * 32 * 3);
  // Second pixel of the second row of the last image: column 1.
  const std::size_t at = (2 * 32 * 32 + 33) * 3;
  CHECK(raw.pixels[at] == 11);
  CHECK(raw.pixels[at + 1] == 21);
  CHECK(raw.pixels[at + 2] == 31);
}

TEST_CASE("broken CIFAR files are named with what is wrong", "[supernet][error]") {
  const TempDir folder;
  const std::filesystem::path file = folder / "train.bin";
  SECTION("missing") { CHECK(read_error(file) == file.string() + ": no such file"); }
  SECTION("folder") {
    std::filesystem::create_directory(file);
    CHECK(read_error(file) == file.string() + ": not a regular file");
  }
  SECTION("empty") {
    write_bytes(file, {});
    CHECK(read_error(file) == file.string() + ": holds no images");
  }
  SECTION("not a whole number of records") {
    Bytes bytes = cifar_records({0, 1});
    bytes.pop_back();
    write_bytes(file, bytes);
    CHECK(read_error(file) == file.string() +
                                  ": 6145 bytes are not a whole number of 3073-byte records; the "
                                  "file is truncated or of another format");
  }
  SECTION("larger than any data file") {
    write_bytes(file, {});
    std::filesystem::resize_file(file, supernet::kMaxDataFileBytes + 1);  // sparse
    CHECK(read_error(file) == file.string() + ": larger than the 4.3 GB allowed");
  }
  SECTION("label out of range") {
    write_bytes(file, cifar_records({0, 1, 2, 3}));
    CHECK(read_error(file) ==
          file.string() + ": label 3 of image 3 is out of range; allowed: 0 to 2");
  }
}

TEST_CASE("CIFAR files of the usual names are found", "[supernet][unit]") {
  const TempDir folder;
  CHECK(message_of<DataError>([&] { supernet::find_cifar_train_files(folder.path()); }) ==
        folder.path().string() +
            ": no training file: looked for data_batch_*.bin and train.bin; name others in "
            "data.train_files");
  CHECK(message_of<DataError>([&] { supernet::find_cifar_test_files(folder.path()); }) ==
        folder.path().string() +
            ": no test file: looked for test_batch.bin and val.bin; name another in "
            "data.test_files");
  write_bytes(folder / "train.bin", {});
  write_bytes(folder / "val.bin", {});
  CHECK(supernet::find_cifar_train_files(folder.path()) == std::vector{folder / "train.bin"});
  CHECK(supernet::find_cifar_test_files(folder.path()) == std::vector{folder / "val.bin"});
  for (const char* name : {"data_batch_2.bin", "data_batch_1.bin", "data_batch_1.txt"}) {
    write_bytes(folder / name, {});
  }
  write_bytes(folder / "test_batch.bin", {});
  CHECK(supernet::find_cifar_train_files(folder.path()) ==
        std::vector{folder / "data_batch_1.bin", folder / "data_batch_2.bin"});
  CHECK(supernet::find_cifar_test_files(folder.path()) == std::vector{folder / "test_batch.bin"});
}

TEST_CASE("a name that is not UTF-8 is read, and shown escaped", "[supernet][error]") {
  const TempDir folder;
  const std::filesystem::path file = folder / "data_batch_\xff.bin";
  write_bytes(file, cifar_records({0, 1, 2}));
  const auto files = supernet::find_cifar_train_files(folder.path());
  CHECK(supernet::read_cifar(files, 3).count() == 3);
  CHECK(message_of<DataError>([&] { supernet::read_cifar(files, 2); }) ==
        (folder / "data_batch_\\xff.bin").string() +
            ": label 2 of image 2 is out of range; allowed: 0 to 1");
}

TEST_CASE("CIFAR-10's first batch is read as published", "[supernet][golden]") {
  OMNIFIT_REQUIRE_DATA("cifar10");
  const std::filesystem::path root = std::filesystem::path(OMNIFIT_SHARED_DATA) / "cifar10";
  const auto files = supernet::find_cifar_train_files(root);
  const supernet::RawImages raw = supernet::read_cifar(files, 10);
  CHECK(raw.count() == 3000);
  CHECK(std::vector(raw.labels.begin(), raw.labels.begin() + 10) ==
        std::vector<std::int32_t>{6, 9, 9, 4, 1, 1, 2, 7, 8, 3});
  CHECK(message_of<DataError>([&] { supernet::find_cifar_test_files(root); }) ==
        root.string() +
            ": no test file: looked for test_batch.bin and val.bin; name another in "
            "data.test_files");
}

TEST_CASE("Imagenette at 32 pixels is read whole", "[supernet][golden]") {
  OMNIFIT_REQUIRE_DATA("imagenette32");
  const std::filesystem::path root = std::filesystem::path(OMNIFIT_SHARED_DATA) / "imagenette32";
  CHECK(supernet::read_cifar(supernet::find_cifar_train_files(root), 10).count() == 9469);
  CHECK(supernet::read_cifar(supernet::find_cifar_test_files(root), 10).count() == 2425);
}
