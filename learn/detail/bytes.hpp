#pragma once

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omnifit::learn::detail {

/// Appends numbers as little-endian bytes, behind a tag and a version.
class ByteWriter {
 public:
  ByteWriter(std::string_view tag, std::uint32_t version);
  void integer(std::uint64_t value);
  void real(double value);
  void vector(const Eigen::VectorXd& values);
  void matrix(const Eigen::MatrixXd& values);  ///< column by column
  void float_matrix(const Eigen::MatrixXf& values);
  void text(std::string_view text);
  void bytes(std::span<const std::byte> bytes);  ///< padded to whole words
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what ByteWriter wrote. Sizes are checked against the bytes that are left before anything
/// is allocated. @throws DataError naming the tag if the bytes are of another kind or version, too
/// short, too long or hold a number that is not finite.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view tag, std::uint32_t version);
  std::uint64_t integer();
  double real();
  Eigen::VectorXd vector();
  Eigen::MatrixXd matrix();
  Eigen::MatrixXf float_matrix();
  std::string text();
  std::vector<std::byte> bytes();
  /// @throws DataError if bytes are left.
  void finish() const;
  /// @throws DataError "saved TAG model: …".
  [[noreturn]] void fail(const std::string& message) const;

 private:
  /// Rows and columns of a matrix whose elements are that large, with the bytes for them there.
  std::pair<Eigen::Index, Eigen::Index> matrix_size(std::size_t element_bytes);

  std::span<const std::byte> bytes_;
  std::string tag_;
};

}  // namespace omnifit::learn::detail
