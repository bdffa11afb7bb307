#include "learn/cross_validation.hpp"

#include "core/error.hpp"
#include "core/threads.hpp"

#include <numeric>
#include <span>
#include <stdexcept>

namespace omnifit::learn {

std::vector<int> assign_folds(int num_samples, int folds, core::Rng& rng) {
  if (folds < 2 || folds > num_samples) {
    throw std::invalid_argument(
        fmt::format("folds must be in [2, {}], got {}", num_samples, folds));
  }
  std::vector<int> fold_of(static_cast<std::size_t>(num_samples));
  for (std::size_t i = 0; i < fold_of.size(); ++i) {
    fold_of[i] = static_cast<int>(i % static_cast<std::size_t>(folds));
  }
  rng.shuffle(std::span(fold_of));
  return fold_of;
}

Eigen::VectorXd cross_validate(const std::function<std::unique_ptr<Regressor>()>& make,
                               const Eigen::MatrixXd& x, const Eigen::VectorXd& y, int folds,
                               core::Rng& rng, int threads) {
  const std::vector<int> fold_of = assign_folds(static_cast<int>(x.rows()), folds, rng);
  Eigen::VectorXd predicted(x.rows());
  core::parallel_for(folds, threads, [&](std::int64_t fold) {
    std::vector<Eigen::Index> inside;
    std::vector<Eigen::Index> outside;
    for (std::size_t i = 0; i < fold_of.size(); ++i) {
      (fold_of[i] == fold ? inside : outside).push_back(static_cast<Eigen::Index>(i));
    }
    const std::unique_ptr<Regressor> model = make();
    model->fit(x(outside, Eigen::all), y(outside));
    predicted(inside) = model->predict(x(inside, Eigen::all)).mean;
  });
  return predicted;
}

}  // namespace omnifit::learn
