#pragma once

#include "latency_lut/layer_timer.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::latency::detail {

/// Reads what a runner prints, line by line, in bounded memory.
///
/// Lines that begin with '{' are its answers: {"id": "m0", "run_ms": [1.2, 1.3]},
/// {"id": "m0", "failure": "text"} or {"device": {…}}; times may come with "disturbed": true, or
/// with those of the reference network around each of them, "reference_ms": [4.1, 4.2].
/// {"pulse_ms": 0.1} says what the runner wants to be told in its next call. Everything else is
/// chatter, of which the last line is kept for messages.
class RunnerLines {
 public:
  /// Answers for models "m0" … "m<count - 1>" are handed to `on_result`.
  RunnerLines(std::size_t count, LayerTimer::OnResult on_result)
      : answered_(count, false), on_result_(std::move(on_result)) {}

  /// Takes the next piece of output. @return false once an answer broke the contract, see problem()
  bool take(std::string_view piece);
  /// The last line may lack its end.
  void finish();

  [[nodiscard]] bool answered(std::size_t index) const { return answered_[index]; }
  [[nodiscard]] std::size_t num_answered() const { return num_answered_; }
  /// How the answers broke the contract, or "".
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// What the runner said about its device, as JSON, or "".
  [[nodiscard]] const std::string& device() const { return device_; }
  /// The runner's usual pulse, for its next call; 0 if it said none.
  [[nodiscard]] double pulse_ms() const { return pulse_ms_; }
  [[nodiscard]] const std::string& chatter() const { return chatter_; }

 private:
  void read(const std::string& line);
  void answer(const std::string& id, const std::string& line, const TimerResult& result);
  void not_json(const std::string& line);

  std::vector<bool> answered_;
  std::size_t num_answered_ = 0;
  LayerTimer::OnResult on_result_;
  std::string rest_;  ///< of a line that has not ended yet
  bool too_long_ = false;
  std::string problem_;
  std::string device_;
  double pulse_ms_ = 0.0;
  std::string chatter_;
};

}  // namespace omnifit::latency::detail
