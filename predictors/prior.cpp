#include "predictors/prior.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/node.hpp"
#include "learn/detail/bytes.hpp"
#include "predictors/accuracy_predictor.hpp"
#include "predictors/arch_translation.hpp"
#include "predictors/predictor_store.hpp"
#include "predictors/reference_predictor.hpp"
#include "store/database.hpp"

#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <variant>

namespace omnifit::predictors {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::string_view kTag = "prior predictor";

/// A predictor of a sibling space, behind the way to its archs.
struct Sibling {
  ArchTranslation translation;
  AccuracyPredictor predictor;
};

bool is_project_file(const std::filesystem::path& file) {
  constexpr std::string_view kMagic = "SQLite format 3";
  std::string start(kMagic.size(), '\0');
  std::ifstream stream(file, std::ios::binary);
  return stream.read(start.data(), static_cast<std::streamsize>(start.size())) && start == kMagic;
}

Sibling make_sibling(const StoredPredictor& stored, const space::SearchSpace& space) {
  const space::SearchSpace own =
      space::SearchSpace::from_yaml(core::parse_yaml(stored.space_yaml, "space of the prior"));
  ArchTranslation translation(space, own);
  return {std::move(translation),
          AccuracyPredictor::restore(own, stored.io, stored.kind, stored.layout_version,
                                     stored.weights)};
}

}  // namespace

struct Prior::Model {
  std::string source;
  std::string source_sha256;
  std::variant<ReferencePredictor, Sibling> predictor;
  std::vector<std::byte> bytes;  ///< of the predictor, without its source
};

Prior::Prior(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

Prior Prior::load(const std::filesystem::path& file, const space::SearchSpace& space) {
  const std::string name = core::path_text(file.filename());
  learn::detail::ByteWriter out(kTag, kVersion);
  if (!is_project_file(file)) {
    auto predictor =
        ReferencePredictor::load(file, space, ReferencePredictor::Resolutions::kNearest);
    out.integer(0);
    out.bytes(predictor.serialise());
    return Prior(std::make_shared<const Model>(
        Model{name, core::sha256_file(file), std::move(predictor), out.take()}));
  }
  const store::Database db(file, store::Database::Mode::kReadOnly);
  const std::string where = core::path_text(file);
  const std::optional<StoredPredictor> stored = newest_predictor(db);
  if (!stored) throw DataError(where + ": no accuracy predictor is stored in this project");
  if (!stored->prior.empty()) {
    throw DataError(where +
                    ": its predictor corrects another one itself; name that one's file as prior");
  }
  try {
    Sibling sibling = make_sibling(*stored, space);
    out.integer(1);
    out.text(stored->space_yaml);
    out.integer(static_cast<std::uint64_t>(stored->io.in_channels));
    out.integer(static_cast<std::uint64_t>(stored->io.num_classes));
    out.text(stored->kind);
    out.integer(stored->layout_version);
    out.bytes(stored->weights);
    return Prior(std::make_shared<const Model>(
        Model{name, core::sha256_hex(stored->weights), std::move(sibling), out.take()}));
  } catch (const std::invalid_argument& problem) {
    throw DataError(fmt::format("{}: {}", where, problem.what()));
  }
}

Prior Prior::restore(std::span<const std::byte> bytes, const space::SearchSpace& space) {
  learn::detail::ByteReader outer(bytes, "prior", kVersion);
  std::string source = outer.text();
  std::string sha256 = outer.text();
  std::vector<std::byte> content = outer.bytes();
  outer.finish();
  learn::detail::ByteReader in(content, kTag, kVersion);
  const std::uint64_t kind = in.integer();
  if (kind > 1) in.fail("it is of a newer version");
  if (kind == 0) {
    const std::vector<std::byte> weights = in.bytes();
    in.finish();
    auto predictor =
        ReferencePredictor::restore(weights, space, ReferencePredictor::Resolutions::kNearest);
    return Prior(std::make_shared<const Model>(
        Model{std::move(source), std::move(sha256), std::move(predictor), std::move(content)}));
  }
  StoredPredictor stored;
  stored.space_yaml = in.text();
  stored.io.in_channels = static_cast<int>(in.integer());
  stored.io.num_classes = static_cast<int>(in.integer());
  stored.kind = in.text();
  stored.layout_version = in.integer();
  stored.weights = in.bytes();
  in.finish();
  try {
    Sibling sibling = make_sibling(stored, space);
    return Prior(std::make_shared<const Model>(
        Model{std::move(source), std::move(sha256), std::move(sibling), std::move(content)}));
  } catch (const std::invalid_argument& problem) {
    throw DataError(fmt::format("saved prior: {}", problem.what()));
  }
}

std::vector<std::byte> Prior::serialise() const {
  learn::detail::ByteWriter out("prior", kVersion);
  out.text(model_->source);
  out.text(model_->source_sha256);
  out.bytes(model_->bytes);
  return out.take();
}

Eigen::VectorXd Prior::predict(std::span<const space::Arch> archs) const {
  if (const auto* reference = std::get_if<ReferencePredictor>(&model_->predictor)) {
    Eigen::VectorXd top1(static_cast<Eigen::Index>(archs.size()));
    reference->predict(archs, {top1.data(), archs.size()});
    return top1;
  }
  const Sibling& sibling = std::get<Sibling>(model_->predictor);
  std::vector<space::Arch> translated;
  translated.reserve(archs.size());
  for (const space::Arch& arch : archs) translated.push_back(sibling.translation(arch));
  return sibling.predictor.predict_mean(translated);
}

const std::string& Prior::source() const { return model_->source; }
const std::string& Prior::source_sha256() const { return model_->source_sha256; }
std::uint64_t Prior::hash() const { return core::stable_hash(model_->bytes); }

}  // namespace omnifit::predictors
