#include "supernet/start_weights.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "formats/torch_file.hpp"
#include "supernet/checkpoint.hpp"
#include "supernet/reference_import.hpp"
#include "supernet/slot_naming.hpp"

#include <array>
#include <fstream>
#include <set>

namespace omnifit::supernet {
namespace {

enum class FileKind { kCheckpoint, kTorch };

/// By the first bytes: safetensors begin with the length of a JSON object and that object, PyTorch
/// files are a zip archive or a row of pickles.
FileKind kind_of(const std::filesystem::path& file) {
  constexpr std::size_t kJsonAt = 8;
  std::array<char, kJsonAt + 1> head{};
  std::ifstream(file, std::ios::binary).read(head.data(), head.size());
  if (head[kJsonAt] == '{') return FileKind::kCheckpoint;
  const std::string_view start(head.data(), head.size());
  if (start.starts_with("PK") || start.starts_with('\x80') || start.starts_with('L')) {
    return FileKind::kTorch;
  }
  throw DataError(fmt::format("{}: neither a checkpoint nor a PyTorch file with a state dict",
                              core::path_text(file)));
}

void check_task(const std::string& where, const space::TaskIo& found, const space::TaskIo& wanted,
                OtherClasses other_classes) {
  const bool classes_fit =
      found.num_classes == wanted.num_classes || other_classes == OtherClasses::kNewClassifier;
  if (found.in_channels == wanted.in_channels && classes_fit) return;
  throw DataError(fmt::format(
      "{}: is for {} channels and {} classes, the data has {} channels and {} classes{}", where,
      found.in_channels, found.num_classes, wanted.in_channels, wanted.num_classes,
      classes_fit ? ""
                  : "; phases of training can give it another classifier, and a file that "
                    "data.labels names can give the images its labels"));
}

/// A new supernet for `io` with everything but the classifier from `source`.
Supernet with_new_classifier(const Supernet& source, const space::SearchSpace& space,
                             const space::TaskIo& io, std::uint64_t seed,
                             const std::string& where) {
  Supernet network(space, io, seed);
  std::set<std::string> classifier;
  for (const TensorEntry& entry : tensor_entries(network.slots().back())) {
    classifier.insert(entry.name);
  }
  formats::TensorFile state;
  for (formats::NamedTensor& tensor : source.export_state().tensors) {
    if (!classifier.contains(tensor.name)) state.tensors.push_back(std::move(tensor));
  }
  for (formats::NamedTensor& tensor : network.export_state().tensors) {
    if (classifier.contains(tensor.name)) state.tensors.push_back(std::move(tensor));
  }
  network.import_state(state, where);
  return network;
}

}  // namespace

StartWeights load_start_weights(const std::filesystem::path& file, const space::SearchSpace& space,
                                const space::TaskIo& io, OtherClasses other_classes,
                                std::uint64_t seed) {
  const std::string where = core::path_text(file);
  std::string sha256 = start_weights_sha256(file);
  std::vector<std::string> filled;
  Supernet network = [&] {
    if (kind_of(file) == FileKind::kCheckpoint) return load_supernet(file, space);
    ImportedSupernet imported =
        import_reference_supernet(formats::read_torch_file(file), space, where);
    filled = std::move(imported.filled);
    return std::move(imported.network);
  }();
  const space::TaskIo found = network.io();
  check_task(where, found, io, other_classes);
  const bool new_classifier = found.num_classes != io.num_classes;
  if (new_classifier) network = with_new_classifier(network, space, io, seed, where);
  return {std::move(network), where,          std::move(sha256),
          found.num_classes,  new_classifier, std::move(filled)};
}

std::string start_weights_sha256(const std::filesystem::path& file) {
  // Not sha256_file(), to which a file that is not there is a failure of the environment.
  return core::sha256_hex(core::read_file(file));
}

}  // namespace omnifit::supernet
