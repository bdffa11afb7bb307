#include "latency_lut/imported_networks.hpp"

#include "core/error.hpp"
#include "latency_lut/foreign_store.hpp"
#include "latency_lut/latency_store.hpp"
#include "space/costs.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/project.hpp"

#include <set>
#include <stdexcept>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};

/// Devices that pay differently for multiplying, for weights and for every unit.
space::AdditiveCost device_cost(const space::SearchSpace& space, double per_mac, double per_param,
                                double per_unit) {
  return space::AdditiveCost::compile(
      space, kIo, [=](const space::LayerSpec& spec) -> std::optional<double> {
        return per_mac * static_cast<double>(space::macs(spec)) +
               per_param * static_cast<double>(space::params_count(spec)) + per_unit;
      });
}

std::vector<space::Arch> different_archs(const space::SearchSpace& space, std::size_t count,
                                         std::uint64_t seed) {
  core::Rng rng = test::test_rng(seed);
  std::set<space::Arch> seen;
  std::vector<space::Arch> archs;
  while (archs.size() < count) {
    const space::Arch arch = space::sample_spread(space, rng);
    if (seen.insert(arch).second) archs.push_back(arch);
  }
  return archs;
}

std::int64_t import_device(test::Project& project, const std::string& name,
                           const std::vector<space::Arch>& archs, const space::AdditiveCost& cost) {
  std::int64_t device = 0;
  project.db.write([&](SQLite::Database& sql) {
    device = put_device(sql, imported_device(name));
    std::vector<ImportedNetwork> networks;
    for (const auto& arch : archs) networks.push_back({project.arch_id(sql, arch), cost(arch)});
    put_imported_networks(sql, device, networks);
  });
  return device;
}

}  // namespace

TEST_CASE("Imported timings come back and replace each other", "[latency][unit]") {
  const auto space = test::shipped_space("mbv3_32px");
  test::Project project(space, kIo);
  const auto archs = different_archs(space, 12, 1);
  const auto first = device_cost(space, 1e-6, 0, 0.1);
  const auto second = device_cost(space, 2e-6, 0, 0.1);
  const std::int64_t device = import_device(project, "phone", archs, first);
  CHECK(import_device(project, "phone", archs, second) == device);
  project.db.read([&](SQLite::Database& sql) {
    const NetworkTimes times = get_imported_networks(sql, device, project.space_id, space);
    CHECK((times.archs == archs));
    for (std::size_t i = 0; i < archs.size(); ++i) CHECK(times.ms[i] == second(archs[i]));
    CHECK(get_imported_networks(sql, device + 1, project.space_id, space).archs.empty());
    CHECK(get_imported_networks(sql, device, project.space_id + 1, space).archs.empty());
  });
  CHECK(project.count("network_latency WHERE purpose = 'imported' AND n IS NULL AND p10_ms IS "
                      "NULL AND protocol_hash = ''") == 12);
  project.db.write(
      [](SQLite::Database& sql) { sql.exec("UPDATE arch SET text = 'x' WHERE id = 1"); });
  project.db.read([&](SQLite::Database& sql) {
    CHECK_THROWS_WITH(get_imported_networks(sql, device, project.space_id, space),
                      ContainsSubstring("network_latency: arch 'x': "));
  });
}

TEST_CASE("Imported timings are judged by models that did not see them", "[latency][unit]") {
  const auto space = test::shipped_space("mbv3_32px");
  const auto cost = device_cost(space, 1e-6, 1e-7, 0.1);
  NetworkTimes times;
  times.archs = different_archs(space, 200, 2);
  for (const auto& arch : times.archs) times.ms.push_back(cost(arch));
  const JudgedModel judged = fit_and_judge(space, kIo, times, 1);
  CHECK(judged.check.num_check == 200);
  CHECK(judged.check.r2.value() > 0.99);
  CHECK(judged.model.num_fit() == 200);
  // Random timings cannot be predicted, however well they are fitted.
  core::Rng rng = test::test_rng(8);
  for (double& ms : times.ms) ms = 1.0 + rng.uniform();
  CHECK(fit_and_judge(space, kIo, times, 1).check.r2.value() < 0.1);
  times.archs.resize(9);
  times.ms.resize(9);
  CHECK_THROWS_WITH(fit_and_judge(space, kIo, times, 1),
                    "a model of whole networks needs at least 10 timings, found 9");
}

TEST_CASE("An imported device has a cost from its tables, else from its networks",
          "[latency][unit]") {
  const auto space = test::ofa_mbv3(1.0, {128, 160});
  test::Project project(space, kIo);
  const auto truth = device_cost(space, 1e-6, 0, 0.1);
  NetworkTimes times;
  times.archs = different_archs(space, 40, 6);
  for (const auto& arch : times.archs) times.ms.push_back(truth(arch));
  const std::int64_t device = import_device(project, "gpu", times.archs, truth);
  const auto cost_of = [&] {
    std::optional<space::AdditiveCost> cost;
    project.db.read([&](SQLite::Database& sql) {
      cost = imported_cost(sql, device, project.space_id, space, kIo);
    });
    return cost;
  };
  CHECK_FALSE(cost_of());
  const JudgedModel judged = fit_and_judge(space, kIo, times, 1);
  project.db.write([&](SQLite::Database& sql) {
    put_network_model(sql, {device, project.space_id, judged.model, judged.check});
  });
  REQUIRE(cost_of());
  CHECK((*cost_of())(times.archs[3]) == judged.model.estimate_ms(times.archs[3]));

  formats::ForeignLatencyTable table{"t.yaml", {}};
  for (const auto& spec : space::distinct_units(space, kIo)) {
    const auto key =
        formats::foreign_latency_key(formats::LatencyDialect::kOnceForAll, spec, kIo).value();
    table.entries.push_back({key.key, {{"mean", "0.5"}}, 0.5, 0});
  }
  project.db.write([&](SQLite::Database& sql) {
    put_foreign_tables(sql, device, ForeignTables({table}, formats::LatencyDialect::kOnceForAll));
  });
  CHECK((*cost_of())(space::smallest(space)) == 0.5 * 16);
}

TEST_CASE("A new device is learnt from others in the project", "[latency][unit]") {
  const auto space = test::shipped_space("mbv3_32px");
  test::Project project(space, kIo);
  const auto archs = different_archs(space, 120, 3);
  import_device(project, "cpu", archs, device_cost(space, 1e-6, 0, 0.02));
  import_device(project, "few", {archs[0], archs[1]}, device_cost(space, 1e-6, 0, 0.02));
  const auto known_of = [&](const std::string& except, std::span<const space::Arch> also = {}) {
    KnownDevices known;
    project.db.read([&](SQLite::Database& sql) {
      known = known_devices(sql, space, project.space_id, except, also);
    });
    return known;
  };
  CHECK_THROWS_WITH(known_of(""),
                    "a new device is learnt from at least 2 others with 30 imported timings of "
                    "space 'mbv3_32px' each, the project has 1; import theirs first (omnifit "
                    "device import)");
  import_device(project, "gpu", archs, device_cost(space, 1e-7, 0, 0.3));
  import_device(project, "dsp", different_archs(space, 80, 4),
                device_cost(space, 3e-7, 2e-6, 0.05));
  CHECK((known_of("").names == std::vector<std::string>{"cpu", "dsp", "gpu"}));
  CHECK((known_of("cpu").names == std::vector<std::string>{"dsp", "gpu"}));

  const auto truth = device_cost(space, 5e-7, 5e-7, 0.1);
  const KnownDevices proposal = known_of("");
  NetworkTimes timings;
  for (const std::size_t i : proposal.transfer().propose(12)) {
    timings.archs.push_back(proposal.candidates[i]);
    timings.ms.push_back(truth(proposal.candidates[i]));
  }
  timings.archs.push_back(space::largest(space));  // measured though nobody proposed it
  timings.ms.push_back(truth(space::largest(space)));
  const KnownDevices known = known_of("npu", timings.archs);
  const JudgedModel judged = transfer_model(space, kIo, known, timings);
  CHECK(judged.check.num_check == 13);
  CHECK(judged.check.mape.value() < 0.15);
  std::vector<double> estimated;
  std::vector<double> measured;
  for (const auto& arch : different_archs(space, 100, 5)) {
    estimated.push_back(judged.model.estimate_ms(arch));
    measured.push_back(truth(arch));
  }
  const EstimateCheck check = judge_estimates(estimated, measured);
  CHECK(check.kendall_tau.value() > 0.85);
  CHECK(check.mape.value() < 0.1);

  timings.archs.resize(3);
  timings.ms.resize(3);
  CHECK(transfer_model(space, kIo, known, timings).check.num_check == 0);
}

}  // namespace omnifit::latency
