// Prints the tables of experiments/latency_models.

#include "benchmarks/study_samples.hpp"
#include "core/error.hpp"
#include "core/rng.hpp"
#include "formats/latency_table_file.hpp"
#include "latency_lut/device_transfer.hpp"
#include "latency_lut/feature_model.hpp"
#include "latency_lut/foreign_tables.hpp"
#include "latency_lut/kernel_regressor.hpp"
#include "latency_lut/network_model.hpp"
#include "learn/gaussian_process.hpp"
#include "learn/metrics.hpp"
#include "space/costs.hpp"
#include "space/detail/csv.hpp"
#include "space/lower.hpp"
#include "space/sampling.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <sstream>

namespace omnifit {
namespace {

namespace fs = std::filesystem;
using latency::ForeignTables;
using latency::KernelRegressor;
using latency::UnitTime;
using space::detail::CsvFile;
using study::Indices;
using study::kSeed;
using study::mean;
using study::median;
using study::pick;
using study::shuffled;
using study::stream;
using study::Times;

const space::TaskIo kIo{3, 1000};

space::SearchSpace ofa_mbv3(double width, const std::string& resolutions) {
  core::Node root = core::load_yaml(fs::path(OMNIFIT_SOURCE_DIR) / "configs/space/ofa_mbv3.yaml");
  core::apply_override(root, fmt::format("width_mult={}", width));
  if (!resolutions.empty()) core::apply_override(root, "resolutions=" + resolutions);
  return space::SearchSpace::from_yaml(root);
}

/// Relative errors, fractions.
Times errors(const Times& estimated, const Times& measured) {
  Times result;
  for (std::size_t i = 0; i < measured.size(); ++i) {
    result.push_back(std::abs(estimated[i] / measured[i] - 1.0));
  }
  return result;
}

using UnitMap = std::map<std::pair<space::LayerSpec, int>, latency::LatencyEstimate>;

/// Whole networks as sums of some estimates and of the measurements, and of the deviations.
struct NetworkSums {
  Times estimated;
  Times measured;
  Times deviation;
};

NetworkSums network_sums(const space::SearchSpace& space, const ForeignTables& tables,
                         const UnitMap& estimates, const std::vector<int>& resolutions,
                         int num_networks) {
  NetworkSums sums;
  core::Rng rng = stream({7});
  while (static_cast<int>(sums.measured.size()) < num_networks) {
    const space::Arch arch = space::sample(space, rng);
    const space::NetworkPlan plan = space::lower(space, arch, kIo);
    if (std::find(resolutions.begin(), resolutions.end(), plan.resolution_px) ==
        resolutions.end()) {
      continue;
    }
    double estimated = 0.0;
    double deviation = 0.0;
    for (const space::PlanUnit& unit : plan.units) {
      const auto found = estimates.find({unit.spec, plan.resolution_px});
      if (found == estimates.end()) continue;  // the dialect does not count it
      estimated += found->second.time_ms;
      deviation += found->second.deviation_ms;
    }
    sums.estimated.push_back(estimated);
    sums.measured.push_back(tables.estimate_ms(plan).value());
    sums.deviation.push_back(deviation);
  }
  return sums;
}

double share_within_deviation(const NetworkSums& sums, double factor) {
  int inside = 0;
  for (std::size_t i = 0; i < sums.measured.size(); ++i) {
    inside += std::abs(sums.estimated[i] - sums.measured[i]) <= factor * sums.deviation[i] ? 1 : 0;
  }
  return inside / static_cast<double>(sums.measured.size());
}

/// The nearest measured resolution's time of a unit that differs in nothing but input size, times
/// the ratio of multiply-accumulates: what one would do without a regressor.
std::optional<double> scaled_neighbour(const ForeignTables::Unit& unit,
                                       const std::vector<ForeignTables::Unit>& measured) {
  const auto without_px = [](space::LayerSpec spec) {
    std::visit(
        [](auto& s) {
          if constexpr (requires { s.in_px; }) s.in_px = 0;
        },
        spec);
    return spec;
  };
  const ForeignTables::Unit* nearest = nullptr;
  const auto distance = [&](const ForeignTables::Unit& other) {
    return std::abs(other.resolution_px - unit.resolution_px);
  };
  for (const ForeignTables::Unit& other : measured) {
    if (without_px(other.spec) != without_px(unit.spec)) continue;
    if (nearest == nullptr || distance(other) < distance(*nearest)) nearest = &other;
  }
  if (nearest == nullptr) return std::nullopt;
  const auto work = [](const space::LayerSpec& spec) {
    return std::max(1.0, static_cast<double>(space::macs(spec)));
  };
  return nearest->mean_ms * work(unit.spec) / work(nearest->spec);
}

void left_out_resolutions(const fs::path& data) {
  const std::vector<int> resolutions{160, 176, 192, 208, 224};
  const auto space = ofa_mbv3(1.2, "[160, 176, 192, 208, 224]");
  std::vector<formats::ForeignLatencyTable> files;
  for (const int px : resolutions) {
    files.push_back(formats::read_latency_table(data / "ofa_released/note10" /
                                                fmt::format("{}_lookup_table.yaml", px)));
  }
  const ForeignTables tables(files, formats::LatencyDialect::kOnceForAll);
  const auto units = tables.match(space, kIo).units;
  std::printf(
      "## Note 10, one resolution never measured\n\n"
      "| left out | keys: median error | neighbour x MACs | 200 networks: mean error | largest | "
      "within 1 deviation | within 2 |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const int left_out : resolutions) {
    std::vector<UnitTime> known;
    std::vector<ForeignTables::Unit> measured;
    std::vector<ForeignTables::Unit> asked;
    for (const auto& unit : units) {
      if (unit.resolution_px == left_out) {
        asked.push_back(unit);
      } else {
        measured.push_back(unit);
        known.push_back({unit.spec, unit.mean_ms});
      }
    }
    const KernelRegressor regressor = KernelRegressor::fit(known);
    Times estimated;
    Times neighbour;
    Times truth;
    UnitMap estimates;
    for (const auto& unit : asked) {
      const auto estimate = regressor.predict(unit.spec);
      estimates[{unit.spec, left_out}] = estimate;
      estimated.push_back(estimate.time_ms);
      neighbour.push_back(scaled_neighbour(unit, measured).value_or(0.0));
      truth.push_back(unit.mean_ms);
    }
    const NetworkSums sums = network_sums(space, tables, estimates, {left_out}, 200);
    const Times network_errors = errors(sums.estimated, sums.measured);
    std::printf("| %d | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.0f %% | %.0f %% |\n", left_out,
                100 * median(errors(estimated, truth)), 100 * median(errors(neighbour, truth)),
                100 * mean(network_errors),
                100 * *std::max_element(network_errors.begin(), network_errors.end()),
                100 * share_within_deviation(sums, 1.0), 100 * share_within_deviation(sums, 2.0));
    std::fflush(stdout);
  }
  std::printf("\n");
}

/// A profile of all resolutions of which only a part of the units is measured.
void partial_profile(const std::string& title, const space::SearchSpace& space,
                     const ForeignTables& tables, const std::vector<double>& parts) {
  const ForeignTables::Match match = tables.match(space, kIo);
  // A profile measures a spec once, whatever resolutions it occurs in.
  std::map<space::LayerSpec, double> times;
  for (const auto& unit : match.units) times.emplace(unit.spec, unit.mean_ms);
  std::vector<space::LayerSpec> specs;
  for (const auto& entry : times) specs.push_back(entry.first);
  std::printf(
      "## %s: %zu units\n\n"
      "| measured | chosen by | other keys: median error | 90 %% below | 500 networks: mean error "
      "| largest | within 1 deviation | within 2 |\n"
      "|---|---|---|---|---|---|---|---|\n",
      title.c_str(), specs.size());
  for (const double part : parts) {
    const auto count = static_cast<std::size_t>(part * static_cast<double>(specs.size()));
    for (const bool random : {false, true}) {
      Indices chosen = random ? shuffled(specs.size(), {3}) : latency::choose_units(specs, count);
      chosen.resize(count);
      const std::set<std::size_t> is_chosen(chosen.begin(), chosen.end());
      std::vector<UnitTime> known;
      for (const std::size_t i : chosen) known.push_back({specs[i], times.at(specs[i])});
      const KernelRegressor regressor = KernelRegressor::fit(known);
      const auto predicted = regressor.predict(specs);
      std::map<space::LayerSpec, latency::LatencyEstimate> estimate_of;
      Times key_errors;
      for (std::size_t i = 0; i < specs.size(); ++i) {
        const bool measured = is_chosen.count(i) > 0;
        estimate_of[specs[i]] =
            measured ? latency::LatencyEstimate{times.at(specs[i]), 0.0} : predicted[i];
        if (!measured) {
          key_errors.push_back(std::abs(predicted[i].time_ms / times.at(specs[i]) - 1.0));
        }
      }
      UnitMap estimates;
      for (const auto& unit : match.units) {
        estimates[{unit.spec, unit.resolution_px}] = estimate_of.at(unit.spec);
      }
      const NetworkSums sums = network_sums(space, tables, estimates, match.resolutions_px, 500);
      const Times network_errors = errors(sums.estimated, sums.measured);
      std::sort(key_errors.begin(), key_errors.end());
      std::printf(
          "| %zu (%.1f %%) | %s | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.0f %% | %.0f %% |\n",
          count, 100 * part, random ? "chance" : "omnifit", 100 * median(key_errors),
          100 * key_errors[key_errors.size() * 9 / 10], 100 * mean(network_errors),
          100 * *std::max_element(network_errors.begin(), network_errors.end()),
          100 * share_within_deviation(sums, 1.0), 100 * share_within_deviation(sums, 2.0));
      std::fflush(stdout);
    }
  }
  std::printf("\n");
}

void partial_profiles(const fs::path& data) {
  const ForeignTables i7({formats::read_latency_table(data / "latency/lut/i7-8700K_lut.yaml")},
                         formats::LatencyDialect::kNsgaNetV2);
  for (const double width : {1.0, 1.2}) {
    partial_profile(fmt::format("i7-8700K, 25 resolutions of ofa_mbv3, width {}", width),
                    ofa_mbv3(width, ""), i7, {0.25, 0.125, 0.0625});
  }
}

std::vector<int> numbers(const std::string& text) {
  std::istringstream words(text);
  std::vector<int> values;
  for (int value = 0; words >> value;) values.push_back(value);
  return values;
}

void additive_models(const fs::path& data) {
  const auto space = ofa_mbv3(1.0, "");
  const CsvFile csv = CsvFile::load(data / "latency/help/ofa_latency_ms.csv");
  std::vector<space::Arch> archs;
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    const auto list = [&](const char* column) {
      return fmt::format("[{}]", fmt::join(numbers(csv.cell(row, csv.column(column))), ","));
    };
    archs.push_back(space::parse_arch_json(
        space, fmt::format(R"({{"ks":{},"e":{},"d":{},"image_size":{}}})", list("ks"), list("e"),
                           list("d"), csv.cell(row, csv.column("r")))));
  }
  std::printf(
      "## Whole-network timings of ofa_mbv3: additive block x resolution model\n\n"
      "| device_batch | fitted on | R2 | MAPE | within 10 %% | Kendall tau | deviation / mean "
      "latency |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const std::string column :
       {"titan_xp_64", "2080ti_64", "titan_xp_32", "2080ti_32", "titan_xp_1", "2080ti_1"}) {
    Times times;
    for (std::size_t row = 0; row < csv.num_rows(); ++row) {
      times.push_back(csv.number(row, csv.column(column)));
    }
    for (const std::size_t num_fit : {std::size_t{300}, std::size_t{1000}, std::size_t{4000}}) {
      Times r2s;
      latency::EstimateCheck check;
      double deviation = 0.0;
      for (std::uint64_t split = 0; split < 3; ++split) {
        const Indices order = shuffled(archs.size(), {11, split});
        const Indices fit(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(num_fit));
        const Indices rest(order.begin() + static_cast<std::ptrdiff_t>(num_fit), order.end());
        const auto model =
            latency::NetworkModel::fit(space, kIo, pick(archs, fit), pick(times, fit));
        Times estimated;
        for (const std::size_t i : rest) estimated.push_back(model.estimate_ms(archs[i]));
        check = latency::judge_estimates(estimated, pick(times, rest));
        r2s.push_back(check.r2.value());
        deviation = model.deviation_ms() / mean(times);
      }
      std::printf("| %s | %zu | %.4f (%.4f to %.4f) | %.2f %% | %.1f %% | %.3f | %.1f %% |\n",
                  column.c_str(), num_fit, mean(r2s), *std::min_element(r2s.begin(), r2s.end()),
                  *std::max_element(r2s.begin(), r2s.end()), 100 * check.mape.value(),
                  100 * check.within_10_percent.value(), check.kendall_tau.value(),
                  100 * deviation);
      std::fflush(stdout);
    }
  }
  std::printf("\n");
}

/// NAS-Bench-201: latencies of all archs on all devices, one-hot encoded operations.
struct Bench201 {
  std::vector<std::string> devices;
  Eigen::MatrixXd ms;
  Eigen::MatrixXd one_hot;
};

Bench201 read_bench201(const fs::path& data) {
  const CsvFile csv = CsvFile::load(data / "latency/help/nasbench201_latency_ms.csv");
  const std::vector<std::string> operations{"none", "skip_connect", "avg_pool_3x3", "nor_conv_1x1",
                                            "nor_conv_3x3"};
  Bench201 bench;
  bench.devices = {"1080ti_1",   "1080ti_32",      "1080ti_256",   "titanx_1",  "titanx_32",
                   "titanx_256", "silver_4114",    "silver_4210r", "gold_6240", "samsung_a50",
                   "samsung_s7", "essential_ph_1", "pixel3"};
  const auto rows = static_cast<Eigen::Index>(csv.num_rows());
  bench.ms.resize(rows, static_cast<Eigen::Index>(bench.devices.size()));
  bench.one_hot = Eigen::MatrixXd::Zero(rows, 30);
  for (Eigen::Index row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < bench.devices.size(); ++j) {
      bench.ms(row, static_cast<Eigen::Index>(j)) =
          csv.number(static_cast<std::size_t>(row), csv.column(bench.devices[j]));
    }
    const std::string text = csv.cell(static_cast<std::size_t>(row), csv.column("arch_str"));
    Eigen::Index edge = 0;
    for (std::size_t at = 0; (at = text.find('~', at)) != std::string::npos; ++at, ++edge) {
      const std::size_t begin = text.find_last_of('|', at) + 1;
      const auto operation =
          std::find(operations.begin(), operations.end(), text.substr(begin, at - begin));
      OMNIFIT_CHECK(operation != operations.end(), "unknown operation in {}", text);
      bench.one_hot(row, 5 * edge + (operation - operations.begin())) = 1.0;
    }
  }
  return bench;
}

Times at(const Eigen::VectorXd& values, const Indices& indices) {
  Times picked;
  for (const std::size_t i : indices) picked.push_back(values(static_cast<Eigen::Index>(i)));
  return picked;
}

double spearman(const Eigen::VectorXd& a, const Eigen::VectorXd& b) {
  return learn::spearman({a.data(), static_cast<std::size_t>(a.size())},
                         {b.data(), static_cast<std::size_t>(b.size())});
}

/// Mean rank correlation over all archs, and over the middle 80 % by latency of 1,000 of them.
struct RankScore {
  double all = 0.0;
  double middle = 0.0;
};

class RankJudge {
 public:
  explicit RankJudge(Eigen::Index num_archs) {
    const Indices order = shuffled(static_cast<std::size_t>(num_archs), {23});
    for (std::size_t i = 0; i < 1000; ++i) query_.push_back(static_cast<Eigen::Index>(order[i]));
  }
  RankScore operator()(const Eigen::VectorXd& estimated, const Eigen::VectorXd& measured) const {
    std::vector<Eigen::Index> middle = query_;
    std::stable_sort(middle.begin(), middle.end(),
                     [&](Eigen::Index a, Eigen::Index b) { return measured(a) < measured(b); });
    middle = {middle.begin() + 100, middle.end() - 100};
    return {spearman(estimated, measured),
            spearman(Eigen::VectorXd(estimated(middle)), Eigen::VectorXd(measured(middle)))};
  }

 private:
  std::vector<Eigen::Index> query_;
};

/// Each device's own latencies of every arch, estimated from 900 of them.
Eigen::MatrixXd known_devices(const Bench201& bench) {
  Indices sample = shuffled(static_cast<std::size_t>(bench.ms.rows()), {21});
  sample.resize(900);
  Eigen::MatrixXd known(bench.ms.rows(), bench.ms.cols());
  for (Eigen::Index j = 0; j < bench.ms.cols(); ++j) {
    known.col(j) = latency::estimate_candidates(bench.one_hot, sample, at(bench.ms.col(j), sample));
  }
  return known;
}

void transfers(const fs::path& data) {
  const Bench201 bench = read_bench201(data);
  const RankJudge judge(bench.ms.rows());
  const Eigen::MatrixXd known = known_devices(bench);
  std::printf(
      "## NAS-Bench-201: a new device from few measurements\n\n"
      "Rank correlation (Spearman) of each device's own 900-arch model, mean over devices: ");
  double own = 0.0;
  double own_middle = 0.0;
  for (Eigen::Index j = 0; j < known.cols(); ++j) {
    const RankScore score = judge(known.col(j), bench.ms.col(j));
    own += score.all / static_cast<double>(known.cols());
    own_middle += score.middle / static_cast<double>(known.cols());
  }
  std::printf("%.3f over all archs, %.3f over the middle 80 %% of 1,000.\n\n", own, own_middle);
  std::printf(
      "| devices known | networks | measured | all archs: mean | worst device | middle 80 %% of "
      "1,000: mean | worst |\n"
      "|---|---|---|---|---|---|---|\n");
  const auto family = [&](Eigen::Index j) {
    const std::string& name = bench.devices[static_cast<std::size_t>(j)];
    return name.substr(0, name.find('_'));
  };
  std::vector<Eigen::Index> every(static_cast<std::size_t>(known.cols()));
  std::iota(every.begin(), every.end(), Eigen::Index{0});
  const auto run = [&](const std::vector<Eigen::Index>& targets, const char* title,
                       const char* choice, std::size_t count, int repeats, const auto& estimate) {
    Times all;
    Times middle;
    for (const Eigen::Index j : targets) {
      double all_sum = 0.0;
      double middle_sum = 0.0;
      for (int repeat = 0; repeat < repeats; ++repeat) {
        const RankScore score = judge(estimate(j, count, repeat), bench.ms.col(j));
        all_sum += score.all / repeats;
        middle_sum += score.middle / repeats;
      }
      all.push_back(all_sum);
      middle.push_back(middle_sum);
    }
    std::printf("| %s | %s | %zu | %.3f | %.3f | %.3f | %.3f |\n", title, choice, count, mean(all),
                *std::min_element(all.begin(), all.end()), mean(middle),
                *std::min_element(middle.begin(), middle.end()));
    std::fflush(stdout);
  };
  const auto random_choice = [&](std::size_t count, int repeat) {
    Indices chosen = shuffled(static_cast<std::size_t>(bench.ms.rows()),
                              {22, static_cast<std::uint64_t>(repeat)});
    chosen.resize(count);
    return chosen;
  };
  // HELP learns from nine of these devices and chooses its settings on the other four. The six it
  // is judged on are not among the released timings.
  const std::vector<Eigen::Index> help_targets{3, 4, 5, 8};
  const auto is_help_target = [&](Eigen::Index j) {
    return std::find(help_targets.begin(), help_targets.end(), j) != help_targets.end();
  };
  enum class Known { kOthers, kOtherFamilies, kHelp };
  const auto transfer = [&](Known which, bool random) {
    return [&, which, random](Eigen::Index target, std::size_t count, int repeat) {
      std::vector<Eigen::Index> others;
      for (const Eigen::Index j : every) {
        const bool left_out = which == Known::kOtherFamilies ? family(j) == family(target)
                              : which == Known::kHelp        ? is_help_target(j)
                                                             : j == target;
        if (!left_out) others.push_back(j);
      }
      const latency::DeviceTransfer model(known(Eigen::all, others), bench.one_hot);
      const Indices chosen = random ? random_choice(count, repeat) : model.propose(count);
      return Eigen::VectorXd(model.estimate(chosen, at(bench.ms.col(target), chosen)).time_ms);
    };
  };
  const auto scratch = [&](Eigen::Index target, std::size_t count, int repeat) {
    const Indices chosen = random_choice(count, repeat);
    return latency::estimate_candidates(bench.one_hot, chosen, at(bench.ms.col(target), chosen));
  };
  for (const std::size_t count :
       {std::size_t{5}, std::size_t{10}, std::size_t{20}, std::size_t{50}}) {
    run(every, "12 others", "proposed", count, 1, transfer(Known::kOthers, false));
    run(every, "12 others", "random", count, 3, transfer(Known::kOthers, true));
    run(every, "other families", "proposed", count, 1, transfer(Known::kOtherFamilies, false));
    run(every, "none", "random", count, 3, scratch);
    run(help_targets, "HELP's 9, judged on its 4", "proposed", count, 1,
        transfer(Known::kHelp, false));
  }
  std::printf("\n");
}

/// HAT's table of one space and device.
struct TransformerTimes {
  Eigen::MatrixXd features;   ///< ten, averaged over layers
  Times ms;                   ///< encoder and decoder
  double repeat_error = 0.0;  ///< median deviation from run to run, relative
};

TransformerTimes read_transformers(const fs::path& file) {
  const CsvFile csv = CsvFile::load(file);
  TransformerTimes table;
  table.features.resize(static_cast<Eigen::Index>(csv.num_rows()), 10);
  Times repeat_errors;
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    for (std::size_t j = 0; j < 10; ++j) {
      table.features(static_cast<Eigen::Index>(row), static_cast<Eigen::Index>(j)) =
          csv.number(row, j);
    }
    table.ms.push_back(csv.number(row, csv.column("latency_mean_encoder")) +
                       csv.number(row, csv.column("latency_mean_decoder")));
    repeat_errors.push_back(std::hypot(csv.number(row, csv.column("latency_std_encoder")),
                                       csv.number(row, csv.column("latency_std_decoder"))) /
                            table.ms.back());
  }
  table.repeat_error = median(repeat_errors);
  return table;
}

/// A Gaussian process on logarithms: what most would take.
Eigen::VectorXd process_estimates(const TransformerTimes& table,
                                  const std::vector<Eigen::Index>& fit,
                                  const std::vector<Eigen::Index>& rest) {
  const Eigen::RowVectorXd mean = table.features.colwise().mean();
  Eigen::MatrixXd x = table.features.rowwise() - mean;
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    const double scale = x.col(j).norm() / std::sqrt(static_cast<double>(x.rows()));
    if (scale > 1e-12) x.col(j) /= scale;
  }
  const Eigen::VectorXd log_ms =
      Eigen::Map<const Eigen::VectorXd>(table.ms.data(), x.rows()).array().log();
  learn::GaussianProcessRegressor process;
  process.fit(x(fit, Eigen::all), log_ms(fit));
  return process.predict(x(rest, Eigen::all)).mean.array().exp();
}

void transformers(const fs::path& data) {
  constexpr std::uint64_t kSplits = 5;
  std::printf(
      "## HAT: latency of transformers from ten averaged features\n\n"
      "The 400 networks of each of five splits that no model was fitted on: mean, and range over "
      "the splits.\n\n"
      "| file | fitted on | model | MAPE | within 10 %% | R2 | run-to-run deviation |\n"
      "|---|---|---|---|---|---|---|\n");
  for (const std::string name :
       {"wmt14ende_cpu_xeon", "wmt14enfr_cpu_xeon", "wmt14ende_gpu_titanxp",
        "wmt14enfr_gpu_titanxp", "iwslt14deen_gpu_titanxp", "wmt14ende_cpu_raspberrypi"}) {
    const TransformerTimes table = read_transformers(data / "latency/hat" / (name + "_all.csv"));
    for (const std::ptrdiff_t num_fit : {50, 1600}) {
      for (const bool process : {false, true}) {
        Times mapes;
        Times within;
        Times r2s;
        for (std::uint64_t split = 0; split < kSplits; ++split) {
          const Indices order = shuffled(table.ms.size(), {31, split});
          const std::vector<Eigen::Index> fit(order.begin(), order.begin() + num_fit);
          const std::vector<Eigen::Index> rest(order.begin() + 1600, order.end());
          const Times fit_ms = pick(table.ms, {order.begin(), order.begin() + num_fit});
          const Times rest_ms = pick(table.ms, {order.begin() + 1600, order.end()});
          const Eigen::VectorXd guess =
              process ? process_estimates(table, fit, rest)
                      : latency::FeatureModel::fit(table.features(fit, Eigen::all), fit_ms, kSeed)
                            .predict(table.features(rest, Eigen::all));
          const Times estimated(guess.begin(), guess.end());
          mapes.push_back(learn::mape(estimated, rest_ms));
          within.push_back(learn::share_within(estimated, rest_ms, 0.1));
          r2s.push_back(learn::r2(estimated, rest_ms));
        }
        std::printf("| %s | %td | %s | %.2f %% (%.2f to %.2f) | %.1f %% | %.4f | %.2f %% |\n",
                    name.c_str(), num_fit, process ? "process of logarithms" : "omnifit",
                    100 * mean(mapes), 100 * *std::min_element(mapes.begin(), mapes.end()),
                    100 * *std::max_element(mapes.begin(), mapes.end()), 100 * mean(within),
                    mean(r2s), 100 * table.repeat_error);
        std::fflush(stdout);
      }
    }
  }
  std::printf("\n");
}

int run(int argc, char** argv) {
  CLI::App app("Latency models on released measurements", "latency_study");
  std::string data = OMNIFIT_SHARED_DATA;
  std::vector<std::string> parts{"resolutions", "profile", "networks", "transfer", "transformers"};
  app.add_option("--data", data, "folder with ofa_released/ and latency/");
  app.add_option("parts", parts, "resolutions, profile, networks, transfer, transformers")
      ->check(CLI::IsMember(parts));
  CLI11_PARSE(app, argc, argv);
  for (const std::string& part : parts) {
    if (part == "resolutions") left_out_resolutions(data);
    if (part == "profile") partial_profiles(data);
    if (part == "networks") additive_models(data);
    if (part == "transfer") transfers(data);
    if (part == "transformers") transformers(data);
  }
  return 0;
}

}  // namespace
}  // namespace omnifit

int main(int argc, char** argv) {
  try {
    return omnifit::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "latency_study: %s\n", error.what());
    return 1;
  }
}
