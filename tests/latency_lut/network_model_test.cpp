#include "latency_lut/network_model.hpp"

#include "core/error.hpp"
#include "latency_lut/latency_store.hpp"
#include "latency_lut/latency_table.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/project.hpp"

#include <limits>
#include <set>
#include <stdexcept>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;

const space::TaskIo kIo{3, 10};

/// Different random archs and what an additive device with a fixed cost takes for them.
struct Timings {
  std::vector<space::Arch> archs;
  std::vector<double> ms;
};

Timings timings_of(const space::SearchSpace& space, std::size_t count, double noise) {
  const auto cost = space::AdditiveCost::compile(
      space, kIo,
      [](const space::LayerSpec& s) { return std::optional(test::FakeTimer::true_ms(s)); }, 0.3);
  core::Rng rng = test::test_rng(9);
  std::set<space::Arch> seen;
  Timings timings;
  while (timings.archs.size() < count) {
    const space::Arch arch = space::sample(space, rng);
    if (!seen.insert(arch).second) continue;
    timings.archs.push_back(arch);
    timings.ms.push_back(cost(arch) * (1.0 + noise * rng.normal()));
  }
  return timings;
}

EstimateCheck judged(const NetworkModel& model, const Timings& all, std::size_t from) {
  std::vector<double> estimated;
  for (std::size_t i = from; i < all.archs.size(); ++i) {
    estimated.push_back(model.estimate_ms(all.archs[i]));
  }
  return judge_estimates(estimated, std::span(all.ms).subspan(from));
}

NetworkModel fitted(const space::SearchSpace& space, const Timings& all, std::size_t count) {
  return NetworkModel::fit(space, kIo, std::span(all.archs).first(count),
                           std::span(all.ms).first(count));
}

}  // namespace

TEST_CASE("An additive device is learnt from whole networks", "[latency][unit]") {
  const auto space = test::shipped_space("mbv3_32px");
  const Timings timings = timings_of(space, 500, 0.01);
  const NetworkModel model = fitted(space, timings, 300);
  CHECK(model.num_fit() == 300);
  const EstimateCheck check = judged(model, timings, 300);
  CHECK(check.num_check == 200);
  CHECK(check.r2.value() > 0.97);
  CHECK(check.mape.value() < 0.025);
  CHECK(check.kendall_tau.value() > 0.88);
  double mean_ms = 0.0;
  for (const double ms : timings.ms) mean_ms += ms / 500.0;
  CHECK(model.deviation_ms() > 0.008 * mean_ms);
  CHECK(model.deviation_ms() < 0.04 * mean_ms);
  CHECK(model.cost().missing().empty());
  CHECK(model.cost().minimum(space).cost <= model.estimate_ms(timings.archs[0]));
}

TEST_CASE("Few networks of a space of blocks with widths suffice", "[latency][unit]") {
  const auto space = test::ofa_resnet50({128, 160});
  const Timings timings = timings_of(space, 260, 0.0);
  CHECK(judged(fitted(space, timings, 160), timings, 160).r2.value() > 0.95);
}

TEST_CASE("A tabular space has a term per gene and pair", "[latency][unit]") {
  const auto space = test::shipped_space("nasbench201");
  core::Rng rng = test::test_rng(3);
  Timings timings;
  std::set<space::Arch> seen;
  while (timings.archs.size() < 900) {
    const space::Arch arch = space::sample(space, rng);
    if (!seen.insert(arch).second) continue;
    const auto choices = arch.choices();
    // Operation 4 costs 2 ms, 1 ms more if the edge before it is operation 4 too.
    double ms = 5.0;
    for (std::size_t i = 0; i < 6; ++i) {
      ms += choices[i] == 4 ? 2.0 : 0.1 * choices[i];
      if (i > 0 && choices[i] == 4 && choices[i - 1] == 4) ms += 1.0;
    }
    timings.archs.push_back(arch);
    timings.ms.push_back(ms);
  }
  CHECK(judged(fitted(space, timings, 700), timings, 700).r2.value() > 0.999);
}

TEST_CASE("A network model survives the project file", "[latency][unit]") {
  const auto space = test::shipped_space("mbv3_32px");
  const Timings timings = timings_of(space, 60, 0.02);
  const NetworkModel model = fitted(space, timings, 40);
  const EstimateCheck check = judged(model, timings, 40);
  test::Project project(space, kIo);
  project.db.write([&](SQLite::Database& sql) {
    DeviceRow row;
    row.name = "phone";
    const auto device = put_device(sql, row);
    CHECK_FALSE(get_network_model(sql, device, project.space_id, space));
    put_network_model(sql, {device, project.space_id, model, check});
    put_network_model(sql, {device, project.space_id, model, check});
    const auto back = get_network_model(sql, device, project.space_id, space);
    REQUIRE(back);
    CHECK(back->check == check);
    CHECK(back->model.num_fit() == 40);
    CHECK(back->model.deviation_ms() == model.deviation_ms());
    for (const auto& arch : timings.archs) {
      CHECK(back->model.estimate_ms(arch) == model.estimate_ms(arch));
    }
    CHECK_FALSE(get_network_model(sql, device + 1, project.space_id, space));
    CHECK_THROWS_WITH(get_network_model(sql, device, project.space_id, test::shipped_space("tiny")),
                      "the latency model is of another space than 'tiny'");
    sql.exec("UPDATE latency_model SET terms = '{\"version\": 9}'");
    CHECK_THROWS_WITH(get_network_model(sql, device, project.space_id, space),
                      "a latency model of version 9, this omnifit reads 1");
    sql.exec("UPDATE latency_model SET terms = '['");
    CHECK_THROWS_AS(get_network_model(sql, device, project.space_id, space), DataError);
  });
  CHECK(project.count("latency_model WHERE stage_run_id IS NULL AND kind = 'additive'") == 1);
  std::string text = model.to_json();
  const auto genes = text.find("\"genes\":[");
  text.replace(genes, 9, "\"genes\":[99,");
  CHECK_THROWS_WITH(NetworkModel::parse_json(space, text),
                    ContainsSubstring("the latency model is damaged: genes of a term must ascend"));
}

TEST_CASE("Timings that are none are refused by a network model", "[latency][error]") {
  const auto space = test::shipped_space("mbv3_32px");
  Timings timings = timings_of(space, 8, 0.0);
  CHECK_THROWS_WITH(fitted(space, timings, 7),
                    "an additive model needs at least 8 networks, got 7");
  CHECK_THROWS_WITH(NetworkModel::fit(space, kIo, timings.archs, std::span(timings.ms).first(3)),
                    "8 archs but 3 measurements");
  for (const double bad : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    timings.ms[2] = bad;
    CHECK_THROWS_WITH(fitted(space, timings, 8), ContainsSubstring("times must be positive, got"));
  }
}

}  // namespace omnifit::latency
