#include "exporters/onnx_export.hpp"

#include "core/file_io.hpp"

#include <string>
#include <string_view>

namespace omnifit::exporters {

void write_onnx(const formats::FoldedNetwork& network, const std::filesystem::path& file,
                const formats::OnnxOptions& options) {
  const std::string model = formats::onnx_model(network, options);
  core::write_file_atomically(file, std::string_view(model));
}

}  // namespace omnifit::exporters
