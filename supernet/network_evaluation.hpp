#pragma once

#include "formats/folded_network.hpp"
#include "supernet/data/dataset.hpp"
#include "supernet/evaluation.hpp"

#include <cstdint>
#include <string>

namespace omnifit::supernet {

/// Measured accuracy of a standalone network.
struct NetworkAccuracy {
  double top1 = 0.0;  ///< fraction, over all classes of the network
  double top5 = 0.0;  ///< fraction; 1 if there are at most five classes
  double loss = 0.0;  ///< mean cross-entropy over all classes
  int num_classes = 0;
  /// Fraction when the network may only choose among the classes that the split shows; what a
  /// network of many classes is worth on a data set of few. Equal to top1 where it shows all.
  double shown_top1 = 0.0;
  int num_shown_classes = 0;
  std::int64_t num_images = 0;
};

struct NetworkEvalOptions {
  int batch_size = 50;
  std::int64_t max_images = 0;  ///< of the split; 0 = all
  int threads = 1;              ///< batches evaluated at once, one LibTorch thread each
  std::string device = "cpu";   ///< "cpu" or "cuda"
};

/// Evaluates a standalone network on the first images of a split, normalised as the data set says
/// and, where it is made for another resolution than the data set's, resized from there (see
/// resize_images()). Batches are read as they are needed. The result does not depend on the thread
/// count. Safe points in between.
///
/// @throws DataError if the split is empty, or if the network takes other channels or has another
/// number of classes than the data set.
NetworkAccuracy evaluate_network(const formats::FoldedNetwork& network, const Dataset& data,
                                 Split split, const NetworkEvalOptions& options);

}  // namespace omnifit::supernet
