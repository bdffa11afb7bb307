#include "latency_lut/command_timer.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/interrupt.hpp"
#include "formats/onnx_writer.hpp"
#include "space/lower.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

namespace omnifit::latency {
namespace {

using Catch::Matchers::ContainsSubstring;
using Results = std::map<std::size_t, TimerResult>;

/// The shortest runner there is: every model takes 2 ms.
constexpr const char* kGood = R"(
for model in "$@"; do
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [2.0, 2.1, 1.9]}"
done
)";

/// A device whose runner is a shell script; its arguments are the models.
struct Device {
  test::TempDir folder;
  CommandTimerOptions options;

  explicit Device(const std::string& script) {
    core::write_file_atomically(folder / "runner.sh", std::string_view("#!/bin/sh\n" + script));
    std::filesystem::permissions(folder / "runner.sh", std::filesystem::perms::owner_all);
    options.device = "board";
    options.command = {(folder / "runner.sh").string(), "{models}"};
    options.model_timeout_s = 20.0;
  }
  /// A place where the runner can leave something: its folder is $(dirname "$0").
  [[nodiscard]] std::string left_behind(const std::string& name) const {
    return core::read_text_file(folder / name);
  }
  [[nodiscard]] Results time(int count) const {
    Results results;
    time_into(results, count);
    return results;
  }
  void time_into(Results& results, int count) const {
    const std::vector<space::NetworkPlan> plans(static_cast<std::size_t>(count),
                                                unit_plan(space::PoolSpec{4, 2}));
    make_command_timer(options)->time(plans, {}, nullptr,
                                      [&](std::size_t i, const TimerResult& result) {
                                        CHECK(results.emplace(i, result).second);
                                      });
  }
};

std::string failure(const TimerResult& result) {
  const auto* found = std::get_if<MeasurementFailure>(&result);
  return found != nullptr ? found->reason : "";
}

bool timed(const TimerResult& result) { return std::holds_alternative<Samples>(result); }

class StopGuard {
 public:
  ~StopGuard() { core::request_stop(false); }
};

}  // namespace

TEST_CASE("Any command that prints a line per model is a device", "[latency][contract]") {
  Device device(kGood);
  device.options.models_per_call = 3;
  const Results results = device.time(8);
  REQUIRE(results.size() == 8);
  for (const auto& [index, result] : results) {
    CHECK(std::get<Samples>(result).run_ms == std::vector<double>{2.0, 2.1, 1.9});
  }
}

TEST_CASE("A runner gets ONNX files and a request that says what is wanted",
          "[latency][contract]") {
  Device device(std::string(R"(cp "$1" "$(dirname "$0")/request.json"; shift
cp "$1" "$(dirname "$0")/first.onnx"
)") + kGood);
  device.options.command = {"sh", device.options.command.front(), "{request}", "{models}"};
  device.options.threads = 3;
  const auto space = space::SearchSpace::load(std::filesystem::path(OMNIFIT_SOURCE_DIR) /
                                              "configs/space/tiny.yaml");
  const auto network = space::lower(space, space::smallest(space), {3, 10});
  std::vector<space::NetworkPlan> plans{network};
  for (const auto& unit : network.units) plans.push_back(unit_plan(unit.spec));
  Protocol protocol;
  protocol.batch_size = 2;
  int num_results = 0;
  make_command_timer(device.options)
      ->time(plans, protocol, nullptr, [&](std::size_t, const auto& result) {
        CHECK(timed(result));
        ++num_results;
      });
  CHECK(num_results == static_cast<int>(plans.size()));
  const auto request = nlohmann::json::parse(device.left_behind("request.json"));
  CHECK(request["threads"] == 3);
  CHECK(request["batch_size"] == 2);
  CHECK(request["protocol"]["target_rel_ci"] == protocol.target_rel_ci);
  REQUIRE(request["models"].size() == plans.size());
  const auto& first = request["models"][0];
  CHECK(first["id"] == "m0");
  CHECK(first["file"] == "m0.onnx");
  CHECK(first["shape"] == nlohmann::json{2, 3, network.resolution_px, network.resolution_px});
  const std::string onnx = formats::describe_onnx(device.left_behind("first.onnx"));
  CHECK_THAT(onnx, ContainsSubstring(
                       fmt::format("input images [2, 3, {0}, {0}]", network.resolution_px)) &&
                       ContainsSubstring("output logits [2, 10]"));
}

TEST_CASE("A runner may know that it was disturbed, and what its pulse was",
          "[latency][contract]") {
  Device device(R"(folder=$(dirname "$0"); cat "$1" >> "$folder/requests.json"; shift
for model in "$@"; do
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [2.0], \"disturbed\": true}"
done
echo '{"pulse_ms": 0.125}'
)");
  device.options.command = {device.options.command.front(), "{request}", "{models}"};
  device.options.models_per_call = 1;
  const Results results = device.time(2);
  REQUIRE(results.size() == 2);
  for (const auto& [index, result] : results) CHECK(std::get<Samples>(result).disturbed);
  const std::string requests = device.left_behind("requests.json");
  const std::size_t second = requests.find("}\n{") + 2;
  CHECK_FALSE(nlohmann::json::parse(requests.substr(0, second)).contains("pulse_ms"));
  CHECK(nlohmann::json::parse(requests.substr(second))["pulse_ms"] == 0.125);
}

TEST_CASE("A runner with a request is told which network others take turns with",
          "[latency][contract]") {
  Device device(R"sh(folder=$(dirname "$0"); cp "$1" "$folder/request.json"; shift
ls "$(dirname "$1")" > "$folder/files"
for model in "$@"; do
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [2.0, 3.0], \"reference_ms\": [4.0, 5.0]}"
done
)sh");
  const space::SearchSpace space = space::SearchSpace::load(
      std::filesystem::path(OMNIFIT_SOURCE_DIR) / "configs/space/tiny.yaml");
  const auto largest = space::lower(space, space::largest(space), {3, 10});
  const auto reference = space::lower(space, space::smallest(space), {3, 10});
  const std::vector<space::NetworkPlan> plans{unit_plan(largest.units[0].spec), largest};
  std::map<std::size_t, Samples> results;
  const auto on_result = [&](std::size_t i, const TimerResult& result) {
    results.emplace(i, std::get<Samples>(result));
  };

  device.options.command = {device.options.command.front(), "{request}", "{models}"};
  make_command_timer(device.options)->time(plans, {}, &reference, on_result);
  CHECK(results.at(1).reference_ms == std::vector{4.0, 5.0});
  const auto request = nlohmann::json::parse(device.left_behind("request.json"));
  REQUIRE(request["models"].size() == 2);
  CHECK_FALSE(request["models"][0].contains("takes_turns"));
  CHECK(request["models"][1]["takes_turns"] == true);
  CHECK(request["reference"]["file"] == "reference.onnx");
  CHECK(request["reference"]["shape"] ==
        nlohmann::json{1, 3, reference.resolution_px, reference.resolution_px});
  CHECK_THAT(device.left_behind("files"), ContainsSubstring("reference.onnx"));

  // Units alone take no turns, and a runner that gets paths alone would not know who does.
  make_command_timer(device.options)->time(std::span(plans.data(), 1), {}, &reference, on_result);
  CHECK_THAT(device.left_behind("files"), !ContainsSubstring("reference.onnx"));
  const auto on_simple = [](std::size_t, const TimerResult& result) { CHECK(timed(result)); };
  Device simple(R"sh(ls "$(dirname "$1")" > "$(dirname "$0")/files")sh" + std::string(kGood));
  make_command_timer(simple.options)->time(plans, {}, &reference, on_simple);
  CHECK_THAT(simple.left_behind("files"), !ContainsSubstring("reference.onnx"));
}

TEST_CASE("Times of the reference must be a list as long as that of the runs", "[latency][error]") {
  const auto [answer, expected] = GENERATE(table<std::string, std::string>({
      {R"([2.0], "reference_ms": 4.0)", "the runner's \"reference_ms\" is not a list"},
      {R"([2.0], "reference_ms": ["fast"])", "the runner returned a time of \"fast\""},
      {R"([2.0], "reference_ms": [0.0])", "the timer returned a time of 0 ms"},
      {R"([2.0], "reference_ms": [4.0, 5.0])",
       "the timer returned 1 and 2 times, of the runs and of the reference"},
  }));
  Device device("echo '{\"id\": \"m0\", \"run_ms\": " + answer + "}'\n");
  CHECK(failure(device.time(1).at(0)) == expected);
}

TEST_CASE("Files are pushed and the command is prefixed", "[latency][unit]") {
  const test::TempDir remote;
  Device device(kGood);
  const auto log = device.folder / "prefix.log";
  core::write_file_atomically(
      device.folder / "prefix.sh",
      std::string_view("echo \"$1\" >> \"" + log.string() + "\"\nexec \"$@\"\n"));
  device.options.prefix = {"sh", (device.folder / "prefix.sh").string()};
  device.options.push = {"cp", "{files}", remote.path().string()};
  device.options.remote_folder = remote.path().string();
  device.options.command = {"sh", "-c",
                            "for m; do test -s \"$m\" || exit 9; done; exec \"$0\" \"$@\"",
                            device.options.command.front(), "{models}"};
  CHECK(device.time(3).size() == 3);
  CHECK(std::filesystem::exists(remote / "m2.onnx"));
  CHECK(std::filesystem::exists(remote / "request.json"));
  CHECK(core::read_text_file(log) == "sh\n");

  device.options.push = {"sh", "-c", "echo no route to host >&2; exit 1", "{files}"};
  CHECK_THROWS_WITH(device.time(1),
                    "device 'board' does not answer: copying the files failed: the runner ended "
                    "with code 1: no route to host");
}

TEST_CASE("A device describes itself", "[latency][unit]") {
  Device device(std::string("echo '{\"device\": {\"chip\": \"A1\"}}'\n") + kGood);
  const auto timer = make_command_timer(device.options);
  const auto description = nlohmann::json::parse(timer->describe());
  CHECK(description["device"]["chip"] == "A1");
  CHECK(description["command"][1] == "{models}");
  CHECK(timer->describe() == timer->describe());
  device.options.runtime = "onnxruntime";
  CHECK_FALSE(
      nlohmann::json::parse(make_command_timer(device.options)->describe()).contains("command"));
}

TEST_CASE("A runner that cannot be started ends at once", "[latency][error]") {
  Device device(kGood);
  device.options.command.front() = "omnifit-no-such-runner";
  CHECK_THROWS_AS(device.time(1), EnvironmentError);
  CHECK_THROWS_WITH(device.time(1),
                    "device 'board': cannot start 'omnifit-no-such-runner': No such "
                    "file or directory");
  device.options.command.front() = (device.folder / "plain").string();
  core::write_file_atomically(device.folder / "plain", std::string_view("text"));
  std::filesystem::permissions(device.folder / "plain", std::filesystem::perms::owner_read);
  if (::geteuid() != 0) CHECK_THROWS_WITH(device.time(1), ContainsSubstring("Permission denied"));
  device.options.command.front() = device.folder.path().string();
  CHECK_THROWS_WITH(device.time(1), ContainsSubstring("Permission denied"));
}

TEST_CASE("A runner that never works is a device that does not answer", "[latency][error]") {
  Results results;
  const auto message = [&](const std::string& script) {
    Device device(script);
    device.options.model_timeout_s = 0.3;
    try {
      device.time_into(results, 2);
    } catch (const EnvironmentError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message("echo starting; echo 'no GPU found' >&2; exit 7") ==
        "device 'board' does not answer: the runner ended with code 7: no GPU found");
  CHECK(message("kill -KILL $$") ==
        "device 'board' does not answer: the runner ended with signal 9");
  CHECK(message("echo Average latency: 3 ms") ==
        "device 'board' does not answer: the runner gave no answer for it: Average latency: 3 ms");
  CHECK(message("echo waiting >&2; sleep 1000") ==
        "device 'board' does not answer: no answer within 0.3 s: waiting");
  CHECK(message("read -r password || { echo 'Permission denied (password)' >&2; exit 255; }") ==
        "device 'board' does not answer: the runner ended with code 255: Permission denied "
        "(password)");
  CHECK(results.empty());
}

TEST_CASE("A runner that breaks the contract is stopped", "[latency][error]") {
  Results results;
  const auto message = [&](const std::string& script) {
    results.clear();
    try {
      Device(script).time_into(results, 3);
    } catch (const EnvironmentError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const std::string start = "device 'board': its runner broke off the contract with ";
  const std::string good = R"(echo '{"id": "m0", "run_ms": [1.5]}'; )";
  CHECK(message(good + good) ==
        start + R"(two answers for model 'm0': {"id": "m0", "run_ms": [1.5]})");
  CHECK(results.size() == 1);
  CHECK(
      message(good + R"(echo '{"id": "m7", "run_ms": [1.5]}')") ==
      start +
          R"(an answer for model 'm7', which it was not asked for: {"id": "m7", "run_ms": [1.5]})");
  CHECK(results.size() == 1);
  CHECK(message(R"(echo '{"model": 3}')") ==
        start + R"(an answer without the text "id": {"model": 3})");
  CHECK(message(R"(echo '{oops')") == start + "an answer that is not JSON: {oops");
  CHECK(message(R"(echo '{"device": 3}')") ==
        start + R"(a device that is not a JSON object: {"device": 3})");
  CHECK(message(R"(echo '{"pulse_ms": -1}')") ==
        start + R"(a pulse_ms that is not a positive number: {"pulse_ms": -1})");
  CHECK_THAT(message("echo '{'; yes"), ContainsSubstring("an answer that is not JSON: {"));
  CHECK_THAT(message("yes 'no end of it'"),
             ContainsSubstring("more output than its answers can need"));
  CHECK_THAT(message("printf '{'; yes | tr -d '\\n' | head -c 3000000; echo"),
             ContainsSubstring("a line of more than 1048576 bytes"));
}

TEST_CASE("Times that cannot be true are failures of their model alone", "[latency][error]") {
  const auto result = [](const std::string& times) {
    const Results results = Device(
                                "for m in \"$@\"; do echo \"{\\\"id\\\": \\\"$(basename \"$m\" "
                                ".onnx)\\\", \\\"run_ms\\\": " +
                                times + "}\"; done")
                                .time(2);
    REQUIRE(results.size() == 2);
    return failure(results.at(1));
  };
  CHECK_THAT(result("[1.0, NaN]"), ContainsSubstring("the runner's answer is not JSON: {\"id\": "
                                                     "\"m1\", \"run_ms\": [1.0, NaN]}"));
  CHECK(result("[1.0, 0]") == "the timer returned a time of 0 ms");
  CHECK(result("[1.0, -2.5]") == "the timer returned a time of -2.5 ms");
  CHECK(result("[1e999]").find("the runner") == 0);
  CHECK(result("[null]") == "the runner returned a time of null");
  CHECK(result("[\\\"fast\\\"]") == "the runner returned a time of \"fast\"");
  CHECK(result("[]") == "the timer returned no samples");
  CHECK(result("[1.0], \\\"disturbed\\\": 1") ==
        "the runner's \"disturbed\" is neither true nor false");
  CHECK(result("3") == "the runner's answer has neither a list run_ms nor a failure");
  CHECK(result("[1.0], \\\"failure\\\": \\\"no such operator\\\"") == "no such operator");
}

TEST_CASE("What a runner said before it died counts, and the rest is tried again",
          "[latency][unit]") {
  // Dies after two answers of a call; alone every model is well.
  Device device(R"(
n=0
for model in "$@"; do
  [ $n -eq 2 ] && { echo 'connection lost' >&2; exit 1; }
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [2.0]}"
  n=$((n + 1))
done)");
  const Results results = device.time(7);
  CHECK(results.size() == 7);
  for (const auto& [index, result] : results) CHECK(timed(result));
}

TEST_CASE("A model that the runner cannot stand is a failure, the device goes on",
          "[latency][error]") {
  // The largest model kills the runner, hangs it or is left out.
  const std::string action = GENERATE("exit 139", "sleep 1000", "exit 0");
  Device device(R"sh(
for model in "$@"; do
  if [ "$(wc -c < "$model")" -gt 20000 ]; then
    echo 'bad operator' >&2
    )sh" + action +
                R"sh(
  fi
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [2.0]}"
done)sh");
  device.options.model_timeout_s = 0.5;
  const std::vector<space::NetworkPlan> plans{unit_plan(space::PoolSpec{4, 2}),
                                              unit_plan(space::LinearSpec{100, 100}),
                                              unit_plan(space::PoolSpec{8, 2})};
  Results results;
  make_command_timer(device.options)
      ->time(plans, {}, nullptr,
             [&](std::size_t i, const TimerResult& r) { results.emplace(i, r); });
  REQUIRE(results.size() == 3);
  CHECK(timed(results.at(0)));
  CHECK_THAT(failure(results.at(1)), ContainsSubstring("bad operator"));
  CHECK(timed(results.at(2)));
}

TEST_CASE("A device that goes away half-way is told from a bad model", "[latency][error]") {
  // Answers three models in all, then nothing.
  Device device(R"sh(
count="$(dirname "$0")/count"
for model in "$@"; do
  echo x >> "$count"
  if [ "$(wc -l < "$count")" -gt 3 ]; then
    echo 'device offline' >&2
    exit 1
  fi
  echo "{\"id\": \"$(basename "$model" .onnx)\", \"run_ms\": [2.0]}"
done)sh");
  Results results;
  CHECK_THROWS_WITH(device.time_into(results, 6),
                    "device 'board' went away: the runner ended with code 1: device offline");
  CHECK(results.size() == 3);
  for (const auto& [index, result] : results) CHECK(timed(result));
}

TEST_CASE("A stop ends the runner and its children", "[latency][unit]") {
  Device device(
      "echo $$ > \"$(dirname \"$0\")/pid\"\nsleep 1000 &\necho $! > \"$(dirname "
      "\"$0\")/child\"\nwait");
  const StopGuard guard;
  std::thread stopper([&] {
    while (!std::filesystem::exists(device.folder / "child") ||
           device.left_behind("child").empty()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    core::request_stop(true);
  });
  CHECK_THROWS_AS(device.time(1), Interrupted);
  stopper.join();
  CHECK(::kill(std::stoi(device.left_behind("pid")), 0) != 0);
  const pid_t child = std::stoi(device.left_behind("child"));
  bool gone = false;
  for (int i = 0; i < 400 && !gone; ++i) {
    // Its new parent may take a moment to collect it.
    const auto status = std::filesystem::path("/proc") / std::to_string(child) / "stat";
    gone = ::kill(child, 0) != 0 || core::read_text_file(status).find(") Z ") != std::string::npos;
    if (!gone) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  CHECK(gone);
}

TEST_CASE("Options that make no sense are refused", "[latency][error]") {
  const auto problem = [](std::vector<std::string> command, std::vector<std::string> push = {},
                          std::string remote = "") {
    CommandTimerOptions options;
    options.device = "board";
    options.command = std::move(command);
    options.push = std::move(push);
    options.remote_folder = std::move(remote);
    return problem_of(options);
  };
  CHECK(problem({"run", "{request}"}).empty());
  CHECK(problem({"run", "--request={request}"}).empty());
  CHECK(problem({"run", "{models}"}, {"adb", "push", "{files}", "/data"}, "/data").empty());
  CHECK(problem({}) == "needs a program");
  CHECK_THAT(problem({"run"}), ContainsSubstring("\"{request}\" or \"{models}\""));
  CHECK_THAT(problem({"run", "-m={models}"}), ContainsSubstring("an argument of its own"));
  CHECK_THAT(problem({"run", "{models}"}, {"scp", "{files}", "x:"}),
             ContainsSubstring("go together"));
  CHECK_THAT(problem({"run", "{models}"}, {"scp", "x:"}, "/tmp"), ContainsSubstring("{files}"));
  CommandTimerOptions nothing;
  nothing.device = "board";
  CHECK_THROWS_WITH(make_command_timer(nothing), "device 'board': needs a program");
}

}  // namespace omnifit::latency
