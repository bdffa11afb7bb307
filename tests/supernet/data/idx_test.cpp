#include "supernet/data/idx.hpp"

#include "tests/supernet/data/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace omnifit;
using namespace omnifit::test;

namespace {

/// A folder with a valid pair of files that a test then spoils.
struct IdxPair {
  TempDir folder;
  std::filesystem::path images = folder / "images";
  std::filesystem::path labels = folder / "labels";

  IdxPair() {
    write_bytes(images, idx_images(6, 4, 5));
    write_bytes(labels, idx_labels({0, 1, 2, 2, 1, 0}));
  }
  [[nodiscard]] supernet::RawImages read() const { return supernet::read_idx(images, labels, 3); }
  [[nodiscard]] std::string error() const {
    return message_of<DataError>([this] { static_cast<void>(read()); });
  }
};

std::string about(const std::filesystem::path& file, const std::string& message) {
  return file.string() + ": " + message;
}

}  // namespace

TEST_CASE("IDX files are read plain and gzipped alike", "[supernet][unit]") {
  const IdxPair pair;
  const supernet::RawImages plain = pair.read();
  CHECK(plain.height_px == 4);
  CHECK(plain.width_px == 5);
  CHECK(plain.channels == 1);
  CHECK(plain.labels == std::vector<std::int32_t>{0, 1, 2, 2, 1, 0});
  REQUIRE(plain.pixels.size() == 6 * 4 * 5);
  CHECK(plain.pixels[0] == 0);
  CHECK(plain.pixels[19] == 0);
  CHECK(plain.pixels[20] == 1);
  CHECK(plain.pixels[119] == 5);

  write_bytes(pair.images, gzipped(idx_images(6, 4, 5)));
  write_bytes(pair.labels, gzipped(idx_labels({0, 1, 2, 2, 1, 0})));
  const supernet::RawImages packed = pair.read();
  CHECK(packed.pixels == plain.pixels);
  CHECK(packed.labels == plain.labels);

  // Several gzip members are one content, wherever it is cut.
  const Bytes content = idx_images(6, 4, 5);
  Bytes members = gzipped(Bytes(content.begin(), content.begin() + 10));
  const Bytes rest = gzipped(Bytes(content.begin() + 10, content.end()));
  members.insert(members.end(), rest.begin(), rest.end());
  write_bytes(pair.images, members);
  CHECK(pair.read().pixels == plain.pixels);
}

TEST_CASE("an IDX file that is missing or no file is named", "[supernet][error]") {
  const IdxPair pair;
  SECTION("missing") {
    std::filesystem::remove(pair.images);
    CHECK(pair.error() == about(pair.images, "no such file"));
  }
  SECTION("folder") {
    std::filesystem::remove(pair.labels);
    std::filesystem::create_directory(pair.labels);
    CHECK(pair.error() == about(pair.labels, "not a regular file"));
  }
  SECTION("symbolic links in a circle") {
    std::filesystem::remove(pair.images);
    std::filesystem::create_symlink("circle", pair.images);
    std::filesystem::create_symlink("images", pair.folder / "circle");
    CHECK(pair.error() == about(pair.images, "cannot read: Too many levels of symbolic links"));
  }
}

TEST_CASE("symbolic links to IDX files are followed", "[supernet][unit]") {
  const IdxPair pair;
  std::filesystem::rename(pair.images, pair.folder / "elsewhere");
  std::filesystem::create_symlink("elsewhere", pair.images);
  CHECK(pair.read().count() == 6);
}

TEST_CASE("an IDX file whose length is not what its header says is refused", "[supernet][error]") {
  const IdxPair pair;
  Bytes images = idx_images(6, 4, 5);
  const std::string header = "its header says 6 images of 4x5 pixels";
  SECTION("truncated in the pixels") {
    images.resize(135);
    write_bytes(pair.images, images);
    CHECK(pair.error() ==
          about(pair.images, "truncated: 135 bytes, but " + header + ", which are 136 bytes"));
  }
  SECTION("truncated in the header") {
    images.resize(15);
    write_bytes(pair.images, images);
    CHECK(pair.error() == about(pair.images, "15 bytes are too few for an IDX header of 16"));
  }
  SECTION("empty") {
    write_bytes(pair.labels, {});
    CHECK(pair.error() == about(pair.labels, "0 bytes are too few for an IDX header of 8"));
  }
  SECTION("too long") {
    append(images, 0);
    write_bytes(pair.images, images);
    CHECK(pair.error() == about(pair.images, "larger than the 136 B allowed (" + header + ")"));
  }
  SECTION("unpacked content too short") {
    images.resize(100);
    write_bytes(pair.images, gzipped(images));
    CHECK(pair.error() ==
          about(pair.images, "truncated: 100 bytes, but " + header + ", which are 136 bytes"));
  }
}

TEST_CASE("corrupt gzip data are refused", "[supernet][error]") {
  const IdxPair pair;
  Bytes packed = gzipped(idx_images(6, 4, 5));
  const std::string header = " (its header says 6 images of 4x5 pixels)";
  SECTION("checksum") {
    packed[packed.size() - 8] ^= std::byte{1};
    write_bytes(pair.images, packed);
    CHECK(pair.error() == about(pair.images, "corrupt gzip data: incorrect data check" + header));
  }
  SECTION("length") {
    packed[packed.size() - 1] ^= std::byte{1};
    write_bytes(pair.images, packed);
    CHECK(pair.error() == about(pair.images, "corrupt gzip data: incorrect length check" + header));
  }
  SECTION("truncated after the header of the content") {
    packed.resize(packed.size() - 9);
    write_bytes(pair.images, packed);
    CHECK(pair.error() ==
          about(pair.images, "gzip data ends too early; the file is truncated" + header));
  }
  SECTION("truncated in the gzip header") {
    packed.resize(6);
    write_bytes(pair.images, packed);
    CHECK(pair.error() == about(pair.images, "gzip data ends too early; the file is truncated"));
  }
  SECTION("another compression method") {
    packed[2] = std::byte{7};
    write_bytes(pair.images, packed);
    CHECK(pair.error() == about(pair.images, "corrupt gzip data: unknown compression method"));
  }
}

TEST_CASE("a gzip file that unpacks to far more than its header says is refused early",
          "[supernet][error]") {
  const IdxPair pair;
  Bytes bomb = idx_images(6, 4, 5);
  bomb.resize(std::size_t{64} << 20);
  const Bytes packed = gzipped(bomb);
  REQUIRE(packed.size() < 100000);
  write_bytes(pair.images, packed);
  CHECK(pair.error() == about(pair.images,
                              "larger than the 136 B allowed (its header says 6 images of 4x5 "
                              "pixels)"));
}

TEST_CASE("an IDX header that claims the impossible is refused before anything is allocated",
          "[supernet][error]") {
  const IdxPair pair;
  const auto with_header = [&pair](std::uint32_t count, std::uint32_t height, std::uint32_t width) {
    Bytes bytes;
    for (const std::uint32_t value : {std::uint32_t{2051}, count, height, width}) {
      append_big_endian32(bytes, value);
    }
    write_bytes(pair.images, bytes);
    return pair.error();
  };
  CHECK(with_header(60000, 28, 28) ==
        about(pair.images,
              "its header says 60000 images of 28x28 pixels, more than a file of 16 B can hold"));
  CHECK(with_header(4294967295U, 65535, 65535) ==
        about(pair.images,
              "its header says 4294967295 images of 65535x65535 pixels, more than a file of 16 B "
              "can hold"));
  CHECK(with_header(1, 4294967295U, 1) ==
        about(pair.images,
              "its header says 1 images of 4294967295x1 pixels; sides must be in [1, 65535]"));
  CHECK(with_header(5, 0, 28) ==
        about(pair.images, "its header says 5 images of 0x28 pixels; sides must be in [1, 65535]"));
  CHECK(with_header(5, 28, 0) ==
        about(pair.images, "its header says 5 images of 28x0 pixels; sides must be in [1, 65535]"));
  CHECK(with_header(0, 28, 28) == about(pair.images, "holds no images"));
}

TEST_CASE("images, labels and other files are told apart", "[supernet][error]") {
  const IdxPair pair;
  SECTION("labels where images belong") {
    CHECK(message_of<DataError>([&] { supernet::read_idx(pair.images, pair.images, 3); }) ==
          about(pair.images, "not an IDX file of labels: magic number 2051, expected 2049"));
  }
  SECTION("images where labels belong") {
    write_bytes(pair.images, idx_labels(cyclic_labels(30, 3)));
    CHECK(pair.error() ==
          about(pair.images, "not an IDX file of images: magic number 2049, expected 2051"));
  }
  SECTION("little-endian") {
    Bytes bytes = idx_images(6, 4, 5);
    std::swap(bytes[0], bytes[3]);
    std::swap(bytes[1], bytes[2]);
    write_bytes(pair.images, bytes);
    CHECK(pair.error() ==
          about(pair.images, "not an IDX file of images: magic number 50855936, expected 2051"));
  }
}

TEST_CASE("labels must fit the images and the classes", "[supernet][error]") {
  const IdxPair pair;
  SECTION("count") {
    write_bytes(pair.labels, idx_labels({0, 1, 2, 2, 1}));
    CHECK(pair.error() ==
          about(pair.images, "holds 6 images, but " + pair.labels.string() + " holds 5 labels"));
  }
  SECTION("range") {
    write_bytes(pair.labels, idx_labels({0, 1, 2, 2, 3, 0}));
    CHECK(pair.error() ==
          about(pair.labels, "label 3 of image 4 is out of range; allowed: 0 to 2"));
  }
  SECTION("none") {
    write_bytes(pair.labels, idx_labels({}));
    CHECK(pair.error() == about(pair.labels, "holds no labels"));
  }
}

TEST_CASE("the usual IDX names are found, plain before gzip", "[supernet][unit]") {
  const TempDir folder;
  write_bytes(folder / "train-images-idx3-ubyte", {});
  write_bytes(folder / "train-images-idx3-ubyte.gz", {});
  write_bytes(folder / "train-labels-idx1-ubyte.gz", {});
  const auto found = supernet::find_idx_files(folder.path(), "train");
  CHECK(found[0] == folder / "train-images-idx3-ubyte");
  CHECK(found[1] == folder / "train-labels-idx1-ubyte.gz");
  CHECK(message_of<DataError>([&] { supernet::find_idx_files(folder.path(), "t10k"); }) ==
        about(folder.path(),
              "neither t10k-images-idx3-ubyte nor t10k-images-idx3-ubyte.gz found in this folder"));
}

TEST_CASE("Fashion-MNIST is read as published", "[supernet][golden]") {
  OMNIFIT_REQUIRE_DATA("fashion-mnist");
  const std::filesystem::path root = std::filesystem::path(OMNIFIT_SHARED_DATA) / "fashion-mnist";
  const auto read = [&root](const std::string& prefix) {
    const auto files = supernet::find_idx_files(root, prefix);
    return supernet::read_idx(files[0], files[1], 10);
  };
  const supernet::RawImages train = read("train");
  CHECK(train.count() == 60000);
  CHECK(train.height_px == 28);
  CHECK(train.width_px == 28);
  CHECK(std::vector(train.labels.begin(), train.labels.begin() + 10) ==
        std::vector<std::int32_t>{9, 0, 0, 3, 0, 2, 7, 2, 5, 5});
  CHECK(read("t10k").count() == 10000);
}
