#include "core/file_io.hpp"
#include "store/database.hpp"
#include "store/query.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <SQLiteCpp/Database.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

// docs/project_file.md promises that its queries work; here they do.

namespace omnifit::store {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

std::string read_source(const std::string& relative) {
  return core::read_text_file(fs::path(OMNIFIT_SOURCE_DIR) / relative);
}

/// The ```sql blocks of the document under their headings.
std::map<std::string, std::string> documented_queries() {
  std::map<std::string, std::string> queries;
  std::istringstream document(read_source("docs/project_file.md"));
  std::string heading;
  bool inside = false;
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("### ")) {
      heading = line.substr(4);
    } else if (line == "```sql") {
      REQUIRE_FALSE(queries.contains(heading));
      inside = true;
    } else if (line == "```") {
      inside = false;
    } else if (inside) {
      queries[heading] += line + "\n";
    }
  }
  return queries;
}

const std::map<std::string, Rows>& expected_rows() {
  static const std::map<std::string, Rows> kExpected = {
      {"What is the fastest network above 92 % on a device?", {{"b", "0.8", "0.921"}}},
      {"Which measured networks are best for their MACs?",
       {{"smallest", "1500000", "0.9"},
        {"b", "2000000", "0.921"},
        {"a", "3000000", "0.93"},
        {"largest", "5000000", "0.935"}}},
      {"How did training go?",
       {{"full", "100", "1.0", "0.8"},
        {"full", "200", "2.0", "0.9"},
        {"kernel", "300", "1.0", "0.91"}}},
      {"Which networks won, and what do they cost?",
       {{"latency <= 10%", "b", "0.922", "0.921", "0.82", "0.8", "2000000", "500000", ""},
        {"latency <= 40%", "a", "0.931", "0.93", "1.24", "1.2", "3000000", "600000",
         "export/a.onnx"}}},
      {"Which units are slowest on a device?",
       {{"mbconv wide", "0.4", "0.35", "0.5", "30"},
        {"mbconv narrow", "0.2", "0.15", "0.25", "30"},
        {"conv stem", "0.05", "0.04", "0.06", "30"}}},
      {"How good is the accuracy predictor?", {{"ridge", "80", "20", "0.812", "0.004", "0.25"}}},
      {"Do latency estimates hold for whole networks?",
       {{"laptop-cpu", "lut_correction", "0.9", "0.05", "30", "0.03", "1.0", "0.95"}}},
      {"What did evolution gain over random search?",
       {{"latency <= 10%", "0.922", "", "2000"}, {"latency <= 40%", "0.931", "0.925", "2000"}}},
      {"How long did the stages take, and how did they end?",
       {{"train", "done", "60.0", "an earlier try"},
        {"verify", "done", "60.0", "an earlier try"},
        {"train", "done", "120.5", ""},
        {"profile", "done", "20.0", ""},
        {"fit", "done", "1.0", ""},
        {"search", "done", "2.0", ""},
        {"verify", "done", "10.0", ""},
        {"export", "interrupted", "3.5", "stopped by a signal"}}},
      {"Which files can I take home, and are they proven?",
       {{"latency <= 10%", "torchscript", "export/b.pt", "2000200", "not_proven", "",
         "Node.js not found"},
        {"latency <= 40%", "onnx", "export/a.onnx", "2400100", "proven", "1.0e-06", ""},
        {"latency <= 40%", "torchscript", "export/a.pt", "2400200", "proven", "0.0", ""}}},
  };
  return kExpected;
}

}  // namespace

TEST_CASE("the documented queries give the documented answers", "[store][golden]") {
  const test::TempDir dir;
  Database database(dir / "p.omnifit", Database::Mode::kReadWrite);
  database.write(
      [](SQLite::Database& sql) { sql.exec(read_source("tests/store/filled_project.sql")); });
  const auto queries = documented_queries();
  CHECK(queries.size() == 10);
  for (const auto& [heading, sql] : queries) {
    CAPTURE(heading);
    REQUIRE(expected_rows().contains(heading));
    CHECK(query(database, sql).rows == expected_rows().at(heading));
  }
}

TEST_CASE("the document explains every table", "[store][golden]") {
  const test::TempDir dir;
  const Database database(dir / "p.omnifit", Database::Mode::kReadWrite);
  std::vector<std::string> documented;
  std::istringstream document(read_source("docs/project_file.md"));
  for (std::string line; std::getline(document, line);) {
    if (line.starts_with("| `")) documented.push_back(line.substr(3, line.find('`', 3) - 3));
  }
  std::sort(documented.begin(), documented.end());
  std::vector<std::string> stored;
  for (const auto& row :
       query(database, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").rows) {
    stored.push_back(row.front());
  }
  CHECK(documented == stored);
}

}  // namespace omnifit::store
