#include "latency_lut/foreign_tables.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;
using formats::ForeignLatencyTable;
using formats::LatencyDialect;

const std::filesystem::path kData = OMNIFIT_SHARED_DATA;
const space::TaskIo kIo{3, 1000};

std::vector<ForeignLatencyTable> note10_tables() {
  std::vector<ForeignLatencyTable> tables;
  for (const int px : {160, 176, 192, 208, 224}) {
    tables.push_back(formats::read_latency_table(kData / "ofa_released/note10" /
                                                 fmt::format("{}_lookup_table.yaml", px)));
  }
  return tables;
}

space::SearchSpace note10_space() { return test::ofa_mbv3(1.2, {160, 176, 192, 208, 224}); }

/// A table with a number for every unit of the space, in a dialect's words.
ForeignLatencyTable table_of(const space::SearchSpace& space, LatencyDialect dialect) {
  ForeignLatencyTable table{"made.yaml", {}};
  for (const auto& spec : space::distinct_units(space, kIo)) {
    const auto key = formats::foreign_latency_key(dialect, spec, kIo);
    if (!key || key->key.empty()) continue;
    const double time_ms = 1.0 + static_cast<double>(table.entries.size());
    table.entries.push_back({key->key, {{"mean", fmt::format("{}", time_ms)}}, time_ms, 0});
  }
  return table;
}

}  // namespace

TEST_CASE("Note 10 tables give the reference's latencies", "[latency][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const auto space = note10_space();
  const auto tables = note10_tables();
  CHECK(ForeignTables::detect_dialect(tables, space, kIo) == LatencyDialect::kOnceForAll);
  const ForeignTables note10(tables, LatencyDialect::kOnceForAll);
  const space::AdditiveCost cost = note10.compile(space, kIo);
  CHECK(cost.missing().empty());
  const auto rows = nlohmann::json::parse(core::read_text_file(
      kData / "ofa_released/reference_predictions.json"))["mbv3_note10"]["rows"];
  REQUIRE(rows.size() == 200);
  for (const auto& row : rows) {
    const space::Arch arch = space::parse_arch_json(
        space,
        nlohmann::json{
            {"ks", row["ks"]}, {"e", row["e"]}, {"d", row["d"]}, {"image_size", row["image_size"]}}
            .dump());
    // The file rounds to eight decimals; what is left after the same rounding is the difference.
    const double rounded_ms = std::round(cost(arch) * 1e8) / 1e8;
    CHECK(std::abs(rounded_ms - row["latency_ms"].get<double>()) < 1e-9);
    const double sum_ms = note10.estimate_ms(space::lower(space, arch, kIo)).value();
    CHECK(std::abs(sum_ms - cost(arch)) < 1e-9);
  }
}

TEST_CASE("Networks of the reference's page cost what it says", "[latency][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const auto space = note10_space();
  const auto cost = ForeignTables(note10_tables(), LatencyDialect::kOnceForAll).compile(space, kIo);
  const auto at = [&](int k, int e, int d, int px) {
    return cost(space::parse_arch_json(space, nlohmann::json{{"ks", std::vector<int>(20, k)},
                                                             {"e", std::vector<int>(20, e)},
                                                             {"d", std::vector<int>(5, d)},
                                                             {"image_size", px}}
                                                  .dump()));
  };
  CHECK(at(7, 6, 4, 160) == Approx(47.773311695).margin(1e-9));
  CHECK(at(3, 3, 2, 192) == Approx(13.325493372).margin(1e-9));
  CHECK(at(5, 4, 3, 224) == Approx(37.806377462).margin(1e-9));
  CHECK(cost.minimum(space).cost == Approx(at(3, 3, 2, 160)));
}

TEST_CASE("Every key of the Note 10 tables is a unit of the space", "[latency][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const ForeignTables note10(note10_tables(), LatencyDialect::kOnceForAll);
  const ForeignTables::Match match = note10.match(note10_space(), kIo);
  CHECK(match.num_keys == 480);
  CHECK(match.units.size() == 480);
  CHECK(match.unknown_keys.empty());
  CHECK(match.missing.empty());
  CHECK((match.resolutions_px == std::vector<int>{160, 176, 192, 208, 224}));

  // A space of one of these resolutions: the other tables' keys are nobody's.
  const auto narrow = note10.match(test::ofa_mbv3(1.2, {192, 200}), kIo);
  CHECK(narrow.unknown_keys.size() == 4 * 96);
  CHECK((narrow.resolutions_px == std::vector<int>{192}));
  CHECK(narrow.unknown_keys.front() ==
        "160_lookup_table.yaml: AvgPool2D-input:5x5x1152-output:1x1x1152");
}

TEST_CASE("The Pixel 1 table fits the ProxylessNAS space", "[latency][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const auto space = test::ofa_proxyless(1.0, {192, 224});
  const std::vector<ForeignLatencyTable> tables{
      formats::read_latency_table(kData / "ofa_released/proxyless_mobile_trim.yaml")};
  CHECK(ForeignTables::detect_dialect(tables, space, kIo) == LatencyDialect::kProxylessNas);
  const ForeignTables pixel1(tables, LatencyDialect::kProxylessNas);
  const auto match = pixel1.match(space, kIo);
  CHECK((match.resolutions_px == std::vector<int>{224}));
  CHECK(match.num_keys == 72);
  // The trimmed table has expand ratios 3 and 6; blocks of ratio 4 were never timed.
  for (const auto& spec : match.missing) {
    const auto& block = std::get<space::MbConvSpec>(spec);
    CHECK(block.mid_channels == 4 * block.in_channels);
  }
  // It times first blocks of kernel 5 and 7 too, which the space does not have.
  CHECK((match.unknown_keys ==
         std::vector<std::string>{
             "proxyless_mobile_trim.yaml: expanded_conv-input:112x112x32-output:112x112x16-"
             "expand:1-kernel:5-stride:1-idskip:0",
             "proxyless_mobile_trim.yaml: expanded_conv-input:112x112x32-output:112x112x16-"
             "expand:1-kernel:7-stride:1-idskip:0"}));
  const auto cost = pixel1.compile(space, kIo);
  CHECK(cost.maximum(space).cost > cost.minimum(space).cost);
  CHECK(std::isnan(cost(space::smallest(space))));  // 192 px
}

TEST_CASE("The i7-8700K table covers two widths and all resolutions", "[latency][golden]") {
  OMNIFIT_REQUIRE_DATA("latency");
  const std::vector<ForeignLatencyTable> tables{
      formats::read_latency_table(kData / "latency/lut/i7-8700K_lut.yaml")};
  for (const double width : {1.0, 1.2}) {
    const auto space = test::shipped_space_with("ofa_mbv3", {fmt::format("width_mult={}", width)});
    CHECK(ForeignTables::detect_dialect(tables, space, kIo) == LatencyDialect::kNsgaNetV2);
    const ForeignTables table(tables, LatencyDialect::kNsgaNetV2);
    const auto match = table.match(space, kIo);
    CHECK(match.resolutions_px.size() == 25);
    CHECK(match.missing.empty());
    const auto cost = table.compile(space, kIo);
    CHECK(cost(space::smallest(space)) > 0.0);
    CHECK(cost(space::smallest(space)) < cost(space::largest(space)));
  }
}

TEST_CASE("Every dialect finds its own keys again", "[latency][property]") {
  const auto dialect = GENERATE(LatencyDialect::kOnceForAll, LatencyDialect::kProxylessNas,
                                LatencyDialect::kNsgaNetV2);
  const auto space = dialect == LatencyDialect::kProxylessNas ? test::ofa_proxyless(1.3, {128, 160})
                                                              : test::ofa_mbv3(1.0, {128, 160});
  const std::vector<ForeignLatencyTable> tables{table_of(space, dialect)};
  CHECK(ForeignTables::detect_dialect(tables, space, kIo) == dialect);
  const ForeignTables device(tables, dialect);
  const auto match = device.match(space, kIo);
  CHECK(match.missing.empty());
  CHECK(match.unknown_keys.empty());
  const auto cost = device.compile(space, kIo);
  core::Rng rng = test::test_rng(3);
  for (int i = 0; i < 50; ++i) {
    const space::Arch arch = space::sample(space, rng);
    CHECK(cost(arch) == Approx(device.estimate_ms(space::lower(space, arch, kIo)).value()));
  }
}

TEST_CASE("A unit that nobody measured gives no estimate", "[latency][error]") {
  const auto space = test::ofa_mbv3(1.0, {128});
  ForeignLatencyTable table = table_of(space, LatencyDialect::kOnceForAll);
  const space::NetworkPlan plan = space::lower(space, space::largest(space), kIo);
  const space::LayerSpec lost = plan.units[3].spec;
  const std::string key = formats::foreign_latency_key(LatencyDialect::kOnceForAll, lost, kIo)->key;
  std::erase_if(table.entries, [&](const auto& entry) { return entry.key == key; });
  const ForeignTables device({table}, LatencyDialect::kOnceForAll);
  std::vector<space::LayerSpec> missing;
  CHECK_FALSE(device.estimate_ms(plan, &missing));
  CHECK((missing == std::vector{lost}));
  const auto cost = device.compile(space, kIo);
  CHECK((cost.missing() == std::vector{lost}));
  CHECK(std::isnan(cost(space::largest(space))));
  CHECK(cost(space::smallest(space)) > 0.0);
  CHECK((device.match(space, kIo).missing == std::vector{lost}));

  // A network of a resolution without a table: its first layer is what is missing.
  const auto wider = test::ofa_mbv3(1.0, {128, 160});
  missing.clear();
  CHECK_FALSE(device.estimate_ms(space::lower(wider, space::largest(wider), kIo), &missing));
  CHECK(missing.size() == 1);
}

TEST_CASE("Tables that do not fit are refused", "[latency][error]") {
  const auto space = test::ofa_mbv3(1.0, {128});
  const ForeignLatencyTable table = table_of(space, LatencyDialect::kOnceForAll);
  CHECK_THROWS_AS(ForeignTables({}, LatencyDialect::kOnceForAll), std::invalid_argument);
  CHECK_THROWS_WITH(
      ForeignTables({table, {"again.yaml", table.entries}}, LatencyDialect::kOnceForAll)
          .compile(space, kIo),
      "tables 'made.yaml' and 'again.yaml' both have 'Conv-input:128x128x3-output:64x64x16': a "
      "device has one table per resolution");
  const auto other = test::ofa_mbv3(1.2, {160});
  CHECK_THROWS_WITH(ForeignTables({table}, LatencyDialect::kOnceForAll).match(other, kIo),
                    ContainsSubstring("made.yaml: no table is of a resolution of space 'ofa_mbv3' "
                                      "(width 1.2): the first key is '") &&
                        ContainsSubstring("once_for_all would write 'Conv-input:160x160x3-output:"
                                          "80x80x24'") &&
                        ContainsSubstring("another space, width or resolution"));
  CHECK_THROWS_AS(ForeignTables({table}, LatencyDialect::kOnceForAll).match(other, kIo),
                  StateError);
  CHECK_THROWS_WITH(
      ForeignTables::detect_dialect({{"odd.yaml", {{"conv3x3", {}, 1.0, 1}}}}, space, kIo),
      ContainsSubstring("odd.yaml: none of its 1 keys is a unit of space 'ofa_mbv3' (width 1): "
                        "the first key is 'conv3x3'"));
}

TEST_CASE("The hash follows every number of a foreign table", "[latency][unit]") {
  const auto space = test::ofa_mbv3(1.0, {128});
  ForeignLatencyTable table = table_of(space, LatencyDialect::kOnceForAll);
  const auto hash = ForeignTables({table}, LatencyDialect::kOnceForAll).hash();
  CHECK(ForeignTables({table}, LatencyDialect::kOnceForAll).hash() == hash);
  CHECK(ForeignTables({table}, LatencyDialect::kNsgaNetV2).hash() != hash);
  table.entries[5].fields[0].text += "0";
  CHECK(ForeignTables({table}, LatencyDialect::kOnceForAll).hash() != hash);
}

}  // namespace omnifit::latency
