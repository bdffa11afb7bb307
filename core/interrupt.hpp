#pragma once

namespace omnifit::core {

/// Installs handlers: the first SIGINT or SIGTERM asks for a clean stop at the next safe point,
/// a second one ends the process at once (exit code 130). Call once, from main.
void install_signal_handlers();

/// True once a stop was asked for. Async-signal-safe, any thread.
bool stop_requested();

/// A safe point: everything worth keeping is stored. @throws Interrupted if a stop was asked for.
void check_interrupt();

/// For tests: set or clear the request as a signal would.
void request_stop(bool requested);

}  // namespace omnifit::core
