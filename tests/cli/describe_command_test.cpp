#include "core/file_io.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using test::omnifit_command;
using test::Result;

namespace {

const std::filesystem::path kReleased = std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released";

}  // namespace

TEST_CASE("describe has help with examples", "[cli][unit]") {
  const test::TempDir folder;
  const Result help = omnifit_command(folder, {"describe", "--help"});
  CHECK(help.code == 0);
  CHECK_THAT(help.out, ContainsSubstring("Examples:") && ContainsSubstring("omnifit describe"));
}

TEST_CASE("describe writes a subnet that it reads back", "[cli][unit]") {
  const test::TempDir folder;
  const Result written = omnifit_command(
      folder, {"describe", "--space", "ofa_mbv3", "--width-mult", "1.2", "--arch", "largest"});
  CHECK(written.code == 0);
  CHECK_THAT(written.out, StartsWith("{\n    \"name\": \"MobileNetV3\""));
  const std::string file = (folder / "net.config").string();
  core::write_file_atomically(file, written.out);

  const Result read = omnifit_command(folder, {"describe", file, "--resolution", "224", "--json"});
  CHECK(read.code == 0);
  const auto rows = nlohmann::json::parse(read.out);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["name"] == "net.config");
  CHECK(rows[0]["family"] == "MobileNetV3");
  CHECK(rows[0]["macs"] == 843'101'040);
  CHECK(rows[0]["params"] == 10'701'632);
  CHECK(rows[0]["space"] == "ofa_mbv3 x1.2");
  CHECK_THAT(rows[0]["arch"].get<std::string>(), StartsWith("ofa_mbv3/v1 r=224 d=4,4,4,4,4 "));
  CHECK(rows[0]["arch_json"]["image_size"] == 224);

  const Result narrow = omnifit_command(
      folder, {"describe", file, "--resolution", "224", "--space", "ofa_mbv3", "--json"});
  CHECK(nlohmann::json::parse(narrow.out)[0]["not_in_space"] ==
        "first_conv: out=24 (the space has 16)");
}

TEST_CASE("describe shows a folder of released networks", "[cli][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released/specialized");
  const test::TempDir folder;
  const Result all = omnifit_command(folder, {"describe", (kReleased / "specialized").string()});
  CHECK(all.code == 0);
  CHECK(std::count(all.out.begin(), all.out.end(), '\n') == 52);  // with the two lines of the head
  CHECK_THAT(all.out, ContainsSubstring("note10_lat-8ms_top1-71.4_finetune-25") &&
                          ContainsSubstring("75802880") &&
                          ContainsSubstring("ofa_mbv3/v1 r=160 d=2,2,3,2,2 k=3.3,3.3,3.3.3,3.3,3.5 "
                                            "e=3.3,3.4,4.3.3,3.4,4.4"));
  CHECK_THAT(all.out,
             ContainsSubstring("resolution 260 px (the space has 25 sizes from 128 to 224)"));

  const Result other = omnifit_command(
      folder,
      {"describe", (kReleased / "proxyless_mobile.config").string(), "--resolution", "224"});
  CHECK_THAT(other.out,
             ContainsSubstring("not in ofa_proxyless  first_conv: out=32 (the space has 40)"));
}

TEST_CASE("describe says what is wrong in one line", "[cli][error]") {
  const test::TempDir folder;
  const std::string good = (folder / "net.config").string();
  core::write_file_atomically(good, std::string(R"({"name": "MobileNetV3"})"));
  const std::filesystem::path empty = folder / "empty";
  std::filesystem::create_directory(empty);
  std::filesystem::create_symlink("circle", folder / "circle");
  struct Wrong {
    std::vector<std::string> arguments;
    std::string complaint;
  };
  const std::vector<Wrong> cases{
      {{"describe"}, "describe needs either network descriptions to read or --arch to write one"},
      {{"describe", good, "--arch", "largest"},
       "describe needs either network descriptions to read or --arch to write one"},
      {{"describe", "--arch", "largest"}, "--arch needs --space"},
      {{"describe", "--arch", "largest", "--space", "tiny", "--resolution", "16"},
       "--resolution: an arch has its own"},
      {{"describe", good, "--width-mult", "1.2"}, "--width-mult needs --space"},
      {{"describe", good}, "the input's resolution is not given"},
      {{"describe", good, "--resolution", "0"}, "resolution: found 0, allowed: 1 to 2048"},
      {{"describe", good, "--resolution", "64"}, "net.config: key 'first_conv' is missing"},
      {{"describe", empty.string()}, "found no net.config here or one folder below"},
      {{"describe", (folder / "none").string()}, "none"},
      {{"describe", (folder / std::string(300, 'n')).string()}, "nnn"},
      {{"describe", (folder / "circle").string()}, "circle"},
  };
  for (const Wrong& wrong : cases) {
    CAPTURE(wrong.arguments);
    const Result result = omnifit_command(folder, wrong.arguments);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, StartsWith("omnifit: ") && ContainsSubstring(wrong.complaint));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(result.out.empty());
  }
}
