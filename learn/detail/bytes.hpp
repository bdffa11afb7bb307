#pragma once

#include <Eigen/Core>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
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
  /// @throws DataError if bytes are left.
  void finish() const;
  /// @throws DataError "saved TAG model: …".
  [[noreturn]] void fail(const std::string& message) const;

 private:
  std::span<const std::byte> bytes_;
  std::string tag_;
};

}  // namespace omnifit::learn::detail
