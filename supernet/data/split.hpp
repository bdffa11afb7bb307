#pragma once

#include "supernet/data/dataset.hpp"

namespace omnifit::supernet {

enum class Split { kTrain, kValidation, kTest };

/// "train", "validation", "test".
const char* split_name(Split split);

/// The images of a split.
const ImageSplit& split_of(const Dataset& data, Split split);

/// The same where there must be some. @throws DataError "NAME: no SPLIT images"
const ImageSplit& filled_split(const Dataset& data, Split split);

}  // namespace omnifit::supernet
