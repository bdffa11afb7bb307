#include "latency_lut/pulse.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>
#include <vector>

namespace omnifit::latency {
namespace {

/// Pulses before the first question, so that there is something usual.
constexpr std::size_t kFirstPulses = 64;
/// Pulses after which it is asked again what is usual.
constexpr std::size_t kPulsesPerReview = 16;
/// Share of the pulses that are usual ones.
constexpr std::size_t kUsual = 10;

}  // namespace

Pulse::Pulse(std::function<double()> beat_ms) : beat_ms_(std::move(beat_ms)) {}

bool Pulse::is_quiet(double ratio) {
  while (count_ < kFirstPulses) beat();
  beat();
  return last_ms_[(count_ - 1) % last_ms_.size()] <= (1.0 + ratio) * usual_ms_;
}

void Pulse::beat() {
  last_ms_[count_++ % last_ms_.size()] = beat_ms_();
  if (count_ % kPulsesPerReview != 0) return;
  const auto known = static_cast<std::ptrdiff_t>(std::min(count_, last_ms_.size()));
  std::vector<double> ascending(last_ms_.begin(), last_ms_.begin() + known);
  const auto usual = ascending.begin() + known / static_cast<std::ptrdiff_t>(kUsual);
  std::nth_element(ascending.begin(), usual, ascending.end());
  usual_ms_ = *usual;
}

double Pulse::standard_beat_ms() {
  constexpr std::size_t kNumbers = 512;
  constexpr int kRounds = 256;
  static const auto numbers = [] {
    std::array<double, kNumbers> drawn{};
    for (std::size_t i = 0; i < kNumbers; ++i) drawn[i] = 1.0 + static_cast<double>(i) / kNumbers;
    return drawn;
  }();
  const auto start = std::chrono::steady_clock::now();
  // As many sums side by side as a core can work on at once: what it shares then shows.
  std::array<double, 8> sums{};
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kNumbers; i += sums.size()) {
      for (std::size_t lane = 0; lane < sums.size(); ++lane) {
        sums[lane] += numbers[i + lane] * numbers[kNumbers - 1 - i - lane];
      }
    }
  }
  // Read by nobody, but without it nothing would be computed.
  [[maybe_unused]] volatile double total = std::accumulate(sums.begin(), sums.end(), 0.0);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace omnifit::latency
