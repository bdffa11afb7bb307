#include "predictors/prior.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "learn/metrics.hpp"
#include "predictors/arch_translation.hpp"
#include "predictors/predictor_store.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/predictors/ofa_table.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/project.hpp"
#include "tests/support/temp_dir.hpp"

#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

namespace omnifit::predictors {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};
const std::filesystem::path kReleased =
    std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released/acc_predictor.pth";

struct Samples {
  std::vector<space::Arch> archs;
  std::vector<double> top1;
};

/// Distinct random archs; accuracy grows with their cost, and with the kernel of one block.
Samples make_samples(const space::SearchSpace& space, std::size_t count, double kernel_gain) {
  core::Rng rng = test::test_rng(3);
  std::set<space::Arch> seen;
  Samples samples;
  while (samples.archs.size() < count) {
    const space::Arch arch = space::sample(space, rng);
    if (!seen.insert(arch).second) continue;
    const auto cost = static_cast<double>(space::macs(space::lower(space, arch, kIo)));
    samples.archs.push_back(arch);
    samples.top1.push_back(0.9 - 300.0 / std::sqrt(cost) * 0.1 + kernel_gain * arch.choice(3));
  }
  return samples;
}

/// A project whose newest predictor was fitted on `space`.
class SiblingProject {
 public:
  explicit SiblingProject(const space::SearchSpace& space, double kernel_gain = 0.0)
      : project_(space, kIo) {
    const Samples samples = make_samples(space, 60, kernel_gain);
    const FitResult result =
        AccuracyPredictor::fit(space, kIo, samples.archs, samples.top1, ridge(), 1);
    put_predictor(project_.db, project_.add_stage_run("fit"), project_.space_id, result,
                  [&](SQLite::Database& sql, const space::Arch& arch) {
                    return project_.arch_id(sql, arch);
                  });
  }
  static FitConfig ridge() {
    FitConfig config;
    config.model = learn::ModelChoice::kRidge;
    return config;
  }
  [[nodiscard]] std::filesystem::path file() const { return project_.db.path(); }
  [[nodiscard]] test::Project& project() { return project_; }

 private:
  test::Project project_;
};

double tau(const Eigen::VectorXd& predicted, const std::vector<double>& measured) {
  return learn::kendall_tau({predicted.data(), measured.size()}, measured);
}

}  // namespace

TEST_CASE("archs find their nearest siblings", "[predictors][unit]") {
  const auto from = test::shipped_space_with("tiny", {});
  const auto narrow = test::shipped_space_with("tiny", {"width_mult=0.5"});
  const ArchTranslation same_choices(from, narrow);
  core::Rng rng = test::test_rng(1);
  for (int i = 0; i < 50; ++i) {
    const space::Arch arch = space::sample(from, rng);
    const space::Arch sibling = same_choices(arch);
    CHECK(sibling.space_fingerprint() == narrow.fingerprint());
    CHECK(std::ranges::equal(sibling.choices(), arch.choices()));
  }
  const ArchTranslation itself(from, from);
  CHECK(itself(space::largest(from)) == space::largest(from));

  const auto other_px = test::ofa_mbv3(1.0, {130, 200});
  const ArchTranslation to_others(other_px, test::ofa_mbv3(1.2, {128, 160, 192, 208, 224}));
  const auto target = test::ofa_mbv3(1.2, {128, 160, 192, 208, 224});
  CHECK(space::resolution_px(target, to_others(space::smallest(other_px))) == 128);
  // 200 lies between 192 and 208: the smaller.
  CHECK(space::resolution_px(target, to_others(space::largest(other_px))) == 192);
  CHECK(space::depth(target, to_others(space::largest(other_px)), 1) == 4);
}

TEST_CASE("spaces that are no siblings are refused", "[predictors][error]") {
  const auto mbv3 = test::ofa_mbv3(1.0, {224});
  CHECK_THROWS_WITH(ArchTranslation(mbv3, test::ofa_resnet50({224})),
                    "space 'ofa_resnet50' is of family bottleneck, 'ofa_mbv3' of family mbconv");
  CHECK_THROWS_WITH(ArchTranslation(mbv3, test::ofa_proxyless(1.3, {224})),
                    ContainsSubstring("space 'ofa_proxyless' has") &&
                        ContainsSubstring("stages, 'ofa_mbv3' has 6"));
  CHECK_THROWS_WITH(ArchTranslation(mbv3, mbv3)(space::largest(test::ofa_mbv3(1.2, {224}))),
                    "the arch is of another space than the translation");
}

TEST_CASE("the predictor of another project is a prior", "[predictors][unit]") {
  const auto narrow = test::shipped_space_with("tiny", {"width_mult=0.5"});
  const auto space = test::shipped_space("tiny");
  const SiblingProject sibling(narrow);
  const Prior prior = Prior::load(sibling.file(), space);
  CHECK(prior.source() == "project.db");
  CHECK(prior.source_sha256().size() == 64);

  const Samples all = make_samples(space, 80, 0.01);
  const Eigen::VectorXd said = prior.predict(all.archs);
  CHECK(tau(said, all.top1) > 0.5);
  const Prior restored = Prior::restore(prior.serialise(), space);
  CHECK(restored.predict(all.archs) == said);
  CHECK(restored.hash() == prior.hash());
  CHECK(restored.source() == prior.source());
  CHECK(restored.source_sha256() == prior.source_sha256());
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(prior.predict(std::span(all.archs).subspan(i, 1))(0) ==
          said(static_cast<Eigen::Index>(i)));
  }
  std::vector<std::byte> cut = prior.serialise();
  cut.resize(cut.size() - 8);
  CHECK_THROWS_AS(Prior::restore(cut, space), DataError);
  CHECK_THROWS_WITH(Prior::restore(prior.serialise(), test::ofa_resnet50({224})),
                    ContainsSubstring("saved prior: space 'tiny' is of family mbconv"));
}

TEST_CASE("a fit on a prior is stored with it and found again", "[predictors][unit]") {
  const auto narrow = test::shipped_space_with("tiny", {"width_mult=0.5"});
  const auto space = test::shipped_space("tiny");
  const SiblingProject sibling(narrow);
  const auto prior = std::make_shared<const Prior>(Prior::load(sibling.file(), space));
  const Samples samples = make_samples(space, 24, 0.01);
  FitConfig config;
  config.model = GENERATE(learn::ModelChoice::kRidge, learn::ModelChoice::kEnsemble);
  const FitResult result =
      AccuracyPredictor::fit(space, kIo, samples.archs, samples.top1, config, 1, 1, prior);
  const FitResult without =
      AccuracyPredictor::fit(space, kIo, samples.archs, samples.top1, config, 1);
  CHECK(result.predictor.prior() == prior.get());
  CHECK(without.predictor.prior() == nullptr);
  CHECK(result.predictor.layout_version() != without.predictor.layout_version());
  CHECK(predictor_hash(result.predictor) != predictor_hash(without.predictor));
  if (config.model == learn::ModelChoice::kRidge) {
    CHECK(result.predictor.kind() == "ridge_on_prior");
  }

  test::Project project(space, kIo);
  const std::int64_t run = project.add_stage_run("fit");
  put_predictor(
      project.db, run, project.space_id, result,
      [&](SQLite::Database& sql, const space::Arch& arch) { return project.arch_id(sql, arch); });
  CHECK(project.count("predictor WHERE prior_source = 'project.db' AND "
                      "length(prior_source_sha256) = 64 AND length(prior) > 0") == 1);
  const AccuracyPredictor stored = get_predictor(project.db, run, space, kIo);
  CHECK(stored.predict_mean(samples.archs) == result.predictor.predict_mean(samples.archs));
  CHECK(predictor_hash(stored) == predictor_hash(result.predictor));

  // Without the prior's bytes it is another layout.
  CHECK_THROWS_WITH(AccuracyPredictor::restore(space, kIo, stored.kind(), stored.layout_version(),
                                               stored.serialise()),
                    ContainsSubstring("was fitted on another space, task or feature layout"));
  // A prior that has one itself is not taken.
  CHECK_THROWS_WITH(Prior::load(project.db.path(), space),
                    project.db.path().string() +
                        ": its predictor corrects another one itself; name that one's file as "
                        "prior");
}

TEST_CASE("files that hold no prior are refused in one line", "[predictors][error]") {
  const auto space = test::shipped_space("tiny");
  const test::Project empty(space, kIo);
  CHECK_THROWS_WITH(Prior::load(empty.db.path(), space),
                    empty.db.path().string() + ": no accuracy predictor is stored in this project");
  const SiblingProject sibling(space);
  CHECK_THROWS_WITH(Prior::load(sibling.file(), test::ofa_mbv3(1.0, {224})),
                    ContainsSubstring("project.db: space 'tiny' has"));
  const test::TempDir folder;
  core::write_file_atomically(folder.path() / "text.pth", std::string("no predictor"));
  CHECK_THROWS_WITH(Prior::load(folder.path() / "text.pth", space),
                    ContainsSubstring("text.pth: "));
  CHECK_THROWS_WITH(Prior::load(folder.path() / "none.pth", space),
                    (folder.path() / "none.pth").string() + ": no such file");
  core::write_file_atomically(folder.path() / "half.db", std::string("SQLite format 3\0", 16));
  CHECK_THROWS_AS(Prior::load(folder.path() / "half.db", space), DataError);
}

TEST_CASE("an imported predictor is stored without figures and found again",
          "[predictors][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/acc_predictor.pth");
  const auto space = test::ofa_mbv3(1.2, {160, 192, 224});
  const ImportedPredictor imported = load_imported_predictor(kReleased, space);
  CHECK(imported.predictor.is_imported());
  CHECK(imported.predictor.kind() == "reference_mlp");
  CHECK(imported.source.name == "acc_predictor.pth");
  CHECK(imported.source.sha256.starts_with("48685122a354"));

  test::Project project(space, kIo);
  const std::int64_t run = project.add_stage_run("fit");
  for (int i = 0; i < 2; ++i) {  // replaces the first
    put_imported_predictor(project.db, run, project.space_id, imported.predictor, imported.source);
    put_imported_predictor(project.db, std::nullopt, project.space_id, imported.predictor,
                           imported.source);
  }
  CHECK(project.count("predictor WHERE source = 'acc_predictor.pth' AND num_train IS NULL") == 2);
  CHECK_FALSE(get_fit_metrics(project.db, run));
  const AccuracyPredictor stored = get_predictor(project.db, run, space, {3, 1000});
  const std::vector<space::Arch> archs{space::largest(space), space::smallest(space)};
  CHECK(stored.predict_mean(archs)(0) == Approx(0.83592778).margin(1e-6));
  CHECK(stored.predict(archs).mean == imported.predictor.predict_mean(archs));
  CHECK((stored.predict(archs).deviation.array() == 0.0).all());
  CHECK(predictor_hash(stored) == predictor_hash(imported.predictor));
  CHECK_THROWS_WITH(get_predictor(project.db, run, test::ofa_mbv3(1.0, {160, 192, 224}), kIo),
                    ContainsSubstring("was fitted on another space"));
  // And it is a prior for others.
  const Prior prior = Prior::load(project.db.path(), test::ofa_mbv3(1.0, {160, 192, 224}));
  CHECK(prior.predict(std::vector{space::largest(test::ofa_mbv3(1.0, {160, 192, 224}))})(0) ==
        Approx(0.83592778).margin(1e-6));
}

TEST_CASE("100 subnets of width 1.0 correct the released predictor of width 1.2",
          "[predictors][parity]") {
  OMNIFIT_REQUIRE_DATA("accuracy/ofa_mbv3_w1.0_imagenet_top1.csv")
  OMNIFIT_REQUIRE_DATA("ofa_released/acc_predictor.pth");
  const auto space = test::ofa_space();
  const auto table =
      test::read_accuracy_table(space, std::filesystem::path(OMNIFIT_SHARED_DATA) /
                                           "accuracy/ofa_mbv3_w1.0_imagenet_top1.csv");
  const auto prior = std::make_shared<const Prior>(Prior::load(kReleased, space));
  CHECK(tau(prior->predict(table.archs), table.top1) > 0.85);
  std::vector<space::Arch> archs;
  std::vector<double> top1;
  for (std::size_t i = 0; i < table.archs.size(); i += 14) {
    archs.push_back(table.archs[i]);
    top1.push_back(table.top1[i]);
  }
  FitConfig config;
  config.model = learn::ModelChoice::kGaussianProcess;
  const FitResult fit = AccuracyPredictor::fit(space, {3, 1000}, archs, top1, config, 1, 2, prior);
  CHECK(tau(fit.predictor.predict_mean(table.archs), table.top1) > 0.94);
}

}  // namespace omnifit::predictors
