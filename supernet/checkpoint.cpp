#include "supernet/checkpoint.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "space/lower.hpp"
#include "supernet/slot_naming.hpp"
#include "supernet/tensor_conversion.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace omnifit::supernet {
namespace {

constexpr const char* kKind = "omnifit.checkpoint/1";
constexpr const char* kMomentumPrefix = "momentum/";
constexpr std::array<const char*, 2> kProgressNames{"progress-0.safetensors",
                                                    "progress-1.safetensors"};

std::map<std::string, std::string> metadata(const CheckpointKey& key,
                                            const TrainPosition& position) {
  return {{"kind", kKind},
          {"space_fingerprint", core::hex64(key.space_fingerprint)},
          {"in_channels", std::to_string(key.io.in_channels)},
          {"num_classes", std::to_string(key.io.num_classes)},
          {"input_hash", key.input_hash},
          {"machine", key.machine},
          {"phase", position.phase},
          {"phase_index", std::to_string(position.phase_index)},
          {"phase_step", std::to_string(position.phase_step)},
          {"step", std::to_string(position.step)},
          {"phase_done", position.phase_done ? "1" : "0"},
          {"window_loss", fmt::format("{}", position.window.loss)},
          {"window_correct", fmt::format("{}", position.window.correct)},
          {"window_losses", std::to_string(position.window.num_losses)},
          {"window_images", std::to_string(position.window.num_images)}};
}

const std::string& entry(const formats::TensorFile& file, const std::string& name,
                         const std::string& where) {
  const auto found = file.metadata.find(name);
  if (found == file.metadata.end()) {
    throw DataError(fmt::format("{}: not a checkpoint: no metadata '{}'", where, name));
  }
  return found->second;
}

template <class T>
T number(const formats::TensorFile& file, const std::string& name, const std::string& where) {
  const std::string& text = entry(file, name, where);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw DataError(fmt::format("{}: metadata '{}' is '{}', expected a number", where, name, text));
  }
  return value;
}

TrainPosition position_of(const formats::TensorFile& file, const std::string& where) {
  TrainPosition position;
  position.phase = entry(file, "phase", where);
  position.phase_index = number<int>(file, "phase_index", where);
  position.phase_step = number<std::int64_t>(file, "phase_step", where);
  position.step = number<std::int64_t>(file, "step", where);
  position.phase_done = entry(file, "phase_done", where) == "1";
  position.window.loss = number<double>(file, "window_loss", where);
  position.window.correct = number<double>(file, "window_correct", where);
  position.window.num_losses = number<std::int64_t>(file, "window_losses", where);
  position.window.num_images = number<std::int64_t>(file, "window_images", where);
  return position;
}

/// The task a checkpoint says it is for.
space::TaskIo task_of(const formats::TensorFile& file, const std::string& where) {
  return {number<int>(file, "in_channels", where), number<int>(file, "num_classes", where)};
}

/// Reads a checkpoint and checks kind and space. @throws DataError
formats::TensorFile read_checkpoint(const std::filesystem::path& path, std::uint64_t fingerprint) {
  const std::string where = core::path_text(path);
  formats::TensorFile file = formats::read_tensor_file(path);
  if (const std::string& kind = entry(file, "kind", where); kind != kKind) {
    throw DataError(fmt::format("{}: is a '{}' file, expected '{}'", where, kind, kKind));
  }
  if (const std::string& found = entry(file, "space_fingerprint", where);
      found != core::hex64(fingerprint)) {
    throw DataError(fmt::format("{}: belongs to another search space (fingerprint {}, expected {})",
                                where, found, core::hex64(fingerprint)));
  }
  return file;
}

/// The same, and checks the task. @throws DataError
formats::TensorFile read_checkpoint(const std::filesystem::path& path, std::uint64_t fingerprint,
                                    const space::TaskIo& io) {
  formats::TensorFile file = read_checkpoint(path, fingerprint);
  const std::string where = core::path_text(path);
  const space::TaskIo found = task_of(file, where);
  if (found != io) {
    throw DataError(fmt::format(
        "{}: is for {} channels and {} classes, the data has {} channels and {} classes", where,
        found.in_channels, found.num_classes, io.in_channels, io.num_classes));
  }
  return file;
}

/// What the metadata say of the task must be what the tensors say: nothing large is made on the
/// word of metadata alone. @throws DataError
void check_task_shapes(const formats::TensorFile& file, const space::SearchSpace& space,
                       const space::TaskIo& io, const std::string& where) {
  const std::vector<space::Slot> slots = [&] {
    try {
      return space::slots(space, io);
    } catch (const std::invalid_argument& problem) {
      throw DataError(fmt::format("{}: {}", where, problem.what()));
    }
  }();
  for (const space::Slot* slot : {&slots.front(), &slots.back()}) {
    const TensorEntry weight = tensor_entries(*slot).front();
    const formats::NamedTensor* stored = file.find(weight.name);
    if (stored == nullptr) {
      throw DataError(fmt::format("{}: '{}' is missing", where, weight.name));
    }
    if (stored->shape != weight.shape) {
      throw DataError(
          fmt::format("{}: '{}' has shape [{}], expected [{}] for {} channels and {} "
                      "classes",
                      where, weight.name, fmt::join(stored->shape, ", "),
                      fmt::join(weight.shape, ", "), io.in_channels, io.num_classes));
    }
  }
}

/// The network's own tensors of a checkpoint.
formats::TensorFile without_momentum(const formats::TensorFile& file) {
  formats::TensorFile weights;
  for (const formats::NamedTensor& tensor : file.tensors) {
    if (!tensor.name.starts_with(kMomentumPrefix)) weights.tensors.push_back(tensor);
  }
  return weights;
}

}  // namespace

void write_checkpoint(const std::filesystem::path& file, const CheckpointKey& key,
                      const Supernet& network, const TrainPosition& position) {
  formats::TensorFile content = network.export_state();
  content.metadata = metadata(key, position);
  formats::write_tensor_file(file, content);
}

CheckpointFolder::CheckpointFolder(std::filesystem::path folder, CheckpointKey key,
                                   core::ProgressSink* progress)
    : folder_(std::move(folder)), key_(std::move(key)), progress_(progress) {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) {
    throw EnvironmentError(fmt::format("{}: cannot create the checkpoint folder: {}",
                                       core::path_text(folder_), error.message()));
  }
}

void CheckpointFolder::write_progress(const Supernet& network, const Sgd& optimiser,
                                      const TrainPosition& position) {
  formats::TensorFile file = network.export_state();
  for (const auto& [name, buffer] : optimiser.buffers()) {
    file.tensors.push_back(to_named(kMomentumPrefix + name, buffer));
  }
  file.metadata = metadata(key_, position);
  formats::write_tensor_file(folder_ / kProgressNames[static_cast<std::size_t>(next_progress_)],
                             file);
  next_progress_ = 1 - next_progress_;
}

void CheckpointFolder::write_phase(const Supernet& network, const TrainPosition& position) {
  write_checkpoint(phase_file(position.phase), key_, network, position);
}

std::optional<CheckpointFolder::Found> CheckpointFolder::newest(
    const std::vector<std::string>& phases) {
  std::vector<Found> candidates;
  int whole_phases = 0;  // the leading phases whose final checkpoints are all there
  for (std::size_t i = 0; i < phases.size(); ++i) {
    auto found = try_read(phase_file(phases[i]));
    if (!found) break;
    ++whole_phases;
    candidates.assign(1, std::move(*found));
  }
  const auto age = [](const Found& found) { return found.position.step; };
  std::int64_t newest_progress = -1;
  for (std::size_t i = 0; i < kProgressNames.size(); ++i) {
    auto found = try_read(folder_ / kProgressNames[i]);
    // Later phases need the final checkpoints of all before them: the first one is the teacher.
    if (!found || found->position.phase_index > whole_phases) continue;
    if (age(*found) > newest_progress) {
      newest_progress = age(*found);
      next_progress_ = 1 - static_cast<int>(i);  // replaces the older file
    }
    candidates.push_back(std::move(*found));
  }
  // A phase's final checkpoint is at the step of its last progress checkpoint and comes first.
  const auto best = std::ranges::max_element(
      candidates, [&](const Found& a, const Found& b) { return age(a) < age(b); });
  if (best == candidates.end()) return std::nullopt;
  return std::move(*best);
}

std::filesystem::path CheckpointFolder::phase_file(const std::string& phase) const {
  return folder_ / (phase + ".safetensors");
}

CheckpointInfo CheckpointFolder::info(const TrainPosition& position, bool final) const {
  CheckpointInfo found;
  found.file = phase_file(position.phase);
  found.sha256 = core::sha256_file(found.file);
  found.size_bytes = std::filesystem::file_size(found.file);
  found.phase = position.phase;
  found.phase_index = position.phase_index;
  found.step = position.step;
  found.final = final;
  return found;
}

std::optional<CheckpointFolder::Found> CheckpointFolder::try_read(
    const std::filesystem::path& file) const {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::nullopt;
  try {
    Found found{file, {}, {}, read_checkpoint(file, key_.space_fingerprint, key_.io)};
    found.machine = entry(found.content, "machine", core::path_text(file));
    found.position = position_of(found.content, core::path_text(file));
    if (entry(found.content, "input_hash", core::path_text(file)) != key_.input_hash) {
      message(fmt::format("{}: made from other inputs, not continued from", core::path_text(file)));
      return std::nullopt;
    }
    return found;
  } catch (const DataError& problem) {
    message(fmt::format("ignored a checkpoint: {}", problem.what()));
    return std::nullopt;
  }
}

void CheckpointFolder::message(const std::string& text) const {
  if (progress_ != nullptr) progress_->message(text);
}

void restore(const CheckpointFolder::Found& found, Supernet& network, const Sgd* optimiser) {
  const std::string where = core::path_text(found.file);
  network.import_state(without_momentum(found.content), where);
  if (optimiser == nullptr) return;
  const at::NoGradGuard no_grad;
  for (auto& [name, buffer] : optimiser->buffers()) {
    const formats::NamedTensor* stored = found.content.find(kMomentumPrefix + name);
    if (stored == nullptr || stored->shape != buffer.sizes().vec()) {
      throw DataError(fmt::format("{}: no momentum of '{}' in its shape", where, name));
    }
    buffer.copy_(to_tensor(*stored));
  }
}

Supernet load_supernet(const std::filesystem::path& checkpoint, const space::SearchSpace& space,
                       space::TaskIo io) {
  const formats::TensorFile file = read_checkpoint(checkpoint, space.fingerprint(), io);
  Supernet network(space, io, /*seed=*/0);
  network.import_state(without_momentum(file), core::path_text(checkpoint));
  return network;
}

Supernet load_supernet(const std::filesystem::path& checkpoint, const space::SearchSpace& space) {
  const std::string where = core::path_text(checkpoint);
  const formats::TensorFile file = read_checkpoint(checkpoint, space.fingerprint());
  const space::TaskIo io = task_of(file, where);
  check_task_shapes(file, space, io, where);
  Supernet network(space, io, /*seed=*/0);
  network.import_state(without_momentum(file), where);
  return network;
}

}  // namespace omnifit::supernet
