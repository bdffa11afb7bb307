#include "space/detail/min_sum.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <set>
#include <utility>

namespace omnifit::space::detail {

namespace {

/// Where a combination of choices stands in a table.
std::size_t position(const GeneTable& table, const std::vector<std::uint8_t>& choices,
                     const std::vector<std::size_t>& num_choices) {
  std::size_t index = 0;
  for (const int gene : table.genes) {
    const auto g = static_cast<std::size_t>(gene);
    index = index * num_choices[g] + choices[g];
  }
  return index;
}

/// Moves to the next combination of `genes`, the last fastest.
void advance(const std::vector<int>& genes, std::vector<std::uint8_t>& choices,
             const std::vector<std::size_t>& num_choices) {
  for (std::size_t i = genes.size(); i-- > 0;) {
    const auto g = static_cast<std::size_t>(genes[i]);
    if (++choices[g] < num_choices[g]) return;
    choices[g] = 0;
  }
}

/// What is left of a gene once it is eliminated: its best choice given the genes before it.
struct Best {
  GeneTable value;
  std::vector<std::uint8_t> choice;  ///< parallel to `value.values`
};

Best eliminate(int gene, const std::vector<GeneTable>& joined,
               const std::vector<std::size_t>& num_choices) {
  std::set<int> others;
  for (const GeneTable& table : joined) others.insert(table.genes.begin(), table.genes.end());
  others.erase(gene);
  Best best;
  best.value.genes.assign(others.begin(), others.end());
  std::size_t size = 1;
  for (const int other : others) size *= num_choices[static_cast<std::size_t>(other)];
  const auto g = static_cast<std::size_t>(gene);
  std::vector<std::uint8_t> choices(num_choices.size(), 0);
  for (std::size_t i = 0; i < size; ++i) {
    double lowest = std::numeric_limits<double>::infinity();
    std::uint8_t lowest_choice = 0;
    for (std::size_t c = 0; c < num_choices[g]; ++c) {
      choices[g] = static_cast<std::uint8_t>(c);
      double sum = 0.0;
      for (const GeneTable& table : joined) {
        sum += table.values[position(table, choices, num_choices)];
      }
      if (sum < lowest) {
        lowest = sum;
        lowest_choice = choices[g];
      }
    }
    best.value.values.push_back(lowest);
    best.choice.push_back(lowest_choice);
    advance(best.value.genes, choices, num_choices);
  }
  return best;
}

}  // namespace

MinSum minimise_sum(std::vector<GeneTable> tables, const std::vector<std::size_t>& num_choices) {
  std::vector<Best> eliminated(num_choices.size());
  for (std::size_t g = num_choices.size(); g-- > 0;) {
    const auto split = std::stable_partition(tables.begin(), tables.end(), [&](const GeneTable& t) {
      return std::find(t.genes.begin(), t.genes.end(), static_cast<int>(g)) == t.genes.end();
    });
    const std::vector<GeneTable> joined(std::make_move_iterator(split),
                                        std::make_move_iterator(tables.end()));
    tables.erase(split, tables.end());
    eliminated[g] = eliminate(static_cast<int>(g), joined, num_choices);
    tables.push_back(eliminated[g].value);
  }
  MinSum result;
  for (const GeneTable& table : tables) result.value += table.values.front();
  result.choices.assign(num_choices.size(), 0);
  for (std::size_t g = 0; g < num_choices.size(); ++g) {
    const Best& best = eliminated[g];
    result.choices[g] = best.choice[position(best.value, result.choices, num_choices)];
  }
  return result;
}

}  // namespace omnifit::space::detail
