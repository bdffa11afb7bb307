#include "pipeline/collection.hpp"

#include "core/hash.hpp"
#include "core/rng.hpp"
#include "core/units.hpp"
#include "space/sampling.hpp"

#include <algorithm>
#include <unordered_set>

namespace omnifit::pipeline {
std::vector<space::Arch> collected_archs(const space::SearchSpace& space,
                                         const CollectConfig& config, std::uint64_t seed) {
  const space::Count all = space::cardinality(space);
  const auto wanted = static_cast<std::size_t>(
      std::min<space::Count>(all, static_cast<space::Count>(config.samples)));
  if (wanted == all) return space::enumerate(space, wanted);
  std::vector<space::Arch> archs;
  std::unordered_set<space::Arch, space::ArchHash> seen;
  const auto add = [&](const space::Arch& arch) {
    if (archs.size() < wanted && seen.insert(arch).second) archs.push_back(arch);
  };
  add(space::smallest(space));
  add(space::largest(space));
  // Bounded because at least one unseen arch remains and every draw may hit it; tiny spaces were
  // enumerated above. A search ends far from the middle of the space, where uniform samples are.
  for (std::uint64_t draw = 0; archs.size() < wanted; ++draw) {
    core::Rng rng = core::Rng::stream(seed, core::Purpose::kCollect, {draw});
    add(draw % 2 == 0 ? space::sample(space, rng) : space::sample_spread(space, rng));
  }
  return archs;
}

std::vector<supernet::SubnetAccuracy> measure_accuracies(RunContext& context,
                                                         std::span<const space::Arch> archs,
                                                         supernet::Split split, int max_images,
                                                         const std::string& task) {
  const std::int64_t images = supernet::split_of(context.dataset(), split).count();
  const supernet::EvalOptions options = context.eval_options(max_images);
  AccuracyKey key;
  key.dataset_id = context.dataset_id();
  key.split = supernet::split_name(split);
  key.num_images = max_images > 0 ? std::min<std::int64_t>(images, max_images) : images;
  key.calibration = fmt::format(
      R"({{"images":{},"batch_size":{}}})",
      std::min<std::int64_t>(options.calibration_images, context.dataset().train.count()),
      options.batch_size);
  key.checkpoint_sha256 = context.results.at(Stage::kTrain).result_hash;

  const std::int64_t space_id = context.space_id();
  const space::TaskIo io = context.io();
  std::vector<std::int64_t> arch_ids;
  context.db().write([&](SQLite::Database& sql) {
    for (const space::Arch& arch : archs)
      arch_ids.push_back(put_arch(sql, space_id, context.space(), arch, io));
  });
  std::vector<supernet::SubnetAccuracy> accuracies(archs.size());
  std::vector<std::size_t> to_measure;
  context.db().read([&](SQLite::Database& sql) {
    for (std::size_t i = 0; i < archs.size(); ++i) {
      if (const auto stored = find_accuracy(sql, arch_ids[i], key)) {
        accuracies[i] = *stored;
      } else {
        to_measure.push_back(i);
      }
    }
  });
  if (to_measure.empty()) return accuracies;

  const bool own_task = !task.empty();
  if (own_task) {
    context.progress().begin(task, static_cast<std::int64_t>(archs.size()), "subnets",
                             static_cast<std::int64_t>(archs.size() - to_measure.size()));
  }
  std::vector<space::Arch> batch;
  for (const std::size_t i : to_measure) batch.push_back(archs[i]);
  context.subnet_evaluator().evaluate(
      batch, split, options, [&](std::size_t done, const supernet::SubnetAccuracy& accuracy) {
        const std::size_t i = to_measure[done];
        accuracies[i] = accuracy;
        context.db().write(
            [&](SQLite::Database& sql) { put_accuracy(sql, arch_ids[i], key, accuracy); });
        context.progress().advance(own_task ? 1 : 0,
                                   "top-1 " + core::format_percent(accuracy.top1));
      });
  if (own_task) context.progress().end();
  return accuracies;
}

}  // namespace omnifit::pipeline
