#pragma once

#include "space/arch.hpp"
#include "supernet/data/split.hpp"
#include "supernet/supernet.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace omnifit::supernet {

/// Measured accuracy of one subnet inside the supernet, after batch-norm calibration.
struct SubnetAccuracy {
  double top1 = 0.0;  ///< fraction
  double top5 = 0.0;  ///< fraction; 1 if there are at most five classes
  double loss = 0.0;  ///< mean cross-entropy
  std::int64_t num_images = 0;
};

struct EvalOptions {
  int calibration_images = 1000;  ///< training images (without augmentation), batches of batch_size
  int batch_size = 100;
  std::int64_t max_images = 0;  ///< of the split; 0 = all
  int threads = 1;              ///< subnets evaluated at once, one LibTorch thread each
  /// Prepared images of several resolutions are held at once as long as all take no more than this;
  /// those of one resolution are in any case.
  std::int64_t max_image_bytes = std::int64_t{1} << 30;
};

/// Calibrates and evaluates many subnets at once over one set of shared weights. Images are
/// normalised and resized once per resolution, and kept for later calls while there is room
/// (EvalOptions::max_image_bytes). The result of a subnet does not depend on which others are
/// evaluated with it, nor on the thread count or the room.
class SubnetEvaluator {
 public:
  /// Keeps references: network, space and data must outlive it.
  SubnetEvaluator(const Supernet& network, const space::SearchSpace& space, const Dataset& data);
  ~SubnetEvaluator();

  /// Results in the order of `archs`. `on_done(i, accuracy)` is called under a lock as soon as
  /// subnet i is finished, in any order: as many resolutions at a time as there is room for, from
  /// the smallest. Safe points in between.
  std::vector<SubnetAccuracy> evaluate(
      std::span<const space::Arch> archs, Split split, const EvalOptions& options,
      const std::function<void(std::size_t, const SubnetAccuracy&)>& on_done = {}) const;

  /// The standalone network of a subnet: calibrated, batch norm folded.
  [[nodiscard]] formats::FoldedNetwork extract(const space::Arch& arch,
                                               const EvalOptions& options) const;

  /// `count` images of a split as the network sees them (normalised, resized to the arch's
  /// resolution), row-major [count, c, px, px], with the supernet's own logits [count, classes] for
  /// them: what exports are proven against.
  struct ProofCase {
    formats::NamedTensor images;
    formats::NamedTensor logits;
  };
  [[nodiscard]] ProofCase proof_case(const space::Arch& arch, Split split, int count,
                                     const EvalOptions& options) const;

  /// Of the prepared images that are held now.
  [[nodiscard]] std::int64_t held_image_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace omnifit::supernet
