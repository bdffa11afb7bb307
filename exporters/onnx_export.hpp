#pragma once

#include "formats/onnx_writer.hpp"

#include <filesystem>

namespace omnifit::exporters {

/// Writes formats::onnx_model to a file, atomically.
/// @throws as formats::onnx_model; EnvironmentError if the file cannot be written.
void write_onnx(const formats::FoldedNetwork& network, const std::filesystem::path& file,
                const formats::OnnxOptions& options);

}  // namespace omnifit::exporters
