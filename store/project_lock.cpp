#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/units.hpp"
#include "store/database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace omnifit::store {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown host";
  return name.data();
}

/// The holder's line as it wrote it, or a stand-in while it is still writing.
std::string read_holder(int descriptor) {
  std::array<char, 4096> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  if (size <= 0) return "another process";
  std::string line(text.data(), static_cast<std::size_t>(size));
  if (const auto end = line.find('\n'); end != std::string::npos) line.resize(end);
  return line;
}

/// One line: the command must not smuggle in a second one.
std::string holder_line(std::string command) {
  for (char& c : command) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (command.size() > 3000) command.resize(3000);
  return fmt::format("process {} on {} since {} (command: {})\n", getpid(), host_name(),
                     core::utc_now(), command);
}

bool leads_to(const std::filesystem::path& file, int descriptor) {
  struct stat by_path {};
  struct stat by_descriptor {};
  return stat(file.c_str(), &by_path) == 0 && fstat(descriptor, &by_descriptor) == 0 &&
         by_path.st_dev == by_descriptor.st_dev && by_path.st_ino == by_descriptor.st_ino;
}

std::string reason(int error) { return std::generic_category().message(error); }

int open_lock(const std::filesystem::path& file) {
  const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor >= 0) return descriptor;
  const int error = errno;
  if (error == ENOENT || error == ENOTDIR) {
    throw DataError(fmt::format("{}: the folder {} does not exist", core::path_text(file),
                                core::path_text(std::filesystem::absolute(file).parent_path())));
  }
  throw EnvironmentError(fmt::format("{}: cannot create the project's lock: {}",
                                     core::path_text(file), reason(error)));
}

/// Locks or closes `descriptor`. @throws StateError if another process holds the lock.
void lock_or_throw(int descriptor, const std::filesystem::path& file,
                   const std::filesystem::path& project_file) {
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  const std::string holder = read_holder(descriptor);
  close(descriptor);
  if (error == EWOULDBLOCK) {
    throw StateError(fmt::format("{}: in use by {}; wait for it to end or stop it",
                                 core::path_text(project_file), holder));
  }
  throw EnvironmentError(
      fmt::format("{}: cannot lock ({}); put the project on a file system with locks",
                  core::path_text(file), reason(error)));
}

}  // namespace

ProjectLock::ProjectLock(const std::filesystem::path& project_file, const std::string& command) {
  // The same project under two names (a symbolic link) has one lock.
  std::error_code error;
  const std::filesystem::path real = std::filesystem::weakly_canonical(project_file, error);
  file_ = (error ? project_file : real).string() + ".lock";

  // A holder that ends removes the file; whoever locked the removed one starts over. Each turn
  // means another run ended.
  constexpr int kMaxTurns = 100;
  for (int turn = 0; turn < kMaxTurns && descriptor_ < 0; ++turn) {
    const int descriptor = open_lock(file_);
    lock_or_throw(descriptor, file_, project_file);
    if (leads_to(file_, descriptor)) {
      descriptor_ = descriptor;
    } else {
      close(descriptor);
    }
  }
  if (descriptor_ < 0) {
    throw EnvironmentError(
        fmt::format("{}: the lock changes hands all the time; try again", core::path_text(file_)));
  }
  // The text is for people; the lock holds without it, so a full disk must not matter here.
  const std::string holder = holder_line(command);
  if (ftruncate(descriptor_, 0) != 0 || pwrite(descriptor_, holder.data(), holder.size(), 0) < 0)
    return;
}

ProjectLock::~ProjectLock() {
  unlink(file_.c_str());
  close(descriptor_);
}

}  // namespace omnifit::store
