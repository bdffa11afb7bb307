#include "formats/torch_file_container.hpp"

#include "core/error.hpp"
#include "formats/tensor_file_header.hpp"
#include "formats/torch_file_zip.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>

namespace omnifit::formats {
namespace {

/// 0x1950a86a20f9469cfc6c, which opens every file of the container before zip.
constexpr std::array<unsigned char, 10> kMagic{0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                               0x20, 0x6a, 0xa8, 0x50, 0x19};
/// The same as pickle protocols 0 and 1 write it, up to Python 2's suffix.
constexpr std::string_view kMagicDigits = "119547037146038801333356";
constexpr std::int64_t kProtocolVersion = 1001;

[[noreturn]] void fail(const std::string& where, const std::string& message) {
  throw DataError(fmt::format("{}: {}", where, message));
}

/// Bytes that a storage's declaration asks for.
std::uint64_t declared_bytes(const std::string& where, const StorageInfo& info) {
  std::uint64_t size = 0;
  if (__builtin_mul_overflow(info.count, dtype_bytes(info.dtype), &size)) {
    fail(where,
         fmt::format("storage {} of {} elements is too large", shown_text(info.key), info.count));
  }
  return size;
}

std::size_t storage_index(const Pickle& object,
                          const std::map<std::string_view, std::size_t>& by_key,
                          const std::string& where, std::string_view key) {
  const auto found = by_key.find(key);
  if (found == by_key.end()) {
    fail(where, fmt::format("storage {} belongs to none of the {} storages of the object",
                            shown_text(key), object.storages.size()));
  }
  return found->second;
}

// The container before zip: five pickles (magic number, protocol, system, object, list of storage
// keys), then for each key the number of elements and the raw elements.

bool is_magic(const PickleLong& number) {
  const std::span expected =
      number.decimal ? std::as_bytes(std::span(kMagicDigits)) : std::as_bytes(std::span(kMagic));
  return std::ranges::equal(number.bytes, expected);
}

void check_magic(const std::string& where, const Pickle& magic) {
  const auto* number = magic.get<PickleLong>(magic.root);
  if (number == nullptr || !is_magic(*number)) {
    fail(where, "a pickle, but not one of torch.save(): it does not start with its magic number");
  }
}

void check_protocol(const std::string& where, const Pickle& protocol) {
  const auto* version = protocol.get<std::int64_t>(protocol.root);
  if (version == nullptr) fail(where, "damaged: no protocol version");
  if (*version != kProtocolVersion) {
    fail(where, fmt::format("file protocol {} is not supported (allowed: {})", *version,
                            kProtocolVersion));
  }
}

void check_system(const std::string& where, const Pickle& system) {
  const auto* dict = system.get<PickleDict>(system.root);
  if (dict == nullptr) fail(where, "damaged: no description of the system that wrote the file");
  for (const auto& [key, value] : dict->entries) {
    const auto* name = system.get<PickleText>(key);
    if (name == nullptr || name->text != "little_endian") continue;
    const auto* little = system.get<bool>(value);
    if (little == nullptr || !*little) {
      fail(where, "written on a big-endian machine, which is not supported");
    }
  }
}

std::vector<std::string_view> storage_keys(const std::string& where, const Pickle& list) {
  const auto* keys = list.get<PickleSequence>(list.root);
  if (keys == nullptr) fail(where, "damaged: no list of storages");
  std::vector<std::string_view> found;
  for (const PickleId id : keys->items) {
    const auto* key = list.get<PickleText>(id);
    if (key == nullptr) {
      fail(where, fmt::format("damaged: the key of a storage is {}", pickle_kind(list.value(id))));
    }
    found.push_back(key->text);
  }
  return found;
}

TorchContainer open_pickles(const std::string& where, std::span<const std::byte> bytes) {
  const Pickle magic = read_pickle(where, bytes, 0);
  check_magic(where, magic);
  const Pickle protocol = read_pickle(where, bytes, magic.end);
  check_protocol(where, protocol);
  const Pickle system = read_pickle(where, bytes, protocol.end);
  check_system(where, system);
  TorchContainer container{read_pickle(where, bytes, system.end), {}};
  const Pickle list = read_pickle(where, bytes, container.object.end);

  const auto& infos = container.object.storages;
  std::map<std::string_view, std::size_t> by_key;
  for (std::size_t i = 0; i < infos.size(); ++i) by_key.emplace(infos[i].key, i);
  container.storages.resize(infos.size());
  std::set<std::size_t> seen;
  std::size_t position = list.end;
  for (const std::string_view key : storage_keys(where, list)) {
    const std::size_t index = storage_index(container.object, by_key, where, key);
    if (!seen.insert(index).second) {
      fail(where, fmt::format("storage {} occurs twice", shown_text(key)));
    }
    std::uint64_t count = 0;
    const std::uint64_t size = declared_bytes(where, infos[index]);
    if (sizeof(count) > bytes.size() - position || size > bytes.size() - position - sizeof(count)) {
      fail(where, fmt::format("truncated: storage {} needs {} bytes, the file has {} more",
                              shown_text(key), size, bytes.size() - position));
    }
    std::memcpy(&count, bytes.data() + position, sizeof(count));
    if (count != infos[index].count) {
      fail(where, fmt::format("storage {} has {} elements, declared are {}", shown_text(key), count,
                              infos[index].count));
    }
    container.storages[index] = bytes.subspan(position + sizeof(count), size);
    position += sizeof(count) + size;
  }
  if (seen.size() != infos.size()) {
    fail(where, fmt::format("truncated: {} of {} storages are missing", infos.size() - seen.size(),
                            infos.size()));
  }
  if (position != bytes.size()) {
    fail(where, fmt::format("{} bytes after the last storage", bytes.size() - position));
  }
  return container;
}

// The zip archive: PREFIX/data.pkl, PREFIX/data/KEY for each storage, PREFIX/byteorder.

/// "archive" of "archive/data.pkl".
std::string_view archive_prefix(const std::string& where, const ZipEntries& entries) {
  constexpr std::string_view kObject = "/data.pkl";
  std::vector<std::string_view> prefixes;
  for (const auto& [name, content] : entries) {
    if (name.ends_with(kObject) && std::ranges::count(name, '/') == 1) {
      prefixes.push_back(name.substr(0, name.size() - kObject.size()));
    }
  }
  if (prefixes.size() != 1) {
    fail(where, fmt::format("a zip archive with {} entries data.pkl, not a file of torch.save()",
                            prefixes.empty() ? "no" : "several"));
  }
  return prefixes.front();
}

TorchContainer open_zip(const std::string& where, std::span<const std::byte> bytes) {
  const ZipEntries entries = read_zip(where, bytes);
  const std::string prefix(archive_prefix(where, entries));
  const auto find = [&](const std::string& name) {
    const auto found = entries.find(prefix + "/" + name);
    return found == entries.end() ? nullptr : &found->second;
  };
  if (find("constants.pkl") != nullptr) {
    fail(where, "a TorchScript archive, not a state dict; save the state_dict() of its module");
  }
  if (const auto* order = find("byteorder")) {
    const std::string_view text(reinterpret_cast<const char*>(order->data()), order->size());
    if (text != "little") {
      fail(where, fmt::format("byte order is {}, which is not supported (allowed: 'little')",
                              shown_text(text)));
    }
  }

  const auto& object = *find("data.pkl");
  const std::string object_where = fmt::format("{}: data.pkl", where);
  TorchContainer container{read_pickle(object_where, object, 0), {}};
  if (container.object.end != object.size()) {
    fail(object_where,
         fmt::format("{} bytes after the pickle", object.size() - container.object.end));
  }
  for (const StorageInfo& info : container.object.storages) {
    const auto* storage = find(fmt::format("data/{}", info.key));
    if (storage == nullptr) {
      fail(where, fmt::format("truncated: storage {} is missing", shown_text(info.key)));
    }
    const std::uint64_t size = declared_bytes(where, info);
    if (storage->size() != size) {
      fail(where, fmt::format("storage {} has {} bytes, declared are {} elements of {}, {} bytes",
                              shown_text(info.key), storage->size(), info.count,
                              dtype_name(info.dtype), size));
    }
    container.storages.push_back(*storage);
  }
  return container;
}

}  // namespace

TorchContainer open_torch_container(const std::string& where, std::span<const std::byte> bytes) {
  const auto starts_with = [&](std::string_view text) {
    return bytes.size() >= text.size() && std::memcmp(bytes.data(), text.data(), text.size()) == 0;
  };
  if (bytes.empty()) fail(where, "an empty file");
  if (starts_with("PK")) return open_zip(where, bytes);
  // Pickle protocols 0 and 1 begin with the first value at once, here the magic number.
  if (starts_with("\x80") || starts_with(fmt::format("L{}", kMagicDigits))) {
    return open_pickles(where, bytes);
  }
  fail(where, "not a file of torch.save(): neither a zip archive nor a pickle");
}

}  // namespace omnifit::formats
