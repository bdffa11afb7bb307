#include "exporters/export_bundle.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/version.hpp"
#include "exporters/exporters_store.hpp"
#include "formats/tensor_file.hpp"
#include "store/arch_rows.hpp"
#include "store/database.hpp"
#include "tests/exporters/onnx_runtime.hpp"
#include "tests/exporters/reference_forward.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Equals;
using namespace omnifit;
using namespace omnifit::exporters;

namespace {

struct Case {
  test::TempDir dir;
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  formats::FoldedNetwork network = test::random_network(test::small_plan(), rng);
  ProofCase proof;
  BundleRequest request;

  Case() {
    proof.images = test::random_images(network.plan, 4, rng);
    proof.logits = test::ReferenceForward(network)(proof.images);
    request.name = "winner";
    request.folder = dir / "exports/cpu";
    request.arch_text = "tiny/v1 r=8";
    request.arch_json = R"({"ks": [3], "e": [2], "d": [1], "image_size": 8})";
    request.class_names = {"a", "b", "c", "d", "ü"};
    request.preprocessing.normalisation = {{0.5F, 0.4F, 0.3F}, {0.2F, 0.25F, 0.3F}};
    request.figures.budget = "latency <= 40%";
    request.figures.measured_top1 = 0.75;
  }

  std::vector<ExportedFile> run(const OnnxProofOptions& options = {}) const {
    return export_bundle(network, proof, request, options);
  }
};

OnnxProofOptions without_node() {
  OnnxProofOptions options;
  options.node = "omnifit-no-such-node";
  return options;
}

}  // namespace

TEST_CASE("a bundle holds four files with their sizes, hashes and proofs", "[exporters][unit]") {
  if (!test::have_onnx_runtime()) return;
  Case c;
  c.request.preprocessing.embed = GENERATE(true, false);
  const auto files = c.run();
  REQUIRE(files.size() == 4);
  const std::vector<std::string> names{"winner.onnx", "winner.pt", "winner.safetensors",
                                       "winner.json"};
  const std::vector<std::string> formats{"onnx", "torchscript", "safetensors", "json"};
  for (std::size_t i = 0; i < files.size(); ++i) {
    CHECK(files[i].format == formats[i]);
    CHECK(files[i].path == c.request.folder / names[i]);
    CHECK(files[i].size_bytes == std::filesystem::file_size(files[i].path));
    CHECK(files[i].sha256 == core::sha256_file(files[i].path));
    CHECK(files[i].proof.state == (i < 2 ? ProofState::kProven : ProofState::kNotApplicable));
  }
  CHECK_THAT(files[0].proof.note, ContainsSubstring("ONNX Runtime "));
  CHECK_THAT(files[1].proof.note, ContainsSubstring("LibTorch "));
}

TEST_CASE("the card of a bundle says what a user must know", "[exporters][unit]") {
  const Case c;
  const auto files = c.run(without_node());
  const auto card = nlohmann::json::parse(core::read_text_file(files[3].path));
  CHECK(card.at("name") == "winner");
  CHECK(card.at("omnifit").at("version") == core::version());
  CHECK(card.at("arch").at("text") == "tiny/v1 r=8");
  CHECK(card.at("arch").at("reference").at("image_size") == 8);
  CHECK(card.at("input").at("channels") == 3);
  CHECK(card.at("input").at("resolution_px") == 8);
  CHECK(card.at("input").at("values") == "pixels in [0, 1]");
  CHECK(card.at("input").at("mean").size() == 3);
  CHECK_FALSE(card.at("input").contains("pictures"));
  CHECK(card.at("output").at("class_names").at(4) == "ü");
  CHECK(card.at("costs").at("macs").get<int>() > 0);
  CHECK(card.at("figures").at("measured_top1") == 0.75);
  CHECK(card.at("figures").at("measured_latency_ms").is_null());
  CHECK(card.at("units").size() == 5);
  CHECK(card.at("units").at(3) == "pool c=6 px=4");
  CHECK(card.at("files").at(0).at("proof") == "not_proven");
  CHECK(card.at("files").at(0).at("note") == "Node.js ('omnifit-no-such-node') is not installed");
  CHECK(card.at("files").at(1).at("sha256") == files[1].sha256);

  const auto weights = formats::read_tensor_file(files[2].path);
  CHECK(weights.metadata.at("arch") == "tiny/v1 r=8");
  CHECK(weights.metadata.at("format") == "pt");
  REQUIRE(weights.tensors.size() == c.network.tensors.size());
  CHECK((weights.tensors[0].data == c.network.tensors[0].data));
}

TEST_CASE("the card says how pictures of any size were cut", "[exporters][unit]") {
  Case c;
  c.request.preprocessing.cut = {12, 10};
  const auto files = c.run(without_node());
  const auto expected = nlohmann::json::parse(
      R"({"resize_px": 12, "centre_crop_px": 10, "scale_to_px": 8,
          "filter": "bilinear, antialiased"})");
  const auto card = nlohmann::json::parse(core::read_text_file(files[3].path));
  CHECK(card.at("input").at("pictures") == expected);
  const auto weights = formats::read_tensor_file(files[2].path);
  CHECK(nlohmann::json::parse(weights.metadata.at("input")).at("pictures") == expected);
}

TEST_CASE("the same network gives the same files", "[exporters][property]") {
  const Case c;
  const auto first = c.run(without_node());
  const auto second = c.run(without_node());
  for (std::size_t i = 0; i < first.size(); ++i) CHECK(first[i].sha256 == second[i].sha256);
}

TEST_CASE("an export that disagrees with the supernet is refused", "[exporters][error]") {
  Case c;
  auto logits = std::vector<float>(c.proof.logits.floats().begin(), c.proof.logits.floats().end());
  logits[3] += 0.5F;
  c.proof.logits = formats::NamedTensor::from_floats("logits", {4, 5}, logits);
  try {
    c.run(without_node());
    FAIL("accepted");
  } catch (const GoalError& error) {
    CHECK_THAT(error.what(), ContainsSubstring("export does not agree with the supernet: "));
    CHECK_THAT(error.what(), ContainsSubstring("winner.pt: LibTorch "));
  }
  CHECK(std::filesystem::exists(c.request.folder / "winner.pt"));
  CHECK_FALSE(std::filesystem::exists(c.request.folder / "winner.json"));
}

TEST_CASE("bad requests are named", "[exporters][error]") {
  Case c;
  SECTION("name") {
    c.request.name = GENERATE("", "../up", ".hidden", "a/b", "a b");
    CHECK_THROWS_WITH(c.run(without_node()), ContainsSubstring("export name '" + c.request.name +
                                                               "' must be letters, digits"));
  }
  SECTION("class names") {
    c.request.class_names.pop_back();
    CHECK_THROWS_WITH(c.run(without_node()),
                      Equals("class_names must be empty or have 5 names, got 4"));
  }
  SECTION("class names that are no text") {
    c.request.class_names[1] = "\xff";
    CHECK_THROWS_WITH(c.run(without_node()), Equals("the name of class 1 is not UTF-8 text"));
  }
  SECTION("folder") {
    core::write_file_atomically(c.dir / "exports", std::string_view("a file"));
    CHECK_THROWS_AS(c.run(without_node()), EnvironmentError);
  }
}

TEST_CASE("exported files are stored relative to the project and replaced", "[exporters][unit]") {
  const Case c;
  const auto files = c.run(without_node());
  store::Database db(c.dir / "project.omnifit", store::Database::Mode::kReadWrite);
  std::vector<ExportRow> rows;
  db.write([&](SQLite::Database& sql) {
    const auto space = store::put_space(sql, {"0123456789abcdef", "tiny", 1, "mbconv", "yaml"});
    const auto arch = store::put_arch(
        sql, {space, 3, 5, c.request.arch_text, c.request.arch_json, 8, 1, 1, 1, 1});
    sql.exec(
        "INSERT INTO job (id, hash, yaml, source, omnifit_version, git_revision, libtorch_version, "
        "host, created_at) VALUES (1, 'h', '', '', '', '', '', '{}', '')");
    sql.exec(
        "INSERT INTO stage_run (id, job_id, stage, input_hash, state, started_at) "
        "VALUES (1, 1, 'export', 'h', 'running', '')");
    put_exports(sql, db.folder(), 1, "other", arch, std::span(files).first(1));
    put_exports(sql, db.folder(), 1, "latency <= 40%", arch, std::span(files).first(1));
    put_exports(sql, db.folder(), 1, "latency <= 40%", arch, files);
    rows = exports(sql, 1);
  });
  REQUIRE(rows.size() == 5);
  CHECK(rows[0].budget == "other");
  CHECK(rows[1].path == "exports/cpu/winner.onnx");
  CHECK(rows[1].proof.state == ProofState::kNotProven);
  CHECK_FALSE(rows[1].proof.max_rel_difference.has_value());
  CHECK(rows[1].proof.note == "Node.js ('omnifit-no-such-node') is not installed");
  CHECK(rows[2].format == "torchscript");
  CHECK(rows[2].proof.state == ProofState::kProven);
  CHECK(rows[2].proof.max_rel_difference == files[1].proof.max_rel_difference);
  CHECK(rows[2].sha256 == files[1].sha256);
  CHECK(rows[2].size_bytes == files[1].size_bytes);
  CHECK(rows[2].arch_text == "tiny/v1 r=8");
  CHECK(rows[4].format == "json");
  CHECK(rows[4].proof.state == ProofState::kNotApplicable);
}
