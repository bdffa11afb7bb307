#pragma once

#include <array>
#include <cstddef>
#include <functional>

namespace omnifit::latency {

/// A fixed piece of arithmetic, timed again and again: whether the processor's core is all ours at
/// this moment. A neighbour on the same core, another virtual machine say, makes it slower for
/// seconds, then is gone; nothing else tells when.
///
/// What is usual follows the clock of the processor: it is the fastest tenth of the last pulses.
class Pulse {
 public:
  /// `beat_ms` does the work once and returns its milliseconds; a tenth of one, by default.
  explicit Pulse(std::function<double()> beat_ms = standard_beat_ms);

  /// Does the work once. @return whether it took at most `ratio` longer than usual
  bool is_quiet(double ratio);

  /// 130,000 multiplications and additions on numbers in the core's own cache.
  static double standard_beat_ms();

 private:
  void beat();

  std::function<double()> beat_ms_;
  std::array<double, 4096> last_ms_{};  ///< a ring
  std::size_t count_ = 0;               ///< pulses so far
  double usual_ms_ = 0.0;
};

}  // namespace omnifit::latency
