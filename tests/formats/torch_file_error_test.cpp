#include "core/error.hpp"
#include "formats/torch_file.hpp"
#include "formats/torch_file_pickle.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/support/catch.hpp"

#include <limits>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
namespace p = test::pickle;

namespace {

/// What parsing says, without the leading "file: ".
std::string refusal(const test::Bytes& file) {
  try {
    static_cast<void>(formats::parse_torch_file("file", test::as_bytes(file)));
  } catch (const DataError& error) {
    const std::string text = error.what();
    CHECK(error.exit_code() == ExitCode::kUserInput);
    CHECK(text.find('\n') == std::string::npos);
    CHECK_THAT(text, StartsWith("file: "));
    return text.substr(6);
  }
  return "accepted";
}

const std::vector<test::StoredBytes> kOneFloat{test::stored<float>("k", {1})};

test::Bytes storage() { return p::storage("FloatStorage", "k", 1); }
test::Bytes scalar() { return p::tensor(storage(), 0, {1}, {1}); }

/// What a pickle is refused for, wherever in it.
std::string object_refusal(const test::Bytes& object,
                           const std::vector<test::StoredBytes>& storages = kOneFloat) {
  const std::string text = refusal(test::zip_file(test::zip_items(object, storages)));
  const std::size_t at = text.rfind(": byte ");
  return at == std::string::npos ? text : text.substr(text.find(": ", at + 2) + 2);
}

std::string value_refusal(const test::Bytes& value) {
  return object_refusal(p::whole(p::named({{"w", scalar()}, {"x", value}})));
}

std::string tensor_refusal(std::int64_t offset, const std::vector<std::int64_t>& size,
                           const std::vector<std::int64_t>& strides) {
  const test::Bytes tensor = p::tensor(p::storage("FloatStorage", "k", 6), offset, size, strides);
  return object_refusal(p::whole(p::named({{"w", tensor}})),
                        {test::stored<float>("k", {1, 2, 3, 4, 5, 6})});
}

}  // namespace

TEST_CASE("files that are none of torch.save() are refused", "[formats][error]") {
  CHECK(refusal("") == "an empty file");
  CHECK(refusal("{\"a\": 1}") == "not a file of torch.save(): neither a zip archive nor a pickle");
  CHECK(refusal(p::whole(p::named({{"w", p::integer(1)}}))) ==
        "a pickle, but not one of torch.save(): it does not start with its magic number");
  CHECK(refusal("PK\x03\x04") == "truncated: a zip archive without its end record");
  CHECK(refusal(test::zip_file({{"a.txt", "x"}})) ==
        "a zip archive with no entries data.pkl, not a file of torch.save()");
  CHECK(refusal(test::zip_file({{"a/data.pkl", "x"}, {"b/data.pkl", "x"}})) ==
        "a zip archive with several entries data.pkl, not a file of torch.save()");
  auto items = test::zip_items(p::whole(p::named({{"w", scalar()}})), kOneFloat);
  items.push_back({"archive/constants.pkl", "x"});
  CHECK(refusal(test::zip_file(items)) ==
        "a TorchScript archive, not a state dict; save the state_dict() of its module");
}

TEST_CASE("opcodes outside the allowed ones are refused by name", "[formats][error]") {
  const std::vector<std::pair<std::string, std::string>> forbidden{
      {"0", "POP"},
      {"1", "POP_MARK"},
      {"2", "DUP"},
      {"P1\n", "PERSID"},
      {"ios\nsystem\n", "INST"},
      {"o", "OBJ"},
      {"\x81", "NEWOBJ"},
      {"\x82\x01", "EXT1"},
      {"\x83", "EXT2"},
      {"\x84", "EXT4"},
      {"\x8b", "LONG4"},
      {"B", "BINBYTES"},
      {"C", "SHORT_BINBYTES"},
      {"\x8d", "BINUNICODE8"},
      {"\x8e", "BINBYTES8"},
      {"\x8f", "EMPTY_SET"},
      {"\x90", "ADDITEMS"},
      {"\x91", "FROZENSET"},
      {"\x92", "NEWOBJ_EX"},
      {"\x96", "BYTEARRAY8"},
      {"\x97", "NEXT_BUFFER"},
      {"\x98", "READONLY_BUFFER"},
      {"\xff", "0xff"},
      {"z", "0x7a"},
  };
  for (const auto& [code, name] : forbidden) {
    CHECK(value_refusal(code) == "pickle opcode " + name + " is not allowed in a state dict");
  }
  // With the place, in either container.
  const test::Bytes object = p::whole("o");
  CHECK(refusal(test::zip_file(test::zip_items(object, {}))) ==
        "data.pkl: byte 2: pickle opcode OBJ is not allowed in a state dict");
  CHECK_THAT(refusal(test::legacy_file(object, {})),
             StartsWith("byte ") &&
                 ContainsSubstring(": pickle opcode OBJ is not allowed in a state dict"));
}

TEST_CASE("globals outside the allowed ones are refused by name", "[formats][error]") {
  const std::string allowed =
      " is not allowed in a state dict (allowed: collections.OrderedDict, torch's storages and "
      "what "
      "rebuilds tensors from them)";
  const std::vector<std::pair<std::string, std::string>> forbidden{
      {"os", "system"},
      {"builtins", "eval"},
      {"posix", "system"},
      {"torch", "load"},
      {"torch.jit", "load"},
      {"collections", "defaultdict"},
      {"torch._utils", "_rebuild_qtensor"},
      {"numpy.core.multiarray", "scalar"},
      {"torch.storage", "_load_from_bytes"},
      {"torch", "FloatStorage.evil"},
  };
  for (const auto& [module, name] : forbidden) {
    CHECK(value_refusal(p::call(p::global(module, name), {p::text("true")})) ==
          "global '" + module + "." + name + "'" + allowed);
    CHECK(value_refusal(p::text(module) + p::text(name) + p::op(p::Opcode::kStackGlobal)) ==
          "global '" + module + "." + name + "'" + allowed);
  }
  CHECK(value_refusal(p::op(p::Opcode::kGlobal) + std::string(300, 'a')) ==
        "a global's name is longer than 256 bytes");
  CHECK(value_refusal(p::integer(1) + p::text("x") + p::op(p::Opcode::kStackGlobal)) ==
        "a global's module is an integer");
  CHECK(value_refusal(p::text("x") + p::none() + p::op(p::Opcode::kStackGlobal)) ==
        "a global's name is None");
}

TEST_CASE("calls with other arguments than PyTorch's are refused", "[formats][error]") {
  const test::Bytes rebuild = p::global("torch._utils", "_rebuild_tensor_v2");
  const test::Bytes first = p::global("torch._utils", "_rebuild_tensor");
  const test::Bytes parameter = p::global("torch._utils", "_rebuild_parameter");
  const test::Bytes ordered = p::global("collections", "OrderedDict");
  const test::Bytes size = p::global("torch", "Size");
  const test::Bytes type = p::global("torch", "FloatStorage");
  const test::Bytes reduce = p::op(p::Opcode::kReduce);

  CHECK(value_refusal(p::text("f") + p::tuple({}) + reduce) == "what is called is a text");
  CHECK(value_refusal(ordered + p::integer(1) + reduce) == "the arguments of a call is an integer");
  CHECK(value_refusal(ordered + p::list({}) + reduce) ==
        "the arguments of a call are a list, expected a tuple");
  CHECK(value_refusal(p::call(type, {})) == "a storage type is called");
  CHECK(value_refusal(p::call(ordered, {p::list({}), p::list({})})) ==
        "OrderedDict is called with more than one argument");
  CHECK(value_refusal(p::call(ordered, {p::integer(1)})) == "OrderedDict's argument is an integer");
  CHECK(value_refusal(p::call(ordered, {p::list({p::integer(1)})})) ==
        "an entry of OrderedDict's argument is an integer");
  CHECK(value_refusal(p::call(ordered, {p::list({p::list({p::integer(1)})})})) ==
        "an entry of OrderedDict's argument is no pair");
  CHECK(value_refusal(p::call(rebuild, {storage()})) ==
        "_rebuild_tensor_v2 is called with 1 arguments");
  CHECK(value_refusal(p::call(first, {storage()})) == "_rebuild_tensor is called with 1 arguments");
  const auto tensor = [&](const test::Bytes& of, const test::Bytes& offset, const test::Bytes& dims,
                          const test::Bytes& strides) {
    return value_refusal(p::call(first, {of, offset, dims, strides}));
  };
  const test::Bytes one = p::integers({1});
  CHECK(tensor(p::integer(1), p::integer(0), one, one) == "a tensor's storage is an integer");
  CHECK(tensor(storage(), p::text("0"), one, one) == "a tensor's offset is a text");
  CHECK(tensor(storage(), p::integer(-1), one, one) == "a tensor's offset is negative: -1");
  CHECK(tensor(storage(), p::integer(0), p::list({}), one) ==
        "a tensor's size is a list, expected a tuple");
  CHECK(tensor(storage(), p::integer(0), p::none(), one) == "a tensor's size is None");
  CHECK(tensor(storage(), p::integer(0), p::integers({-4}), one) ==
        "a tensor's size is negative: -4");
  CHECK(tensor(storage(), p::integer(0), p::tuple({p::flag(true)}), one) ==
        "a tensor's size is a truth value");
  CHECK(tensor(storage(), p::integer(0), p::tuple({p::number(1)}), one) ==
        "a tensor's size is a number with a fraction");
  CHECK(tensor(storage(), p::integer(0), one, p::integers({-1})) ==
        "a tensor's stride is negative: -1");
  CHECK(tensor(storage(), p::integer(0), one, p::integers({1, 1})) ==
        "a tensor's size and strides differ in length");
  CHECK(tensor(storage(), p::integer(0), p::integers(std::vector<std::int64_t>(17, 1)), one) ==
        "a tensor's size has 17 dimensions (allowed: at most 16)");
  CHECK(value_refusal(p::call(parameter, {scalar()})) ==
        "_rebuild_parameter is called with 1 arguments");
  CHECK(value_refusal(p::call(parameter, {p::none(), p::none(), p::none()})) ==
        "a parameter's data is None");
  CHECK(value_refusal(p::call(size, {})) == "Size is called with 0 arguments");
  CHECK(value_refusal(p::call(size, {p::none()})) == "the argument of Size is None");
  CHECK(value_refusal(p::call(size, {p::integers(std::vector<std::int64_t>(17, 1))})) ==
        "Size has 17 dimensions (allowed: at most 16)");
  CHECK(value_refusal(p::ordered_dict() + p::integer(1) + p::op(p::Opcode::kBuild)) ==
        "an object's state is an integer");
  CHECK(value_refusal(scalar() + p::ordered_dict() + p::op(p::Opcode::kBuild)) ==
        "the object whose state is set is a tensor");
}

TEST_CASE("persistent ids that name no storage are refused", "[formats][error]") {
  const test::Bytes type = p::global("torch", "FloatStorage");
  const auto persistent = [&](const std::vector<test::Bytes>& parts) {
    return value_refusal(p::tuple(parts) + p::op(p::Opcode::kBinPersId));
  };
  const test::Bytes name = p::text("storage");
  const test::Bytes key = p::text("k");
  const test::Bytes cpu = p::text("cpu");
  const test::Bytes one = p::integer(1);
  CHECK(persistent({name}) == "a persistent id has 1 parts (allowed: 5 or 6)");
  CHECK(value_refusal(p::none() + p::op(p::Opcode::kBinPersId)) == "a persistent id is None");
  CHECK(persistent({p::text("module"), type, key, cpu, one}) ==
        "a persistent id is not of a storage");
  CHECK(persistent({one, type, key, cpu, one}) == "the kind of a persistent id is an integer");
  CHECK(persistent({name, key, key, cpu, one}) == "a storage's type is a text");
  CHECK(persistent({name, p::global("torch", "Size"), key, cpu, one}) ==
        "a storage's type is a function");
  CHECK(persistent({name, type, one, cpu, one}) == "a storage's key is an integer");
  CHECK(persistent({name, type, p::text(std::string(257, 'k')), cpu, one}) ==
        "a storage's key is longer than 256 bytes");
  CHECK(persistent({name, type, key, one, one}) == "a storage's location is an integer");
  CHECK(persistent({name, type, key, cpu, p::integer(-1)}) == "a storage's length is negative: -1");
  CHECK(persistent(
            {name, type, key, cpu, p::op(p::Opcode::kLong1) + "\x09" + std::string(9, '\x7f')}) ==
        "a storage's length is an integer beyond 64 bits");
  CHECK(persistent({name, type, key, cpu, p::integer(2)}) ==
        "storage 'k' is declared as 1 of F32 and as 2 of F32");
  CHECK(persistent({name, p::global("torch", "LongStorage"), key, cpu, one}) ==
        "storage 'k' is declared as 1 of F32 and as 1 of I64");
  CHECK(persistent({name, type, key, cpu, one, one}) == "a storage's view is an integer");
  CHECK(persistent({name, type, key, cpu, one, p::tuple({one})}) ==
        "a storage's view does not have three parts");
  CHECK(persistent({name, type, key, cpu, one, p::tuple({key, p::none(), one})}) ==
        "the start of a storage's view is None");
  CHECK(persistent({name, type, key, cpu, one, p::tuple({key, one, p::none()})}) ==
        "the length of a storage's view is None");
  CHECK(persistent({name, type, key, cpu, one, p::tuple({key, one, one})}) ==
        "a view of 1 elements from 1 on does not lie in its storage of 1");
}

TEST_CASE("a malformed stack machine is refused", "[formats][error]") {
  CHECK(object_refusal(p::op(p::Opcode::kStop)) == "the stack is empty");
  CHECK(object_refusal(p::protocol(1) + ".") ==
        "pickle protocol 1 is not supported (allowed: 2 to 5)");
  CHECK(object_refusal(p::protocol(6) + ".") ==
        "pickle protocol 6 is not supported (allowed: 2 to 5)");
  CHECK(object_refusal(p::whole("")) == "the stack is empty");
  CHECK(object_refusal(p::whole("a")) == "the stack is empty");
  CHECK(object_refusal(p::whole("(s")) == "the stack is empty");
  CHECK(object_refusal(p::whole(p::none() + "(\x85")) == "the stack is empty");
  CHECK(object_refusal(p::whole("t")) == "no mark on the stack");
  CHECK(object_refusal(p::whole("h\x05")) == "memo entry 5 is not there");
  CHECK(object_refusal(p::whole(p::none() + "q\x05")) == "memo entry 5 follows 0 others");
  CHECK(object_refusal(p::whole(p::none() + "p2\n")) == "memo entry 2 follows 0 others");
  CHECK(object_refusal(p::whole(p::none() + "q\x01q\x03")) == "memo entry 3 follows 2 others");
  CHECK(object_refusal(p::whole(p::none() + "q\x01g0\n")) == "memo entry 0 is not there");
  for (const std::string line : {"", "-1", "x", "1 ", "99999999999999999999"}) {
    CHECK(object_refusal(p::whole(p::none() + "p" + line + "\n")) ==
          "a line of text is not the number of a memo entry");
  }
  CHECK(object_refusal(p::whole("d")) == "no mark on the stack");
  CHECK(object_refusal(p::whole("l")) == "no mark on the stack");
  CHECK(object_refusal(p::whole("(" + p::none() + "d")) == "a key of a dict has no value");
  CHECK(object_refusal(p::whole(p::tuple({}) + p::none() + "a")) ==
        "what is appended to is a tuple");
  CHECK(object_refusal(p::whole(p::none() + p::none() + "a")) == "what is appended to is None");
  CHECK(object_refusal(p::whole(p::none() + p::none() + p::none() + "s")) ==
        "what a key is set in is None");
  CHECK(object_refusal(p::whole("}(" + p::none() + "u")) == "a key of a dict has no value");
  CHECK(object_refusal(p::whole("}") + "junk") == "data.pkl: 4 bytes after the pickle");
}

TEST_CASE("values as lines of text are checked", "[formats][error]") {
  const std::string integer = "a line of text is not an integer";
  for (const std::string line :
       {"", "L", "-", "x", "1x", "1.5", "+1", " 1", "0x10", "1LL", "99999999999999999999x"}) {
    CAPTURE(line);
    CHECK(value_refusal("L" + line + "\n") == integer);
    CHECK(value_refusal("I" + line + "\n") == integer);
  }
  for (const std::string line : {"", "x", "1,5", "1.5 ", "0x1p3"}) {
    CHECK(value_refusal("F" + line + "\n") == "a line of text is not a number");
  }
  for (const std::string line :
       {"", "'", "a", "'a", "'a\"", "'a'b'", "'\\'", "'\\x1'", "'\\q'", "'\\xg0'"}) {
    CAPTURE(line);
    CHECK(value_refusal("S" + line + "\n") == "a line of text is not a text");
  }
  for (const std::string line : {"\\u12", "\\ud800", "\\U00110000", "\\u+123", "\\uzzzz"}) {
    CAPTURE(line);
    CHECK(value_refusal("V" + line + "\n") == "a line of text is not a text");
  }
  CHECK(value_refusal("I" + std::string(300, '1') + "\n") == "an integer is longer than 256 bytes");
  CHECK(value_refusal("F" + std::string(300, '1') + "\n") == "a number is longer than 256 bytes");
  CHECK(value_refusal("p" + std::string(300, '1') + "\n") ==
        "a memo entry is longer than 256 bytes");
}

TEST_CASE("truncation at every byte is told, in both containers", "[formats][error]") {
  const test::Bytes object = p::whole(p::named({{"w", scalar()}}));
  for (const test::Bytes& file : {test::legacy_file(object, kOneFloat),
                                  test::zip_file(test::zip_items(object, kOneFloat), true)}) {
    REQUIRE(refusal(file) == "accepted");
    for (std::size_t size = 1; size < file.size(); ++size) {
      CAPTURE(size);
      CHECK(refusal(file.substr(0, size)) != "accepted");
    }
  }
  const test::Bytes file = test::legacy_file(object, kOneFloat);
  CHECK(refusal(file.substr(0, file.size() - 1)) ==
        "truncated: storage 'k' needs 4 bytes, the file has 11 more");
  CHECK(refusal(file.substr(0, 20)) ==
        "truncated: the file ends at byte 20, inside a pickle that needs 7 more");
  CHECK(refusal(file + "more") == "4 bytes after the last storage");
}

TEST_CASE("the container before zip is checked", "[formats][error]") {
  const test::Bytes object = p::whole(p::named({{"w", scalar()}}));
  CHECK(refusal(test::legacy_file(object, kOneFloat, /*little_endian=*/false)) ==
        "written on a big-endian machine, which is not supported");
  CHECK(refusal(test::legacy_file(object, {})) == "truncated: 1 of 1 storages are missing");
  CHECK(refusal(test::legacy_file(object, {test::stored<float>("x", {1})})) ==
        "storage 'x' belongs to none of the 1 storages of the object");
  CHECK(refusal(test::legacy_file(object, {kOneFloat[0], kOneFloat[0]})) ==
        "storage 'k' occurs twice");
  CHECK(refusal(test::legacy_file(object, {test::stored<float>("k", {1, 2})})) ==
        "storage 'k' has 2 elements, declared are 1");

  const test::Bytes magic = test::legacy_file(object, {}).substr(0, 15);
  const test::Bytes version = p::whole(p::integer(1001));
  const test::Bytes system = p::whole("}");
  CHECK(refusal(magic + p::whole(p::none())) == "damaged: no protocol version");
  CHECK(refusal(magic + p::whole(p::integer(1002))) ==
        "file protocol 1002 is not supported (allowed: 1001)");
  CHECK(refusal(magic + version + p::whole(p::none())) ==
        "damaged: no description of the system that wrote the file");
  CHECK(refusal(magic + version + system + object + p::whole(p::none())) ==
        "damaged: no list of storages");
  CHECK(refusal(magic + version + system + object + p::whole(p::list({p::none()}))) ==
        "damaged: the key of a storage is None");
  const test::Bytes huge = p::whole(p::named(
      {{"w", p::tensor(p::storage("FloatStorage", "k", std::numeric_limits<std::int64_t>::max()), 0,
                       {1}, {1})}}));
  CHECK(refusal(test::legacy_file(huge, kOneFloat)) ==
        "storage 'k' of 9223372036854775807 elements is too large");
}

TEST_CASE("the zip container is checked", "[formats][error]") {
  const test::Bytes object = p::whole(p::named({{"w", scalar()}}));
  const auto items = test::zip_items(object, kOneFloat);
  const auto with = [&](auto change) {
    auto changed = items;
    change(changed);
    return refusal(test::zip_file(changed));
  };
  CHECK(with([](auto& list) { list[2].method = 8; }) ==
        "zip entry 'archive/data/k' is compressed (method 8); a state dict has stored entries "
        "only, unlike a TorchScript archive");
  CHECK(with([](auto& list) { list[2].flags = 1; }) == "zip entry 'archive/data/k' is encrypted");
  CHECK(with([](auto& list) { list[2].wrong_crc = true; }) ==
        "zip entry 'archive/data/k' has a wrong CRC; the file is damaged");
  CHECK(with([](auto& list) { list.push_back(list[2]); }) ==
        "zip entry 'archive/data/k' occurs twice");
  CHECK(with([](auto& list) { list[1].data = "big"; }) ==
        "byte order is 'big', which is not supported (allowed: 'little')");
  CHECK(with([](auto& list) { list.erase(list.begin() + 2); }) ==
        "truncated: storage 'k' is missing");
  CHECK(with([](auto& list) { list[2].data += "x"; }) ==
        "storage 'k' has 5 bytes, declared are 1 elements of F32, 4 bytes");

  // Fields of the records, found by their signatures.
  const test::Bytes file = test::zip_file(items);
  const test::Bytes wide = test::zip_file(items, true);
  const auto patched = [](test::Bytes bytes, const std::string& signature, std::size_t offset,
                          const test::Bytes& value) {
    bytes.replace(bytes.find(signature) + offset, value.size(), value);
    return refusal(bytes);
  };
  const std::string local("PK\x03\x04");
  const std::string central("PK\x01\x02");
  const std::string end("PK\x05\x06");
  const std::string end64("PK\x06\x06");
  const test::Bytes big = test::raw(std::uint32_t{0x7fffffff});
  CHECK(patched(file, end, 4, "\x01") == "a zip archive of several disks");
  CHECK(patched(file, end, 8, "\x01") == "a zip archive of several disks");
  CHECK(patched(file, end, 16, big) ==
        "damaged: the zip directory does not lie before its end record");
  CHECK(patched(file, end, 8, "\xf0\x7f\xf0\x7f") ==
        fmt::format("damaged: 32752 zip entries in a directory of {} bytes",
                    file.rfind(end) - file.find(central)));
  CHECK(patched(file, end, 16, "\xff\xff\xff\xff") == "damaged: the zip64 end record is missing");
  CHECK(patched(file, central, 0, "QK") == "damaged: zip directory entry 0 is not one");
  CHECK(patched(file, central, 28, "\xff\xff") == "damaged: a zip directory entry is cut off");
  CHECK(patched(file, central, 24, big) ==
        fmt::format("damaged: stored zip entry 'archive/data.pkl' has two sizes, 2147483647 and {}",
                    object.size()));
  CHECK(patched(file, central, 20, "\xff\xff\xff\xff") ==
        "damaged: zip entry 'archive/data.pkl' has no zip64 sizes");
  CHECK(patched(file, central, 42, big) ==
        "damaged: a zip entry's header at byte 2147483647 does not lie in the file");
  CHECK(patched(file, central, 42, "\x01") ==
        "damaged: zip entry 'archive/data.pkl' has no header");
  CHECK(patched(file, central, 20, big + big) ==
        "truncated: zip entry 'archive/data.pkl' of 2147483647 bytes does not lie in the file");
  CHECK(patched(file, local, 8, "\x08") ==
        "damaged: the header of zip entry 'archive/data.pkl' says something else");
  CHECK(patched(file, local, 30, "b") ==
        "damaged: the header of zip entry 'archive/data.pkl' says something else");
  CHECK(patched(wide, end64, 0, "QK") == "damaged: the zip64 end record is missing");
  CHECK(patched(wide, end64, 16, "\x01") == "a zip archive of several disks");
  CHECK(patched(wide, end, 12, big) == "damaged: the zip archive's two end records differ");
  CHECK(patched(wide, "PK\x06\x07", 8, std::string(8, '\x7f')) ==
        "damaged: the zip64 end record at byte 9187201950435737471 does not lie in the file");
}

TEST_CASE("zip entries that share bytes are refused", "[formats][error]") {
  // The second entry's header and data lie in the data of the first.
  const test::Bytes inner = test::zip_file({{"archive/data/k", "abcd"}});
  const test::Bytes outer = test::zip_file({{"archive/data.pkl", inner}});
  const std::string central("PK\x01\x02");
  const std::string end("PK\x05\x06");
  test::Bytes directory =
      outer.substr(outer.rfind(central), outer.rfind(end) - outer.rfind(central));
  test::Bytes second = inner.substr(inner.find(central), inner.find(end) - inner.find(central));
  second.replace(42, 4, test::raw(static_cast<std::uint32_t>(outer.find(inner))));
  const std::size_t begin = outer.rfind(central);
  directory += second;
  test::Bytes tail = outer.substr(outer.rfind(end));
  tail.replace(8, 2, test::raw(std::uint16_t{2}));
  tail.replace(10, 2, test::raw(std::uint16_t{2}));
  tail.replace(12, 4, test::raw(static_cast<std::uint32_t>(directory.size())));
  CHECK(refusal(outer.substr(0, begin) + directory + tail) ==
        "zip entries 'archive/data.pkl' and 'archive/data/k' overlap");
}

TEST_CASE("tensors that do not lie in their storage are refused", "[formats][error]") {
  CHECK(tensor_refusal(0, {2, 3}, {3, 1}) == "accepted");
  CHECK(tensor_refusal(0, {7}, {1}) ==
        "tensor 'w': shape [7] with strides [1] from element 0 on needs a storage of 7 "
        "elements, it has 6");
  CHECK(tensor_refusal(1, {2, 3}, {3, 1}) ==
        "tensor 'w': shape [2, 3] with strides [3, 1] from element 1 on needs a storage of 7 "
        "elements, it has 6");
  CHECK(tensor_refusal(6, {}, {}) ==
        "tensor 'w': shape [] with strides [] from element 6 on needs a storage of 7 "
        "elements, it has 6");
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  CHECK(tensor_refusal(0, {3}, {kHuge}) ==
        "tensor 'w': shape [3] with strides [9223372036854775807] from element 0 on needs a "
        "storage of 18446744073709551615 elements, it has 6");
  CHECK(tensor_refusal(5, {3}, {kHuge}) ==
        "tensor 'w': shape [3] with strides [9223372036854775807] from element 5 on needs a "
        "storage of more than 2^64 elements, it has 6");
  CHECK(tensor_refusal(0, {kHuge, kHuge}, {1, 1}) ==
        "tensor 'w': shape [9223372036854775807, 9223372036854775807] is too large");
  CHECK(tensor_refusal(0, {1000000}, {0}) ==
        "tensor 'w': the tensors need more than 16 times the file's size");
  // The stride of a dimension of one does not matter.
  CHECK(tensor_refusal(1, {2, 1, 2}, {2, kHuge, 1}) == "accepted");
  CHECK(tensor_refusal(0, {2}, {0}) == "tensor 'w': shape [2] with strides [0] overlaps itself");
  CHECK(tensor_refusal(0, {2, 3}, {1, 1}) ==
        "tensor 'w': shape [2, 3] with strides [1, 1] overlaps itself");
  CHECK(tensor_refusal(0, {2, 2}, {2, 2}) ==
        "tensor 'w': shape [2, 2] with strides [2, 2] overlaps itself");
}

TEST_CASE("values that are no state dict are refused", "[formats][error]") {
  const auto read = [](const test::Bytes& value) { return object_refusal(p::whole(value)); };
  const test::Bytes plain = p::op(p::Opcode::kEmptyDict);
  const test::Bytes dict = p::named({{"w", scalar()}});
  CHECK(read(scalar()) == "holds a tensor where a state dict was expected");
  CHECK(read(p::list({scalar()})) == "holds a list where a state dict was expected");
  CHECK(read(storage()) == "holds a storage where a state dict was expected");
  CHECK(read(p::global("torch", "Size")) ==
        "holds a function or type where a state dict was expected");
  CHECK(read(plain) == "the state dict is empty");
  CHECK(read(p::named({{"a", p::integer(1)}, {"b", p::text("x")}, {"c", scalar()}})) ==
        "no state dict: 'a' is an integer; 'b' is a text");
  CHECK(read(p::named({{"c", scalar()}, {"inner", dict}})) == "no state dict: 'inner' is a dict");
  std::vector<std::pair<std::string, test::Bytes>> many;
  for (int i = 0; i < 30; ++i) many.emplace_back(fmt::format("n{}", i), p::none());
  CHECK_THAT(read(p::named(many)), ContainsSubstring("'n19' is None; and 10 more"));
  CHECK(read(p::named({{"a", dict}, {"b", dict}}, plain)) ==
        "2 state dicts, none of them under 'state_dict': 'a', 'b'");
  CHECK(read(p::dict({{p::integer(1), scalar()}})) == "a name in the state dict is an integer");
  CHECK(read(p::named({{"\xff", scalar()}})) ==
        "tensor name '\xef\xbf\xbd' is not UTF-8 text of at most 1000 bytes");
  CHECK(read(p::named({{"w", scalar()}, {"w", scalar()}})) == "'w' occurs twice in the state dict");
  // A dict that holds itself as its state dict.
  CHECK(read(plain + "q" + '\0' + p::text("state_dict") + "h" + '\0' + "s") ==
        "no state dict within 8 levels");
}

TEST_CASE("bombs end at a limit, with bounded memory", "[formats][error]") {
  SECTION("lists of lists of lists by reference") {
    test::Bytes bomb = p::op(p::Opcode::kEmptyList) + "q" + '\0';
    for (char i = 1; i < 100; ++i) {
      test::Bytes items = "(";
      for (int j = 0; j < 100; ++j) items += test::Bytes("h") + static_cast<char>(i - 1);
      bomb += "]" + items + "eq" + i;
    }
    CHECK(object_refusal(p::whole(bomb)) == "holds a list where a state dict was expected");
  }
  SECTION("values") {
    const std::size_t limit = formats::PickleLimits::kMaxValues;
    CHECK(object_refusal(p::whole(test::Bytes(limit + 1, ']'))) ==
          "more than the 2000000 values allowed");
    const test::Bytes recalls = [&] {
      test::Bytes text = p::none() + "q" + '\0';
      for (std::size_t i = 0; i < limit; ++i) text += test::Bytes("h") + '\0';
      return text;
    }();
    CHECK(object_refusal(p::whole(recalls)) == "more than the 2000000 values allowed on the stack");
    CHECK(object_refusal(p::whole(p::none() + test::Bytes(limit + 1, '\x94'))) ==
          "more than the 2000000 memo entries allowed");
  }
  SECTION("one list of pairs for many dicts") {
    test::Bytes pairs = "](";
    for (int i = 0; i < 2000; ++i) pairs += p::none() + p::none() + "\x86";
    pairs += "eq" + test::Bytes(1, '\0');
    test::Bytes dicts;
    for (int i = 0; i < 2000; ++i) {
      dicts += p::global("collections", "OrderedDict") + "h" + '\0' + "\x85R";
    }
    CHECK(object_refusal(p::whole(pairs + dicts)) == "more than the 2000000 values allowed");
  }
  SECTION("memo entries that begin at 1") {
    CHECK(object_refusal(p::whole(p::none() + "q\x01" +
                                  test::Bytes(formats::PickleLimits::kMaxValues, '\x94'))) ==
          "more than the 2000000 memo entries allowed");
  }
  SECTION("one long text under many names beside the state dict") {
    const test::Bytes state = p::named({{"w", scalar()}});
    const auto many = [&](int count, std::size_t text_bytes) {
      std::vector<std::pair<std::string, test::Bytes>> entries{{"state_dict", state}};
      const test::Bytes recall = test::Bytes("h") + '\0';
      entries.emplace_back("n0", p::text(test::Bytes(text_bytes, 'x')) + "q" + '\0');
      for (int i = 1; i < count; ++i) entries.emplace_back(fmt::format("n{}", i), recall);
      return p::whole(p::named(entries, p::op(p::Opcode::kEmptyDict)));
    };
    CHECK(object_refusal(many(1000, 10)) == "accepted");
    CHECK(object_refusal(many(1001, 10)) ==
          "too many plain values beside the state dict: 1001 of 13905 bytes up to 'n1000' "
          "(allowed: 1000 of 65536 bytes)");
    CHECK(object_refusal(many(65, 1000)) == "accepted");
    CHECK(object_refusal(many(100'000, 1000)) ==
          "too many plain values beside the state dict: 66 of 66188 bytes up to 'n65' (allowed: "
          "1000 of 65536 bytes)");
  }
  SECTION("depth") {
    CHECK(object_refusal(p::whole(test::Bytes(1001, '('))) ==
          "nested deeper than the 1000 levels allowed");
    // Tuples within tuples, a million deep, are only numbers.
    CHECK(object_refusal(p::whole(p::none() + test::Bytes(1'000'000, '\x85'))) ==
          "holds a tuple where a state dict was expected");
  }
  SECTION("length") {
    const test::Bytes text = p::text(test::Bytes(formats::PickleLimits::kMaxBytes, 'x'));
    CHECK(object_refusal(p::whole(text)) == "the pickle is longer than the 33554432 bytes allowed");
  }
  SECTION("one large storage as many tensors") {
    const test::Bytes shared = p::storage("FloatStorage", "k", 10000);
    std::vector<std::pair<std::string, test::Bytes>> tensors;
    for (int i = 0; i < 400; ++i) {
      tensors.emplace_back(fmt::format("t{}", i), p::tensor(shared, 0, {10000}, {1}));
    }
    CHECK_THAT(object_refusal(p::whole(p::named(tensors)),
                              {test::stored<float>("k", std::vector<float>(10000))}),
               ContainsSubstring("the tensors need more than 16 times the file's size"));
  }
}
