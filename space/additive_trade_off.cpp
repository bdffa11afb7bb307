#include "space/additive_trade_off.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace omnifit::space {

namespace {

constexpr std::uint32_t kNone = 0xffffffffU;

/// A partial solution: what the genes eliminated so far cost and are worth.
struct Partial {
  double cost = 0.0;
  double value = 0.0;
  std::uint32_t origin = kNone;  ///< in the book
};

/// Ascending by cost and by value.
using Frontier = std::vector<Partial>;

/// How partial solutions came about: two of them joined, or a choice made on top of one.
struct Origin {
  std::uint32_t left = kNone;
  std::uint32_t right = kNone;
  std::int16_t gene = -1;
  std::uint8_t choice = 0;
};

/// A frontier for every combination of choices of a few genes; the last gene varies fastest.
struct FrontierTable {
  std::vector<int> genes;  ///< ascending
  std::vector<Frontier> frontiers;
};

class Elimination {
 public:
  Elimination(const SearchSpace& space, const TradeOffOptions& options)
      : space_(space), options_(options) {
    for (const Gene& gene : space.genes()) num_choices_.push_back(gene.choices.size());
  }

  std::vector<TradeOffPoint> run(const AdditiveCost& cost, const AdditiveCost& value) {
    std::vector<FrontierTable> tables = merged_tables(cost, value);
    const double constants = cost.constant();
    for (std::size_t g = num_choices_.size(); g-- > 0;) {
      const double slack = options_.max_cost - constants - lower_bound(tables);
      if (!(slack >= 0.0)) return {};
      max_excess_ = slack;
      const auto split =
          std::stable_partition(tables.begin(), tables.end(), [&](const FrontierTable& table) {
            return std::ranges::find(table.genes, static_cast<int>(g)) == table.genes.end();
          });
      const std::vector<FrontierTable> joined(std::make_move_iterator(split),
                                              std::make_move_iterator(tables.end()));
      tables.erase(split, tables.end());
      tables.push_back(eliminate(static_cast<int>(g), joined));
    }
    Frontier total{Partial{}};
    for (const FrontierTable& table : tables) total = sum(total, table.frontiers.front());
    std::vector<TradeOffPoint> points;
    for (const Partial& partial : total) {
      const Arch arch = arch_of(partial.origin);
      // Sums in another order may round to the other side of the limit.
      const double exact = cost(arch);
      if (exact <= options_.max_cost) points.push_back({exact, value(arch), arch});
    }
    return points;
  }

 private:
  /// Cost and value of every combination of genes that share a table in either.
  std::vector<FrontierTable> merged_tables(const AdditiveCost& cost, const AdditiveCost& value) {
    std::map<std::vector<int>, std::vector<Partial>> by_genes;
    const auto add = [&](const AdditiveCost& of, double Partial::*part) {
      for (const AdditiveCost::Term& term : of.terms()) {
        auto& sums = by_genes[term.genes];
        sums.resize(term.values.size());
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i].*part += term.values[i];
      }
    };
    add(cost, &Partial::cost);
    add(value, &Partial::value);
    for (const AdditiveCost::Term& rule : activity_rules(space_)) {
      auto& sums = by_genes[rule.genes];
      sums.resize(rule.values.size());
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i].cost += rule.values[i];
    }
    std::vector<FrontierTable> tables;
    for (const auto& [genes, sums] : by_genes) {
      FrontierTable& table = tables.emplace_back();
      table.genes = genes;
      for (const Partial& sum : sums) {
        Frontier& frontier = table.frontiers.emplace_back();
        if (std::isfinite(sum.cost) && std::isfinite(sum.value)) frontier.push_back(sum);
      }
    }
    return tables;
  }

  /// Of the cost of everything that is still in tables.
  static double lower_bound(const std::vector<FrontierTable>& tables) {
    double bound = 0.0;
    for (const FrontierTable& table : tables) bound += cheapest(table.frontiers);
    return bound;
  }

  static double cheapest(const std::vector<Frontier>& frontiers) {
    double least = std::numeric_limits<double>::infinity();
    for (const Frontier& frontier : frontiers) {
      if (!frontier.empty()) least = std::min(least, frontier.front().cost);
    }
    return least;
  }

  [[nodiscard]] const Frontier& at(const FrontierTable& table,
                                   const std::vector<std::uint8_t>& choices) const {
    std::size_t index = 0;
    for (const int gene : table.genes) {
      const auto g = static_cast<std::size_t>(gene);
      index = index * num_choices_[g] + choices[g];
    }
    return table.frontiers[index];
  }

  FrontierTable eliminate(int gene, const std::vector<FrontierTable>& joined) {
    std::set<int> others;
    double least = 0.0;
    for (const FrontierTable& table : joined) {
      others.insert(table.genes.begin(), table.genes.end());
      least += cheapest(table.frontiers);
    }
    others.erase(gene);
    FrontierTable result;
    result.genes.assign(others.begin(), others.end());
    std::size_t size = 1;
    for (const int other : others) size *= num_choices_[static_cast<std::size_t>(other)];
    const auto g = static_cast<std::size_t>(gene);
    std::vector<std::uint8_t> choices(num_choices_.size(), 0);
    for (std::size_t i = 0; i < size; ++i) {
      Frontier all;
      for (std::size_t c = 0; c < num_choices_[g]; ++c) {
        choices[g] = static_cast<std::uint8_t>(c);
        Frontier of_choice{Partial{}};
        for (const FrontierTable& table : joined) of_choice = sum(of_choice, at(table, choices));
        for (Partial& partial : of_choice) {
          // Cheaper parts cannot make up for it: the whole would cost too much.
          if (!(partial.cost - least <= max_excess_)) break;
          partial.origin = note({.left = partial.origin,
                                 .right = kNone,
                                 .gene = static_cast<std::int16_t>(gene),
                                 .choice = choices[g]});
          all.push_back(partial);
        }
      }
      result.frontiers.push_back(pruned(std::move(all)));
      advance(result.genes, choices);
    }
    return result;
  }

  /// Moves to the next combination of `genes`, the last fastest.
  void advance(const std::vector<int>& genes, std::vector<std::uint8_t>& choices) const {
    for (std::size_t i = genes.size(); i-- > 0;) {
      const auto g = static_cast<std::size_t>(genes[i]);
      if (++choices[g] < num_choices_[g]) return;
      choices[g] = 0;
    }
  }

  /// Every sum of one of each that is worth keeping.
  Frontier sum(const Frontier& a, const Frontier& b) {
    if (a.empty() || b.empty()) return {};
    if (is_neutral(a)) return b;
    if (is_neutral(b)) return a;
    struct Pair {
      Partial total;
      std::uint32_t left = 0;
      std::uint32_t right = 0;
    };
    const double least = a.front().cost + b.front().cost;
    const double width = cell_width();
    std::vector<std::optional<Pair>> cells;
    // The cheapest one of all stays, whatever its cell holds: nothing feasible may get lost.
    std::vector<Pair> pairs{
        {{least, a.front().value + b.front().value, kNone}, 0, 0},
    };
    for (std::uint32_t i = 0; i < a.size(); ++i) {
      for (std::uint32_t j = 0; j < b.size(); ++j) {
        const Partial total{a[i].cost + b[j].cost, a[i].value + b[j].value, kNone};
        if (!(total.cost - least <= max_excess_)) break;
        if (width == 0.0) {
          pairs.push_back({total, i, j});
          continue;
        }
        const auto cell = static_cast<std::size_t>((total.cost - least) / width);
        if (cell >= cells.size()) cells.resize(cell + 1);
        std::optional<Pair>& held = cells[cell];
        if (!held || more_value(total, held->total)) held = Pair{total, i, j};
      }
    }
    for (const std::optional<Pair>& cell : cells) {
      if (cell) pairs.push_back(*cell);
    }
    std::ranges::stable_sort(
        pairs, [](const Pair& x, const Pair& y) { return cheaper(x.total, y.total); });
    Frontier result;
    for (const Pair& pair : pairs) {
      if (!result.empty() && !(pair.total.value > result.back().value)) continue;
      result.push_back(pair.total);
      result.back().origin = note({a[pair.left].origin, b[pair.right].origin});
    }
    return result;
  }

  /// What is left of many partial solutions of the same genes.
  [[nodiscard]] Frontier pruned(Frontier all) const {
    std::ranges::stable_sort(all, cheaper);
    Frontier kept;
    const double width = cell_width();
    double cell_end = -std::numeric_limits<double>::infinity();
    for (const Partial& partial : all) {
      if (!kept.empty() && !(partial.value > kept.back().value)) continue;
      // The cheapest one stays here too.
      if (kept.size() > 1 && partial.cost < cell_end)
        kept.pop_back();
      else
        cell_end = partial.cost + width;
      kept.push_back(partial);
    }
    return kept;
  }

  static bool cheaper(const Partial& a, const Partial& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.value > b.value;
  }
  static bool more_value(const Partial& a, const Partial& b) {
    return a.value != b.value ? a.value > b.value : a.cost < b.cost;
  }
  static bool is_neutral(const Frontier& frontier) {
    return frontier.size() == 1 && frontier.front().origin == kNone &&
           frontier.front().cost == 0.0 && frontier.front().value == 0.0;
  }

  /// 0 where every partial solution is kept.
  [[nodiscard]] double cell_width() const {
    return options_.cells == 0 || !std::isfinite(max_excess_) ? 0.0 : max_excess_ / options_.cells;
  }

  std::uint32_t note(const Origin& origin) {
    book_.push_back(origin);
    return static_cast<std::uint32_t>(book_.size() - 1);
  }

  [[nodiscard]] Arch arch_of(std::uint32_t origin) const {
    std::array<std::uint8_t, Arch::kMaxGenes> choices{};
    std::vector<std::uint32_t> open{origin};
    while (!open.empty()) {
      const std::uint32_t next = open.back();
      open.pop_back();
      if (next == kNone) continue;
      const Origin& made = book_[next];
      if (made.gene >= 0) choices[static_cast<std::size_t>(made.gene)] = made.choice;
      open.push_back(made.left);
      open.push_back(made.right);
    }
    return {space_, std::span<const std::uint8_t>(choices).first(num_choices_.size())};
  }

  const SearchSpace& space_;
  const TradeOffOptions& options_;
  std::vector<std::size_t> num_choices_;
  double max_excess_ = std::numeric_limits<double>::infinity();
  std::vector<Origin> book_;
};

}  // namespace

std::vector<TradeOffPoint> additive_trade_off(const SearchSpace& space, const AdditiveCost& cost,
                                              const AdditiveCost& value,
                                              const TradeOffOptions& options) {
  if (options.cells < 0) {
    throw std::invalid_argument(fmt::format("cells must be at least 0, got {}", options.cells));
  }
  OMNIFIT_CHECK(cost.space_fingerprint() == space.fingerprint() &&
                    value.space_fingerprint() == space.fingerprint(),
                "a cost was compiled for another space than {}", space.name());
  if (!std::isfinite(cost.constant()) || !std::isfinite(value.constant())) return {};
  TradeOffOptions limited = options;
  // Cells need an end.
  if (std::isinf(limited.max_cost)) limited.max_cost = cost.maximum(space).cost;
  return Elimination(space, limited).run(cost, value);
}

}  // namespace omnifit::space
