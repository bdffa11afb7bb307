#include "core/file_io.hpp"
#include "latency_lut/command_timer.hpp"
#include "latency_lut/measurement.hpp"
#include "latency_lut/stored_devices.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/runner.hpp"
#include "space/lower.hpp"
#include "store/query.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/fake_timer.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/tiny_job.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <memory>

using namespace omnifit;
using namespace omnifit::pipeline;
using Catch::Matchers::ContainsSubstring;

namespace {

std::string error_of(const std::string& yaml) {
  try {
    core::read_config<JobConfig>(core::parse_yaml(yaml, "job.yaml"));
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

JobConfig read(const std::string& yaml) {
  return core::read_config<JobConfig>(core::parse_yaml(yaml, "job.yaml"));
}

/// Devices whose speed is in their name: "x3" takes three times as long as "x1".
Services named_services() {
  return {[](const DeviceConfig& device, const std::string&) {
    test::FakeTimerOptions options;
    const double factor = std::stod(device.name.substr(1));
    options.slow_down = [factor](int) { return factor; };
    return std::make_unique<test::FakeTimer>(options);
  }};
}

bool onnxruntime_is_installed() {
  try {
    latency::onnxruntime_command();
    return true;
  } catch (const EnvironmentError&) {
    return false;
  }
}

}  // namespace

TEST_CASE("a job has one device or several", "[pipeline][unit]") {
  CHECK(read("{}").all_devices().size() == 1);
  CHECK(read("device: {name: laptop, threads: 2}").all_devices().front().name == "laptop");
  const std::string several = R"(devices:
  - {name: laptop}
  - {name: ort, runtime: onnxruntime}
  - name: phone
    runtime: command
    prefix: [adb, shell]
    command: [/data/bench.sh, "{models}"]
    push: [adb, push, "{files}", /data]
    remote_folder: /data
    retries: 3
)";
  const JobConfig config = read(several);
  CHECK(config.device.name == "laptop");
  REQUIRE(config.all_devices().size() == 3);
  CHECK(config.all_devices()[2].prefix == std::vector<std::string>{"adb", "shell"});
  CHECK(config.all_devices()[2].retries == 3);
  CHECK(read(core::write_config(config)).all_devices() == config.all_devices());
  CHECK(read(core::write_config(read("{}"))).all_devices() == read("{}").all_devices());
}

TEST_CASE("devices that make no sense are refused with their place", "[pipeline][error]") {
  CHECK_THAT(error_of("device: {name: a}\ndevices: [{name: b}]\n"),
             ContainsSubstring("either one device or devices"));
  CHECK_THAT(error_of("devices: []\n"), ContainsSubstring("needs at least one device"));
  CHECK_THAT(error_of("devices: [{name: a}, {name: a}]\n"),
             ContainsSubstring("two devices are called 'a'"));
  CHECK_THAT(error_of("device: {runtime: onnx}\n"),
             ContainsSubstring("job.yaml:1:") &&
                 ContainsSubstring("must be one of libtorch, onnxruntime, command, got 'onnx'"));
  CHECK_THAT(error_of("device: {runtime: command}\n"), ContainsSubstring("needs a program"));
  CHECK_THAT(error_of("device: {runtime: command, command: [bench]}\n"),
             ContainsSubstring("\"{request}\" or \"{models}\""));
  CHECK_THAT(error_of("device: {command: [bench, \"{models}\"]}\n"),
             ContainsSubstring("belongs to the runtime command"));
}

TEST_CASE("several devices are profiled by one stage on the same networks", "[pipeline][unit]") {
  const test::TempDir folder;
  const auto job_file = test::write_tiny_job(folder.path());
  JobOverrides overrides;
  Job job = load_job(job_file, overrides);
  job.config.devices = {DeviceConfig{}, DeviceConfig{}};
  job.config.devices[0].name = "x1";
  job.config.devices[1].name = "x3";
  job.config.device = job.config.devices.front();
  std::filesystem::create_directories(job.project_file.parent_path());
  store::Database db(job.project_file, store::Database::Mode::kReadWrite);
  core::NullProgress progress;
  const Services services = named_services();
  RunContext context(std::move(job), db, services, progress);
  RunOptions profile;
  profile.stages = {Stage::kProfile};
  CHECK(run_job(context, profile).front().state == StageStatus::State::kRan);

  const std::vector<DeviceTable> tables = latency_tables(context);
  REQUIRE(tables.size() == 2);
  CHECK(tables[0].name == "x1");
  CHECK(tables[1].name == "x3");
  const auto plan = space::lower(context.space(), space::largest(context.space()), context.io());
  CHECK(tables[1].table.estimate_ms(plan).value() ==
        Approx(3.0 * tables[0].table.estimate_ms(plan).value()).epsilon(0.05));
  CHECK(store::query(db,
                     "SELECT count(*) FROM network_latency a JOIN network_latency b ON a.arch_id = "
                     "b.arch_id AND a.device_id < b.device_id AND a.purpose = b.purpose")
            .rows == std::vector<std::vector<std::string>>{{"11"}});
  CHECK(run_job(context, profile).front().state == StageStatus::State::kUpToDate);
}

TEST_CASE("A winner is timed in turns with the reference of its profile", "[pipeline][unit]") {
  const test::TempDir folder;
  const auto job_file = test::write_tiny_job(folder.path());
  Job job = load_job(job_file, JobOverrides{});
  std::filesystem::create_directories(job.project_file.parent_path());
  store::Database db(job.project_file, store::Database::Mode::kReadWrite);
  core::NullProgress progress;
  double slow_down = 1.0;
  Services services;
  services.make_timer = [&](const DeviceConfig&, const std::string&) {
    test::FakeTimerOptions options;
    options.takes_turns = true;
    options.slow_down = [&](int) { return slow_down; };
    return std::make_unique<test::FakeTimer>(options);
  };
  RunContext context(std::move(job), db, services, progress);
  RunOptions profile;
  profile.stages = {Stage::kProfile};
  CHECK(run_job(context, profile).front().state == StageStatus::State::kRan);

  // Whatever the machine does afterwards: the ratio stands.
  slow_down = 1.7;
  const space::Arch arch = space::largest(context.space());
  const auto plan = space::lower(context.space(), arch, context.io());
  const latency::Measurement measured =
      measure_network(context, arch, latency::NetworkPurpose::kWinner);
  CHECK(measured.rounds == 3);
  CHECK(measured.median_ms == Approx(test::FakeTimer().true_ms(plan)).epsilon(0.02));
  CHECK(measure_network(context, arch, latency::NetworkPurpose::kWinner) == measured);
}

TEST_CASE("ONNX Runtime is a device", "[pipeline][contract]") {
  if (!onnxruntime_is_installed()) {
    WARN("skipped: onnxruntime-node is not installed");
    return;
  }
  DeviceConfig device;
  device.name = "ort";
  device.runtime = "onnxruntime";
  const auto timer = make_timer(device, "cpu");
  const auto description = nlohmann::json::parse(timer->describe());
  CHECK(description["runtime"] == "onnxruntime");
  CHECK_THAT(description["device"]["runtime"].get<std::string>(),
             ContainsSubstring("ONNX Runtime 1."));
  CHECK_FALSE(description.contains("command"));

  const space::SearchSpace space = find_space("tiny", ".");
  const auto largest = space::lower(space, space::largest(space), {3, 10});
  std::vector<space::NetworkPlan> plans{largest};
  for (const auto& unit : largest.units) plans.push_back(latency::unit_plan(unit.spec));
  latency::Protocol protocol;
  protocol.min_samples = 8;
  protocol.max_samples = 12;
  std::map<std::size_t, double> median_ms;
  const auto on_result = [&](std::size_t index, const latency::TimerResult& result) {
    const auto& samples = std::get<latency::Samples>(result);
    CHECK(samples.reference_ms.empty() == (index > 0));
    const auto measured = latency::summarise(result);
    REQUIRE(std::holds_alternative<latency::Measurement>(measured));
    const auto& measurement = std::get<latency::Measurement>(measured);
    CHECK(measurement.n >= 5);
    // Only what lies between quiet pulses is counted against the limit, where there is enough of
    // it.
    CHECK((measurement.n <= protocol.max_samples || samples.disturbed));
    median_ms[index] = measurement.median_ms;
  };
  const auto reference = space::lower(space, space::smallest(space), {3, 10});
  timer->time(plans, protocol, &reference, on_result);
  REQUIRE(median_ms.size() == plans.size());
  double sum_ms = 0.0;
  for (std::size_t i = 1; i < plans.size(); ++i) sum_ms += median_ms.at(i);
  CHECK(median_ms.at(0) < 4.0 * sum_ms);
  CHECK(median_ms.at(0) > 0.1 * sum_ms);

  protocol.batch_size = 4;
  CHECK(std::holds_alternative<latency::Samples>(latency::time_one(*timer, largest, protocol)));
}
