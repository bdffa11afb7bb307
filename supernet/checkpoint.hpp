#pragma once

#include "supernet/sgd.hpp"
#include "supernet/supernet.hpp"
#include "supernet/trainer.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace omnifit::supernet {

/// Sums since the last time training metrics were told; part of a checkpoint, so that a resumed run
/// tells the same.
struct MetricWindow {
  double loss = 0.0;
  double correct = 0.0;
  std::int64_t num_losses = 0;
  std::int64_t num_images = 0;
};

/// Where training stands.
struct TrainPosition {
  int phase_index = 0;
  std::string phase;
  std::int64_t phase_step = 0;  ///< steps of the phase that are done
  std::int64_t step = 0;        ///< steps of the whole training that are done
  bool phase_done = false;
  MetricWindow window;
};

/// What a checkpoint must match to be continued from.
struct CheckpointKey {
  std::uint64_t space_fingerprint = 0;
  space::TaskIo io;
  std::string input_hash;
  std::string machine;  ///< need not match: a difference is told, see TrainContext
};

/// Writes one checkpoint without the optimiser's state, atomically. @throws EnvironmentError
void write_checkpoint(const std::filesystem::path& file, const CheckpointKey& key,
                      const Supernet& network, const TrainPosition& position);

/// Reads and writes the checkpoints of one folder.
class CheckpointFolder {
 public:
  /// Creates the folder. @throws EnvironmentError if it cannot.
  CheckpointFolder(std::filesystem::path folder, CheckpointKey key, core::ProgressSink* progress);

  /// Weights, momentum and position, into one of two files in turn: a kill while writing leaves the
  /// other.
  void write_progress(const Supernet& network, const Sgd& optimiser, const TrainPosition& position);
  /// Weights and position at a phase's end.
  void write_phase(const Supernet& network, const TrainPosition& position);

  /// The newest whole checkpoint of the same key. Torn and foreign files are told to the progress
  /// sink and passed over.
  struct Found {
    std::filesystem::path file;
    std::string machine;  ///< that wrote it
    TrainPosition position;
    formats::TensorFile content;
  };
  [[nodiscard]] std::optional<Found> newest(const std::vector<std::string>& phases);

  [[nodiscard]] std::filesystem::path phase_file(const std::string& phase) const;
  [[nodiscard]] CheckpointInfo info(const TrainPosition& position, bool final) const;

 private:
  [[nodiscard]] std::optional<Found> try_read(const std::filesystem::path& file) const;
  void message(const std::string& text) const;

  std::filesystem::path folder_;
  CheckpointKey key_;
  core::ProgressSink* progress_;
  int next_progress_ = 0;
};

/// Splits a progress checkpoint: restores the weights, and the momentum where `optimiser` is given.
/// @throws DataError listing every missing, extra and misshapen tensor.
void restore(const CheckpointFolder::Found& found, Supernet& network, const Sgd* optimiser);

}  // namespace omnifit::supernet
