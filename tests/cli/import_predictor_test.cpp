#include "core/file_io.hpp"
#include "predictors/predictor_store.hpp"
#include "store/database.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/formats/torch_file_builder.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using test::omnifit_command;
using test::Result;

namespace {

/// A predictor with one layer whose output is 0.5 + 0.001 × the number of ones.
formats::TensorFile small_predictor() {
  using formats::NamedTensor;
  return {{},
          {NamedTensor::from_floats("0.weight", {1, 128}, std::vector<float>(128, 0.001F)),
           NamedTensor::from_floats("0.bias", {1}, std::vector<float>{0.5F})}};
}

std::filesystem::path write(const test::TempDir& folder, const formats::TensorFile& state) {
  const auto file = folder / "their predictor.pth";
  core::write_file_atomically(
      file, test::legacy_state_dict(state, [](const std::string& name) { return name; }));
  return file;
}

std::vector<std::string> command(const std::filesystem::path& file,
                                 const std::filesystem::path& project) {
  return {"import",        "predictor", file.string(),           "--space",
          "ofa_mbv3",      "--set",     "resolutions=[160,224]", "--project",
          project.string()};
}

void check_refused(const Result& result, const std::string& message) {
  CHECK(result.code == 2);
  CHECK(result.out.empty());
  CHECK_THAT(result.err, StartsWith("omnifit: ") && ContainsSubstring(message));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("a released predictor is stored in a project", "[cli][unit]") {
  const test::TempDir folder;
  const auto file = write(folder, small_predictor());
  auto arguments = command(file, folder / "search.db");
  const Result told = omnifit_command(folder, arguments);
  INFO(told.err);
  REQUIRE(told.code == 0);
  // 10 and 20 blocks with a kernel and a ratio each, and the resolution.
  CHECK_THAT(told.out, ContainsSubstring("stored their predictor.pth in") &&
                           ContainsSubstring("top-1 52.1") && ContainsSubstring("54.1"));
  arguments.emplace_back("--json");
  const Result result = omnifit_command(folder, arguments);  // replaces the first
  REQUIRE(result.code == 0);
  const auto json = nlohmann::json::parse(result.out);
  CHECK(json["kind"] == "reference_mlp");
  CHECK(json["top1_largest"].get<double>() == Approx(0.541).epsilon(1e-6));
  const store::Database db(folder / "search.db", store::Database::Mode::kReadOnly);
  const auto stored = predictors::newest_predictor(db);
  REQUIRE(stored);
  CHECK(stored->kind == "reference_mlp");
  CHECK(omnifit_command(folder, {"import", "predictor", "--help"}).code == 0);
}

TEST_CASE("a predictor that cannot be imported leaves the project alone", "[cli][error]") {
  const test::TempDir folder;
  const auto project = folder / "search.db";
  const auto file = write(folder, small_predictor());
  auto arguments = command(file, project);
  arguments[6] = "resolutions=[160,200]";
  check_refused(omnifit_command(folder, arguments),
                "their predictor.pth: resolution 200 has no column; allowed: 112, 128");
  arguments = command(folder / "none.pth", project);
  check_refused(omnifit_command(folder, arguments), "none.pth: no such file");
  arguments = command(file, project);
  arguments[4] = "ofa_mbv4";
  check_refused(omnifit_command(folder, arguments), "unknown space 'ofa_mbv4'");
  formats::TensorFile wrong = small_predictor();
  wrong.tensors[1] =
      formats::NamedTensor::from_floats("0.bias", {2}, std::vector<float>{0.5F, 0.5F});
  check_refused(omnifit_command(folder, command(write(folder, wrong), project)),
                "'0.bias' has shape [2], expected [1]");
  CHECK_FALSE(std::filesystem::exists(project));
}
