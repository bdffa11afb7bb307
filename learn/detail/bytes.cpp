#include "learn/detail/bytes.hpp"

#include "core/error.hpp"

#include <bit>
#include <cmath>

namespace omnifit::learn::detail {
namespace {

constexpr std::size_t kWordBytes = 8;
constexpr std::size_t kFloatBytes = 4;

std::uint64_t tag_word(std::string_view tag, std::uint32_t version) {
  std::uint64_t word = version;
  for (char c : tag) word = word * 1099511628211ULL ^ static_cast<unsigned char>(c);
  return word;
}

/// Bytes that fill the last word.
std::size_t padding(std::uint64_t size) {
  return static_cast<std::size_t>((kWordBytes - size % kWordBytes) % kWordBytes);
}

}  // namespace

ByteWriter::ByteWriter(std::string_view tag, std::uint32_t version) {
  integer(tag_word(tag, version));
}

void ByteWriter::integer(std::uint64_t value) {
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    bytes_.push_back(static_cast<std::byte>((value >> (8 * i)) & 0xff));
  }
}

void ByteWriter::real(double value) { integer(std::bit_cast<std::uint64_t>(value)); }

void ByteWriter::vector(const Eigen::VectorXd& values) {
  integer(static_cast<std::uint64_t>(values.size()));
  for (double value : values) real(value);
}

void ByteWriter::matrix(const Eigen::MatrixXd& values) {
  integer(static_cast<std::uint64_t>(values.rows()));
  integer(static_cast<std::uint64_t>(values.cols()));
  for (double value : values.reshaped()) real(value);
}

void ByteWriter::text(std::string_view text) { bytes(std::as_bytes(std::span(text))); }

void ByteWriter::bytes(std::span<const std::byte> bytes) {
  integer(bytes.size());
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  bytes_.resize(bytes_.size() + padding(bytes.size()));
}

void ByteWriter::float_matrix(const Eigen::MatrixXf& values) {
  integer(static_cast<std::uint64_t>(values.rows()));
  integer(static_cast<std::uint64_t>(values.cols()));
  for (const float value : values.reshaped()) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (std::size_t i = 0; i < kFloatBytes; ++i) {
      bytes_.push_back(static_cast<std::byte>((bits >> (8 * i)) & 0xff));
    }
  }
}

ByteReader::ByteReader(std::span<const std::byte> bytes, std::string_view tag,
                       std::uint32_t version)
    : bytes_(bytes), tag_(tag) {
  if (integer() != tag_word(tag, version)) {
    fail("the bytes are of another kind of model or another version; fit it again");
  }
}

std::uint64_t ByteReader::integer() {
  if (bytes_.size() < kWordBytes) fail("the bytes end too early");
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kWordBytes; ++i) {
    value |= std::to_integer<std::uint64_t>(bytes_[i]) << (8 * i);
  }
  bytes_ = bytes_.subspan(kWordBytes);
  return value;
}

double ByteReader::real() {
  const auto value = std::bit_cast<double>(integer());
  if (!std::isfinite(value)) fail("a number is not finite");
  return value;
}

Eigen::VectorXd ByteReader::vector() {
  const std::uint64_t size = integer();
  if (size > bytes_.size() / kWordBytes) fail("the bytes end too early");
  Eigen::VectorXd values(static_cast<Eigen::Index>(size));
  for (double& value : values) value = real();
  return values;
}

std::pair<Eigen::Index, Eigen::Index> ByteReader::matrix_size(std::size_t element_bytes) {
  const std::uint64_t rows = integer();
  const std::uint64_t cols = integer();
  const std::uint64_t available = bytes_.size() / element_bytes;
  if (rows > available || cols > available || (rows != 0 && cols > available / rows)) {
    fail("the bytes end too early");
  }
  return {static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

Eigen::MatrixXd ByteReader::matrix() {
  const auto [rows, cols] = matrix_size(kWordBytes);
  Eigen::MatrixXd values(rows, cols);
  for (double& value : values.reshaped()) value = real();
  return values;
}

Eigen::MatrixXf ByteReader::float_matrix() {
  const auto [rows, cols] = matrix_size(kFloatBytes);
  Eigen::MatrixXf values(rows, cols);
  for (float& value : values.reshaped()) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < kFloatBytes; ++i) {
      bits |= std::to_integer<std::uint32_t>(bytes_[i]) << (8 * i);
    }
    bytes_ = bytes_.subspan(kFloatBytes);
    value = std::bit_cast<float>(bits);
    if (!std::isfinite(value)) fail("a number is not finite");
  }
  return values;
}

std::string ByteReader::text() {
  const std::vector<std::byte> read = bytes();
  return {reinterpret_cast<const char*>(read.data()), read.size()};
}

std::vector<std::byte> ByteReader::bytes() {
  const std::uint64_t size = integer();
  if (size > bytes_.size() || padding(size) > bytes_.size() - size) fail("the bytes end too early");
  const auto length = static_cast<std::size_t>(size);
  const std::span<const std::byte> read = bytes_.first(length);
  bytes_ = bytes_.subspan(length + padding(size));
  return {read.begin(), read.end()};
}

void ByteReader::finish() const {
  if (!bytes_.empty()) fail("there are bytes behind its end");
}

void ByteReader::fail(const std::string& message) const {
  throw DataError("saved " + tag_ + " model: " + message);
}

}  // namespace omnifit::learn::detail
