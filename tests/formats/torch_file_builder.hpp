#pragma once

#include "formats/tensor_file.hpp"
#include "formats/torch_file_opcodes.hpp"

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Writers of both containers of torch.save(), which also write what PyTorch never would.
namespace omnifit::test {

using Bytes = std::string;

template <class T>
Bytes raw(T value) {
  Bytes bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

template <class T>
Bytes raw(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

inline std::span<const std::byte> as_bytes(const Bytes& bytes) {
  return std::as_bytes(std::span(bytes));
}

/// Pickle opcodes one by one. Every call gives the text of one value or step.
namespace pickle {

using formats::Opcode;

inline Bytes op(Opcode code) { return {static_cast<char>(code)}; }
inline Bytes protocol(int version = 2) { return op(Opcode::kProto) + static_cast<char>(version); }
inline Bytes text(std::string_view value) {
  return op(Opcode::kBinUnicode) + raw(static_cast<std::uint32_t>(value.size())) + Bytes(value);
}
inline Bytes integer(std::int64_t value) { return op(Opcode::kLong1) + '\x08' + raw(value); }
inline Bytes number(double value) {
  Bytes bytes = raw(value);
  return op(Opcode::kBinFloat) + Bytes(bytes.rbegin(), bytes.rend());
}
inline Bytes flag(bool value) { return op(value ? Opcode::kNewTrue : Opcode::kNewFalse); }
inline Bytes none() { return op(Opcode::kNone); }
inline Bytes global(const std::string& module, const std::string& name) {
  return op(Opcode::kGlobal) + module + "\n" + name + "\n";
}
inline Bytes join(const std::vector<Bytes>& items) {
  Bytes all;
  for (const Bytes& item : items) all += item;
  return all;
}
inline Bytes tuple(const std::vector<Bytes>& items) {
  return op(Opcode::kMark) + join(items) + op(Opcode::kTuple);
}
inline Bytes list(const std::vector<Bytes>& items) {
  return op(Opcode::kEmptyList) + op(Opcode::kMark) + join(items) + op(Opcode::kAppends);
}
inline Bytes integers(const std::vector<std::int64_t>& values) {
  std::vector<Bytes> items;
  for (const std::int64_t value : values) items.push_back(integer(value));
  return tuple(items);
}
inline Bytes call(const Bytes& function, const std::vector<Bytes>& arguments) {
  return function + tuple(arguments) + op(Opcode::kReduce);
}
inline Bytes ordered_dict() { return call(global("collections", "OrderedDict"), {}); }
inline Bytes dict(const std::vector<std::pair<Bytes, Bytes>>& entries,
                  const Bytes& empty = op(Opcode::kEmptyDict)) {
  Bytes all = empty + op(Opcode::kMark);
  for (const auto& [key, value] : entries) all += key + value;
  return all + op(Opcode::kSetItems);
}
/// A dict with names as keys.
inline Bytes named(const std::vector<std::pair<std::string, Bytes>>& entries,
                   const Bytes& empty = ordered_dict()) {
  std::vector<std::pair<Bytes, Bytes>> keyed;
  for (const auto& [name, value] : entries) keyed.emplace_back(text(name), value);
  return dict(keyed, empty);
}
inline Bytes storage(const std::string& type, const std::string& key, std::int64_t count) {
  return tuple(
             {text("storage"), global("torch", type), text(key), text("cuda:0"), integer(count)}) +
         op(Opcode::kBinPersId);
}
inline Bytes tensor(const Bytes& storage, std::int64_t offset,
                    const std::vector<std::int64_t>& size,
                    const std::vector<std::int64_t>& strides) {
  return call(
      global("torch._utils", "_rebuild_tensor_v2"),
      {storage, integer(offset), integers(size), integers(strides), flag(false), ordered_dict()});
}
inline Bytes whole(const Bytes& value, int version = 2) {
  return protocol(version) + value + op(Opcode::kStop);
}

}  // namespace pickle

/// Raw content of one storage.
struct StoredBytes {
  std::string key;
  std::uint64_t count = 0;
  Bytes data;
};

template <class T>
StoredBytes stored(std::string key, const std::vector<T>& values) {
  return {std::move(key), values.size(), raw(values)};
}

/// The container before zip.
inline Bytes legacy_file(const Bytes& object, const std::vector<StoredBytes>& storages,
                         bool little_endian = true) {
  namespace p = pickle;
  const Bytes magic = p::op(p::Opcode::kLong1) + "\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  std::vector<Bytes> keys;
  Bytes data;
  for (const StoredBytes& storage : storages) {
    keys.push_back(p::text(storage.key));
    data += raw(storage.count) + storage.data;
  }
  return p::whole(magic) + p::whole(p::integer(1001)) +
         p::whole(p::named(
             {{"protocol_version", p::integer(1001)}, {"little_endian", p::flag(little_endian)}},
             p::op(p::Opcode::kEmptyDict))) +
         object + p::whole(p::list(keys)) + data;
}

/// A state dict of float32 and int64 tensors in the container before zip, under {"state_dict": …}.
/// `rename` gives each tensor's name in the file, "" leaves it out.
template <class Rename>
Bytes legacy_state_dict(const formats::TensorFile& state, const Rename& rename) {
  namespace p = pickle;
  std::vector<std::pair<std::string, Bytes>> entries;
  std::vector<StoredBytes> storages;
  for (const formats::NamedTensor& tensor : state.tensors) {
    const std::string name = rename(tensor.name);
    if (name.empty()) continue;
    const std::int64_t count = tensor.count();
    std::vector<std::int64_t> strides(tensor.shape.size(), 1);
    for (std::size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * tensor.shape[i];
    const char* type = tensor.dtype == formats::DType::kInt64 ? "LongStorage" : "FloatStorage";
    const std::string key = std::to_string(storages.size());
    entries.emplace_back(name, p::tensor(p::storage(type, key, count), 0, tensor.shape, strides));
    storages.push_back(
        {key, static_cast<std::uint64_t>(count),
         Bytes(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size())});
  }
  return legacy_file(
      p::whole(p::named({{"state_dict", p::named(entries)}}, p::op(p::Opcode::kEmptyDict))),
      storages);
}

/// One entry of a zip archive and what may be wrong with it.
struct ZipItem {
  std::string name;
  Bytes data;
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  bool wrong_crc = false;
  bool zip64 = false;  ///< sizes and offset only in the extra field
};

/// A zip archive; `zip64` writes that end record too and leaves the plain one saturated.
inline Bytes zip_file(const std::vector<ZipItem>& items, bool zip64 = false,
                      const std::string& comment = "") {
  constexpr std::uint32_t kFull = 0xffffffff;
  Bytes file;
  Bytes directory;
  const auto u16 = [](std::size_t value) { return raw(static_cast<std::uint16_t>(value)); };
  const auto u32 = [](std::size_t value) { return raw(static_cast<std::uint32_t>(value)); };
  const auto u64 = [](std::size_t value) { return raw(static_cast<std::uint64_t>(value)); };
  for (const ZipItem& item : items) {
    const std::size_t offset = file.size();
    auto crc = static_cast<std::uint32_t>(
        crc32_z(0, reinterpret_cast<const Bytef*>(item.data.data()), item.data.size()));
    if (item.wrong_crc) ++crc;
    const std::size_t size = item.zip64 ? kFull : item.data.size();
    const Bytes sizes = u64(item.data.size()) + u64(item.data.size());
    const Bytes local_extra = item.zip64 ? u16(1) + u16(16) + sizes : "";
    const Bytes extra = item.zip64 ? u16(1) + u16(24) + sizes + u64(offset) : "";
    file += u32(0x04034b50) + u16(20) + u16(item.flags) + u16(item.method) + u32(0) + raw(crc) +
            u32(size) + u32(size) + u16(item.name.size()) + u16(local_extra.size()) + item.name +
            local_extra + item.data;
    directory += u32(0x02014b50) + u16(20) + u16(20) + u16(item.flags) + u16(item.method) + u32(0) +
                 raw(crc) + u32(size) + u32(size) + u16(item.name.size()) + u16(extra.size()) +
                 u16(0) + u16(0) + u16(0) + u32(0) + u32(item.zip64 ? kFull : offset) + item.name +
                 extra;
  }
  const std::size_t begin = file.size();
  file += directory;
  if (zip64) {
    const std::size_t record = file.size();
    file += u32(0x06064b50) + u64(44) + u16(45) + u16(45) + u32(0) + u32(0) + u64(items.size()) +
            u64(items.size()) + u64(directory.size()) + u64(begin);
    file += u32(0x07064b50) + u32(0) + u64(record) + u32(1);
  }
  const std::size_t count = zip64 ? 0xffff : items.size();
  return file + u32(0x06054b50) + u16(0) + u16(0) + u16(count) + u16(count) +
         u32(zip64 ? kFull : directory.size()) + u32(zip64 ? kFull : begin) + u16(comment.size()) +
         comment;
}

/// Entries of a zip container of torch.save().
inline std::vector<ZipItem> zip_items(const Bytes& object,
                                      const std::vector<StoredBytes>& storages) {
  std::vector<ZipItem> items{{"archive/data.pkl", object}, {"archive/byteorder", "little"}};
  for (const StoredBytes& storage : storages) {
    items.push_back({"archive/data/" + storage.key, storage.data});
  }
  items.push_back({"archive/version", "3\n"});
  return items;
}

}  // namespace omnifit::test
