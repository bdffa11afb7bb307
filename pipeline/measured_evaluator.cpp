#include "pipeline/measured_evaluator.hpp"

#include "pipeline/collection.hpp"

#include <algorithm>

namespace omnifit::pipeline {

MeasuredEvaluator::MeasuredEvaluator(RunContext& context, search::Evaluator* others)
    : context_(context), others_(others), metrics_{{.name = "top1", .maximise = true}} {
  if (others == nullptr) return;
  metrics_.insert(metrics_.end(), others->metrics().begin(), others->metrics().end());
}

search::MetricTable MeasuredEvaluator::evaluate(std::span<const space::Arch> archs) {
  search::MetricTable table(archs.size(), metrics_.size());
  // The search that asks shows how far it is.
  const auto accuracies = measure_accuracies(context_, archs, supernet::Split::kValidation,
                                             context_.config().collect.max_images, "");
  for (std::size_t i = 0; i < archs.size(); ++i) table.row(i).front() = accuracies[i].top1;
  if (others_ == nullptr) return table;
  const search::MetricTable costs = others_->evaluate(archs);
  for (std::size_t i = 0; i < archs.size(); ++i) {
    std::ranges::copy(costs.row(i), table.row(i).begin() + 1);
  }
  return table;
}

}  // namespace omnifit::pipeline
