#include "core/rng.hpp"
#include "formats/network_file.hpp"
#include "pipeline/job.hpp"
#include "space/arch.hpp"
#include "space/lower.hpp"
#include "supernet/thread_policy.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/formats/random_network.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/tiny_job.hpp"

#include <nlohmann/json.hpp>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;

namespace {

test::Result eval_command(const test::TempDir& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"eval", (folder / "job.yaml").string()});
  return test::omnifit_command(folder, arguments);
}

}  // namespace

TEST_CASE("eval scores a network file and leaves no project behind", "[cli][unit]") {
  const test::TempDir folder;
  const pipeline::Job job = pipeline::load_job(test::write_tiny_job(folder.path()), {});
  core::Rng rng = core::Rng::stream(1, core::Purpose::kTest);
  const space::NetworkPlan plan = space::lower(job.space, space::smallest(job.space), {3, 10});
  const std::string network = (folder / "net.safetensors").string();
  formats::write_network_file(network, test::random_network(plan, rng), {});

  const test::Result table = eval_command(folder, {"--network", network});
  CHECK(table.err.empty());
  CHECK(table.code == 0);
  CHECK_THAT(table.out,
             ContainsSubstring("net.safetensors") && ContainsSubstring("100 (synthetic test)"));
  const test::Result json =
      eval_command(folder, {"--network", network, "--split", "validation", "--json"});
  CHECK(json.code == 0);
  CHECK(nlohmann::json::parse(json.out).at("split") == "validation");
  CHECK_FALSE(std::filesystem::exists(job.project_file));
}

TEST_CASE("eval measures either subnets or a network file", "[cli][error]") {
  const test::TempDir folder;
  test::write_tiny_job(folder.path());
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{},
        std::vector<std::string>{"--arch", "largest", "--network", "net.safetensors"}}) {
    const test::Result result = eval_command(folder, arguments);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, ContainsSubstring("--arch") && ContainsSubstring("--network"));
  }
  CHECK(eval_command(folder, {"--network", ""}).code == 2);
  if (!supernet::cuda_available()) {
    const test::Result elsewhere =
        eval_command(folder, {"--network", "net.safetensors", "--device", "cuda"});
    CHECK(elsewhere.code == 4);
    CHECK(elsewhere.err ==
          "omnifit: compute is 'cuda' but LibTorch finds no CUDA device; use 'cpu' or 'auto'\n");
  }
  const test::Result untimed =
      eval_command(folder, {"--network", "net.safetensors", "--no-latency"});
  CHECK(untimed.code == 2);
  CHECK_THAT(untimed.err, ContainsSubstring("--no-latency") && ContainsSubstring("--network"));
  const test::Result missing =
      eval_command(folder, {"--network", (folder / "no.safetensors").string()});
  CHECK(missing.code == 2);
  CHECK(missing.err == "omnifit: " + (folder / "no.safetensors").string() + ": no such file\n");
}
