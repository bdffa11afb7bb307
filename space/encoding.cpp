#include "space/encoding.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"

#include <algorithm>
#include <stdexcept>

namespace omnifit::space {

namespace {

constexpr int kOrdinalColumnsPerGene = 2;

}  // namespace

int num_columns(const SearchSpace& space, Encoding encoding) {
  if (encoding == Encoding::kOrdinal) {
    return kOrdinalColumnsPerGene * static_cast<int>(space.genes().size());
  }
  std::size_t count = 0;
  for (const Gene& gene : space.genes()) count += gene.choices.size();
  return static_cast<int>(count);
}

std::vector<std::string> column_names(const SearchSpace& space, Encoding encoding) {
  std::vector<std::string> names;
  for (const Gene& gene : space.genes()) {
    if (encoding == Encoding::kOrdinal) {
      names.push_back(gene_name(gene));
      names.push_back(gene_name(gene) + " active");
      continue;
    }
    for (std::size_t choice = 0; choice < gene.choices.size(); ++choice) {
      names.push_back(gene_name(gene) + "=" + choice_text(gene, static_cast<int>(choice)));
    }
  }
  return names;
}

void encode(const SearchSpace& space, const Arch& arch, Encoding encoding, std::span<double> row) {
  const auto columns = static_cast<std::size_t>(num_columns(space, encoding));
  if (row.size() != columns) {
    throw std::invalid_argument(
        fmt::format("row must have {} elements, got {}", columns, row.size()));
  }
  std::fill(row.begin(), row.end(), 0.0);
  std::size_t column = 0;
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const auto num_choices = space.genes()[g].choices.size();
    const auto choice = static_cast<std::size_t>(arch.choice(static_cast<int>(g)));
    const bool active = is_active(space, arch, static_cast<int>(g));
    if (encoding == Encoding::kOneHot) {
      if (active) row[column + choice] = 1.0;
      column += num_choices;
      continue;
    }
    if (active) {
      row[column] = static_cast<double>(choice) / static_cast<double>(num_choices - 1);
      row[column + 1] = 1.0;
    }
    column += kOrdinalColumnsPerGene;
  }
}

std::uint64_t layout_version(const SearchSpace& space, Encoding encoding) {
  std::string text = encoding == Encoding::kOneHot ? "one_hot" : "ordinal";
  text += " " + core::hex64(space.fingerprint());
  for (const std::string& name : column_names(space, encoding)) text += "\n" + name;
  return core::stable_hash(text);
}

}  // namespace omnifit::space
