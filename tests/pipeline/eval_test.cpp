#include "pipeline/eval.hpp"

#include "formats/network_description.hpp"
#include "formats/network_file.hpp"
#include "formats/torch_file.hpp"
#include "space/arch.hpp"
#include "space/lower.hpp"
#include "supernet/reference_import.hpp"
#include "supernet/static_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

#include <nlohmann/json.hpp>

using namespace omnifit;
using namespace omnifit::pipeline;
using Catch::Matchers::ContainsSubstring;

namespace {

Job load(const std::filesystem::path& file, const std::vector<std::string>& assignments = {}) {
  JobOverrides overrides;
  overrides.assignments = assignments;
  return load_job(file, overrides);
}

/// A random network of the tiny space at its smallest resolution, as a file.
std::filesystem::path write_network(const test::TempDir& folder, const Job& job) {
  const space::NetworkPlan plan =
      space::lower(job.space, space::smallest(job.space), {3, job.config.data.num_classes});
  const formats::FoldedNetwork network = supernet::StaticNetwork::random(plan, 3).folded();
  formats::write_network_file(folder / "net.safetensors", network, {});
  return folder / "net.safetensors";
}

}  // namespace

TEST_CASE("a network file is scored on a job's images without a project", "[pipeline][unit]") {
  const test::TempDir folder;
  const Job job = load(test::write_tiny_job(folder.path()));
  const NetworkEvalRow row = evaluate_network_file(job, {write_network(folder, job)});
  CHECK_FALSE(std::filesystem::exists(job.project_file));
  CHECK(row.network == "net.safetensors");
  CHECK(row.data == "synthetic");
  CHECK(row.split == "test");
  CHECK(row.accuracy.num_images == 100);
  CHECK(row.accuracy.top1 == row.accuracy.shown_top1);
  CHECK(row.accuracy.top5 >= row.accuracy.top1);
  CHECK(row.accuracy.loss > 0.0);
  CHECK(row.costs.macs > 0);
  const std::string table = network_eval_table(row);
  CHECK_THAT(table, ContainsSubstring("net.safetensors") && ContainsSubstring("top-1 of 10") &&
                        ContainsSubstring("100 (synthetic test)"));
  CHECK_THAT(table, !ContainsSubstring("shown"));
  const auto json = nlohmann::json::parse(network_eval_json(row));
  CHECK(json.at("top1") == row.accuracy.top1);
  CHECK(json.at("shown_top1") == row.accuracy.shown_top1);
  CHECK(json.at("num_images") == 100);
  CHECK(json.at("macs") == row.costs.macs);
}

TEST_CASE("the split decides what is read of the data", "[pipeline][unit]") {
  const test::TempDir folder;
  const Job job = load(test::write_tiny_job(folder.path()));
  const std::filesystem::path file = write_network(folder, job);
  CHECK(evaluate_network_file(job, {file, "train"}).accuracy.num_images == 256);
  CHECK(evaluate_network_file(job, {file, "validation"}).accuracy.num_images == 100);
  const Job normalised =
      load(job.file, {"data.mean=[0.5, 0.5, 0.5]", "data.deviation=[0.25, 0.25, 0.25]"});
  CHECK(evaluate_network_file(normalised, {file, "test"}).accuracy.num_images == 100);
  CHECK_THROWS_AS(evaluate_network_file(job, {file, "best"}), ConfigError);
}

TEST_CASE("a file that is no network is refused by name", "[pipeline][error]") {
  const test::TempDir folder;
  const Job job = load(test::write_tiny_job(folder.path()));
  const auto error = [](const Job& where, const std::filesystem::path& file) {
    try {
      evaluate_network_file(where, {file});
    } catch (const DataError& problem) {
      return std::string(problem.what());
    }
    return std::string("no error");
  };
  CHECK_THAT(error(job, folder / "no.safetensors"),
             ContainsSubstring((folder / "no.safetensors").string() + ": no such file"));
  CHECK_THAT(error(job, job.file), ContainsSubstring("job.yaml: "));
  CHECK_THAT(error(load(job.file, {"data.num_classes=5"}), write_network(folder, job)),
             ContainsSubstring("data.num_classes = 5, but the network has 10 classes"));
}

TEST_CASE("a pretrained ImageNet network scores what is published for it", "[pipeline][golden]") {
  OMNIFIT_REQUIRE_DATA("pretrained");
  OMNIFIT_REQUIRE_DATA("imagenette224");
  const std::filesystem::path shared = OMNIFIT_SHARED_DATA;
  const std::string name = "proxyless-w0.25-r112_imagenet";
  const std::filesystem::path source = shared / "pretrained" / name;
  const test::TempDir folder;
  const std::filesystem::path file = folder / "net.safetensors";
  formats::write_network_file(
      file,
      supernet::import_reference_network(
          formats::read_torch_file(source / (name + ".pth")),
          formats::read_network_description(source / (name + ".json"), 112), name),
      {});
  const Job job = load(std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/imagenette.yaml",
                       {"data.root=" + (shared / "imagenette224").string(),
                        "data.mean=[0.5, 0.5, 0.5]", "data.deviation=[0.5, 0.5, 0.5]"});
  const NetworkEvalRow row = evaluate_network_file(job, {file});
  CHECK(row.accuracy.num_images == 500);
  CHECK(row.accuracy.num_classes == 1000);
  CHECK(row.accuracy.num_shown_classes == 10);
  CHECK(row.accuracy.top1 == Approx(0.496).margin(0.004));
  CHECK(row.accuracy.shown_top1 == Approx(0.942).margin(0.004));
  CHECK_THAT(network_eval_table(row), ContainsSubstring("top-1 of 10 shown"));
}

TEST_CASE("an estimate that stands on estimated units says how sure it is", "[pipeline][unit]") {
  EvalRow row;
  row.arch = "tiny r=32";
  row.estimated_latency_ms = 12.5;
  CHECK_THAT(eval_table({row}), ContainsSubstring("12.5 ms") && !ContainsSubstring("\u00b1"));
  CHECK_THAT(eval_json({row}), ContainsSubstring("\"estimated_latency_deviation_ms\": null"));
  row.estimated_latency_deviation_ms = 0.25;
  CHECK_THAT(eval_table({row}), ContainsSubstring("12.5 \u00b1 0.25 ms"));
  CHECK_THAT(eval_json({row}), ContainsSubstring("\"estimated_latency_deviation_ms\": 0.25"));
}
