#include "supernet/reference_import.hpp"

#include "core/error.hpp"
#include "formats/reference_names.hpp"
#include "supernet/checkpoint.hpp"
#include "supernet/slot_naming.hpp"
#include "supernet/static_network.hpp"
#include "supernet/static_parts.hpp"
#include "supernet/supernet_impl.hpp"
#include "supernet/tensor_conversion.hpp"

#include <ATen/ATen.h>

namespace omnifit::supernet {
namespace {

std::vector<formats::TensorShape> slot_shapes(const space::Slot& slot) {
  std::vector<formats::TensorShape> shapes;
  for (TensorEntry& entry : tensor_entries(slot)) {
    shapes.push_back({std::move(entry.name), std::move(entry.shape)});
  }
  return shapes;
}

/// Dimension `dim` of the weight that opens the slot, or `otherwise` where the file has none: what
/// is missing is told later with everything else that is.
int weight_dim(const formats::TensorFile& state, const space::Slot& slot, std::size_t dim,
               int otherwise) {
  const auto shapes = slot_shapes(slot);
  if (shapes.empty()) return otherwise;
  const auto* weight = formats::find_reference_tensor(state, shapes.front().name);
  if (weight == nullptr || weight->shape.size() != shapes.front().shape.size()) return otherwise;
  for (std::size_t i = 0; i < weight->shape.size(); ++i) {
    // What the file holds bounds what is made for it.
    if (i != dim && weight->shape[i] != shapes.front().shape[i]) return otherwise;
  }
  const std::int64_t found = weight->shape[dim];
  constexpr std::int64_t kMost = 1'000'000;
  return found >= 1 && found <= kMost ? static_cast<int>(found) : otherwise;
}

/// Image channels and classes of the network that the weights are of.
space::TaskIo task_of(const formats::TensorFile& state, const space::SearchSpace& space) {
  space::TaskIo io;
  const std::vector<space::Slot> slots = space::slots(space, io);
  io.in_channels = weight_dim(state, slots.front(), 1, io.in_channels);
  io.num_classes = weight_dim(state, slots.back(), 0, io.num_classes);
  return io;
}

}  // namespace

ImportedSupernet import_reference_supernet(const formats::TensorFile& state,
                                           const space::SearchSpace& space,
                                           const std::string& where) {
  ImportedSupernet imported{Supernet(space, task_of(state, space), /*seed=*/0), 0, {}};
  std::vector<formats::TensorShape> wanted;
  for (const auto& [name, tensor] : imported.network.state()) {
    wanted.push_back({name, tensor.sizes().vec()});
  }
  formats::ReferenceState matched = formats::match_reference_state(
      state, wanted, fmt::format("{}: does not fit the space '{}'", where, space.name()));
  imported.network.import_state({{}, std::move(matched.tensors)}, where);
  imported.num_tensors = wanted.size();
  imported.filled = std::move(matched.filled);
  return imported;
}

void write_imported_checkpoint(const std::filesystem::path& file, const Supernet& network,
                               const space::SearchSpace& space, const ImportSource& source) {
  TrainPosition position;
  position.phase = kImportedPhase;
  position.phase_done = true;
  write_checkpoint(file, {space.fingerprint(), network.io(), source.sha256, "an import"}, network,
                   position);
}

formats::FoldedNetwork import_reference_network(const formats::TensorFile& state,
                                                const formats::NetworkDescription& description,
                                                const std::string& where) {
  Supernet::Impl impl;
  impl.io = description.plan.io;
  impl.norm_eps = description.batch_norm.eps;
  impl.slots = formats::slots(description);
  std::vector<formats::TensorShape> wanted;
  for (const space::Slot& slot : impl.slots) {
    for (formats::TensorShape& shape : slot_shapes(slot)) wanted.push_back(std::move(shape));
  }
  const auto matched = formats::match_reference_state(
      state, wanted, fmt::format("{}: does not fit the description", where));
  for (const formats::NamedTensor& tensor : matched.tensors) {
    impl.state.emplace_back(tensor.name, to_tensor(tensor));
  }
  impl.bind();
  const space::NetworkPlan& plan = description.plan;
  return StaticNetwork(StaticParts{plan, fold(impl.weights(plan), impl.stored_statistics(plan),
                                              impl.norm_eps)})
      .folded();
}

}  // namespace omnifit::supernet
