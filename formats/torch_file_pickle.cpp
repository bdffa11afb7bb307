#include "formats/torch_file_pickle.hpp"

#include "core/error.hpp"
#include "formats/tensor_file_header.hpp"
#include "formats/torch_file_literals.hpp"
#include "formats/torch_file_opcodes.hpp"

#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

namespace omnifit::formats {
namespace {

/// The stack machine. One object reads one pickle.
class Unpickler {
 public:
  Unpickler(const std::string& where, std::span<const std::byte> bytes, std::size_t begin)
      : where_(where), bytes_(bytes), position_(begin), begin_(begin) {}

  Pickle read() {
    while (!finished_) step();
    pickle_.end = position_;
    return std::move(pickle_);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    throw DataError(fmt::format("{}: byte {}: {}", where_, opcode_at_, message));
  }

  // Input.

  std::span<const std::byte> take(std::uint64_t count) {
    if (count > bytes_.size() - position_) {
      throw DataError(
          fmt::format("{}: truncated: the file ends at byte {}, inside a pickle that needs {} more",
                      where_, bytes_.size(), count - (bytes_.size() - position_)));
    }
    const auto part = bytes_.subspan(position_, static_cast<std::size_t>(count));
    position_ += static_cast<std::size_t>(count);
    if (position_ - begin_ > PickleLimits::kMaxBytes) {
      fail(fmt::format("the pickle is longer than the {} bytes allowed", PickleLimits::kMaxBytes));
    }
    return part;
  }

  template <class T>
  T number() {
    T value{};
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  double big_endian_double() {
    const auto part = take(sizeof(double));
    std::uint64_t bits = 0;
    for (const std::byte byte : part) bits = bits << 8 | std::to_integer<std::uint64_t>(byte);
    return std::bit_cast<double>(bits);
  }

  std::string_view text(std::uint64_t size) {
    const auto part = take(size);
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  /// The text up to the next line feed, which is passed over.
  std::string_view line(const char* role, std::size_t most = 256) {
    const std::size_t begin = position_;
    while (position_ - begin <= most) {
      if (take(1)[0] == std::byte{'\n'}) {
        return {reinterpret_cast<const char*>(bytes_.data()) + begin, position_ - 1 - begin};
      }
    }
    fail(fmt::format("{} is longer than {} bytes", role, most));
  }

  // Stack and memo.

  /// Counts what a short pickle could multiply.
  void spend(std::size_t count) {
    if (count > PickleLimits::kMaxValues - spent_) {
      fail(fmt::format("more than the {} values allowed", PickleLimits::kMaxValues));
    }
    spent_ += count;
  }

  void push_id(PickleId id) {
    if (stack_.size() >= PickleLimits::kMaxValues) {
      fail(fmt::format("more than the {} values allowed on the stack", PickleLimits::kMaxValues));
    }
    stack_.push_back(id);
  }

  void push(PickleValue value) {
    spend(1);
    pickle_.values.push_back(std::move(value));
    push_id(static_cast<PickleId>(pickle_.values.size() - 1));
  }

  /// Items above the last mark belong to it and nothing below may be taken.
  [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  void require(std::size_t count) const {
    if (stack_.size() - floor() < count) fail("the stack is empty");
  }

  PickleId pop() {
    require(1);
    const PickleId id = stack_.back();
    stack_.pop_back();
    return id;
  }

  PickleId top() const {
    require(1);
    return stack_.back();
  }

  std::vector<PickleId> pop_count(std::size_t count) {
    require(count);
    std::vector<PickleId> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::vector<PickleId> pop_mark() {
    if (marks_.empty()) fail("no mark on the stack");
    std::vector<PickleId> items = pop_count(stack_.size() - marks_.back());
    marks_.pop_back();
    return items;
  }

  /// Every writer numbers its memo in order, so that it can be an array. Python 2's cPickle begins
  /// at 1.
  void memorise(std::size_t index) {
    if (memo_.empty() && index == 1) memo_.push_back(kNoValue);
    if (index > memo_.size()) {
      fail(fmt::format("memo entry {} follows {} others", index, memo_.size()));
    }
    if (index >= PickleLimits::kMaxValues) {
      fail(fmt::format("more than the {} memo entries allowed", PickleLimits::kMaxValues));
    }
    if (index == memo_.size()) memo_.push_back(0);
    memo_[index] = top();
  }

  void recall(std::size_t index) {
    if (index >= memo_.size() || memo_[index] == kNoValue) {
      fail(fmt::format("memo entry {} is not there", index));
    }
    push_id(memo_[index]);
  }

  template <class T>
  T& as(PickleId id, const char* role) {
    T* value = std::get_if<T>(&pickle_.values[id]);
    if (value == nullptr) {
      fail(fmt::format("{} is {}", role, pickle_kind(pickle_.values[id])));
    }
    return *value;
  }

  std::uint64_t size_of(PickleId id, const char* role) {
    const std::int64_t value = as<std::int64_t>(id, role);
    if (value < 0) fail(fmt::format("{} is negative: {}", role, value));
    return static_cast<std::uint64_t>(value);
  }

  // Opcodes.

  void step() {
    opcode_at_ = position_;
    const auto code = number<std::uint8_t>();
    const auto opcode = static_cast<Opcode>(code);
    if (!plain(opcode) && !literal(opcode) && !memo(opcode) && !container(opcode) &&
        !object(opcode)) {
      fail(fmt::format("pickle opcode {} is not allowed in a state dict", opcode_name(code)));
    }
  }

  bool plain(Opcode opcode) {
    switch (opcode) {
      case Opcode::kProto:
        protocol();
        return true;
      case Opcode::kFrame:  // a hint for readers that buffer
        static_cast<void>(number<std::uint64_t>());
        return true;
      case Opcode::kNone:
        push(PickleNone{});
        return true;
      case Opcode::kNewTrue:
        push(true);
        return true;
      case Opcode::kNewFalse:
        push(false);
        return true;
      case Opcode::kBinInt:
        push(std::int64_t{number<std::int32_t>()});
        return true;
      case Opcode::kBinInt1:
        push(std::int64_t{number<std::uint8_t>()});
        return true;
      case Opcode::kBinInt2:
        push(std::int64_t{number<std::uint16_t>()});
        return true;
      case Opcode::kLong1:
        long_integer();
        return true;
      case Opcode::kBinFloat:
        push(big_endian_double());
        return true;
      case Opcode::kBinString:
      case Opcode::kBinUnicode:
        push(PickleText{text(number<std::uint32_t>())});
        return true;
      case Opcode::kShortBinString:
      case Opcode::kShortBinUnicode:
        push(PickleText{text(number<std::uint8_t>())});
        return true;
      default:
        return false;
    }
  }

  /// Values as lines of text: protocols 0 and 1.
  bool literal(Opcode opcode) {
    switch (opcode) {
      case Opcode::kInt:
        push_literal(int_literal(line("an integer")), "an integer");
        return true;
      case Opcode::kLong:
        push_literal(long_literal(line("an integer")), "an integer");
        return true;
      case Opcode::kFloat:
        push_literal(float_literal(line("a number")), "a number");
        return true;
      case Opcode::kString:
        push_text(string_literal(line("a text", PickleLimits::kMaxBytes)));
        return true;
      case Opcode::kUnicode:
        push_text(unicode_literal(line("a text", PickleLimits::kMaxBytes)));
        return true;
      default:
        return false;
    }
  }

  template <class T>
  void push_literal(const std::optional<T>& value, const char* role) {
    if (!value) fail(fmt::format("a line of text is not {}", role));
    push(*value);
  }

  void push_text(std::optional<std::string> text) {
    if (!text) fail("a line of text is not a text");
    pickle_.texts.push_back(std::move(*text));
    push(PickleText{pickle_.texts.back()});
  }

  bool memo(Opcode opcode) {
    switch (opcode) {
      case Opcode::kPut:
        memorise(memo_index());
        return true;
      case Opcode::kGet:
        recall(memo_index());
        return true;
      case Opcode::kBinPut:
        memorise(number<std::uint8_t>());
        return true;
      case Opcode::kLongBinPut:
        memorise(number<std::uint32_t>());
        return true;
      case Opcode::kMemoize:
        memorise(memo_.size());
        return true;
      case Opcode::kBinGet:
        recall(number<std::uint8_t>());
        return true;
      case Opcode::kLongBinGet:
        recall(number<std::uint32_t>());
        return true;
      default:
        return false;
    }
  }

  std::size_t memo_index() {
    const auto index = long_literal(line("a memo entry"));
    const auto* number = index ? std::get_if<std::int64_t>(&*index) : nullptr;
    if (number == nullptr || *number < 0) fail("a line of text is not the number of a memo entry");
    return static_cast<std::size_t>(*number);
  }

  bool container(Opcode opcode) {
    switch (opcode) {
      case Opcode::kMark:
        if (marks_.size() >= PickleLimits::kMaxMarks) {
          fail(fmt::format("nested deeper than the {} levels allowed", PickleLimits::kMaxMarks));
        }
        marks_.push_back(stack_.size());
        return true;
      case Opcode::kEmptyList:
        push(PickleSequence{});
        return true;
      case Opcode::kList:
        push(PickleSequence{pop_mark(), false});
        return true;
      case Opcode::kAppend:
        append(pop_count(1));
        return true;
      case Opcode::kAppends:
        append(pop_mark());
        return true;
      case Opcode::kEmptyTuple:
        push(PickleSequence{{}, true});
        return true;
      case Opcode::kTuple:
        push(PickleSequence{pop_mark(), true});
        return true;
      case Opcode::kTuple1:
        push(PickleSequence{pop_count(1), true});
        return true;
      case Opcode::kTuple2:
        push(PickleSequence{pop_count(2), true});
        return true;
      case Opcode::kTuple3:
        push(PickleSequence{pop_count(3), true});
        return true;
      case Opcode::kEmptyDict:
        push(PickleDict{});
        return true;
      case Opcode::kDict: {
        const std::vector<PickleId> items = pop_mark();
        push(PickleDict{});
        set_items(items);
        return true;
      }
      case Opcode::kSetItem:
        set_items(pop_count(2));
        return true;
      case Opcode::kSetItems:
        set_items(pop_mark());
        return true;
      default:
        return false;
    }
  }

  bool object(Opcode opcode) {
    switch (opcode) {
      case Opcode::kGlobal: {
        const std::string_view module = line("a global's name");
        global(module, line("a global's name"));
        return true;
      }
      case Opcode::kStackGlobal: {
        const PickleId name = pop();
        const PickleId module = pop();
        global(as<PickleText>(module, "a global's module").text,
               as<PickleText>(name, "a global's name").text);
        return true;
      }
      case Opcode::kReduce:
        reduce();
        return true;
      case Opcode::kBuild:
        build();
        return true;
      case Opcode::kBinPersId:
        persistent_storage();
        return true;
      case Opcode::kStop:
        pickle_.root = pop();
        finished_ = true;
        return true;
      default:
        return false;
    }
  }

  void protocol() {
    const auto version = number<std::uint8_t>();
    if (version < 2 || version > 5) {
      fail(fmt::format("pickle protocol {} is not supported (allowed: 2 to 5)", version));
    }
  }

  void long_integer() {
    const auto part = take(number<std::uint8_t>());
    if (part.size() > sizeof(std::int64_t)) {
      push(PickleLong{part});
      return;
    }
    // Two's complement: the last byte's sign fills up.
    const bool negative = !part.empty() && (part.back() & std::byte{0x80}) != std::byte{0};
    std::int64_t value = negative ? -1 : 0;
    std::memcpy(&value, part.data(), part.size());
    push(value);
  }

  void append(const std::vector<PickleId>& items) {
    auto& list = as<PickleSequence>(top(), "what is appended to");
    if (list.tuple) fail("what is appended to is a tuple");
    list.items.insert(list.items.end(), items.begin(), items.end());
  }

  void set_items(const std::vector<PickleId>& items) {
    if (items.size() % 2 != 0) fail("a key of a dict has no value");
    auto& dict = as<PickleDict>(top(), "what a key is set in");
    for (std::size_t i = 0; i < items.size(); i += 2) {
      dict.entries.emplace_back(items[i], items[i + 1]);
    }
  }

  void global(std::string_view module, std::string_view name) {
    if (const auto known = find_global(module, name)) return push(*known);
    fail(
        fmt::format("global {} is not allowed in a state dict (allowed: collections.OrderedDict, "
                    "torch's storages and what rebuilds tensors from them)",
                    shown_text(fmt::format("{}.{}", module, name))));
  }

  void reduce() {
    const PickleId arguments = pop();
    const PickleId function = pop();
    const PickleGlobal global = as<PickleGlobalRef>(function, "what is called").global;
    const PickleSequence& tuple = as<PickleSequence>(arguments, "the arguments of a call");
    if (!tuple.tuple) fail("the arguments of a call are a list, expected a tuple");
    switch (global) {
      case PickleGlobal::kOrderedDict:
        return ordered_dict(tuple.items);
      case PickleGlobal::kRebuildTensor:
        return rebuild_tensor("_rebuild_tensor", tuple.items, 4, 4);
      case PickleGlobal::kRebuildTensorV2:
        return rebuild_tensor("_rebuild_tensor_v2", tuple.items, 6, 7);
      case PickleGlobal::kRebuildParameter:
        return rebuild_parameter(tuple.items);
      case PickleGlobal::kSize:
        return rebuild_size(tuple.items);
      case PickleGlobal::kStorage:
        fail("a storage type is called");
    }
  }

  /// Python 2 wrote the entries as a list of pairs, later versions set them one by one.
  void ordered_dict(const std::vector<PickleId>& arguments) {
    PickleDict dict;
    if (arguments.size() > 1) fail("OrderedDict is called with more than one argument");
    if (arguments.size() == 1) {
      const auto& pairs = as<PickleSequence>(arguments[0], "OrderedDict's argument").items;
      spend(pairs.size());
      for (const PickleId id : pairs) {
        const auto& pair = as<PickleSequence>(id, "an entry of OrderedDict's argument").items;
        if (pair.size() != 2) fail("an entry of OrderedDict's argument is no pair");
        dict.entries.emplace_back(pair[0], pair[1]);
      }
    }
    push(std::move(dict));
  }

  void rebuild_tensor(const char* function, const std::vector<PickleId>& arguments,
                      std::size_t fewest, std::size_t most) {
    if (arguments.size() < fewest || arguments.size() > most) {
      fail(fmt::format("{} is called with {} arguments", function, arguments.size()));
    }
    TensorView view;
    view.storage = as<PickleStorage>(arguments[0], "a tensor's storage");
    view.offset = size_of(arguments[1], "a tensor's offset");
    view.size = arguments[2];
    view.strides = arguments[3];
    const std::size_t dims = check_dims(view.size, "a tensor's size");
    if (check_dims(view.strides, "a tensor's stride") != dims) {
      fail("a tensor's size and strides differ in length");
    }
    pickle_.tensors.push_back(view);
    push(PickleTensor{static_cast<std::uint32_t>(pickle_.tensors.size() - 1)});
  }

  std::size_t check_dims(PickleId id, const char* role) {
    const auto& tuple = as<PickleSequence>(id, role);
    if (!tuple.tuple) fail(fmt::format("{} is a list, expected a tuple", role));
    if (tuple.items.size() > PickleLimits::kMaxDims) {
      fail(fmt::format("{} has {} dimensions (allowed: at most {})", role, tuple.items.size(),
                       PickleLimits::kMaxDims));
    }
    for (const PickleId item : tuple.items) size_of(item, role);
    return tuple.items.size();
  }

  void rebuild_parameter(const std::vector<PickleId>& arguments) {
    if (arguments.size() != 3) {
      fail(fmt::format("_rebuild_parameter is called with {} arguments", arguments.size()));
    }
    const PickleTensor tensor = as<PickleTensor>(arguments[0], "a parameter's data");
    push(tensor);
  }

  void rebuild_size(const std::vector<PickleId>& arguments) {
    if (arguments.size() != 1) {
      fail(fmt::format("Size is called with {} arguments", arguments.size()));
    }
    const auto& dims = as<PickleSequence>(arguments[0], "the argument of Size");
    if (dims.items.size() > PickleLimits::kMaxDims) {
      fail(fmt::format("Size has {} dimensions (allowed: at most {})", dims.items.size(),
                       PickleLimits::kMaxDims));
    }
    push(PickleSequence{std::vector<PickleId>(dims.items), true});
  }

  /// The only object with a state is an OrderedDict; PyTorch keeps versions of modules there.
  void build() {
    as<PickleDict>(pop(), "an object's state");
    as<PickleDict>(top(), "the object whose state is set");
  }

  /// ("storage", type, key, location, number of elements[, view]). The location names a device of
  /// the machine that wrote the file and means nothing here.
  void persistent_storage() {
    const PickleId id = pop();
    const auto& tuple = as<PickleSequence>(id, "a persistent id").items;
    if (tuple.size() != 5 && tuple.size() != 6) {
      fail(fmt::format("a persistent id has {} parts (allowed: 5 or 6)", tuple.size()));
    }
    if (as<PickleText>(tuple[0], "the kind of a persistent id").text != "storage") {
      fail("a persistent id is not of a storage");
    }
    const auto type = as<PickleGlobalRef>(tuple[1], "a storage's type");
    if (type.global != PickleGlobal::kStorage) fail("a storage's type is a function");
    const std::string_view key = as<PickleText>(tuple[2], "a storage's key").text;
    if (key.size() > PickleLimits::kMaxKeyBytes) {
      fail(fmt::format("a storage's key is longer than {} bytes", PickleLimits::kMaxKeyBytes));
    }
    as<PickleText>(tuple[3], "a storage's location");
    const StorageInfo info{key, type.dtype, size_of(tuple[4], "a storage's length")};
    PickleStorage part{declare(info), 0, info.count};
    if (tuple.size() == 6 && !pickle_.get<PickleNone>(tuple[5])) view_of(tuple[5], part);
    push(part);
  }

  std::uint32_t declare(const StorageInfo& info) {
    const auto [found, fresh] =
        storage_index_.try_emplace(info.key, static_cast<std::uint32_t>(pickle_.storages.size()));
    if (fresh) {
      pickle_.storages.push_back(info);
      return found->second;
    }
    const StorageInfo& known = pickle_.storages[found->second];
    if (known.dtype != info.dtype || known.count != info.count) {
      fail(fmt::format("storage {} is declared as {} of {} and as {} of {}", shown_text(info.key),
                       known.count, dtype_name(known.dtype), info.count, dtype_name(info.dtype)));
    }
    return found->second;
  }

  /// (key of the view, first element, number of elements): how early versions shared storages.
  void view_of(PickleId id, PickleStorage& part) {
    const auto& view = as<PickleSequence>(id, "a storage's view").items;
    if (view.size() != 3) fail("a storage's view does not have three parts");
    const std::uint64_t first = size_of(view[1], "the start of a storage's view");
    const std::uint64_t count = size_of(view[2], "the length of a storage's view");
    if (first > part.count || count > part.count - first) {
      fail(fmt::format("a view of {} elements from {} on does not lie in its storage of {}", count,
                       first, part.count));
    }
    part.first = first;
    part.count = count;
  }

  /// Stands where the memo has no entry; no pickle has that many values.
  static constexpr PickleId kNoValue = std::numeric_limits<PickleId>::max();

  const std::string& where_;
  std::span<const std::byte> bytes_;
  std::size_t position_;
  std::size_t begin_;
  std::size_t opcode_at_ = 0;
  bool finished_ = false;
  Pickle pickle_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleId> memo_;
  std::map<std::string_view, std::uint32_t> storage_index_;
  std::size_t spent_ = 0;
};

}  // namespace

Pickle read_pickle(const std::string& where, std::span<const std::byte> bytes, std::size_t begin) {
  return Unpickler(where, bytes, begin).read();
}

}  // namespace omnifit::formats
