#include "search/memo_evaluator.hpp"

#include "search/random_search.hpp"
#include "space/sampling.hpp"
#include "tests/search/synthetic.hpp"
#include "tests/support/catch.hpp"

#include <stdexcept>
#include <vector>

namespace omnifit::search {
namespace {

using test::Additive;
using test::FakeEvaluator;

/// Fails the second time it is asked.
class Failing final : public Evaluator {
 public:
  explicit Failing(Evaluator& evaluator) : evaluator_(evaluator) {}
  [[nodiscard]] const std::vector<Metric>& metrics() const override { return evaluator_.metrics(); }
  [[nodiscard]] MetricTable evaluate(std::span<const space::Arch> archs) override {
    if (++calls_ == 2) throw std::runtime_error("no answer");
    return evaluator_.evaluate(archs);
  }

 private:
  Evaluator& evaluator_;
  int calls_ = 0;
};

}  // namespace

TEST_CASE("every arch is scored once, repeated ones within a batch too", "[search][contract]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  FakeEvaluator inner = model.evaluator();
  MemoEvaluator memory(inner);
  const space::Arch a = space::smallest(space);
  const space::Arch b = space::largest(space);
  const MetricTable first = memory.evaluate(std::vector{a, b, a});
  const MetricTable second = memory.evaluate(std::vector{b, a});
  CHECK(inner.num_asked() == 2);
  CHECK(first.row(0)[0] == model.top1(a));
  CHECK(first.row(2)[1] == model.latency_ms(a));
  CHECK(second.row(0)[1] == model.latency_ms(b));
  CHECK(memory.archs() == std::vector{a, b});
  CHECK(memory.values(1)[0] == model.top1(b));
  CHECK(memory.evaluate({}).rows() == 0);
}

TEST_CASE("what could not be scored is asked for again", "[search][error]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  FakeEvaluator inner = model.evaluator();
  Failing failing(inner);
  MemoEvaluator memory(failing);
  const std::vector a = {space::smallest(space)};
  const std::vector b = {space::largest(space)};
  CHECK(memory.evaluate(a).rows() == 1);
  CHECK_THROWS_AS(memory.evaluate(b), std::runtime_error);
  CHECK(memory.evaluate(b).row(0)[0] == model.top1(b.front()));
  CHECK(memory.archs().size() == 2);
}

TEST_CASE("a search profits from what others have seen", "[search][unit]") {
  const space::SearchSpace space = test::load_space("tiny");
  const Additive model(space);
  FakeEvaluator inner = model.evaluator();
  MemoEvaluator memory(inner);
  core::NullProgress progress;
  const double loose = model.latency_ms(space::largest(space));
  const double tight = 0.5 * (loose + model.latency_ms(space::smallest(space)));
  const RandomConfig few{.max_evaluations = 5};
  const RandomConfig many{.max_evaluations = 200};
  SearchTrace trace = run_random_search(few, space, memory, test::best_within(tight), 1, progress);
  run_random_search(many, space, memory, test::best_within(loose), 2, progress);
  const std::size_t own = trace.archive.size();
  adopt(trace, test::best_within(tight), memory);
  REQUIRE(trace.best);
  CHECK(trace.archive.size() == memory.archs().size());
  CHECK(trace.generations.back().num_evaluations == static_cast<std::int64_t>(own));
  double best = 0.0;
  for (const space::Arch& arch : memory.archs()) {
    if (model.latency_ms(arch) <= tight) best = std::max(best, model.top1(arch));
  }
  CHECK(trace.archive[*trace.best].values[0] == best);
  CHECK(trace.front.front() == *trace.best);
}

}  // namespace omnifit::search
