#include "latency_lut/foreign_store.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "latency_lut/latency_store.hpp"
#include "tests/space/spaces.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/project.hpp"

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;
using formats::LatencyDialect;

const space::TaskIo kIo{3, 1000};

ForeignTables made_table(const std::string& name, const std::string& mean) {
  return ForeignTables(
      {formats::parse_latency_table(
          "conv-a:\n  count: 3\n  mean: " + mean + "\nconv-b:\n  mean: 2\n", name)},
      LatencyDialect::kOnceForAll);
}

}  // namespace

TEST_CASE("Released tables leave the project file as they came", "[latency][golden]") {
  OMNIFIT_REQUIRE_DATA("ofa_released");
  const std::filesystem::path folder =
      std::filesystem::path(OMNIFIT_SHARED_DATA) / "ofa_released/note10";
  std::vector<formats::ForeignLatencyTable> tables;
  for (const int px : {160, 176, 192, 208, 224}) {
    tables.push_back(formats::read_latency_table(folder / fmt::format("{}_lookup_table.yaml", px)));
  }
  const ForeignTables note10(tables, LatencyDialect::kOnceForAll);
  const auto space = test::shipped_space("tiny");
  test::Project project(space, kIo);
  std::int64_t device = 0;
  project.db.write([&](SQLite::Database& sql) {
    device = put_device(sql, imported_device("note10"));
    put_foreign_tables(sql, device, note10);
    put_foreign_tables(sql, device, note10);  // again: nothing doubles
  });
  CHECK(project.count("foreign_table") == 5);
  CHECK(project.count("foreign_latency") == 480);
  project.db.read([&](SQLite::Database& sql) {
    CHECK((find_imported_device(sql, "note10") == device));
    CHECK_FALSE(find_imported_device(sql, "pixel1"));
    const auto back = get_foreign_tables(sql, device);
    REQUIRE(back);
    CHECK(back->hash() == note10.hash());
    for (const auto& table : back->tables()) {
      CHECK((formats::latency_table_text(table) == core::read_text_file(folder / table.name)));
    }
    CHECK_FALSE(get_foreign_tables(sql, device + 1));
  });
}

TEST_CASE("A table of the same name is replaced, others stay", "[latency][unit]") {
  const auto space = test::shipped_space("tiny");
  test::Project project(space, kIo);
  project.db.write([&](SQLite::Database& sql) {
    const auto device = put_device(sql, imported_device("phone"));
    put_foreign_tables(sql, device, made_table("b.yaml", "1.50"));
    put_foreign_tables(sql, device, made_table("a.yaml", "1.5"));
    put_foreign_tables(sql, device, made_table("b.yaml", "7"));
    const ForeignTables tables = get_foreign_tables(sql, device).value();
    REQUIRE(tables.tables().size() == 2);
    CHECK(tables.tables()[0].name == "a.yaml");
    CHECK(tables.tables()[1].entries[0].mean_ms == 7.0);
    CHECK_THROWS_WITH(
        put_foreign_tables(
            sql, device,
            ForeignTables(made_table("c.yaml", "1").tables(), LatencyDialect::kNsgaNetV2)),
        "the device has table 'a.yaml' in dialect 'once_for_all', which does not go with "
        "'nsganetv2'; give the new tables a device of their own");
  });
}

TEST_CASE("Damaged rows of a foreign table are named", "[latency][error]") {
  const auto space = test::shipped_space("tiny");
  test::Project project(space, kIo);
  const auto damage = [&](const std::string& statement) {
    std::string message;
    try {
      project.db.write([&](SQLite::Database& sql) {
        const auto device = put_device(sql, imported_device("phone"));
        put_foreign_tables(sql, device, made_table("t.yaml", "1.5"));
        sql.exec(statement);
        get_foreign_tables(sql, device);
      });
    } catch (const DataError& error) {
      message = error.what();
    }
    return message;
  };
  CHECK(damage("UPDATE foreign_latency SET fields = '[' WHERE position = 0") ==
        "foreign_latency t.yaml: conv-a: the fields are not a JSON object");
  CHECK(damage("UPDATE foreign_latency SET fields = '{\"mean\": 1}' WHERE position = 1") ==
        "foreign_latency t.yaml: conv-b: mean is not a text");
  CHECK(damage("UPDATE foreign_latency SET mean_ms = -1 WHERE position = 1") ==
        "foreign_latency t.yaml: conv-b: mean must be positive, found -1");
  CHECK(damage("UPDATE foreign_table SET dialect = 'x'") == "foreign_table: unknown dialect 'x'");
}

}  // namespace omnifit::latency
