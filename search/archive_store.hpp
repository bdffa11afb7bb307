#pragma once

#include "search/front_history.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace omnifit::search {

/// Which search an archive is of; the key of search_run.
struct ArchiveKey {
  std::int64_t stage_run_id = 0;
  std::string budget;
  std::string strategy;
};

/// Appends measured archs to search_archive, behind those that are there. Call inside
/// Database::write, once per batch: then a search that is stopped or killed goes on with
/// stored_archive.
void append_archive(SQLite::Database& sql, const ArchiveKey& key, const space::SearchSpace& space,
                    std::span<const Metric> metrics, std::span<const Evaluated> batch);

/// The archive in the order of measuring, scored by `problem`; empty if there is none.
/// @throws DataError if a row is not of this space or lacks one of the metrics; ConfigError from
/// Scorer.
std::vector<Evaluated> stored_archive(SQLite::Database& sql, const ArchiveKey& key,
                                      const space::SearchSpace& space,
                                      const std::vector<Metric>& metrics, const Problem& problem);

/// Forgets the archive, e.g. of a search whose settings changed. Call inside Database::write.
void drop_archive(SQLite::Database& sql, const ArchiveKey& key);

/// Writes the hypervolume of every generation of a stored run and of its final front, and the box
/// they are shares of. Call inside Database::write.
void put_front_history(SQLite::Database& sql, std::int64_t search_run_id, const SearchTrace& trace,
                       const FrontHistory& history);

/// The box of a stored search; empty if nothing was feasible or there is no such search.
/// @throws DataError if it cannot be read.
std::vector<FrontHistory::Axis> stored_box(SQLite::Database& sql, const ArchiveKey& key);

}  // namespace omnifit::search
