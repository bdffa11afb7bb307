#include "core/child_process.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

extern char** environ;  // NOLINT(*-avoid-non-const-global-variables): POSIX says so

namespace omnifit::core {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPollMs = 50;

/// A pipe whose ends are closed with it and never inherited by accident.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) {
      throw EnvironmentError(
          fmt::format("cannot make a pipe: {}", std::generic_category().message(errno)));
    }
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  [[nodiscard]] bool open() const { return ends_[0] >= 0; }
  void close_write() { close_end(1); }

  /// Appends what is there. Closes the read end when the writers are gone.
  void drain(std::string& to) {
    std::array<char, 65536> buffer{};
    const ssize_t count = ::read(ends_[0], buffer.data(), buffer.size());
    if (count > 0) {
      to.append(buffer.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      close_end(0);
    }
  }

 private:
  void close_end(std::size_t end) {
    if (ends_[end] >= 0) ::close(ends_[end]);
    ends_[end] = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

/// What posix_spawn needs: pipes as output, empty input, own session, default signals.
class SpawnSetup {
 public:
  SpawnSetup(const Pipe& out, const Pipe& err) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, out.write_end(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, err.write_end(), STDERR_FILENO);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&signals, signal);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    // The leader of a session leads a process group of the same number.
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  /// @return 0 or errno
  int spawn(pid_t& pid, const std::vector<std::string>& argv) const {
    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (const std::string& argument : argv) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    return posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

/// A started child; killed with its group and reaped if nobody waited for it.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (ended_) return;
    kill_group();
    wait(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] bool has_ended() { return ended_ || wait(WNOHANG); }
  void kill_group() const { ::kill(-pid_, SIGKILL); }
  [[nodiscard]] int status() const { return status_; }

 private:
  bool wait(int options) {
    pid_t result = 0;
    do {
      result = ::waitpid(pid_, &status_, options);
    } while (result < 0 && errno == EINTR);
    ended_ = result != 0;
    return ended_;
  }

  pid_t pid_;
  int status_ = 0;
  bool ended_ = false;
};

void poll_pipes(std::array<Pipe*, 2> pipes, std::array<std::string*, 2> texts, int timeout_ms) {
  std::array<pollfd, 2> polled{};
  for (std::size_t i = 0; i < 2; ++i) polled[i] = {pipes[i]->read_end(), POLLIN, 0};
  if (::poll(polled.data(), polled.size(), timeout_ms) <= 0) return;
  for (std::size_t i = 0; i < 2; ++i) {
    if (polled[i].revents != 0) pipes[i]->drain(*texts[i]);
  }
}

void keep_end(std::string& text, std::size_t max_bytes) {
  if (text.size() > max_bytes) text.erase(0, text.size() - max_bytes);
}

void set_exit(CommandResult& result, int status) {
  if (WIFSIGNALED(status)) {
    result.end = CommandResult::End::kSignalled;
    result.code = WTERMSIG(status);
  } else {
    result.end = CommandResult::End::kExited;
    result.code = WEXITSTATUS(status);
  }
}

}  // namespace

std::string last_line(std::string text) {
  constexpr std::size_t kMaxShown = 200;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.pop_back();
  }
  if (const auto at = text.find_last_of("\r\n"); at != std::string::npos) text.erase(0, at + 1);
  if (text.size() > kMaxShown) text.resize(kMaxShown);
  return text;
}

CommandResult run_command(const std::vector<std::string>& argv, const CommandLimits& limits,
                          const OutputWatcher& watcher) {
  OMNIFIT_CHECK(!argv.empty(), "a command needs a program");
  const auto deadline = Clock::now() + std::chrono::duration<double>(limits.timeout_s);
  CommandResult result;
  Pipe out;
  Pipe err;
  pid_t pid = 0;
  if (const int error = SpawnSetup(out, err).spawn(pid, argv); error != 0) {
    result.end = CommandResult::End::kNotStarted;
    result.code = error;
    return result;
  }
  Child child(pid);
  out.close_write();
  err.close_write();

  // A grandchild may keep the pipes open, so the child's own end counts as well; what it wrote
  // before is then in the pipes already, and one more round without waiting fetches it.
  std::size_t num_out = 0;
  for (bool last_round = false; out.open() || err.open() || !last_round;) {
    check_interrupt();
    const std::size_t out_before = result.out.size();
    const std::size_t err_before = result.err.size();
    poll_pipes({&out, &err}, {&result.out, &result.err}, last_round ? 0 : kPollMs);
    const bool progress = result.out.size() > out_before || result.err.size() > err_before;
    num_out += result.out.size() - out_before;
    keep_end(result.err, limits.max_stderr_bytes);
    bool refused = false;
    if (watcher) {
      refused = !watcher(result.out);
      result.out.clear();
    }
    const bool flooded = num_out > limits.max_stdout_bytes;
    if (refused || flooded || Clock::now() > deadline) {
      child.kill_group();
      result.end = refused   ? CommandResult::End::kRefused
                   : flooded ? CommandResult::End::kFlooded
                             : CommandResult::End::kTimedOut;
      return result;
    }
    if (last_round && !progress) break;
    last_round = child.has_ended();
  }
  set_exit(result, child.status());
  return result;
}

}  // namespace omnifit::core
