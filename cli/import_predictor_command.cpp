#include "cli/import_predictor_command.hpp"

#include "cli/command.hpp"
#include "cli/space_option.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/units.hpp"
#include "predictors/predictor_store.hpp"
#include "space/arch.hpp"
#include "store/arch_rows.hpp"
#include "store/database.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>
#include <vector>

namespace omnifit::cli {
namespace {

struct ImportPredictorArguments {
  std::string file;
  std::string project;
  SpaceOption space;
  bool json = false;
};

ExitCode import_predictor(const ImportPredictorArguments& arguments,
                          const std::string& command_line) {
  const space::SearchSpace space = arguments.space.load();
  // Everything that can be wrong with the file shows before the project is touched.
  const predictors::ImportedPredictor imported =
      predictors::load_imported_predictor(arguments.file, space);
  const std::vector<space::Arch> ends{space::smallest(space), space::largest(space)};
  const Eigen::VectorXd top1 = imported.predictor.predict_mean(ends);

  const store::ProjectLock lock(arguments.project, command_line);
  store::Database db(arguments.project, store::Database::Mode::kReadWrite);
  std::int64_t space_id = 0;
  db.write([&](SQLite::Database& sql) {
    space_id = store::put_space(sql, {core::hex64(space.fingerprint()), space.name(),
                                      space.version(), space.family(), space.canonical_yaml()});
  });
  const std::int64_t id = predictors::put_imported_predictor(db, std::nullopt, space_id,
                                                             imported.predictor, imported.source);

  if (arguments.json) {
    const nlohmann::ordered_json json{{"predictor", id},
                                      {"kind", imported.predictor.kind()},
                                      {"project", core::path_text(arguments.project)},
                                      {"space", space.name()},
                                      {"source", imported.source.name},
                                      {"source_sha256", imported.source.sha256},
                                      {"top1_smallest", top1(0)},
                                      {"top1_largest", top1(1)}};
    std::printf("%s\n", json.dump(2).c_str());
  } else {
    std::printf("stored %s in %s: a predictor of '%s', top-1 %s (smallest) to %s (largest)\n",
                imported.source.name.c_str(), core::path_text(arguments.project).c_str(),
                space.name().c_str(), core::format_percent(top1(0)).c_str(),
                core::format_percent(top1(1)).c_str());
  }
  return ExitCode::kDone;
}

}  // namespace

void add_import_predictor(CLI::App& parent, Invocation& invocation) {
  auto arguments = std::make_shared<ImportPredictorArguments>();
  CLI::App* command =
      parent.add_subcommand("predictor", "an accuracy predictor of the Once-for-All reference");
  command->add_option("FILE", arguments->file, "PyTorch file with its state dict")->required();
  arguments->space.add_to(*command);
  command->add_option("--project", arguments->project, "project file to store it in (made if new)")
      ->type_name("FILE")
      ->required();
  command->add_flag("--json", arguments->json, "JSON on stdout");
  command->footer(
      "A job takes it as its own with 'fit: {predictor: FILE}', without training anything, or\n"
      "corrects it with measured subnets with 'fit: {prior: FILE}', where FILE is the predictor's\n"
      "file or, for prior, this project.\n"
      "Example:\n"
      "  omnifit import predictor acc_predictor.pth --space ofa_mbv3 --set width_mult=1.2 \\\n"
      "    --set resolutions=[160,176,192,208,224] --project search.db");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments, &invocation] {
      return import_predictor(*arguments, invocation.command_line);
    };
  });
}

}  // namespace omnifit::cli
