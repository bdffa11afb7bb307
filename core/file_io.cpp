#include "core/file_io.hpp"

#include "core/error.hpp"
#include "core/units.hpp"
#include "core/utf8.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <limits>
#include <utility>

namespace omnifit::core {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;

class FileDescriptor {
 public:
  explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
  ~FileDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  /// Closes now, so that a late write error (network disks) is seen. @return false with errno set.
  bool close() { return ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_;
};

[[noreturn]] void fail_to_read(const std::filesystem::path& file, const std::string& why) {
  throw DataError(fmt::format("{}: {}", path_text(file), why));
}

[[noreturn]] void fail_to_write(const std::filesystem::path& file, int code) {
  throw EnvironmentError(fmt::format("{}: cannot write: {}", path_text(file), std::strerror(code)));
}

[[noreturn]] void fail_as_too_large(const std::filesystem::path& file, std::uint64_t max_bytes) {
  fail_to_read(file, fmt::format("larger than the {} allowed",
                                 format_bytes(static_cast<double>(max_bytes))));
}

/// Contiguous bytes of a regular file into any container of one-byte elements.
template <class Container>
Container read_whole(const std::filesystem::path& file, std::uint64_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes to must fail below, not hang here.
  const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (descriptor.get() < 0) {
    fail_to_read(file, errno == ENOENT ? "no such file"
                                       : fmt::format("cannot read: {}", std::strerror(errno)));
  }
  struct stat info {};
  if (::fstat(descriptor.get(), &info) != 0) fail_to_read(file, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) fail_to_read(file, "not a regular file");
  if (static_cast<std::uint64_t>(info.st_size) > max_bytes) fail_as_too_large(file, max_bytes);

  Container content;
  std::size_t filled = 0;
  // The size is a hint: files in /proc report 0, and a file may grow while it is read.
  std::size_t wanted = static_cast<std::size_t>(info.st_size) + 1;
  while (true) {
    content.resize(std::max(wanted, filled + 1));
    const ssize_t count =
        ::read(descriptor.get(), content.data() + filled, content.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_to_read(file, fmt::format("cannot read: {}", std::strerror(errno)));
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
    if (filled > max_bytes) fail_as_too_large(file, max_bytes);
    if (filled == content.size()) wanted = filled + std::max(filled, std::size_t{4096});
  }
  content.resize(filled);
  return content;
}

/// RAII over zlib's stream, set up for gzip members only.
class GzipInflater {
 public:
  GzipInflater() {
    constexpr int kGzipOnly = 16;
    OMNIFIT_CHECK(inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK, "cannot start zlib");
  }
  ~GzipInflater() { inflateEnd(&stream_); }
  GzipInflater(const GzipInflater&) = delete;
  GzipInflater& operator=(const GzipInflater&) = delete;

  /// Unpacks one member from `input` and appends to `output`; checks its CRC and length.
  /// @return the bytes of `input` that were used.
  std::size_t unpack_member(std::span<const std::byte> input, const std::filesystem::path& file,
                            std::uint64_t max_bytes, std::vector<std::byte>& output) {
    inflateReset(&stream_);
    std::size_t used = 0;
    std::vector<std::byte> chunk(kChunkBytes);
    int status = Z_OK;
    while (status != Z_STREAM_END) {
      const std::size_t offered =
          std::min<std::size_t>(input.size() - used, std::numeric_limits<uInt>::max());
      // zlib's interface is not const-correct; it never writes to its input.
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data() + used));
      stream_.avail_in = static_cast<uInt>(offered);
      stream_.next_out = reinterpret_cast<Bytef*>(chunk.data());
      stream_.avail_out = static_cast<uInt>(chunk.size());
      status = inflate(&stream_, Z_NO_FLUSH);
      if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
        fail_to_read(file, fmt::format("corrupt gzip data: {}",
                                       stream_.msg != nullptr ? stream_.msg : "unknown error"));
      }
      const std::size_t produced = chunk.size() - stream_.avail_out;
      const std::size_t consumed = offered - stream_.avail_in;
      used += consumed;
      if (produced > max_bytes - output.size()) fail_as_too_large(file, max_bytes);
      output.insert(output.end(), chunk.begin(),
                    chunk.begin() + static_cast<std::ptrdiff_t>(produced));
      if (status != Z_STREAM_END && produced == 0 && consumed == 0) {
        fail_to_read(file, "gzip data ends too early; the file is truncated");
      }
    }
    return used;
  }

 private:
  z_stream stream_{};
};

bool has_gzip_magic(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

/// A file next to its destination that is removed unless it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& requested)
      : destination_(resolve(requested)), path_(unique_name(destination_)) {}
  ~TemporaryFile() {
    if (!renamed_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// Reaches the disk under the final name. @throws EnvironmentError
  void commit() {
    sync(path_, O_RDONLY);
    keep_permissions();
    if (::rename(path_.c_str(), destination_.c_str()) != 0) fail_to_write(destination_, errno);
    renamed_ = true;
    // Without this the new name may be lost with the power, though never half-written.
    const std::filesystem::path folder = destination_.parent_path();
    sync(folder.empty() ? std::filesystem::path(".") : folder, O_RDONLY | O_DIRECTORY);
  }

 private:
  /// Follows a symbolic link, so that the file it names is replaced and not the link.
  static std::filesystem::path resolve(const std::filesystem::path& file) {
    std::error_code error;
    if (!std::filesystem::is_symlink(file, error)) return file;
    std::filesystem::path target = std::filesystem::weakly_canonical(file, error);
    return error ? file : target;
  }

  static std::filesystem::path unique_name(const std::filesystem::path& file) {
    static std::atomic<unsigned> counter{0};
    std::filesystem::path name = file;
    name.replace_filename(
        fmt::format(".{}.tmp-{}-{}", file.filename().string(), ::getpid(), counter++));
    return name;
  }

  void sync(const std::filesystem::path& path, int flags) const {
    FileDescriptor descriptor(::open(path.c_str(), flags | O_CLOEXEC));
    if (descriptor.get() < 0) fail_to_write(destination_, errno);
    // Some file systems cannot sync a folder and say so with EINVAL: nothing more can be done.
    if (::fsync(descriptor.get()) != 0 && errno != EINVAL) fail_to_write(destination_, errno);
  }

  void keep_permissions() const {
    struct stat old {};
    if (::stat(destination_.c_str(), &old) == 0) ::chmod(path_.c_str(), old.st_mode & 07777);
  }

  std::filesystem::path destination_;
  std::filesystem::path path_;
  bool renamed_ = false;
};

}  // namespace

std::filesystem::path working_folder() {
  std::error_code error;
  std::filesystem::path folder = std::filesystem::current_path(error);
  if (!error) return folder;
  throw EnvironmentError(fmt::format(
      "the working folder cannot be found: {}; change to one that is there", error.message()));
}

std::string path_text(const std::filesystem::path& path) {
  const std::string& bytes = path.native();
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const CodePoint point = decode_utf8(bytes, at);
    if (point.valid) {
      text.append(bytes, at, point.size);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned>(point.value));
    }
    at += point.size;
  }
  return text;
}

std::vector<std::byte> read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  return read_whole<std::vector<std::byte>>(file, max_bytes);
}

std::string read_text_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  return read_whole<std::string>(file, max_bytes);
}

std::vector<std::byte> read_gzip_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  std::vector<std::byte> packed = read_file(file);
  if (!has_gzip_magic(packed)) {
    if (packed.size() > max_bytes) fail_as_too_large(file, max_bytes);
    return packed;
  }
  std::vector<std::byte> output;
  GzipInflater inflater;
  std::span<const std::byte> rest(packed);
  while (has_gzip_magic(rest)) {
    rest = rest.subspan(inflater.unpack_member(rest, file, max_bytes, output));
  }
  // Tapes and block devices pad with zeros; anything else is not what was written.
  if (std::any_of(rest.begin(), rest.end(), [](std::byte b) { return b != std::byte{0}; })) {
    fail_to_read(file, "corrupt gzip data: foreign bytes after the end");
  }
  return output;
}

void write_file_atomically(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  write_file_atomically(file, [&file, bytes](const std::filesystem::path& temporary) {
    FileDescriptor descriptor(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (descriptor.get() < 0) fail_to_write(file, errno);
    for (std::size_t written = 0; written < bytes.size();) {
      const ssize_t count =
          ::write(descriptor.get(), bytes.data() + written, bytes.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail_to_write(file, errno);
      written += static_cast<std::size_t>(count);
    }
    if (!descriptor.close()) fail_to_write(file, errno);
  });
}

void write_file_atomically(const std::filesystem::path& file, std::string_view text) {
  write_file_atomically(file, std::as_bytes(std::span(text.data(), text.size())));
}

void write_file_atomically(const std::filesystem::path& file,
                           const std::function<void(const std::filesystem::path&)>& write) {
  TemporaryFile temporary(file);
  write(temporary.path());
  temporary.commit();
}

}  // namespace omnifit::core
