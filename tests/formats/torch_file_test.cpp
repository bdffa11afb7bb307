#include "formats/torch_file.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <bit>
#include <cmath>

using namespace omnifit;
using formats::DType;
using formats::NamedTensor;
using formats::TensorFile;
namespace p = test::pickle;

namespace {

TensorFile parse(const test::Bytes& file) {
  return formats::parse_torch_file("file", test::as_bytes(file));
}

/// Both containers of the same object.
std::vector<test::Bytes> both(const test::Bytes& object,
                              const std::vector<test::StoredBytes>& storages) {
  return {test::legacy_file(object, storages), test::zip_file(test::zip_items(object, storages))};
}

std::vector<float> values(const NamedTensor& tensor) {
  const NamedTensor converted = tensor.to_float32();
  const auto floats = converted.floats();
  return {floats.begin(), floats.end()};
}

}  // namespace

TEST_CASE("a state dict is read from both containers", "[formats][unit]") {
  const test::Bytes weight = p::tensor(p::storage("FloatStorage", "a", 6), 0, {2, 3}, {3, 1});
  const test::Bytes scalar = p::tensor(p::storage("LongStorage", "b", 1), 0, {}, {});
  const test::Bytes object = p::whole(p::named({{"w", weight}, {"n", scalar}}));
  for (const test::Bytes& file : both(object, {test::stored<float>("a", {1, 2, 3, 4, 5, 6}),
                                               test::stored<std::int64_t>("b", {-7})})) {
    const TensorFile content = parse(file);
    REQUIRE(content.tensors.size() == 2);
    CHECK(content.metadata.empty());
    CHECK(content.tensors[0].name == "w");
    CHECK(content.tensors[0].dtype == DType::kFloat32);
    CHECK((content.tensors[0].shape == std::vector<std::int64_t>{2, 3}));
    CHECK((values(content.tensors[0]) == std::vector<float>{1, 2, 3, 4, 5, 6}));
    CHECK(content.tensors[1].name == "n");
    CHECK(content.tensors[1].dtype == DType::kInt64);
    CHECK(content.tensors[1].shape.empty());
    CHECK((values(content.tensors[1]) == std::vector<float>{-7}));
  }
}

TEST_CASE("every element type is read and converts to float32", "[formats][unit]") {
  struct Case {
    std::string storage;
    DType dtype;
    test::StoredBytes stored;
    std::vector<float> expected;
  };
  const std::vector<Case> cases{
      {"FloatStorage", DType::kFloat32, test::stored<float>("k", {0.1F, -3}), {0.1F, -3}},
      {"DoubleStorage", DType::kFloat64, test::stored<double>("k", {0.1, 1e300}), {0.1F, INFINITY}},
      // Half: 1, -2, the largest, the smallest subnormal, infinity.
      {"HalfStorage",
       DType::kFloat16,
       test::stored<std::uint16_t>("k", {0x3c00, 0xc000, 0x7bff, 0x0001, 0xfc00}),
       {1, -2, 65504, 5.9604645e-8F, -INFINITY}},
      {"BFloat16Storage",
       DType::kBFloat16,
       test::stored<std::uint16_t>("k", {0x3f80, 0xc040, 0x4049}),
       {1, -3, 3.140625F}},
      {"LongStorage", DType::kInt64, test::stored<std::int64_t>("k", {-5, 1 << 24}), {-5, 1 << 24}},
      {"IntStorage", DType::kInt32, test::stored<std::int32_t>("k", {-5, 7}), {-5, 7}},
      {"ShortStorage", DType::kInt16, test::stored<std::int16_t>("k", {-300, 7}), {-300, 7}},
      {"CharStorage", DType::kInt8, test::stored<std::int8_t>("k", {-128, 127}), {-128, 127}},
      {"ByteStorage", DType::kUInt8, test::stored<std::uint8_t>("k", {0, 255}), {0, 255}},
      {"BoolStorage", DType::kBool, test::stored<std::uint8_t>("k", {0, 1}), {0, 1}},
  };
  for (const Case& one : cases) {
    CAPTURE(one.storage);
    const auto count = static_cast<std::int64_t>(one.stored.count);
    const test::Bytes object = p::whole(
        p::named({{"t", p::tensor(p::storage(one.storage, "k", count), 0, {count}, {1})}}));
    for (const test::Bytes& file : both(object, {one.stored})) {
      const TensorFile content = parse(file);
      REQUIRE(content.tensors.size() == 1);
      CHECK(content.tensors[0].dtype == one.dtype);
      CHECK((values(content.tensors[0]) == one.expected));
    }
  }
  // Not a number stays one.
  const test::Bytes nan =
      p::whole(p::named({{"t", p::tensor(p::storage("HalfStorage", "k", 1), 0, {1}, {1})}}));
  CHECK(std::isnan(
      values(parse(test::legacy_file(nan, {test::stored<std::uint16_t>("k", {0x7e00})})).tensors[0])
          .at(0)));
}

TEST_CASE("strided and shared tensors become row-major ones of their own", "[formats][unit]") {
  const test::Bytes storage = p::storage("FloatStorage", "k", 12);
  const test::Bytes object =
      p::whole(p::named({{"transposed", p::tensor(storage, 0, {3, 2}, {1, 3})},
                         {"part", p::tensor(storage, 7, {2, 2}, {3, 1})},
                         {"channels_last", p::tensor(storage, 0, {1, 2, 2, 3}, {12, 1, 6, 2})},
                         {"step", p::tensor(storage, 1, {3}, {4})},
                         {"empty", p::tensor(storage, 12, {0, 4}, {4, 1})},
                         {"ones", p::tensor(storage, 11, {1, 1}, {0, 0})}}));
  for (const test::Bytes& file :
       both(object, {test::stored<float>("k", {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11})})) {
    const TensorFile content = parse(file);
    CHECK((values(*content.find("transposed")) == std::vector<float>{0, 3, 1, 4, 2, 5}));
    CHECK((values(*content.find("part")) == std::vector<float>{7, 8, 10, 11}));
    CHECK((values(*content.find("channels_last")) ==
           std::vector<float>{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
    CHECK((values(*content.find("step")) == std::vector<float>{1, 5, 9}));
    CHECK((content.find("empty")->shape == std::vector<std::int64_t>{0, 4}));
    CHECK(content.find("empty")->data.empty());
    CHECK((values(*content.find("ones")) == std::vector<float>{11}));
  }
}

TEST_CASE("the state dict is found below other values", "[formats][unit]") {
  const test::Bytes tensor = p::tensor(p::storage("FloatStorage", "k", 1), 0, {1}, {1});
  const test::Bytes dict = p::named({{"w", tensor}});
  const std::vector<test::StoredBytes> storages{test::stored<float>("k", {4})};
  const test::Bytes plain = p::op(p::Opcode::kEmptyDict);
  const auto read = [&](const test::Bytes& value) {
    return parse(test::legacy_file(p::whole(value), storages));
  };

  SECTION("a training checkpoint; plain values become metadata") {
    const test::Bytes momentum = p::dict({{p::integer(0), p::named({{"momentum", tensor}})}});
    const TensorFile content = read(p::named({{"epoch", p::integer(179)},
                                              {"best_acc", p::number(0.5)},
                                              {"done", p::flag(true)},
                                              {"arch", p::text("mbv3")},
                                              {"optimizer", p::named({{"state", momentum}}, plain)},
                                              {"state_dict", dict}},
                                             plain));
    REQUIRE(content.tensors.size() == 1);
    CHECK(content.tensors[0].name == "w");
    CHECK((content.metadata ==
           std::map<std::string, std::string>{
               {"epoch", "179"}, {"best_acc", "0.5"}, {"done", "true"}, {"arch", "mbv3"}}));
  }
  SECTION("under another key, and two levels down") {
    CHECK(read(p::named({{"model", dict}}, plain)).tensors.size() == 1);
    CHECK(read(p::named({{"state_dict", p::named({{"model", dict}}, plain)}}, plain))
              .tensors.size() == 1);
  }
  SECTION("names of DataParallel, where all have them") {
    CHECK(read(p::named({{"module.w", tensor}, {"module.b", tensor}})).tensors[1].name == "b");
    CHECK(read(p::named({{"module.w", tensor}, {"b", tensor}})).tensors[0].name == "module.w");
  }
}

TEST_CASE("every allowed way to write a value is read", "[formats][unit]") {
  const std::vector<test::StoredBytes> storages{test::stored<float>("k", {1, 2, 3, 4})};
  const test::Bytes storage = p::storage("FloatStorage", "k", 4);
  const auto read = [&](const test::Bytes& object) {
    return parse(test::legacy_file(object, storages));
  };

  SECTION("a parameter, the first form of a tensor, a Size") {
    const test::Bytes size = p::call(p::global("torch", "Size"), {p::list({p::integer(4)})});
    const test::Bytes first = p::call(p::global("torch._utils", "_rebuild_tensor"),
                                      {storage, p::integer(0), size, p::integers({1})});
    const test::Bytes parameter = p::call(p::global("torch._utils", "_rebuild_parameter"),
                                          {first, p::flag(true), p::ordered_dict()});
    const TensorFile content = read(p::whole(p::named({{"w", parameter}})));
    CHECK((values(content.tensors[0]) == std::vector<float>{1, 2, 3, 4}));
  }
  SECTION("a view of a storage") {
    const test::Bytes view = p::tuple({p::text("storage"), p::global("torch", "FloatStorage"),
                                       p::text("k"), p::text("cpu"), p::integer(4),
                                       p::tuple({p::text("v"), p::integer(1), p::integer(3)})}) +
                             p::op(p::Opcode::kBinPersId);
    const TensorFile content = read(p::whole(p::named({{"w", p::tensor(view, 1, {2}, {1})}})));
    CHECK((values(content.tensors[0]) == std::vector<float>{3, 4}));
  }
  SECTION("Python 2: byte strings and an OrderedDict made of pairs") {
    const test::Bytes name = p::op(p::Opcode::kShortBinString) + "\x01w";
    const test::Bytes dict = p::call(p::global("collections", "OrderedDict"),
                                     {p::list({p::list({name, p::tensor(storage, 0, {4}, {1})})})});
    CHECK(read(p::whole(dict)).tensors[0].name == "w");
  }
  SECTION("memo numbers from 1, as Python 2 counts, with every opcode") {
    const test::Bytes name = p::op(p::Opcode::kShortBinString) + "\x01w";
    for (const auto& [put, get] : std::vector<std::pair<test::Bytes, test::Bytes>>{
             {"p1\n", "g1\n"},
             {"q\x01", "h\x01"},
             {test::Bytes("r\x01\0\0\0", 5), test::Bytes("j\x01\0\0\0", 5)}}) {
      const test::Bytes dict =
          p::dict({{name + put, p::tensor(storage, 0, {4}, {1})}}, p::op(p::Opcode::kEmptyDict));
      const test::Bytes rest = p::text("name") + get + "s";
      const TensorFile content = read(p::whole("}" + p::text("state_dict") + dict + "s" + rest));
      CHECK(content.tensors.at(0).name == "w");
      CHECK(content.metadata.at("name") == "w");
    }
  }
  SECTION("protocol 0: values as lines of text") {
    const test::Bytes head =
        p::text("state_dict") + p::named({{"w", p::tensor(storage, 0, {4}, {1})}});
    const auto metadata = [&](const std::string& value) {
      const test::Bytes object = "(" + head + "S'x'\np0\n" + value + "d.";
      return read(object).metadata.at("x");
    };
    CHECK(metadata("I12\n") == "12");
    CHECK(metadata("I-12\n") == "-12");
    CHECK(metadata("I00\n") == "false");
    CHECK(metadata("I01\n") == "true");
    CHECK(metadata("L-9223372036854775808L\n") == "-9223372036854775808");
    CHECK(metadata("L5\n") == "5");
    CHECK(metadata("F2.5\n") == "2.5");
    CHECK(metadata("F-1e-05\n") == "-1e-05");
    CHECK(metadata("Finf\n") == "inf");
    CHECK(metadata("S'plain'\n") == "plain");
    CHECK(metadata("S\"it's\"\n") == "it's");
    CHECK(metadata(R"(S'\\ \' \" \n\r\t\x41\xc3\xa9')"
                   "\n") == "\\ ' \" \n\r\tA\xc3\xa9");
    CHECK(metadata("Vcaf\xe9 \\u2603 \\U0001f600 \\n\n") ==
          "caf\xc3\xa9 \xe2\x98\x83 \xf0\x9f\x98\x80 \\n");
    CHECK(metadata("g0\n") == "x");
    // Beyond 64 bits and lists: read, but no metadata.
    CHECK_THROWS_AS(metadata("L9223372036854775808L\n"), std::out_of_range);
    CHECK_THROWS_AS(metadata("(lI1\naI2\na"), std::out_of_range);
  }
  SECTION("protocol 4: frames, memo, short texts, global from the stack") {
    const test::Bytes short_name = p::op(p::Opcode::kShortBinUnicode) + "\x0b" + "collections" +
                                   p::op(p::Opcode::kMemoize) + p::op(p::Opcode::kShortBinUnicode) +
                                   "\x0b" + "OrderedDict" + p::op(p::Opcode::kStackGlobal) +
                                   p::op(p::Opcode::kEmptyTuple) + p::op(p::Opcode::kReduce);
    const test::Bytes object =
        p::protocol(4) + p::op(p::Opcode::kFrame) + test::raw(std::uint64_t{200}) +
        p::named({{"w", p::tensor(storage, 0, {4}, {1})}}, short_name) + p::op(p::Opcode::kStop);
    CHECK(read(object).tensors[0].name == "w");
  }
  SECTION("versions of modules in the state of an OrderedDict") {
    const test::Bytes dict =
        p::named({{"w", p::tensor(storage, 0, {4}, {1})}}) +
        p::named({{"_metadata", p::ordered_dict()}}, p::op(p::Opcode::kEmptyDict)) +
        p::op(p::Opcode::kBuild);
    CHECK(read(p::whole(dict)).tensors.size() == 1);
  }
  SECTION("a list that contains itself, beside the state dict") {
    const test::Bytes cycle = p::op(p::Opcode::kEmptyList) + p::op(p::Opcode::kBinPut) + '\0' +
                              p::op(p::Opcode::kBinGet) + '\0' + p::op(p::Opcode::kAppend);
    const test::Bytes dict = p::named({{"w", p::tensor(storage, 0, {4}, {1})}});
    CHECK(read(p::whole(p::named({{"cycle", cycle}, {"state_dict", dict}}))).tensors.size() == 1);
  }
}

TEST_CASE("files that Python 2 wrote are read", "[formats][golden]") {
  for (const char* name : {"python2_protocol1.pth", "python2_protocol2.pth"}) {
    CAPTURE(name);
    const TensorFile content = formats::read_torch_file(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                                        "tests/formats/golden" / name);
    REQUIRE(content.tensors.size() == 3);
    CHECK(content.tensors[0].name == "weight");
    CHECK((content.tensors[0].shape == std::vector<std::int64_t>{2, 3}));
    CHECK((values(content.tensors[0]) == std::vector<float>{1, 2, 3, 4, 5, 6}));
    CHECK(content.tensors[1].name == "bias");
    CHECK((values(content.tensors[1]) == std::vector<float>{4, 5, 6}));
    CHECK(content.tensors[2].name == "count");
    CHECK(content.tensors[2].dtype == DType::kInt64);
    CHECK((values(content.tensors[2]) == std::vector<float>{7}));
    CHECK(content.metadata.at("epoch") == "12");
    CHECK(content.metadata.at("best") == "75.5");
    CHECK(content.metadata.at("note") == "it's \"new\"\n");
    CHECK(content.metadata.at("arch") == "caf\xc3\xa9 \xe2\x98\x83");
  }
}

TEST_CASE("zip64 archives and comments are read", "[formats][unit]") {
  const test::Bytes object =
      p::whole(p::named({{"w", p::tensor(p::storage("FloatStorage", "0", 1), 0, {1}, {1})}}));
  auto items = test::zip_items(object, {test::stored<float>("0", {2.5F})});
  CHECK((values(parse(test::zip_file(items, true)).tensors[0]) == std::vector<float>{2.5F}));
  for (auto& item : items) item.zip64 = true;
  CHECK((values(parse(test::zip_file(items, true)).tensors[0]) == std::vector<float>{2.5F}));
  CHECK((values(parse(test::zip_file(items, false, "a comment")).tensors[0]) ==
         std::vector<float>{2.5F}));
}

TEST_CASE("a file on disk is read, a missing one is told", "[formats][error]") {
  const test::TempDir folder;
  const test::Bytes object =
      p::whole(p::named({{"w", p::tensor(p::storage("FloatStorage", "0", 1), 0, {1}, {1})}}));
  const auto file = folder.path() / "w.pth";
  core::write_file_atomically(file, test::legacy_file(object, {test::stored<float>("0", {1})}));
  CHECK(formats::read_torch_file(file).tensors.size() == 1);
  CHECK_THROWS_WITH(formats::read_torch_file(folder.path() / "none.pth"),
                    (folder.path() / "none.pth").string() + ": no such file");
}

TEST_CASE("real files of PyTorch hold what their descriptions say", "[formats][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/acc_predictor.pth");
  const std::filesystem::path shared(OMNIFIT_SHARED_DATA);
  using Shape = std::vector<std::int64_t>;

  const TensorFile predictor = formats::read_torch_file(shared / "ofa_released/acc_predictor.pth");
  REQUIRE(predictor.tensors.size() == 8);
  CHECK((predictor.find("0.weight")->shape == Shape{400, 128}));
  CHECK((predictor.find("6.weight")->shape == Shape{1, 400}));
  CHECK((predictor.find("6.bias")->shape == Shape{1}));

  const TensorFile resnet =
      formats::read_torch_file(shared / "ofa_released/ofa_resnet50_acc_predictor.pth");
  CHECK((resnet.find("layers.0.0.weight")->shape == Shape{400, 82}));
  CHECK(resnet.find("base_acc")->floats()[0] == Approx(0.805560827));
}

TEST_CASE("the pretrained network's file equals its plain copy", "[formats][golden]") {
  const std::string folder = "pretrained/proxyless-w0.25-r112_imagenet";
  OMNIFIT_REQUIRE_DATA(folder);
  const std::filesystem::path path = std::filesystem::path(OMNIFIT_SHARED_DATA) / folder;
  const TensorFile content = formats::read_torch_file(path / "proxyless-w0.25-r112_imagenet.pth");
  const auto plain = core::read_file(path / "weights.f32le.bin");
  const auto manifest = nlohmann::json::parse(core::read_text_file(path / "manifest.json"));
  REQUIRE(manifest.size() > 100);
  for (const auto& entry : manifest) {
    const NamedTensor* tensor = content.find(entry["name"].get<std::string>());
    REQUIRE(tensor != nullptr);
    CAPTURE(tensor->name);
    CHECK((tensor->shape == entry["shape"].get<std::vector<std::int64_t>>()));
    const std::span expected = std::span(plain).subspan(entry["offset"].get<std::size_t>(),
                                                        entry["bytes"].get<std::size_t>());
    CHECK(std::ranges::equal(tensor->data, expected));
  }
}
