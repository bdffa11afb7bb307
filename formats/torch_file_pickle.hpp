#pragma once

#include "formats/tensor_file.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// The pickle inside a PyTorch file, read without running anything: plain containers and
/// descriptions of tensors come out, whatever else it asks for is refused by name. For the sources
/// of this folder alone.
namespace omnifit::formats {

/// What bounds the work and memory that a hostile pickle can cause. The largest real ones (a
/// checkpoint with the optimiser's state) stay below a hundredth of it.
struct PickleLimits {
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20;
  static constexpr std::size_t kMaxValues = 2'000'000;  ///< also of the stack and the memo
  static constexpr std::size_t kMaxMarks = 1000;        ///< containers opened inside each other
  static constexpr std::size_t kMaxDims = 16;
  static constexpr std::size_t kMaxKeyBytes = 256;  ///< of a storage
};

/// The names a pickle may call or refer to; storage types apart.
enum class PickleGlobal {
  kOrderedDict,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildParameter,
  kSize,
  kStorage
};

/// Index into Pickle::values. Values refer to each other by index, so that shared and even cyclic
/// ones cost nothing and nothing recurses.
using PickleId = std::uint32_t;

struct PickleNone {};
/// An integer beyond 64 bits, as it stands in the file.
struct PickleLong {
  std::span<const std::byte> bytes;  ///< little-endian two's complement, or digits
  bool decimal = false;              ///< digits
};
struct PickleText {
  std::string_view text;  ///< points into the file or Pickle::texts
};
struct PickleSequence {
  std::vector<PickleId> items;
  bool tuple = false;  ///< otherwise a list
};
struct PickleDict {
  std::vector<std::pair<PickleId, PickleId>> entries;  ///< as they came, repeated keys included
};
struct PickleGlobalRef {
  PickleGlobal global = PickleGlobal::kOrderedDict;
  DType dtype = DType::kFloat32;  ///< of kStorage
};
/// Part of a storage: `count` elements from `first` on.
struct PickleStorage {
  std::uint32_t storage = 0;  ///< index into Pickle::storages
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};
struct PickleTensor {
  std::uint32_t tensor = 0;  ///< index into Pickle::tensors
};

using PickleValue =
    std::variant<PickleNone, bool, std::int64_t, double, PickleLong, PickleText, PickleSequence,
                 PickleDict, PickleGlobalRef, PickleStorage, PickleTensor>;

/// A storage as the pickle declares it.
struct StorageInfo {
  std::string_view key;
  DType dtype = DType::kFloat32;
  std::uint64_t count = 0;  ///< elements
};

/// A tensor as the pickle describes it; size and strides are tuples of non-negative integers of
/// equal length.
struct TensorView {
  PickleStorage storage;
  std::uint64_t offset = 0;  ///< elements from the start of the storage's part
  PickleId size = 0;
  PickleId strides = 0;
};

struct Pickle {
  Pickle() = default;
  Pickle(Pickle&&) = default;
  Pickle& operator=(Pickle&&) = default;
  Pickle(const Pickle&) = delete;  // values point into `texts`
  Pickle& operator=(const Pickle&) = delete;
  ~Pickle() = default;

  std::vector<PickleValue> values;
  std::deque<std::string> texts;  ///< those that do not stand in the file as they are
  std::vector<StorageInfo> storages;
  std::vector<TensorView> tensors;
  PickleId root = 0;
  std::size_t end = 0;  ///< offset behind the pickle

  [[nodiscard]] const PickleValue& value(PickleId id) const { return values[id]; }
  /// The value as that kind, or null.
  template <class T>
  [[nodiscard]] const T* get(PickleId id) const {
    return std::get_if<T>(&values[id]);
  }
  /// Numbers of a tuple of integers. @pre as in TensorView
  [[nodiscard]] std::vector<std::int64_t> numbers(PickleId tuple) const;
};

/// "None", "a list", …: what a value is, for messages.
const char* pickle_kind(const PickleValue& value);

/// The function or type of that name, or nothing where a state dict needs none such.
std::optional<PickleGlobalRef> find_global(std::string_view module, std::string_view name);

/// Reads the pickle (protocol 0 to 5) that starts at `begin`. Texts of the result point into
/// `bytes`. Time and memory are linear in the pickle's size, which is bounded.
/// @throws DataError "WHERE: byte N: …": an opcode or global outside the allowed ones (named), a
/// truncated or malformed pickle, a limit exceeded.
Pickle read_pickle(const std::string& where, std::span<const std::byte> bytes, std::size_t begin);

}  // namespace omnifit::formats
