#include "store/database.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "store/detail/connection.hpp"
#include "store/detail/migrations.hpp"
#include "store/detail/sqlite_errors.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace omnifit::store {
namespace {

/// Runs `body`, turning SQLite's errors into ours.
template <class Body>
auto translated(const std::filesystem::path& file, const Body& body) {
  try {
    return body();
  } catch (const SQLite::Exception& error) {
    detail::throw_translated(error, file);
  }
}

/// No statement can change the file while this lives.
class QueryOnly {
 public:
  explicit QueryOnly(SQLite::Database& sql) : sql_(sql) { sql_.exec("PRAGMA query_only = ON"); }
  ~QueryOnly() { sql_.tryExec("PRAGMA query_only = OFF"); }
  QueryOnly(const QueryOnly&) = delete;
  QueryOnly& operator=(const QueryOnly&) = delete;

 private:
  SQLite::Database& sql_;
};

void check_path(const std::filesystem::path& file, Database::Mode mode) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  if (!std::filesystem::exists(status)) {
    if (mode == Database::Mode::kReadOnly)
      throw DataError(fmt::format("{}: no such project file", core::path_text(file)));
    if (!std::filesystem::is_directory(folder, error)) {
      throw DataError(fmt::format("{}: the folder {} does not exist", core::path_text(file),
                                  core::path_text(folder)));
    }
  } else if (!std::filesystem::is_regular_file(status)) {
    throw DataError(
        fmt::format("{}: not a regular file, so not a project file", core::path_text(file)));
  }
}

void check_version(const std::filesystem::path& file, int version) {
  if (version > schema_version()) {
    throw DataError(fmt::format(
        "{}: written by a newer omnifit (format {}, this one knows up to {}); update omnifit",
        core::path_text(file), version, schema_version()));
  }
}

/// Whether the database has nothing in it yet. A kill during creation leaves it so.
bool is_blank(SQLite::Database& sql) {
  return sql.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0 &&
         sql.execAndGet("PRAGMA user_version").getInt() == 0;
}

/// Nothing of a foreign database is touched: this looks before any pragma that writes.
void check_identity(const std::filesystem::path& file, Database::Mode mode, SQLite::Database& sql) {
  const int application = sql.execAndGet("PRAGMA application_id").getInt();
  if (application == detail::kApplicationId) {
    const int version = sql.execAndGet("PRAGMA user_version").getInt();
    check_version(file, version);
    if (mode == Database::Mode::kReadOnly && version < schema_version()) {
      throw DataError(fmt::format(
          "{}: of an older format ({}, this omnifit reads {}); run a command that writes to it "
          "once, which brings it up to date",
          core::path_text(file), version, schema_version()));
    }
    return;
  }
  if (application != 0 || !is_blank(sql)) {
    throw DataError(fmt::format(
        "{}: an SQLite database, but not a project file (application id {}, expected {})",
        core::path_text(file), application, detail::kApplicationId));
  }
  if (mode == Database::Mode::kReadOnly) {
    throw DataError(fmt::format("{}: empty, not a project file", core::path_text(file)));
  }
}

std::string find_problem(const std::filesystem::path& folder, const std::string& table,
                         const std::string& relative, std::uint64_t size_bytes,
                         const std::string& sha256) {
  const std::filesystem::path file = folder / relative;
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error))
    return fmt::format("{}: {}: missing", table, relative);
  const std::uint64_t found_bytes = std::filesystem::file_size(file, error);
  if (error) return fmt::format("{}: {}: {}", table, relative, error.message());
  if (found_bytes != size_bytes) {
    return fmt::format("{}: {}: {} bytes, recorded are {}", table, relative, found_bytes,
                       size_bytes);
  }
  try {
    if (core::sha256_file(file) != sha256)
      return fmt::format("{}: {}: content differs (sha256)", table, relative);
  } catch (const Error& unreadable) {
    return fmt::format("{}: {}", table, unreadable.what());
  }
  return "";
}

void find_row_problems(SQLite::Database& sql, std::vector<std::string>& problems) {
  SQLite::Statement integrity(sql, "PRAGMA integrity_check");
  while (integrity.executeStep()) {
    const std::string line = integrity.getColumn(0).getString();
    if (line != "ok") problems.push_back(line);
  }
  SQLite::Statement keys(sql, "PRAGMA foreign_key_check");
  while (keys.executeStep()) {
    problems.push_back(fmt::format("{}: row {} refers to a missing row of {}",
                                   keys.getColumn(0).getString(), keys.getColumn(1).getString(),
                                   keys.getColumn(2).getString()));
  }
}

struct RecordedFile {
  std::string table;
  std::string path;
  std::uint64_t size_bytes = 0;
  std::string sha256;
};

std::vector<RecordedFile> recorded_files(SQLite::Database& sql) {
  std::vector<RecordedFile> files;
  SQLite::Statement query(
      sql,
      "SELECT 'checkpoint', path, size_bytes, sha256 FROM checkpoint "
      "UNION SELECT 'export', path, size_bytes, sha256 FROM export ORDER BY 1, 2");
  while (query.executeStep()) {
    files.push_back({.table = query.getColumn(0).getString(),
                     .path = query.getColumn(1).getString(),
                     .size_bytes = static_cast<std::uint64_t>(query.getColumn(2).getInt64()),
                     .sha256 = query.getColumn(3).getString()});
  }
  return files;
}

}  // namespace

int schema_version() { return detail::migrations().back().version; }

struct Database::Impl {
  std::filesystem::path file;
  Mode mode = Mode::kReadOnly;
  detail::FileIdentity identity;
  std::unique_ptr<SQLite::Database> sql;
  std::mutex mutex;
  std::atomic<std::thread::id> holder{};

  /// The connection, for one thread at a time.
  class Access {
   public:
    explicit Access(Impl& impl) : impl_(impl) {
      OMNIFIT_CHECK(impl.holder != std::this_thread::get_id(),
                    "nested access to the project file {}", core::path_text(impl.file));
      impl.mutex.lock();
      impl.holder = std::this_thread::get_id();
    }
    ~Access() {
      impl_.holder = std::thread::id{};
      impl_.mutex.unlock();
    }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

   private:
    Impl& impl_;
  };

  void open(const Options& options) {
    check_path(file, mode);
    detail::ConnectionOptions connection{
        .writable = false,
        .exclusive = options.exclusive || detail::is_on_network_filesystem(
                                              std::filesystem::absolute(file).parent_path()),
        .busy_timeout_ms = options.busy_timeout_ms};
    if (mode == Mode::kReadOnly) {
      sql = detail::connect(file, connection);
      check_identity(file, mode, *sql);
    } else {
      std::error_code error;
      if (std::filesystem::exists(file, error))
        check_identity(file, mode, *detail::connect(file, connection));
      connection.writable = true;
      sql = detail::connect(file, connection);
      // A copy of the main file alone is then a project file from the start.
      if (detail::migrate(*sql, detail::migrations())) sql->exec("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    identity = detail::identify(file);
  }

  void check_not_replaced() const {
    if (detail::identify(file) == identity) return;
    throw EnvironmentError(fmt::format(
        "{}: the project file was deleted, moved or replaced while it was in use; nothing "
        "more was stored; run the same command again",
        core::path_text(file)));
  }
};

Database::Database(std::filesystem::path file, Mode mode)
    : Database(std::move(file), mode, Options{}) {}

Database::Database(std::filesystem::path file, Mode mode, const Options& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->file = std::move(file);
  impl_->mode = mode;
  translated(impl_->file, [&] { impl_->open(options); });
}

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;

const std::filesystem::path& Database::path() const { return impl_->file; }

std::filesystem::path Database::folder() const {
  return std::filesystem::absolute(impl_->file).parent_path();
}

void Database::write(const std::function<void(SQLite::Database&)>& body) {
  OMNIFIT_CHECK(impl_->mode == Mode::kReadWrite, "the project file {} was opened to read",
                core::path_text(impl_->file));
  const Impl::Access access(*impl_);
  impl_->check_not_replaced();
  translated(impl_->file, [&] {
    SQLite::Transaction transaction(*impl_->sql, SQLite::TransactionBehavior::IMMEDIATE);
    body(*impl_->sql);
    transaction.commit();
  });
}

void Database::read(const std::function<void(SQLite::Database&)>& body) const {
  const Impl::Access access(*impl_);
  translated(impl_->file, [&] {
    const QueryOnly query_only(*impl_->sql);
    SQLite::Transaction snapshot(*impl_->sql, SQLite::TransactionBehavior::DEFERRED);
    body(*impl_->sql);
    snapshot.commit();
  });
}

std::vector<std::string> Database::check() const {
  std::vector<std::string> problems;
  std::vector<RecordedFile> files;
  try {
    read([&](SQLite::Database& sql) {
      find_row_problems(sql, problems);
      files = recorded_files(sql);
    });
  } catch (const DataError& damaged) {
    // Damage so bad that SQLite's own check cannot go on.
    problems.emplace_back(damaged.what());
  }
  // Hashing may take long: outside of the snapshot.
  for (const RecordedFile& file : files) {
    std::string problem =
        find_problem(folder(), file.table, file.path, file.size_bytes, file.sha256);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  return problems;
}

void Database::backup(const std::filesystem::path& to) const {
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(to, error))) {
    throw StateError(
        fmt::format("{}: already exists; give the backup a new name", core::path_text(to)));
  }
  const Impl::Access access(*impl_);
  core::write_file_atomically(to, [&](const std::filesystem::path& temporary) {
    translated(to, [&] {
      SQLite::Database copy(temporary.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
      SQLite::Backup(copy, *impl_->sql).executeStep();
      // One self-contained file; the next writer turns the log on again.
      copy.exec("PRAGMA journal_mode = DELETE");
    });
  });
}

}  // namespace omnifit::store
