#include "latency_lut/command_timer.hpp"

#include "core/child_process.hpp"
#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/interrupt.hpp"
#include "core/scratch_folder.hpp"
#include "core/shipped_folder.hpp"
#include "core/version.hpp"
#include "formats/onnx_writer.hpp"
#include "formats/random_network.hpp"
#include "latency_lut/detail/runner_lines.hpp"
#include "latency_lut/profile_config.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

namespace omnifit::latency {
namespace {

using Json = nlohmann::ordered_json;
using Strings = std::vector<std::string>;
constexpr std::uint64_t kWeightSeed = 1;
constexpr const char* kRequest = "{request}";
constexpr const char* kModels = "{models}";
constexpr const char* kFiles = "{files}";
constexpr const char* kReferenceFile = "reference.onnx";

bool mentions(const Strings& arguments, const std::string& placeholder) {
  return std::any_of(arguments.begin(), arguments.end(), [&](const std::string& argument) {
    return argument.find(placeholder) != std::string::npos;
  });
}

/// `arguments` with the argument that is `placeholder` replaced by `values`.
Strings expand(const Strings& arguments, const std::string& placeholder, const Strings& values) {
  Strings result;
  for (const std::string& argument : arguments) {
    if (argument == placeholder) {
      result.insert(result.end(), values.begin(), values.end());
    } else {
      result.push_back(argument);
    }
  }
  return result;
}

Strings substitute(Strings arguments, const std::string& placeholder, const std::string& value) {
  for (std::string& argument : arguments) {
    const std::size_t at = argument.find(placeholder);
    if (at != std::string::npos) argument.replace(at, placeholder.size(), value);
  }
  return arguments;
}

/// A network that every runtime can run.
space::NetworkPlan probe_plan() {
  space::NetworkPlan plan;
  plan.io = {.in_channels = 1, .num_classes = 2};
  plan.resolution_px = 2;
  plan.units = {{0, space::PoolSpec{.channels = 1, .in_px = 2}},
                {1, space::LinearSpec{.in_features = 1, .out_features = 2}}};
  return plan;
}

Protocol probe_protocol() {
  Protocol protocol;
  protocol.warmup_runs = 0;
  protocol.min_samples = 5;
  protocol.max_samples = 5;
  protocol.max_unit_s = 0.1;
  return protocol;
}

/// How a call of the runner ended.
struct Call {
  std::vector<bool> answered;
  bool orderly = false;     ///< with exit code 0: whatever has no answer was left out
  bool no_device = false;   ///< the files could not be copied: no model is to blame
  std::string why;          ///< a model without an answer has none
  std::string device_json;  ///< what the runner said about its device
};

class CommandTimer final : public LayerTimer {
 public:
  explicit CommandTimer(CommandTimerOptions options) : options_(std::move(options)) {}

  void time(std::span<const space::NetworkPlan> plans, const Protocol& protocol,
            const space::NetworkPlan* reference, const OnResult& on_result) override {
    // Which network takes turns stands in the request alone.
    if (!mentions(options_.command, kRequest)) reference = nullptr;
    std::vector<std::size_t> pending(plans.size());
    for (std::size_t i = 0; i < plans.size(); ++i) pending[i] = i;
    std::vector<int> attempts(plans.size(), 0);
    int failed_copies = 0;
    while (!pending.empty()) {
      core::check_interrupt();
      const std::vector<std::size_t> batch = next_batch(pending, attempts);
      std::vector<space::NetworkPlan> models;
      models.reserve(batch.size());
      for (const std::size_t index : batch) models.push_back(plans[index]);
      const Call call =
          run(models, protocol, reference,
              [&](std::size_t i, const TimerResult& result) { on_result(batch[i], result); });
      if (call.no_device && ++failed_copies > options_.retries) throw_gone(call.why);
      const auto left = unanswered(batch, call);
      std::erase_if(pending, [&](std::size_t index) {
        return std::find(batch.begin(), batch.end(), index) != batch.end() &&
               std::find(left.begin(), left.end(), index) == left.end();
      });
      if (!left.empty() && !call.no_device) blame(left, call, pending, attempts, on_result);
    }
  }

  [[nodiscard]] std::string describe() override {
    if (description_.empty()) {
      std::string why;
      if (!responds(&why)) throw_gone(why);
      Json json{{"runtime", options_.runtime}, {"threads", options_.threads}};
      if (options_.runtime == kCommandRuntime) json["command"] = options_.command;
      if (!options_.prefix.empty()) json["prefix"] = options_.prefix;
      if (!device_json_.empty()) json["device"] = Json::parse(device_json_);
      description_ = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    }
    return description_;
  }

 private:
  /// Models without an answer are tried again alone, so that none suffers from another.
  [[nodiscard]] std::vector<std::size_t> next_batch(const std::vector<std::size_t>& pending,
                                                    const std::vector<int>& attempts) const {
    std::vector<std::size_t> batch;
    for (const std::size_t index : pending) {
      if (attempts[index] > 0 && !batch.empty()) break;
      batch.push_back(index);
      if (attempts[index] > 0 || static_cast<int>(batch.size()) == options_.models_per_call) break;
    }
    return batch;
  }

  static std::vector<std::size_t> unanswered(const std::vector<std::size_t>& batch,
                                             const Call& call) {
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (!call.answered[i]) left.push_back(batch[i]);
    }
    return left;
  }

  /// A runner that broke off was at the first model without an answer; one that ended in order left
  /// them all out.
  void blame(const std::vector<std::size_t>& left, const Call& call,
             std::vector<std::size_t>& pending, std::vector<int>& attempts,
             const OnResult& on_result) {
    const std::size_t num_suspects = call.orderly ? left.size() : 1;
    bool device_responds = false;
    for (std::size_t i = 0; i < num_suspects; ++i) {
      const std::size_t suspect = left[i];
      if (++attempts[suspect] <= options_.retries) continue;
      if (!device_responds && !responds(nullptr)) throw_gone(call.why);
      device_responds = true;
      std::erase(pending, suspect);
      on_result(suspect, MeasurementFailure{call.why});
    }
  }

  [[noreturn]] void throw_gone(const std::string& why) const {
    throw EnvironmentError(fmt::format("device '{}' {}: {}", options_.device,
                                       has_answered_ ? "went away" : "does not answer", why));
  }

  /// Whether the runner times the network that must work.
  bool responds(std::string* why) {
    const std::vector<space::NetworkPlan> probe{probe_plan()};
    bool timed = false;
    std::string refusal;
    const auto on_result = [&](std::size_t, const TimerResult& result) {
      timed = std::holds_alternative<Samples>(result);
      if (!timed) refusal = std::get<MeasurementFailure>(result).reason;
    };
    const Call call = run(probe, probe_protocol(), nullptr, on_result);
    if (why != nullptr) *why = refusal.empty() ? call.why : refusal;
    if (timed) {
      device_json_ = call.device_json;
      has_answered_ = true;
    }
    return timed;
  }

  /// Writes the models, copies them and calls the runner once.
  Call run(const std::vector<space::NetworkPlan>& models, const Protocol& protocol,
           const space::NetworkPlan* reference, const OnResult& on_result) {
    Call call;
    call.answered.assign(models.size(), false);
    const core::ScratchFolder folder;
    if (std::ranges::none_of(models, takes_turns)) reference = nullptr;
    const Strings names = write_files(models, protocol, reference, folder.path());
    if (const std::string problem = push(names, folder.path()); !problem.empty()) {
      call.no_device = true;
      call.why = "copying the files failed: " + problem;
      return call;
    }

    detail::RunnerLines lines(models.size(), [&](std::size_t index, const TimerResult& result) {
      call.answered[index] = true;
      has_answered_ = has_answered_ || std::holds_alternative<Samples>(result);
      on_result(index, result);
    });
    bool slow = false;
    auto last_answer = std::chrono::steady_clock::now();
    core::CommandLimits limits;
    limits.timeout_s = options_.call_timeout_s;
    const Strings argv = command_line(names, folder.path());
    const core::CommandResult result = core::run_command(argv, limits, [&](std::string_view piece) {
      const std::size_t before = lines.num_answered();
      if (!lines.take(piece)) return false;
      const auto now = std::chrono::steady_clock::now();
      if (lines.num_answered() > before) last_answer = now;
      const std::chrono::duration<double> waited = now - last_answer;
      slow = waited.count() > options_.model_timeout_s && lines.num_answered() < models.size();
      return !slow;
    });
    call.orderly = result.end == core::CommandResult::End::kExited && result.code == 0;
    // What a runner was about to say when it broke off is no answer.
    if (call.orderly && lines.problem().empty()) lines.finish();
    if (!lines.problem().empty()) throw_broken(lines.problem());
    call.device_json = lines.device();
    if (lines.pulse_ms() > 0.0) pulse_ms_ = lines.pulse_ms();
    call.why = reason(result, slow, lines.chatter(), argv.front());
    return call;
  }

  [[noreturn]] void throw_broken(const std::string& what) const {
    throw EnvironmentError(fmt::format("device '{}': its runner broke off the contract with {}",
                                       options_.device, what));
  }

  /// Why a model has no answer. @throws EnvironmentError if the runner is no use at all.
  [[nodiscard]] std::string reason(const core::CommandResult& result, bool slow,
                                   const std::string& chatter, const std::string& program) const {
    using End = core::CommandResult::End;
    std::string said = core::last_line(result.err);
    if (said.empty()) said = chatter;
    if (!said.empty()) said = ": " + said;
    switch (result.end) {
      case End::kNotStarted:
        throw EnvironmentError(fmt::format("device '{}': cannot start '{}': {}", options_.device,
                                           program, std::generic_category().message(result.code)));
      case End::kFlooded:
        throw_broken("more output than its answers can need");
      case End::kSignalled:
        return fmt::format("the runner ended with signal {}{}", result.code, said);
      case End::kTimedOut:
        return fmt::format("the call took longer than {:g} s{}", options_.call_timeout_s, said);
      case End::kRefused:
      case End::kExited:
        break;
    }
    if (slow) return fmt::format("no answer within {:g} s{}", options_.model_timeout_s, said);
    return result.code == 0 ? "the runner gave no answer for it" + said
                            : fmt::format("the runner ended with code {}{}", result.code, said);
  }

  /// Writes one ONNX file. @return what the request says of it
  static Json write_model(const space::NetworkPlan& plan, const Protocol& protocol,
                          const std::filesystem::path& folder, const std::string& name) {
    formats::OnnxOptions onnx;
    onnx.producer_version = core::version();
    onnx.batch_size = protocol.batch_size;
    core::write_file_atomically(
        folder / name,
        std::string_view(formats::onnx_model(formats::random_network(plan, kWeightSeed), onnx)));
    return {{"file", name},
            {"input", formats::InferenceGraph::kInput},
            {"shape",
             {protocol.batch_size, plan.io.in_channels, plan.resolution_px, plan.resolution_px}}};
  }

  /// @return the names of the files: the request, the models, the reference if there is one.
  Strings write_files(const std::vector<space::NetworkPlan>& models, const Protocol& protocol,
                      const space::NetworkPlan* reference,
                      const std::filesystem::path& folder) const {
    Json request{{"version", 1},
                 {"threads", options_.threads},
                 {"batch_size", protocol.batch_size},
                 {"protocol", Json::parse(protocol_json(protocol))},
                 {"models", Json::array()}};
    if (pulse_ms_ > 0.0) request["pulse_ms"] = pulse_ms_;
    Strings names{"request.json"};
    for (std::size_t i = 0; i < models.size(); ++i) {
      const std::string id = fmt::format("m{}", i);
      names.push_back(id + ".onnx");
      Json model{{"id", id}};
      model.update(write_model(models[i], protocol, folder, names.back()));
      if (reference != nullptr && takes_turns(models[i])) model["takes_turns"] = true;
      request["models"].push_back(std::move(model));
    }
    if (reference != nullptr) {
      names.emplace_back(kReferenceFile);
      request["reference"] = write_model(*reference, protocol, folder, kReferenceFile);
    }
    core::write_file_atomically(folder / names.front(), std::string_view(request.dump(1) + "\n"));
    return names;
  }

  /// @return why it failed, or "".
  [[nodiscard]] std::string push(const Strings& names, const std::filesystem::path& folder) const {
    if (options_.push.empty()) return "";
    Strings files;
    for (const std::string& name : names) files.push_back((folder / name).string());
    const Strings argv = expand(options_.push, kFiles, files);
    core::CommandLimits limits;
    limits.timeout_s = options_.call_timeout_s;
    const core::CommandResult result = core::run_command(argv, limits);
    const bool done = result.end == core::CommandResult::End::kExited && result.code == 0;
    return done ? "" : reason(result, false, core::last_line(result.out), argv.front());
  }

  [[nodiscard]] Strings command_line(const Strings& names,
                                     const std::filesystem::path& folder) const {
    const auto at_runner = [&](const std::string& name) {
      return options_.push.empty() ? (folder / name).string() : options_.remote_folder + "/" + name;
    };
    Strings models;
    for (std::size_t i = 1; i < names.size(); ++i) {
      if (names[i] != kReferenceFile) models.push_back(at_runner(names[i]));
    }
    Strings argv = options_.prefix;
    for (std::string& argument : substitute(expand(options_.command, kModels, models), kRequest,
                                            at_runner(names.front()))) {
      argv.push_back(std::move(argument));
    }
    return argv;
  }

  CommandTimerOptions options_;
  bool has_answered_ = false;
  std::string device_json_;
  std::string description_;
  double pulse_ms_ = 0.0;  ///< what the runner's last call said; 0: nothing
};

}  // namespace

std::string problem_of(const CommandTimerOptions& options) {
  if (options.command.empty() || options.command.front().empty()) return "needs a program";
  const bool whole_models =
      std::find(options.command.begin(), options.command.end(), kModels) != options.command.end();
  if (mentions(options.command, kModels) && !whole_models) {
    return "\"{models}\" must be an argument of its own: it stands for many";
  }
  if (!whole_models && !mentions(options.command, kRequest)) {
    return "must say where the runner gets its networks: \"{request}\" or \"{models}\"";
  }
  if (options.push.empty() != options.remote_folder.empty()) {
    return "push and remote_folder go together";
  }
  const bool files =
      std::find(options.push.begin(), options.push.end(), kFiles) != options.push.end();
  if (!options.push.empty() && !files) return "push needs the argument \"{files}\"";
  return "";
}

std::unique_ptr<LayerTimer> make_command_timer(const CommandTimerOptions& options) {
  if (const std::string problem = problem_of(options); !problem.empty()) {
    throw ConfigError(fmt::format("device '{}': {}", options.device, problem));
  }
  return std::make_unique<CommandTimer>(options);
}

std::vector<std::string> onnxruntime_command() {
  const std::filesystem::path script =
      core::shipped_file("onnxruntime/onnxruntime.mjs", OMNIFIT_BUILD_FOLDER);
  std::error_code ignored;
  if (!std::filesystem::exists(script.parent_path() / "node_modules/onnxruntime-node", ignored)) {
    throw EnvironmentError(fmt::format(
        "ONNX Runtime is not installed in {}; run: cmake --build {} --target omnifit_onnxruntime",
        core::path_text(script.parent_path()), OMNIFIT_BUILD_FOLDER));
  }
  // In small pages the times of one network lie up to 15 % apart from process to process, as its
  // buffers share the cache well or badly; in huge pages 6 %. Elsewhere than glibc it does nothing.
  return {"env", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "node", script.string(), kRequest};
}

}  // namespace omnifit::latency
