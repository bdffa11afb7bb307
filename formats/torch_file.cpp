#include "formats/torch_file.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/utf8.hpp"
#include "formats/tensor_file_header.hpp"
#include "formats/torch_file_container.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>

namespace omnifit::formats {
namespace {

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 30;
/// Tensors may share storages (tied weights), so together they may be larger than the file, but not
/// without bound.
constexpr std::uint64_t kMaxExpansion = 16;
constexpr int kMaxDepth = 8;

/// Dimensions of a strided view that are longer than one; the others' strides mean nothing.
struct Layout {
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;

  Layout(const std::vector<std::int64_t>& all_shape, const std::vector<std::int64_t>& all_strides) {
    for (std::size_t dim = 0; dim < all_shape.size(); ++dim) {
      if (all_shape[dim] == 1) continue;
      shape.push_back(all_shape[dim]);
      strides.push_back(all_strides[dim]);
    }
  }
};

/// Fills `target` with elements of `Bytes` bytes out of a strided view, last dimension fastest.
template <std::size_t Bytes>
void gather(std::span<const std::byte> source, const Layout& layout, std::span<std::byte> target) {
  std::vector<std::int64_t> at(layout.shape.size(), 0);
  std::int64_t offset = 0;
  for (std::size_t done = 0; done < target.size(); done += Bytes) {
    std::memcpy(target.data() + done, source.data() + static_cast<std::size_t>(offset) * Bytes,
                Bytes);
    for (std::size_t dim = at.size(); dim-- > 0;) {
      offset += layout.strides[dim];
      if (++at[dim] < layout.shape[dim]) break;
      offset -= layout.strides[dim] * layout.shape[dim];
      at[dim] = 0;
    }
  }
}

void gather(DType dtype, std::span<const std::byte> source, const Layout& layout,
            std::span<std::byte> target) {
  switch (dtype_bytes(dtype)) {
    case 1:
      return gather<1>(source, layout, target);
    case 2:
      return gather<2>(source, layout, target);
    case 4:
      return gather<4>(source, layout, target);
    default:
      return gather<8>(source, layout, target);
  }
}

/// A plain value as metadata, or nothing.
std::optional<std::string> plain_text(const PickleValue& value) {
  constexpr std::size_t kMaxText = 1000;
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  const auto* text = std::get_if<PickleText>(&value);
  if (text == nullptr || text->text.size() > kMaxText || !core::is_utf8(text->text)) {
    return std::nullopt;
  }
  return std::string(text->text);
}

/// Builds the tensors of one file.
class StateDictReader {
 public:
  StateDictReader(const std::string& where, const TorchContainer& container,
                  std::uint64_t file_bytes)
      : where_(where),
        container_(container),
        object_(container.object),
        bytes_left_(file_bytes * kMaxExpansion) {}

  TensorFile read() {
    const PickleDict& dict = find_state_dict();
    check_names(dict);
    const bool parallel = std::ranges::all_of(dict.entries, [&](const auto& entry) {
      return name_of(entry.first).starts_with(kParallel);
    });
    TensorFile file;
    file.metadata = std::move(metadata_);
    for (const auto& [key, value] : dict.entries) {
      std::string name(name_of(key).substr(parallel ? kParallel.size() : 0));
      const TensorView& view = object_.tensors[object_.get<PickleTensor>(value)->tensor];
      file.tensors.push_back(tensor(std::move(name), view));
    }
    return file;
  }

 private:
  static constexpr std::string_view kParallel = "module.";

  [[noreturn]] void fail(const std::string& message) const {
    throw DataError(fmt::format("{}: {}", where_, message));
  }

  // Where the state dict is.

  [[nodiscard]] bool all_tensors(const PickleDict& dict) const {
    return !dict.entries.empty() && std::ranges::all_of(dict.entries, [&](const auto& entry) {
      return object_.get<PickleTensor>(entry.second) != nullptr;
    });
  }

  /// Looks for the state dict from the top down; every level's plain values become metadata.
  const PickleDict& find_state_dict() {
    PickleId id = object_.root;
    for (int depth = 0; depth < kMaxDepth; ++depth) {
      const auto* dict = object_.get<PickleDict>(id);
      if (dict == nullptr) {
        fail(fmt::format("holds {} where a state dict was expected",
                         pickle_kind(object_.value(id))));
      }
      const std::optional<PickleId> below = descend(*dict);
      if (!below) return *dict;
      id = *below;
    }
    fail(fmt::format("no state dict within {} levels", kMaxDepth));
  }

  /// The value to look into next, or nothing where `dict` is the state dict itself.
  std::optional<PickleId> descend(const PickleDict& dict) {
    std::optional<PickleId> named;
    std::vector<std::pair<std::string_view, PickleId>> of_tensors;
    bool has_tensors = false;
    for (const auto& [key, value] : dict.entries) {
      has_tensors |= object_.get<PickleTensor>(value) != nullptr;
      const auto* text = object_.get<PickleText>(key);
      const auto* below = object_.get<PickleDict>(value);
      if (text == nullptr || below == nullptr) continue;
      if (text->text == "state_dict") named = value;
      if (is_state_dict(value, *below)) of_tensors.emplace_back(text->text, value);
    }
    if (!named && (has_tensors || of_tensors.empty())) return std::nullopt;
    keep_plain_values(dict);
    if (named) return named;
    if (of_tensors.size() == 1) return of_tensors.front().second;
    std::vector<std::string> keys;
    for (const auto& [key, value] : of_tensors) {
      if (keys.size() < 8) keys.push_back(shown_text(key));
    }
    fail(fmt::format("{} state dicts, none of them under 'state_dict': {}{}", of_tensors.size(),
                     fmt::join(keys, ", "), of_tensors.size() > keys.size() ? ", …" : ""));
  }

  /// Remembers what it found: many keys may share one dict.
  bool is_state_dict(PickleId id, const PickleDict& dict) {
    if (checked_.empty()) checked_.resize(object_.values.size());
    if (!checked_[id]) checked_[id] = all_tensors(dict) ? 2 : 1;
    return checked_[id] == 2;
  }

  void keep_plain_values(const PickleDict& dict) {
    constexpr std::size_t kMaxKey = 100;
    for (const auto& [key, value] : dict.entries) {
      const auto* name = object_.get<PickleText>(key);
      if (name == nullptr || name->text.size() > kMaxKey || !core::is_utf8(name->text)) continue;
      if (auto text = plain_text(object_.value(value))) keep(name->text, std::move(*text));
    }
  }

  /// Many keys may share one text, so that a small file could ask for far more than its own size.
  void keep(std::string_view name, std::string text) {
    metadata_bytes_ += name.size() + text.size();
    metadata_[std::string(name)] = std::move(text);
    if (metadata_.size() <= kMaxMetadata && metadata_bytes_ <= kMaxMetadataBytes) return;
    fail(fmt::format(
        "too many plain values beside the state dict: {} of {} bytes up to {} (allowed: {} of {} "
        "bytes)",
        metadata_.size(), metadata_bytes_, shown_text(name), kMaxMetadata, kMaxMetadataBytes));
  }

  // Its entries.

  [[nodiscard]] std::string_view name_of(PickleId key) const {
    return object_.get<PickleText>(key)->text;
  }

  void check_names(const PickleDict& dict) const {
    if (dict.entries.empty()) fail("the state dict is empty");
    std::vector<std::string> strangers;
    std::set<std::string_view> names;
    std::size_t num_strangers = 0;
    for (const auto& [key, value] : dict.entries) {
      const auto* name = object_.get<PickleText>(key);
      if (name == nullptr) {
        fail(fmt::format("a name in the state dict is {}", pickle_kind(object_.value(key))));
      }
      if (name->text.size() > kMaxNameBytes || !core::is_utf8(name->text)) {
        fail(fmt::format("tensor name {} is not UTF-8 text of at most {} bytes",
                         shown_text(name->text), kMaxNameBytes));
      }
      if (!names.insert(name->text).second) {
        fail(fmt::format("{} occurs twice in the state dict", shown_text(name->text)));
      }
      if (object_.get<PickleTensor>(value) != nullptr) continue;
      ++num_strangers;
      if (strangers.size() < kMaxListed) {
        strangers.push_back(
            fmt::format("{} is {}", shown_text(name->text), pickle_kind(object_.value(value))));
      }
    }
    if (num_strangers > 0) {
      fail(fmt::format("no state dict: {}{}", fmt::join(strangers, "; "),
                       num_strangers > strangers.size()
                           ? fmt::format("; and {} more", num_strangers - strangers.size())
                           : ""));
    }
  }

  // Tensors.

  NamedTensor tensor(std::string name, const TensorView& view) {
    const StorageInfo& info = object_.storages[view.storage.storage];
    NamedTensor result{std::move(name), info.dtype, object_.numbers(view.size), {}};
    const std::vector<std::int64_t> strides = object_.numbers(view.strides);
    const std::uint64_t size = size_bytes(result);
    if (size > bytes_left_) {
      fail(fmt::format("tensor {}: the tensors need more than {} times the file's size",
                       shown_text(result.name), kMaxExpansion));
    }
    bytes_left_ -= size;
    if (size == 0) return result;
    check_extent(result, strides, view);
    const Layout layout(result.shape, strides);
    check_overlap(result, strides, layout);
    const std::uint64_t first = view.storage.first + view.offset;
    const auto source =
        container_.storages[view.storage.storage].subspan(first * dtype_bytes(info.dtype));
    result.data.resize(size);
    gather(info.dtype, source, layout, result.data);
    return result;
  }

  [[nodiscard]] std::uint64_t size_bytes(const NamedTensor& tensor) const {
    if (std::ranges::find(tensor.shape, 0) != tensor.shape.end()) return 0;
    std::uint64_t size = dtype_bytes(tensor.dtype);
    for (const std::int64_t dim : tensor.shape) {
      if (__builtin_mul_overflow(size, static_cast<std::uint64_t>(dim), &size)) {
        fail(fmt::format("tensor {}: shape {} is too large", shown_text(tensor.name),
                         shape_text(tensor.shape)));
      }
    }
    return size;
  }

  /// The last element must lie in the storage's part.
  void check_extent(const NamedTensor& tensor, const std::vector<std::int64_t>& strides,
                    const TensorView& view) const {
    std::uint64_t needed = view.offset;
    bool overflow = __builtin_add_overflow(needed, 1, &needed);
    for (std::size_t dim = 0; dim < strides.size(); ++dim) {
      std::uint64_t reach = 0;
      overflow |= __builtin_mul_overflow(static_cast<std::uint64_t>(tensor.shape[dim] - 1),
                                         static_cast<std::uint64_t>(strides[dim]), &reach);
      overflow |= __builtin_add_overflow(needed, reach, &needed);
    }
    if (overflow || needed > view.storage.count) {
      fail(fmt::format(
          "tensor {}: shape {} with strides {} from element {} on needs a storage of {} elements, "
          "it has {}",
          shown_text(tensor.name), shape_text(tensor.shape), shape_text(strides), view.offset,
          overflow ? "more than 2^64" : fmt::format("{}", needed), view.storage.count));
    }
  }

  /// Dimensions in the order of their strides must step over all that the smaller ones span.
  /// @pre check_extent passed, so nothing overflows
  void check_overlap(const NamedTensor& tensor, const std::vector<std::int64_t>& strides,
                     const Layout& layout) const {
    std::vector<std::size_t> order(layout.shape.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t dim) { return layout.strides[dim]; });
    std::int64_t span = 0;
    for (const std::size_t dim : order) {
      if (layout.strides[dim] <= span) {
        fail(fmt::format("tensor {}: shape {} with strides {} overlaps itself",
                         shown_text(tensor.name), shape_text(tensor.shape), shape_text(strides)));
      }
      span += (layout.shape[dim] - 1) * layout.strides[dim];
    }
  }

  static constexpr std::size_t kMaxListed = 20;
  static constexpr std::size_t kMaxNameBytes = 1000;
  static constexpr std::size_t kMaxMetadata = 1000;
  static constexpr std::size_t kMaxMetadataBytes = 65536;

  const std::string& where_;
  const TorchContainer& container_;
  const Pickle& object_;
  std::uint64_t bytes_left_;
  std::map<std::string, std::string> metadata_;
  std::size_t metadata_bytes_ = 0;  ///< of everything that was ever put there
  std::vector<char> checked_;       ///< per value: 0 not yet, 1 no state dict, 2 one
};

}  // namespace

TensorFile read_torch_file(const std::filesystem::path& file) {
  return parse_torch_file(core::path_text(file), core::read_file(file, kMaxFileBytes));
}

TensorFile parse_torch_file(const std::string& where, std::span<const std::byte> bytes) {
  const TorchContainer container = open_torch_container(where, bytes);
  return StateDictReader(where, container, bytes.size()).read();
}

}  // namespace omnifit::formats
