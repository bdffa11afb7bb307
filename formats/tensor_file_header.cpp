#include "formats/tensor_file_header.hpp"

#include "core/error.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <limits>
#include <set>
#include <utility>

namespace omnifit::formats {

namespace {

struct DTypeInfo {
  DType dtype;
  const char* name;
  std::uint64_t bytes;
};

constexpr std::array kDTypes{
    DTypeInfo{DType::kFloat32, "F32", 4}, DTypeInfo{DType::kFloat64, "F64", 8},
    DTypeInfo{DType::kFloat16, "F16", 2}, DTypeInfo{DType::kBFloat16, "BF16", 2},
    DTypeInfo{DType::kInt64, "I64", 8},   DTypeInfo{DType::kInt32, "I32", 4},
    DTypeInfo{DType::kInt16, "I16", 2},   DTypeInfo{DType::kInt8, "I8", 1},
    DTypeInfo{DType::kUInt8, "U8", 1},    DTypeInfo{DType::kBool, "BOOL", 1},
};

const DTypeInfo& info(DType dtype) {
  for (const DTypeInfo& candidate : kDTypes) {
    if (candidate.dtype == dtype) return candidate;
  }
  OMNIFIT_CHECK(false, "dtype {} has no entry", static_cast<int>(dtype));
}

/// Fills a header event by event. A tree would cost many times the size of a hostile text; this
/// holds only what the format knows and stops at the first thing it does not.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return unexpected("null"); }
  bool boolean(bool) override { return unexpected("a boolean"); }
  bool number_integer(number_integer_t) override { return unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    return unexpected("a number with a fraction or out of range");
  }
  bool binary(binary_t&) override { return unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::kShape) {
      if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return fail(
            fmt::format("tensor {}: dimension {} is too large", shown_text(entry().name), value));
      }
      entry().shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    if (place_ == Place::kOffsets) {
      if (offsets_ == 2) return fail(in_tensor("'data_offsets' must have two numbers"));
      (offsets_++ == 0 ? entry().begin : entry().end) = value;
      return true;
    }
    return unexpected("a number");
  }

  bool string(string_t& value) override {
    if (place_ == Place::kMetadata) {
      header_.metadata[key_] = std::move(value);
      return true;
    }
    if (place_ == Place::kTensor && key_ == "dtype") return set_dtype(value);
    return unexpected("a text");
  }

  bool start_object(std::size_t) override {
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTop && key_ == kMetadataKey) {
      place_ = Place::kMetadata;
    } else if (place_ == Place::kTop) {
      place_ = Place::kTensor;
      fields_.clear();
      header_.entries.push_back({key_, {}, {}, 0, 0});
    } else {
      return unexpected("an object");
    }
    return true;
  }

  bool key(string_t& key) override {
    key_ = key;
    if (place_ == Place::kTop) {
      return names_.insert(key).second || fail(fmt::format("{} occurs twice", shown_text(key)));
    }
    if (place_ == Place::kMetadata) {
      return !header_.metadata.contains(key) ||
             fail(fmt::format("metadata key {} occurs twice", shown_text(key)));
    }
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return fail(in_tensor(
          fmt::format("unknown key {} (allowed: dtype, shape, data_offsets)", shown_text(key))));
    }
    return fields_.insert(key).second || fail(in_tensor(fmt::format("'{}' occurs twice", key)));
  }

  bool end_object() override {
    if (place_ == Place::kTensor && fields_.size() != 3) {
      return fail(in_tensor("needs dtype, shape and data_offsets"));
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ == Place::kTensor && key_ == "shape") {
      place_ = Place::kShape;
    } else if (place_ == Place::kTensor && key_ == "data_offsets") {
      place_ = Place::kOffsets;
      offsets_ = 0;
    } else {
      return unexpected("a list");
    }
    return true;
  }

  bool end_array() override {
    if (place_ == Place::kOffsets && offsets_ != 2) {
      return fail(in_tensor("'data_offsets' must have two numbers"));
    }
    place_ = Place::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return fail(fmt::format("not valid JSON at byte {}", position));
  }

  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] TensorFileHeader take() { return std::move(header_); }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  TensorEntry& entry() { return header_.entries.back(); }
  std::string in_tensor(const std::string& message) {
    return fmt::format("tensor {}: {}", shown_text(entry().name), message);
  }
  bool fail(std::string message) {
    error_ = std::move(message);
    return false;
  }
  bool unexpected(const char* what) {
    if (place_ == Place::kStart) return fail(fmt::format("{} where an object was expected", what));
    const bool in_entry = place_ != Place::kTop && place_ != Place::kMetadata;
    return fail(fmt::format("{} in {}, where none belongs", what,
                            shown_text(in_entry ? entry().name : key_)));
  }
  bool set_dtype(const std::string& name) {
    std::string allowed;
    for (const DTypeInfo& candidate : kDTypes) {
      if (name == candidate.name) {
        entry().dtype = candidate.dtype;
        return true;
      }
      allowed += fmt::format("{}{}", allowed.empty() ? "" : ", ", candidate.name);
    }
    return fail(in_tensor(
        fmt::format("dtype {} is not supported (allowed: {})", shown_text(name), allowed)));
  }

  Place place_ = Place::kStart;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  int offsets_ = 0;
  TensorFileHeader header_;
  std::string error_;
};

}  // namespace

const char* dtype_name(DType dtype) { return info(dtype).name; }

std::uint64_t dtype_bytes(DType dtype) { return info(dtype).bytes; }

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t dim : shape) {
    text += fmt::format("{}{}", text.size() == 1 ? "" : ", ", dim);
  }
  return text + "]";
}

std::string shown_text(std::string_view text) {
  constexpr std::size_t kMaxShown = 100;
  const bool cut = text.size() > kMaxShown;
  std::string shown = nlohmann::json(text.substr(0, kMaxShown))
                          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  shown.front() = '\'';
  shown.back() = '\'';
  return cut ? shown + "…" : shown;
}

std::string header_text(const TensorFileHeader& header) {
  // Written item by item: inserting into an ordered JSON object takes quadratic time.
  std::string text =
      fmt::format("{{\"{}\":{}", kMetadataKey, nlohmann::json(header.metadata).dump());
  for (const TensorEntry& entry : header.entries) {
    const nlohmann::ordered_json item{{"dtype", dtype_name(entry.dtype)},
                                      {"shape", entry.shape},
                                      {"data_offsets", {entry.begin, entry.end}}};
    text += fmt::format(",{}:{}", nlohmann::json(entry.name).dump(), item.dump());
  }
  return text + "}";
}

TensorFileHeader parse_header(const std::string& where, std::string_view text) {
  HeaderReader reader;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader)) {
    throw DataError(fmt::format("{}: header: {}", where, reader.error()));
  }
  return reader.take();
}

}  // namespace omnifit::formats
