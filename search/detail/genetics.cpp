#include "search/detail/genetics.hpp"

#include "core/error.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>
#include <tuple>

namespace omnifit::search::detail {
namespace {

/// Chances to the 65,536th part, four of them from one random number.
class Coins {
 public:
  Coins(double prob, core::Rng& rng)
      : threshold_(static_cast<std::uint64_t>(std::llround(prob * kSides))), rng_(rng) {}
  bool toss() {
    if (left_ == 0) {
      bits_ = rng_.next();
      left_ = 4;
    }
    --left_;
    const std::uint64_t side = bits_ % kSides;
    bits_ /= kSides;
    return side < threshold_;
  }

 private:
  static constexpr std::uint64_t kSides = 65'536;
  std::uint64_t threshold_;
  core::Rng& rng_;
  std::uint64_t bits_ = 0;
  int left_ = 0;
};

std::uint64_t bit(std::size_t gene) { return std::uint64_t{1} << gene; }

/// Eight choices at once, the lowest gene in the lowest byte.
using Word = std::uint64_t;
constexpr std::size_t kWordGenes = 8;
constexpr std::size_t kWords = (std::tuple_size_v<Choices> + kWordGenes - 1) / kWordGenes;
using Words = std::array<Word, kWords>;

static_assert(std::endian::native == std::endian::little, "the lowest gene in the lowest byte");

Words words_of(const Choices& choices) {
  Words words{};
  std::memcpy(words.data(), choices.data(), choices.size());
  return words;
}

Choices choices_of(const Words& words) {
  Choices choices{};
  std::memcpy(choices.data(), words.data(), choices.size());
  return choices;
}

/// The bits of genes from `8 * word` on, each as a byte of ones or zeros.
Word spread(std::uint64_t genes, std::size_t word) {
  const Word own_bits =
      (genes >> (word * kWordGenes) & 0xffU) * 0x0101010101010101U & 0x8040201008040201U;
  return ((own_bits + 0x7f7f7f7f7f7f7f7fU) >> 7U & 0x0101010101010101U) * 0xffU;
}

/// The opposite: a bit for each byte that is not 0.
std::uint64_t gather(Word bytes, std::size_t word) {
  constexpr Word kLow = 0x7f7f7f7f7f7f7f7fU;
  const Word ones = (((bytes & kLow) + kLow) | bytes) >> 7U & 0x0101010101010101U;
  return (ones * 0x0102040810204080U >> 56U) << (word * kWordGenes);
}

}  // namespace

Genetics::Genetics(const space::SearchSpace& space)
    : space_(space), switched_(space.genes().size()) {
  for (const space::Gene& gene : space.genes()) {
    const auto number = static_cast<std::uint8_t>(genes_.size());
    genes_.push_back(
        {.owner = static_cast<std::uint8_t>(
             gene.active_if ? static_cast<std::size_t>(gene.active_if->gene) : genes_.size()),
         .min_choice = static_cast<std::uint8_t>(gene.active_if ? gene.active_if->min_choice : 0),
         .num_choices = static_cast<std::uint8_t>(gene.choices.size())});
    if (!gene.active_if) continue;
    const auto owner = static_cast<std::size_t>(gene.active_if->gene);
    genes_[owner].is_owner = true;
    switched_[owner].push_back(number);
  }
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    all_genes_ |= bit(g);
    if (!genes_[g].is_owner) continue;
    Owner& owner = owners_.emplace_back(Owner{g, {}});
    for (std::size_t c = 0; c < genes_[g].num_choices; ++c) {
      std::uint64_t& active = owner.active.emplace_back(~std::uint64_t{0});
      for (const std::uint8_t other : switched_[g]) {
        if (c < genes_[other].min_choice) active &= ~bit(other);
      }
    }
  }
}

std::uint64_t Genetics::active_genes(const Choices& choices) const {
  std::uint64_t active = all_genes_;
  for (const Owner& owner : owners_) active &= owner.active[choices[owner.gene]];
  return active;
}

Choices Genetics::choices(const space::Arch& arch) const {
  OMNIFIT_CHECK(arch.space_fingerprint() == space_.fingerprint(),
                "an arch of another space than {}", space_.name());
  Choices choices{};
  std::ranges::copy(arch.choices(), choices.begin());
  return choices;
}

space::Arch Genetics::arch(const Choices& choices) const {
  return {space_, std::span<const std::uint8_t>(choices).first(genes_.size())};
}

void Genetics::canonicalise(Choices& choices) const {
  std::uint64_t active = all_genes_;
  for (const Owner& owner : owners_) {
    // An owner that is switched off itself has its first choice.
    const unsigned choice = (active & bit(owner.gene)) != 0 ? choices[owner.gene] : 0U;
    active &= owner.active[choice];
  }
  Words words = words_of(choices);
  for (std::size_t w = 0; w < kWords; ++w) words[w] &= spread(active, w);
  choices = choices_of(words);
}

Choices Genetics::mutate(const Choices& parent, double prob, core::Rng& rng) const {
  Choices child{};
  bool moved = false;
  Coins coins(prob, rng);
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    if (!is_active(child, g)) continue;
    if (!is_active(parent, g)) {
      child[g] = static_cast<std::uint8_t>(rng.below(genes_[g].num_choices));
    } else if (coins.toss()) {
      child[g] = draw_other(g, parent[g], rng);
      moved = true;
    } else {
      child[g] = parent[g];
    }
  }
  return moved ? child : move(parent, 1, rng);
}

std::uint64_t Genetics::differing(const Choices& a, const Choices& b) {
  const Words words_a = words_of(a);
  const Words words_b = words_of(b);
  std::uint64_t found = 0;
  for (std::size_t w = 0; w < kWords; ++w) found |= gather(words_a[w] ^ words_b[w], w);
  return found;
}

Choices Genetics::move(const Choices& parent, std::size_t count, core::Rng& rng) const {
  const std::uint64_t active = active_genes(parent);
  std::uint64_t unmoved = active;
  Choices child = parent;
  bool switches = false;
  for (; count > 0 && unmoved != 0; --count) {
    std::size_t gene = rng.below(genes_.size());
    while ((unmoved & bit(gene)) == 0) gene = rng.below(genes_.size());
    unmoved &= ~bit(gene);
    child[gene] = draw_other(gene, parent[gene], rng);
    switches = switches || genes_[gene].is_owner;
  }
  if (!switches) return child;
  canonicalise(child);
  for (std::uint64_t off = all_genes_ & ~active; off != 0; off &= off - 1) {
    const auto gene = static_cast<std::size_t>(std::countr_zero(off));
    if (is_active(child, gene)) {
      child[gene] = static_cast<std::uint8_t>(rng.below(genes_[gene].num_choices));
    }
  }
  return child;
}

Choices Genetics::cross(const Choices& a, const Choices& b, core::Rng& rng) const {
  const std::uint64_t from_a = active_genes(a) & (rng.next() | ~active_genes(b));
  const Words words_a = words_of(a);
  Words words = words_of(b);
  for (std::size_t w = 0; w < kWords; ++w) words[w] ^= (words_a[w] ^ words[w]) & spread(from_a, w);
  Choices child = choices_of(words);
  canonicalise(child);
  return child;
}

std::vector<Flip> Genetics::flips(const Choices& choices) const {
  std::vector<Flip> found;
  for (std::size_t g = 0; g < genes_.size(); ++g) {
    if (!is_active(choices, g)) continue;
    for (std::uint8_t c = 0; c < genes_[g].num_choices; ++c) {
      if (c == choices[g]) continue;
      Flip& flip = found.emplace_back(Flip{g, c, choices});
      impose(g, c, flip.choices);
    }
  }
  return found;
}

std::uint8_t Genetics::draw_other(std::size_t gene, std::uint8_t current, core::Rng& rng) const {
  const auto other = static_cast<std::uint8_t>(rng.below(genes_[gene].num_choices - 1U));
  return other >= current ? static_cast<std::uint8_t>(other + 1) : other;
}

}  // namespace omnifit::search::detail
