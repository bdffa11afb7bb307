#pragma once

#include <filesystem>

namespace SQLite {
class Exception;
}

namespace omnifit::store::detail {

/// Rethrows an SQLite error as the error a user can act on; every message names `file` and says
/// what to do.
/// @throws EnvironmentError for a full disk, a lock held by another program, a read-only or
/// unreachable file and input or output errors; DataError for a damaged file or one that is no
/// database; BugError for wrong SQL of our own.
[[noreturn]] void throw_translated(const SQLite::Exception& error,
                                   const std::filesystem::path& file);

}  // namespace omnifit::store::detail
