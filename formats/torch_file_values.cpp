#include "formats/torch_file_pickle.hpp"

#include <array>

namespace omnifit::formats {
namespace {

struct GlobalName {
  std::string_view module;
  std::string_view name;
  PickleGlobalRef ref;
};

constexpr std::array kGlobals{
    GlobalName{"collections", "OrderedDict", {PickleGlobal::kOrderedDict, {}}},
    GlobalName{"torch._utils", "_rebuild_tensor_v2", {PickleGlobal::kRebuildTensorV2, {}}},
    GlobalName{"torch._utils", "_rebuild_tensor", {PickleGlobal::kRebuildTensor, {}}},
    GlobalName{"torch._utils", "_rebuild_parameter", {PickleGlobal::kRebuildParameter, {}}},
    GlobalName{"torch", "Size", {PickleGlobal::kSize, {}}},
    GlobalName{"torch", "FloatStorage", {PickleGlobal::kStorage, DType::kFloat32}},
    GlobalName{"torch", "DoubleStorage", {PickleGlobal::kStorage, DType::kFloat64}},
    GlobalName{"torch", "HalfStorage", {PickleGlobal::kStorage, DType::kFloat16}},
    GlobalName{"torch", "BFloat16Storage", {PickleGlobal::kStorage, DType::kBFloat16}},
    GlobalName{"torch", "LongStorage", {PickleGlobal::kStorage, DType::kInt64}},
    GlobalName{"torch", "IntStorage", {PickleGlobal::kStorage, DType::kInt32}},
    GlobalName{"torch", "ShortStorage", {PickleGlobal::kStorage, DType::kInt16}},
    GlobalName{"torch", "CharStorage", {PickleGlobal::kStorage, DType::kInt8}},
    GlobalName{"torch", "ByteStorage", {PickleGlobal::kStorage, DType::kUInt8}},
    GlobalName{"torch", "BoolStorage", {PickleGlobal::kStorage, DType::kBool}},
};

}  // namespace

std::optional<PickleGlobalRef> find_global(std::string_view module, std::string_view name) {
  for (const GlobalName& known : kGlobals) {
    if (known.module == module && known.name == name) return known.ref;
  }
  return std::nullopt;
}

std::vector<std::int64_t> Pickle::numbers(PickleId tuple) const {
  std::vector<std::int64_t> found;
  for (const PickleId item : std::get<PickleSequence>(values[tuple]).items) {
    found.push_back(std::get<std::int64_t>(values[item]));
  }
  return found;
}

const char* pickle_kind(const PickleValue& value) {
  struct Kind {
    const char* operator()(const PickleNone&) const { return "None"; }
    const char* operator()(bool) const { return "a truth value"; }
    const char* operator()(std::int64_t) const { return "an integer"; }
    const char* operator()(double) const { return "a number with a fraction"; }
    const char* operator()(const PickleLong&) const { return "an integer beyond 64 bits"; }
    const char* operator()(const PickleText&) const { return "a text"; }
    const char* operator()(const PickleSequence& sequence) const {
      return sequence.tuple ? "a tuple" : "a list";
    }
    const char* operator()(const PickleDict&) const { return "a dict"; }
    const char* operator()(const PickleGlobalRef&) const { return "a function or type"; }
    const char* operator()(const PickleStorage&) const { return "a storage"; }
    const char* operator()(const PickleTensor&) const { return "a tensor"; }
  };
  return std::visit(Kind{}, value);
}

}  // namespace omnifit::formats
