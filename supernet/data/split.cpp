#include "supernet/data/split.hpp"

#include "core/error.hpp"

namespace omnifit::supernet {

const char* split_name(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "validation";
    case Split::kTest:
      return "test";
  }
  OMNIFIT_CHECK(false, "unknown split {}", static_cast<int>(split));
}

const ImageSplit& split_of(const Dataset& data, Split split) {
  switch (split) {
    case Split::kTrain:
      return data.train;
    case Split::kValidation:
      return data.validation;
    case Split::kTest:
      return data.test;
  }
  OMNIFIT_CHECK(false, "unknown split {}", static_cast<int>(split));
}

const ImageSplit& filled_split(const Dataset& data, Split split) {
  const ImageSplit& images = split_of(data, split);
  if (images.count() == 0) {
    throw DataError(fmt::format("{}: no {} images", data.name, split_name(split)));
  }
  return images;
}

}  // namespace omnifit::supernet
