#include "core/file_io.hpp"
#include "tests/cli/omnifit_command.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

#include <algorithm>
#include <fstream>

using namespace omnifit;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using test::omnifit_command;
using test::Result;

TEST_CASE("version and help go to stdout and end with 0", "[cli][unit]") {
  const test::TempDir folder;
  const Result version = omnifit_command(folder, {"--version"}, "omnifit");
  CHECK(version.code == 0);
  CHECK_THAT(version.out, StartsWith("omnifit 0."));
  const Result help = omnifit_command(folder, {"--help"}, "omnifit");
  CHECK(help.code == 0);
  CHECK_THAT(help.out, ContainsSubstring("Examples:") && ContainsSubstring("Exit codes"));
}

TEST_CASE("every subcommand has help with an example", "[cli][unit]") {
  const char* command =
      GENERATE("run", "train", "profile", "collect", "fit", "search", "verify", "export", "report",
               "eval", "space", "device", "db", "doctor", "init");
  CAPTURE(command);
  const test::TempDir folder;
  const Result help = omnifit_command(folder, {command, "--help"});
  CHECK(help.code == 0);
  CHECK_THAT(help.out,
             ContainsSubstring("Example") && ContainsSubstring(std::string("omnifit ") + command));
}

TEST_CASE("a wrong command line ends with 2 and one line", "[cli][error]") {
  const test::TempDir folder;
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"fly"},
      {"run"},
      {"run", "/nonexistent/job.yaml"},
      {"run", "job.yaml", "--threads", "many"},
      {"run", "job.yaml", "--device", "tpu"},
      {"run", "job.yaml", "--stage", "tain"},
      {"run", "job.yaml", "--nonsense"},
      {"space", "no_such_space"},
      {"space", "tiny", "--arch", "tiny/v1 r=5"},
      {"eval", "job.yaml"},
      {"db", "info", "/nonexistent.db"},
      {"device", "show", "/nonexistent.db", "x"},
  };
  for (const std::vector<std::string>& arguments : wrong) {
    CAPTURE(arguments);
    const Result result = omnifit_command(folder, arguments);
    CHECK(result.code == 2);
    CHECK_THAT(result.err, StartsWith("omnifit: "));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK(result.out.empty());
  }
  CHECK_THAT(omnifit_command(folder, {"space", "tinny"}).err,
             ContainsSubstring("did you mean 'tiny'?"));
  const std::filesystem::path job = test::write_tiny_job(folder.path());
  CHECK_THAT(omnifit_command(folder, {"run", job.string(), "--force", "tain"}).err,
             ContainsSubstring("unknown stage 'tain'; did you mean 'train'?"));
}

TEST_CASE("init writes a job that runs dry, and never over a file", "[cli][unit]") {
  const test::TempDir folder;
  const std::string file = (folder / "new.yaml").string();
  CHECK(omnifit_command(folder, {"init", file}).code == 0);
  const Result dry = omnifit_command(folder, {"run", file, "--dry-run"});
  CHECK(dry.code == 0);
  CHECK_THAT(dry.out, ContainsSubstring("would run") && ContainsSubstring("never run"));
  CHECK_FALSE(std::filesystem::exists(folder / "omnifit.db"));
  const Result again = omnifit_command(folder, {"init", file});
  CHECK(again.code == 2);
  CHECK_THAT(again.err, ContainsSubstring("exists already"));
  CHECK(omnifit_command(folder, {"init"}).out == core::read_text_file(file));
}

TEST_CASE("space shows the archs of a table with their figures", "[cli][unit]") {
  const test::TempDir folder;
  std::ofstream(folder / "cells.yaml")
      << "name: cells\nfamily: tabular\ngenes:\n  - {name: a, choices: [none, conv]}\n"
         "tables:\n  - file: t.csv\n    metrics:\n"
         "      - {name: top1, column: acc, maximise: true, factor: 0.01, unit: fraction}\n";
  std::ofstream(folder / "t.csv") << "a,acc\nconv,75\n";
  const auto space = [&](const std::vector<std::string>& arguments) {
    std::vector<std::string> all{"space", (folder / "cells.yaml").string()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return omnifit_command(folder, all);
  };
  CHECK_THAT(space({"--count"}).out, ContainsSubstring("2  canonical genotypes"));
  CHECK_THAT(space({}).out, ContainsSubstring("2 archs, 1 genes") &&
                                ContainsSubstring("top1    fraction  more    t.csv"));
  const std::string data = folder.path().string();
  CHECK_THAT(space({"--data", data}).out,
             ContainsSubstring("1 archs in the tables; 1 of the space lack figures"));
  CHECK_THAT(space({"--data", data, "--arch", "cells/v1 a=conv"}).out,
             ContainsSubstring("cells/v1 a=conv  0.75\n"));
  CHECK_THAT(space({"--data", data, "--arch", "smallest"}).out,
             ContainsSubstring("cells/v1 a=none     -\n"));
  CHECK_THAT(space({"--data", data, "--arch", "largest", "--json"}).out,
             ContainsSubstring("\"top1\": 0.75"));
  CHECK_THAT(space({"--sample", "3"}).out, ContainsSubstring("cells/v1 a="));

  std::ofstream(folder / "t.csv") << "a,acc\nconv,many\n";
  const Result wrong = space({"--data", data});
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err, ContainsSubstring("t.csv:2: acc must be a finite number, found 'many'"));
  const Result layers = omnifit_command(folder, {"space", "tiny", "--data", data});
  CHECK(layers.code == 2);
  CHECK_THAT(layers.err, ContainsSubstring("--data: space tiny is not tabular"));
}

TEST_CASE("space shows overview, count, samples and layers", "[cli][unit]") {
  const test::TempDir folder;
  CHECK_THAT(omnifit_command(folder, {"space", "tiny", "--count"}).out,
             ContainsSubstring("   80  canonical genotypes\n    2  resolutions\n  160  archs"));
  const std::string resnet = omnifit_command(folder, {"space", "ofa_resnet50", "--count"}).out;
  CHECK_THAT(resnet, ContainsSubstring(" 2458914796962  canonical genotypes\n") &&
                         ContainsSubstring(" 1639276531308  different networks") &&
                         ContainsSubstring("61472869924050  archs"));
  CHECK(
      omnifit_command(folder, {"space", "ofa_mbv3", "--count", "--json"}).out ==
      R"({"space":"ofa_mbv3","genotypes":"21758655492572485851","networks":"21758655492572485851",)"
      R"("resolutions":25,"archs":"543966387314312146275"})"
      "\n");
  CHECK_THAT(omnifit_command(folder, {"space", "tiny", "--count", "--json"}).out,
             ContainsSubstring(R"("archs":"160")"));
  CHECK_THAT(omnifit_command(folder, {"space", "tiny"}).out,
             ContainsSubstring("160 subnets") && ContainsSubstring("kernel_size"));
  const Result samples = omnifit_command(folder, {"space", "mbv3_32px", "--sample", "3"});
  CHECK(std::count(samples.out.begin(), samples.out.end(), '\n') == 5);
  CHECK_THAT(omnifit_command(folder, {"space", "tiny", "--arch", "largest"}).out,
             ContainsSubstring("first_conv") && ContainsSubstring("classifier"));
}

TEST_CASE("doctor names what it found", "[cli][unit]") {
  const test::TempDir folder;
  const Result table = omnifit_command(folder, {"doctor"});
  CHECK(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("LibTorch") && ContainsSubstring("ONNX Runtime") &&
                            ContainsSubstring("CPU"));
  CHECK_THAT(omnifit_command(folder, {"doctor", "--json"}).out, StartsWith("["));
}

TEST_CASE("a job from the command line: result table, JSON, eval, device, db", "[cli][unit]") {
  const test::TempDir folder;
  const std::string job = test::write_tiny_job(folder.path()).string();
  const std::string project = (folder / "project/tiny.db").string();

  const Result early = omnifit_command(folder, {"eval", job, "--arch", "largest"});
  CHECK(early.code == 2);
  CHECK_THAT(early.err, ContainsSubstring("eval needs a trained supernet; run: omnifit train"));

  const Result run = omnifit_command(folder, {"run", job});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK_THAT(run.out, ContainsSubstring("measured top-1") && ContainsSubstring("latency <= 50%") &&
                          ContainsSubstring("largest") && ContainsSubstring("report.html"));
  CHECK_THAT(run.err, ContainsSubstring("train") && ContainsSubstring("Kendall tau"));

  const Result json = omnifit_command(folder, {"run", job, "--json", "--quiet"});
  CHECK(json.code == 0);
  CHECK(json.err.empty());
  CHECK_THAT(json.out, StartsWith("{") && ContainsSubstring("\"networks\"") &&
                           ContainsSubstring("\"up to date\""));

  const Result eval = omnifit_command(
      folder, {"eval", job, "--arch", "largest", "--arch", "smallest", "--split", "test"});
  CHECK(eval.code == 0);
  CHECK_THAT(eval.out, ContainsSubstring("tiny/v1 r=16") && ContainsSubstring("measured latency"));
  CHECK(omnifit_command(folder, {"eval", job, "--arch", "nonsense"}).code == 2);

  CHECK_THAT(omnifit_command(folder, {"device", "list", project}).out,
             ContainsSubstring("this-cpu"));
  CHECK_THAT(omnifit_command(folder, {"device", "show", project, "this-cpu"}).out,
             ContainsSubstring("x sum +"));
  CHECK_THAT(omnifit_command(folder, {"device", "show", project, "phone"}).err,
             ContainsSubstring("no device 'phone' (there: this-cpu "));

  CHECK_THAT(omnifit_command(folder, {"db", "info", project}).out,
             ContainsSubstring("accuracy") && ContainsSubstring("done"));
  CHECK_THAT(omnifit_command(folder, {"db", "check", project}).out,
             ContainsSubstring("no problems found"));
  CHECK_THAT(
      omnifit_command(folder, {"db", "query", project, "SELECT count(*) AS n FROM arch"}).out,
      StartsWith("n"));
  CHECK(omnifit_command(folder, {"db", "query", project, "DELETE FROM arch"}).code == 2);
  const std::string copy = (folder / "copy.db").string();
  CHECK(omnifit_command(folder, {"db", "backup", project, copy}).code == 0);
  CHECK(std::filesystem::exists(copy));
  std::filesystem::remove_all(folder / "project/export");
  const Result damaged = omnifit_command(folder, {"db", "check", project});
  CHECK(damaged.code == 2);
  CHECK_THAT(damaged.out, ContainsSubstring("export/"));
}

TEST_CASE("exit codes tell what went wrong", "[cli][error]") {
  const test::TempDir folder;
  const std::string job = test::write_tiny_job(folder.path()).string();
  const Result goal =
      omnifit_command(folder, {"run", job, "--set", "search.budgets.0.latency=0.001 us"});
  CHECK(goal.code == 3);
  CHECK_THAT(goal.err, ContainsSubstring("cannot be met"));
  std::ofstream(folder / "notdb.db")
      << "this is not a database, but a text that is long enough to look like something";
  const Result wrong =
      omnifit_command(folder, {"run", job, "--project", (folder / "notdb.db").string()});
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err, ContainsSubstring("notdb.db"));
  CHECK(core::read_text_file(folder / "notdb.db").rfind("this is not a database", 0) == 0);
}
