#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>

namespace omnifit::supernet {

/// Labels by an image's path, relative to the data set's folder and with '/' between names.
using ImageLabels = std::unordered_map<std::string, std::int32_t>;

/// Reads a CSV file whose first line names its columns. The column "path" says which image a row is
/// about, `label_column` its label. Values may be quoted with '"', a quote inside is doubled; other
/// columns are not looked at. Rows about files that are not there are allowed.
///
/// @throws DataError "FILE:LINE: …": missing, larger than 256 MB, no such column, a row with
/// another number of values, an open quote, a label that is not a whole number in [0, num_classes),
/// a path twice; "FILE: …" if no row follows the first line.
ImageLabels read_image_labels(const std::filesystem::path& file, const std::string& label_column,
                              int num_classes);

}  // namespace omnifit::supernet
