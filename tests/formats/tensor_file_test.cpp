#include "formats/tensor_file.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/rng.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <array>
#include <bit>
#include <cstring>
#include <string>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::formats;

namespace {

template <class T>
NamedTensor make_tensor(std::string name, DType dtype, std::vector<std::int64_t> shape,
                        const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {std::move(name), dtype, std::move(shape), {bytes.begin(), bytes.end()}};
}

TensorFile sample_file() {
  TensorFile file;
  file.metadata = {{"arch", "tiny/v1 r=16"}, {"note", "two\nlines and \"quotes\" – ü"}};
  file.tensors.push_back(
      NamedTensor::from_floats("b.weight", {2, 3}, std::vector<float>{1, -2, 3.5F, 0, 5, 6}));
  file.tensors.push_back(make_tensor<double>("a", DType::kFloat64, {2}, {0.1, -1e300}));
  file.tensors.push_back(make_tensor<std::int64_t>("steps", DType::kInt64, {}, {-7}));
  file.tensors.push_back(make_tensor<std::uint8_t>("empty", DType::kUInt8, {0, 4}, {}));
  file.tensors.push_back(make_tensor<std::uint8_t>("bytes", DType::kUInt8, {3}, {0, 128, 255}));
  return file;
}

/// A container of our own making: header text as given, then `data_bytes` zeros.
void write_raw(const std::filesystem::path& file, const std::string& header,
               std::size_t data_bytes) {
  const auto length = std::bit_cast<std::array<char, 8>>(static_cast<std::uint64_t>(header.size()));
  core::write_file_atomically(
      file, std::string(length.data(), length.size()) + header + std::string(data_bytes, '\0'));
}

std::string error_of(const std::filesystem::path& file) {
  try {
    read_tensor_file(file);
  } catch (const DataError& error) {
    const std::string text = error.what();
    CHECK_THAT(text, ContainsSubstring(file.string() + ": "));
    CHECK(text.find('\n') == std::string::npos);
    return text.substr(file.string().size() + 2);
  }
  return "accepted";
}

}  // namespace

TEST_CASE("a tensor file round trip keeps everything", "[formats][property]") {
  const test::TempDir dir;
  const TensorFile written = sample_file();
  write_tensor_file(dir / "a.safetensors", written);
  const TensorFile read = read_tensor_file(dir / "a.safetensors");
  CHECK(read.metadata == written.metadata);
  REQUIRE(read.tensors.size() == written.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    CHECK(read.tensors[i].name == written.tensors[i].name);
    CHECK(read.tensors[i].dtype == written.tensors[i].dtype);
    CHECK(read.tensors[i].shape == written.tensors[i].shape);
    CHECK(read.tensors[i].data == written.tensors[i].data);
  }
  REQUIRE(read.find("b.weight") != nullptr);
  CHECK(read.find("b.weight")->floats()[2] == 3.5F);
  CHECK(read.find("b.weight")->count() == 6);
  CHECK(read.find("steps")->count() == 1);
  CHECK(read.find("empty")->count() == 0);
  CHECK(read.find("c") == nullptr);

  write_tensor_file(dir / "b.safetensors", written);
  CHECK(core::read_file(dir / "a.safetensors") == core::read_file(dir / "b.safetensors"));
}

TEST_CASE("a tensor file without tensors or metadata is valid", "[formats][unit]") {
  const test::TempDir dir;
  write_tensor_file(dir / "a", {});
  CHECK(read_tensor_file(dir / "a").tensors.empty());
  CHECK(read_tensor_file(dir / "a").metadata.empty());
}

TEST_CASE("the bytes are the safetensors container", "[formats][golden]") {
  const test::TempDir dir;
  TensorFile file;
  file.tensors.push_back(NamedTensor::from_floats("w", {1, 2}, std::vector<float>{1.0F, -2.0F}));
  write_tensor_file(dir / "a", file);
  const std::string text = core::read_text_file(dir / "a");
  std::uint64_t length = 0;
  std::memcpy(&length, text.data(), 8);
  CHECK(length % 8 == 0);
  REQUIRE(text.size() == 8 + length + 8);
  std::string header = text.substr(8, length);
  header.erase(header.find_last_not_of(' ') + 1);
  CHECK(header == R"({"__metadata__":{"header_sha256":")"
                  R"(d08c1eb303dc1bf18b1ac3d6ce7c06d5362866e5daad02b450a88801e85777ef","sha256":")"
                  R"(ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b"},)"
                  R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})");
  CHECK(text.substr(8 + length) == std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
}

TEST_CASE("a foreign file without hashes is read, whatever its order and padding",
          "[formats][unit]") {
  const test::TempDir dir;
  write_raw(dir / "a",
            R"( { "b" : {"shape":[2],"data_offsets":[1,9],"dtype":"F32"},)"
            R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
            9);
  const TensorFile file = read_tensor_file(dir / "a");
  REQUIRE(file.tensors.size() == 2);
  CHECK(file.tensors[0].name == "a");
  CHECK(file.tensors[1].shape == std::vector<std::int64_t>{2});
}

TEST_CASE("every truncation of a tensor file is refused", "[formats][error]") {
  const test::TempDir dir;
  write_tensor_file(dir / "whole", sample_file());
  const std::string whole = core::read_text_file(dir / "whole");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    core::write_file_atomically(dir / "cut", whole.substr(0, size));
    CAPTURE(size);
    REQUIRE_THROWS_AS(read_tensor_file(dir / "cut"), DataError);
  }
  core::write_file_atomically(dir / "long", whole + "x");
  CHECK_THAT(error_of(dir / "long"), Equals("1 bytes after the last tensor"));
  core::write_file_atomically(dir / "cut", whole.substr(0, 5));
  CHECK_THAT(error_of(dir / "cut"), Equals("5 bytes, too short for a tensor file"));
  core::write_file_atomically(dir / "cut", whole.substr(0, 20));
  CHECK_THAT(error_of(dir / "cut"), ContainsSubstring("truncated: the header has"));
  core::write_file_atomically(dir / "cut", whole.substr(0, whole.size() - 1));
  CHECK_THAT(error_of(dir / "cut"), ContainsSubstring("tensor 'bytes' ends at byte 51 of the data "
                                                      "section, which has 50 bytes"));
}

TEST_CASE("every flipped bit of a tensor file is noticed", "[formats][error]") {
  const test::TempDir dir;
  write_tensor_file(dir / "whole", sample_file());
  const std::string whole = core::read_text_file(dir / "whole");
  for (std::size_t at = 0; at < whole.size(); ++at) {
    const int bit = static_cast<int>(at % 8);
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
    core::write_file_atomically(dir / "damaged", damaged);
    CAPTURE(at, bit);
    REQUIRE_THROWS_AS(read_tensor_file(dir / "damaged"), DataError);
  }
}

TEST_CASE("altered data and headers are named", "[formats][error]") {
  const test::TempDir dir;
  write_tensor_file(dir / "whole", sample_file());
  const std::string whole = core::read_text_file(dir / "whole");
  const auto altered = [&](const std::string& from, const std::string& to) {
    std::string text = whole;
    text.replace(text.find(from), from.size(), to);
    core::write_file_atomically(dir / "altered", text);
    return error_of(dir / "altered");
  };
  CHECK_THAT(altered(std::string("\x80\xff", 2), "ab"),
             Equals("wrong SHA-256 of the data; the file is damaged"));
  CHECK_THAT(altered("b.weight", "c.weight"),
             Equals("wrong SHA-256 of the header; the file is damaged"));
  CHECK_THAT(altered("r=16", "r=32"), Equals("wrong SHA-256 of the header; the file is damaged"));
  CHECK_THAT(altered("\"sha256", "\"sha255"),
             Equals("metadata key 'sha256' is missing although 'header_sha256' is there; the file "
                    "is damaged"));
  CHECK_THAT(altered("\"header_sha256", "\"header_sha255"),
             Equals("metadata key 'header_sha256' is missing although 'sha256' is there; the file "
                    "is damaged"));
}

TEST_CASE("wrong headers are refused with what is wrong", "[formats][error]") {
  const test::TempDir dir;
  const auto refusal = [&](const std::string& header, std::size_t data_bytes = 8) {
    write_raw(dir / "a", header, data_bytes);
    return error_of(dir / "a");
  };
  const std::string good = R"("w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  REQUIRE(refusal("{" + good + "}") == "accepted");

  CHECK(refusal("") == "header: not valid JSON at byte 1");
  CHECK_THAT(refusal("{" + good), ContainsSubstring("header: not valid JSON at byte "));
  CHECK_THAT(refusal("{" + good + "}}"), ContainsSubstring("header: not valid JSON at byte "));
  CHECK_THAT(refusal("{\"\xff\":1}"), ContainsSubstring("header: not valid JSON at byte "));
  CHECK(refusal("[]") == "header: a list where an object was expected");
  CHECK(refusal("7") == "header: a number where an object was expected");
  CHECK(refusal("{" + good + "," + good + "}") == "header: 'w' occurs twice");
  CHECK(refusal(R"({"w":7})") == "header: a number in 'w', where none belongs");
  CHECK(refusal(R"({"w\n":null})") == "header: null in 'w\\n', where none belongs");
  CHECK(refusal(R"({"__metadata__":{"a":{}}})") == "header: an object in 'a', where none belongs");
  CHECK(refusal(R"({"__metadata__":{"a":"1","a":"2"}})") ==
        "header: metadata key 'a' occurs twice");
  CHECK(refusal(R"({"__metadata__":{"a":1}})") == "header: a number in 'a', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F8_E5M2","shape":[2],"data_offsets":[0,8]}})") ==
        "header: tensor 'w': dtype 'F8_E5M2' is not supported (allowed: F32, F64, F16, BF16, I64, "
        "I32, "
        "I16, I8, U8, BOOL)");
  CHECK(refusal(R"({"w":{"dtype":true,"shape":[2],"data_offsets":[0,8]}})") ==
        "header: a boolean in 'w', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":"2"}})") ==
        "header: a text in 'w', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})") ==
        "header: a negative number in 'w', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})") ==
        "header: a number with a fraction or out of range in 'w', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,8]}})") ==
        "header: a number with a fraction or out of range in 'w', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]}})") ==
        "header: tensor 'w': dimension 9223372036854775808 is too large");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[[2]],"data_offsets":[0,8]}})") ==
        "header: a list in 'w', where none belongs");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[2]}})") ==
        "header: tensor 'w': needs dtype, shape and data_offsets");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[2],"shape":[2]}})") ==
        "header: tensor 'w': 'shape' occurs twice");
  CHECK(refusal(R"({"w":{"dtype":"F32","size":[2]}})") ==
        "header: tensor 'w': unknown key 'size' (allowed: dtype, shape, data_offsets)");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}})") ==
        "header: tensor 'w': 'data_offsets' must have two numbers");
  CHECK(refusal(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}})") ==
        "header: tensor 'w': 'data_offsets' must have two numbers");
}

TEST_CASE("tensors must cover the data exactly", "[formats][error]") {
  const test::TempDir dir;
  const auto refusal = [&](const std::string& entries, std::size_t data_bytes) {
    write_raw(dir / "a", "{" + entries + "}", data_bytes);
    return error_of(dir / "a");
  };
  const auto entry = [](const std::string& name, const std::string& shape,
                        const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":"U8","shape":[)" + shape + R"(],"data_offsets":[)" +
           offsets + "]}";
  };
  CHECK(refusal(entry("a", "4", "0,4") + "," + entry("b", "4", "4,8"), 8) == "accepted");
  CHECK(refusal(entry("a", "4", "0,4") + "," + entry("b", "4", "2,6"), 8) ==
        "tensor 'b' overlaps another tensor (starts at byte 2, expected 4)");
  CHECK(refusal(entry("a", "4", "0,4") + "," + entry("b", "3", "5,8"), 8) ==
        "tensor 'b' leaves a gap before its data (starts at byte 5, expected 4)");
  CHECK(refusal(entry("a", "4", "0,4"), 8) == "4 bytes after the last tensor");
  CHECK(refusal("", 3) == "3 bytes after the last tensor");
  CHECK(refusal(entry("a", "9", "0,9"), 8) ==
        "tensor 'a' ends at byte 9 of the data section, which has 8 bytes; the file is truncated "
        "or damaged");
  CHECK(refusal(entry("a", "5", "0,4"), 8) ==
        "tensor 'a': shape [5] of U8 needs 5 bytes, but its offsets are [0, 4]");
  CHECK(refusal(entry("a", "4", "8,4"), 8) ==
        "tensor 'a': shape [4] of U8 needs 4 bytes, but its offsets are [8, 4]");
  CHECK(refusal(entry("a", "4294967296,4294967296,2", "0,8"), 8) ==
        "tensor 'a': shape [4294967296, 4294967296, 2] is too large");
}

TEST_CASE("hostile headers cost neither memory nor stack", "[formats][error]") {
  const test::TempDir dir;
  const auto length = [](std::uint64_t value) {
    const auto bytes = std::bit_cast<std::array<char, 8>>(value);
    return std::string(bytes.data(), bytes.size());
  };
  core::write_file_atomically(dir / "huge", length(UINT64_MAX) + "{}");
  CHECK(error_of(dir / "huge") ==
        "header of 18446744073709551615 bytes is too large (allowed: at most 16777216); not a "
        "tensor file?");

  write_raw(dir / "deep", R"({"a":)" + std::string(10'000'000, '['), 0);
  CHECK(error_of(dir / "deep") == "header: a list in 'a', where none belongs");
  write_raw(dir / "deep", R"({"a":{"shape":)" + std::string(10'000'000, '['), 0);
  CHECK(error_of(dir / "deep") == "header: a list in 'a', where none belongs");
  write_raw(dir / "deep", std::string(10'000'000, '{'), 0);
  CHECK_THAT(error_of(dir / "deep"), ContainsSubstring("not valid JSON at byte 2"));

  write_raw(dir / "name", R"({")" + std::string(10'000'000, 'x') + R"(":1})", 0);
  CHECK(error_of(dir / "name").size() < 300);
}

TEST_CASE("reading what is no file says so", "[formats][error]") {
  const test::TempDir dir;
  CHECK(error_of(dir / "missing") != "accepted");
  CHECK(error_of(dir.path()) != "accepted");
}

TEST_CASE("what cannot be stored is refused before writing", "[formats][error]") {
  const test::TempDir dir;
  TensorFile file = sample_file();
  SECTION("duplicate name") {
    file.tensors[1].name = "b.weight";
    CHECK_THROWS_WITH(write_tensor_file(dir / "a", file),
                      Equals("tensor name 'b.weight' occurs twice"));
  }
  SECTION("reserved name") {
    file.tensors[1].name = "__metadata__";
    CHECK_THROWS_AS(write_tensor_file(dir / "a", file), std::invalid_argument);
  }
  SECTION("shape and size differ") {
    file.tensors[0].shape = {7};
    CHECK_THROWS_WITH(write_tensor_file(dir / "a", file),
                      Equals("tensor 'b.weight': 24 bytes of data do not fit its shape [7]"));
  }
  SECTION("negative dimension") {
    file.tensors[0].shape = {-2, -3};
    CHECK_THROWS_AS(write_tensor_file(dir / "a", file), std::invalid_argument);
  }
  SECTION("reserved metadata") {
    file.metadata["sha256"] = "x";
    CHECK_THROWS_WITH(write_tensor_file(dir / "a", file),
                      Equals("metadata key 'sha256' is reserved"));
  }
  SECTION("metadata that is no text") {
    file.metadata["class"] = "\xff";
    CHECK_THROWS_WITH(write_tensor_file(dir / "a", file),
                      ContainsSubstring("metadata 'class' is not UTF-8 text"));
  }
  SECTION("header too large") {
    file.metadata["class"] = std::string(17'000'000, 'x');
    CHECK_THROWS_WITH(write_tensor_file(dir / "a", file), ContainsSubstring("is too large"));
  }
  CHECK_FALSE(std::filesystem::exists(dir / "a"));
}

TEST_CASE("values that do not fit a shape are refused", "[formats][error]") {
  CHECK_THROWS_WITH(NamedTensor::from_floats("w", {2, 2}, std::vector<float>(3)),
                    Equals("tensor 'w': 3 values do not fit the shape [2, 2]"));
  const NamedTensor tensor = make_tensor<std::uint8_t>("w", DType::kUInt8, {1}, {1});
  CHECK_THROWS_AS(tensor.floats(), BugError);
}
