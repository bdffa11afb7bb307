#include "latency_lut/detail/runner_lines.hpp"

#include "core/child_process.hpp"
#include "latency_lut/measurement.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

namespace omnifit::latency::detail {
namespace {

using Json = nlohmann::json;
constexpr std::size_t kMaxLineBytes = 1U << 20U;

/// The index of "m<index>".
std::optional<std::size_t> index_of(std::string_view id, std::size_t count) {
  std::size_t index = 0;
  if (id.size() < 2 || id.front() != 'm') return std::nullopt;
  const auto [end, error] = std::from_chars(id.data() + 1, id.data() + id.size(), index);
  if (error != std::errc() || end != id.data() + id.size() || index >= count) return std::nullopt;
  return index;
}

std::string shown(const std::string& line) { return core::last_line(line); }

/// Appends the numbers of a list. @return the first thing in it that is none
std::optional<std::string> read_times(const Json& list, std::vector<double>& times_ms) {
  for (const Json& time_ms : list) {
    if (!time_ms.is_number()) return time_ms.dump();
    times_ms.push_back(time_ms.get<double>());
  }
  return std::nullopt;
}

/// Samples of an answer, or what is wrong with it.
TimerResult result_of(const Json& answer) {
  if (const auto failure = answer.find("failure"); failure != answer.end()) {
    if (!failure->is_string()) return MeasurementFailure{"the runner's failure is not a text"};
    return MeasurementFailure{shown(failure->get<std::string>())};
  }
  const auto times = answer.find("run_ms");
  if (times == answer.end() || !times->is_array()) {
    return MeasurementFailure{"the runner's answer has neither a list run_ms nor a failure"};
  }
  Samples samples;
  if (const auto disturbed = answer.find("disturbed"); disturbed != answer.end()) {
    if (!disturbed->is_boolean()) {
      return MeasurementFailure{"the runner's \"disturbed\" is neither true nor false"};
    }
    samples.disturbed = disturbed->get<bool>();
  }
  auto wrong = read_times(*times, samples.run_ms);
  if (const auto reference = answer.find("reference_ms"); reference != answer.end()) {
    if (!reference->is_array()) {
      return MeasurementFailure{"the runner's \"reference_ms\" is not a list"};
    }
    if (!wrong) wrong = read_times(*reference, samples.reference_ms);
  }
  if (wrong) return MeasurementFailure{fmt::format("the runner returned a time of {}", *wrong)};
  if (const auto result = summarise(samples); std::holds_alternative<MeasurementFailure>(result)) {
    return std::get<MeasurementFailure>(result);
  }
  return samples;
}

}  // namespace

bool RunnerLines::take(std::string_view piece) {
  while (!piece.empty() && problem_.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (rest_.size() + part.size() > kMaxLineBytes) {
      too_long_ = true;
      rest_.resize(std::min<std::size_t>(rest_.size(), 64));
    } else if (!too_long_) {
      rest_ += part;
    }
    if (end == std::string_view::npos) break;
    finish();
    piece.remove_prefix(end + 1);
  }
  return problem_.empty();
}

void RunnerLines::finish() {
  const std::string line = std::exchange(rest_, {});
  const bool too_long = std::exchange(too_long_, false);
  const std::size_t start = line.find_first_not_of(" \t\r");
  if (!problem_.empty() || start == std::string::npos) return;
  if (line[start] != '{') {
    chatter_ = shown(line);
  } else if (too_long) {
    problem_ = fmt::format("a line of more than {} bytes: {}…", kMaxLineBytes, shown(line));
  } else {
    read(line);
  }
}

void RunnerLines::read(const std::string& line) {
  const Json answer = Json::parse(line, nullptr, false);
  if (answer.is_discarded()) return not_json(line);
  if (const auto device = answer.find("device"); device != answer.end()) {
    if (!device->is_object()) {
      problem_ = "a device that is not a JSON object: " + shown(line);
      return;
    }
    device_ = device->dump(-1, ' ', false, Json::error_handler_t::replace);
    return;
  }
  if (const auto pulse = answer.find("pulse_ms"); pulse != answer.end()) {
    if (!pulse->is_number() || !(pulse->get<double>() > 0.0)) {
      problem_ = "a pulse_ms that is not a positive number: " + shown(line);
      return;
    }
    pulse_ms_ = pulse->get<double>();
    return;
  }
  const auto id = answer.find("id");
  if (id == answer.end() || !id->is_string()) {
    problem_ = "an answer without the text \"id\": " + shown(line);
    return;
  }
  this->answer(id->get<std::string>(), line, result_of(answer));
}

void RunnerLines::answer(const std::string& id, const std::string& line,
                         const TimerResult& result) {
  const auto index = index_of(id, answered_.size());
  if (!index) {
    problem_ = fmt::format("an answer for model '{}', which it was not asked for: {}", shown(id),
                           shown(line));
  } else if (answered_[*index]) {
    problem_ = fmt::format("two answers for model '{}': {}", id, shown(line));
  } else {
    answered_[*index] = true;
    ++num_answered_;
    on_result_(*index, result);
  }
}

// A runner in Python prints NaN, which JSON does not have. If the line names a model, only this one
// is lost.
void RunnerLines::not_json(const std::string& line) {
  for (std::size_t index = 0; index < answered_.size(); ++index) {
    const std::string id = fmt::format("m{}", index);
    if (line.find('"' + id + '"') == std::string::npos) continue;
    return answer(id, line, MeasurementFailure{"the runner's answer is not JSON: " + shown(line)});
  }
  problem_ = "an answer that is not JSON: " + shown(line);
}

}  // namespace omnifit::latency::detail
