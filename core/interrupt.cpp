#include "core/interrupt.hpp"

#include "core/error.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string_view>

namespace omnifit::core {
namespace {

// A signal handler has nothing but globals to write to.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
std::atomic<bool> g_stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler needs a lock-free flag");

/// Only async-signal-safe calls.
void on_signal(int) {
  if (g_stop_requested.exchange(true)) _exit(static_cast<int>(ExitCode::kInterrupted));
  constexpr std::string_view kNotice =
      "\nstopping at the next safe point; once more stops at once\n";
  const int saved_errno = errno;
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kNotice.data(), kNotice.size());
  errno = saved_errno;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = &on_signal;
  action.sa_flags = SA_RESTART;  // a read in progress goes on; the flag is seen at the safe point
  sigemptyset(&action.sa_mask);
  for (int signal_number : {SIGINT, SIGTERM}) {
    OMNIFIT_CHECK(sigaction(signal_number, &action, nullptr) == 0,
                  "cannot install the handler of signal {}", signal_number);
  }
}

bool stop_requested() { return g_stop_requested.load(std::memory_order_relaxed); }

void check_interrupt() {
  if (stop_requested()) throw Interrupted();
}

void request_stop(bool requested) { g_stop_requested.store(requested); }

}  // namespace omnifit::core
