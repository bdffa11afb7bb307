#include "cli/command.hpp"
#include "core/file_io.hpp"
#include "core/table.hpp"
#include "latency_lut/merge.hpp"
#include "store/database.hpp"
#include "store/query.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace omnifit::cli {
namespace {

struct DbArguments {
  std::string project;
  std::string target;
  std::string sql;
};

void print_result(const store::QueryResult& result) {
  std::vector<core::TextTable::Column> columns;
  for (const std::string& name : result.columns) columns.push_back({name, core::Align::kLeft});
  core::TextTable table(std::move(columns));
  for (const std::vector<std::string>& row : result.rows) table.add_row(row);
  std::fputs(table.str().c_str(), stdout);
}

ExitCode info(const DbArguments& arguments) {
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  std::printf("%s, format %d\n\n", core::path_text(arguments.project).c_str(),
              store::schema_version());
  core::TextTable tables({{"table"}, {"rows", core::Align::kRight}});
  for (const auto& row :
       store::query(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").rows) {
    tables.add_row({row[0], store::query(db, "SELECT count(*) FROM " + row[0]).rows[0][0]});
  }
  std::fputs(tables.str().c_str(), stdout);
  std::printf("\n");
  print_result(store::query(
      db,
      "SELECT stage, state, started_at, round(duration_s, 1) AS duration_s, message FROM stage_run "
      "ORDER BY id"));
  return ExitCode::kDone;
}

ExitCode check(const DbArguments& arguments) {
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  const std::vector<std::string> problems = db.check();
  for (const std::string& problem : problems) std::printf("%s\n", problem.c_str());
  if (!problems.empty()) {
    throw DataError(fmt::format("{}: {} problem{}", core::path_text(arguments.project),
                                problems.size(), problems.size() == 1 ? "" : "s"));
  }
  std::printf("%s: no problems found\n", core::path_text(arguments.project).c_str());
  return ExitCode::kDone;
}

ExitCode backup(const DbArguments& arguments) {
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  db.backup(arguments.target);
  std::printf("wrote %s\n", core::path_text(arguments.target).c_str());
  return ExitCode::kDone;
}

ExitCode merge(const DbArguments& arguments, const std::string& command_line) {
  const store::Database other(arguments.target, store::Database::Mode::kReadOnly);
  const store::ProjectLock lock(arguments.project, command_line);
  store::Database db(arguments.project, store::Database::Mode::kReadWrite);
  const latency::MergeReport report = latency::merge_devices(db, other);
  core::TextTable table({{"table"},
                         {"added", core::Align::kRight},
                         {"there already", core::Align::kRight},
                         {"conflicting", core::Align::kRight}});
  for (const auto& [name, count] : report.tables) {
    table.add_row({name, std::to_string(count.added), std::to_string(count.same),
                   std::to_string(count.conflicting)});
  }
  std::fputs(table.str().c_str(), stdout);
  for (const std::string& conflict : report.conflicts) std::printf("%s\n", conflict.c_str());
  const auto shown = static_cast<std::int64_t>(report.conflicts.size());
  if (report.num_conflicts() > shown) {
    std::printf("and %lld more\n", static_cast<long long>(report.num_conflicts() - shown));
  }
  return ExitCode::kDone;
}

ExitCode query(const DbArguments& arguments) {
  const store::Database db(arguments.project, store::Database::Mode::kReadOnly);
  print_result(store::query(db, arguments.sql));
  return ExitCode::kDone;
}

void add(CLI::App& parent, Invocation& invocation, const std::shared_ptr<DbArguments>& arguments,
         const char* name, const char* summary, ExitCode (*action)(const DbArguments&),
         std::string DbArguments::*argument = nullptr, const char* argument_name = "",
         const char* argument_help = "") {
  CLI::App* command = parent.add_subcommand(name, summary);
  command->add_option("PROJECT", arguments->project, "project file")->required();
  if (argument != nullptr)
    command->add_option(argument_name, (*arguments).*argument, argument_help)->required();
  command->callback([arguments, action, &invocation] {
    invocation.action = [arguments, action] { return action(*arguments); };
  });
}

}  // namespace

void add_db_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<DbArguments>();
  CLI::App* command = app.add_subcommand("db", "look into, check, back up and merge project files");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  omnifit db info runs/quickstart/quickstart.db\n"
      "  omnifit db check runs/quickstart/quickstart.db\n"
      "  omnifit db merge runs/quickstart/quickstart.db phone.db\n"
      "  omnifit db query runs/quickstart/quickstart.db \"SELECT budget, measured_top1 FROM "
      "verification\"");
  add(*command, invocation, arguments, "info", "tables, rows and stages", info);
  add(*command, invocation, arguments, "check",
      "integrity of the database and of the files it names", check);
  add(*command, invocation, arguments, "backup", "a consistent copy", backup, &DbArguments::target,
      "TO", "new file");
  CLI::App* merge_command =
      command->add_subcommand("merge", "bring in the devices that another project file measured");
  merge_command->add_option("PROJECT", arguments->project, "project file")->required();
  merge_command->add_option("OTHER", arguments->target, "project file to read")->required();
  merge_command->callback([arguments, &invocation] {
    invocation.action = [arguments, &invocation] {
      return merge(*arguments, invocation.command_line);
    };
  });
  add(*command, invocation, arguments, "query", "run one read-only SQL query", query,
      &DbArguments::sql, "SQL", "a SELECT");
}

}  // namespace omnifit::cli
