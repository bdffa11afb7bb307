#include "supernet/data/jpeg.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/units.hpp"

#include <array>
#include <csetjmp>
#include <cstdio>
#include <span>
#include <utility>

// jpeglib.h needs size_t and FILE, jerror.h needs jpeglib.h.
#include <jpeglib.h>

#include <jerror.h>

namespace omnifit::supernet {
namespace {

constexpr int kCmykChannels = 4;

/// a · b / 255, rounded.
int scaled(int a, int b) { return (a * b + 127) / 255; }

/// One file being decoded. libjpeg reports errors by calling back, and the callback must not
/// return; it jumps to run(), which throws. Nothing with a destructor lives between the two.
class JpegReader {
 public:
  explicit JpegReader(const std::filesystem::path& file)
      : file_(file), bytes_(core::read_file(file, kMaxJpegFileBytes)) {
    if (bytes_.empty()) fail("an empty file, not a JPEG picture");
    if (bytes_.size() < 2 || bytes_[0] != std::byte{0xFF} || bytes_[1] != std::byte{0xD8}) {
      fail("not a JPEG file: it does not start with FF D8");
    }
    info_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = on_error;
    errors_.manager.emit_message = on_message;
    info_.client_data = this;
    run([this] {
      jpeg_create_decompress(&info_);
      jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()),
                   static_cast<unsigned long>(bytes_.size()));
      jpeg_read_header(&info_, TRUE);
    });
    check_size();
  }

  [[nodiscard]] PictureSize size() const {
    return {static_cast<int>(info_.image_height), static_cast<int>(info_.image_width)};
  }

  Picture decode(DecodeMemory* memory) {
    Picture picture;
    picture.size = size();
    if (memory != nullptr) picture.memory = claim(*memory);
    const bool cmyk = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    limit_.progress_monitor = on_progress;
    info_.progress = &limit_;
    // Files that end after their header, or within several passes, never get any pixels.
    run([this] { jpeg_start_decompress(&info_); });
    const std::size_t row_bytes = static_cast<std::size_t>(picture.size.width_px) * kRgbChannels;
    picture.pixels.resize(row_bytes * static_cast<std::size_t>(picture.size.height_px));
    std::vector<std::uint8_t> cmyk_row(
        cmyk ? static_cast<std::size_t>(picture.size.width_px) * kCmykChannels : 0);
    std::uint8_t* out = picture.pixels.data();
    for (int y = 0; y < picture.size.height_px; ++y, out += row_bytes) {
      JSAMPROW row = cmyk ? cmyk_row.data() : out;
      run([this, &row] { jpeg_read_scanlines(&info_, &row, 1); });
      if (cmyk) convert_cmyk(cmyk_row, out);
    }
    run([this] { jpeg_finish_decompress(&info_); });
    if (errors_.manager.num_warnings > 0) picture.damage = errors_.warning.data();
    return picture;
  }

 private:
  struct Errors {
    jpeg_error_mgr manager{};
    std::jmp_buf jump{};
    std::array<char, JMSG_LENGTH_MAX> fatal{};
    std::array<char, JMSG_LENGTH_MAX> warning{};  ///< the first one
    bool ended_early = false;
  };

  /// libjpeg's state; freeing one that was never set up is allowed, so a constructor that throws
  /// leaks nothing.
  struct Decompressor : jpeg_decompress_struct {
    Decompressor() : jpeg_decompress_struct{} {}
    ~Decompressor() { jpeg_destroy_decompress(this); }
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;
  };

  static JpegReader& self(j_common_ptr info) {
    return *static_cast<JpegReader*>(info->client_data);
  }

  [[noreturn]] static void on_error(j_common_ptr info) {
    Errors& errors = self(info).errors_;
    errors.manager.format_message(info, errors.fatal.data());
    std::longjmp(errors.jump, 1);
  }

  static void on_message(j_common_ptr info, int level) {
    if (level >= 0) return;  // a trace message
    Errors& errors = self(info).errors_;
    if (errors.manager.msg_code == JWRN_JPEG_EOF) {
      // Not worth filling up: a header of a few bytes can ask for 100 million pixels.
      errors.ended_early = true;
      std::longjmp(errors.jump, 1);
    }
    if (errors.manager.num_warnings++ > 0) return;
    errors.manager.format_message(info, errors.warning.data());
  }

  /// A crafted progressive file costs a pass over all its pixels for every few bytes.
  static void on_progress(j_common_ptr info) {
    JpegReader& reader = self(info);
    if (reader.info_.input_scan_number <= kMaxJpegScans) return;
    std::snprintf(reader.errors_.fatal.data(), reader.errors_.fatal.size(),
                  "more than %d passes over its pixels", kMaxJpegScans);
    std::longjmp(reader.errors_.jump, 1);
  }

  template <class Step>
  void run(const Step& step) {
    if (setjmp(errors_.jump) != 0) {
      if (errors_.ended_early) fail("truncated: it ends before the picture does");
      fail(fmt::format("cannot be decoded: {}", errors_.fatal.data()));
    }
    step();
  }

  /// Bytes that decoding takes: the file, the pixels, and coefficients of 16 bits of every
  /// component that the library collects over several passes.
  [[nodiscard]] std::uint64_t decoding_bytes() {
    const std::uint64_t pixels = std::uint64_t{info_.image_width} * info_.image_height;
    const bool several_passes = jpeg_has_multiple_scans(&info_) != FALSE;
    const auto components = static_cast<std::uint64_t>(info_.num_components);
    const std::uint64_t bytes_per_pixel =
        kRgbChannels + (several_passes ? components * sizeof(JCOEF) : 0);
    return bytes_.size() + pixels * bytes_per_pixel;
  }

  DecodeMemory::Claim claim(DecodeMemory& memory) {
    const std::uint64_t needed = decoding_bytes();
    if (auto claim = memory.claim(needed)) return std::move(*claim);
    fail(fmt::format(
        "decoding its {}x{} pixels (width x height) takes {}, more than the {} that "
        "data.memory_limit_gb leaves beside the images that are kept",
        info_.image_width, info_.image_height, core::format_bytes(static_cast<double>(needed)),
        core::format_bytes(static_cast<double>(memory.limit_bytes()))));
  }

  void check_size() const {
    const std::int64_t pixels = std::int64_t{info_.image_width} * info_.image_height;
    if (pixels <= kMaxJpegPixels) return;
    fail(fmt::format("{}x{} pixels (width x height), more than the {} million allowed",
                     info_.image_width, info_.image_height, kMaxJpegPixels / 1'000'000));
  }

  /// Inks as Adobe stores them, 255 = none: what is left of white after an ink and black.
  static void convert_cmyk(const std::vector<std::uint8_t>& cmyk, std::uint8_t* rgb) {
    for (std::size_t at = 0; at < cmyk.size(); at += kCmykChannels) {
      const int black = cmyk[at + 3];
      for (std::size_t channel = 0; channel < kRgbChannels; ++channel) {
        *rgb++ = static_cast<std::uint8_t>(black - scaled(255 - cmyk[at + channel], black));
      }
    }
  }

  [[noreturn]] void fail(const std::string& message) const {
    throw DataError(fmt::format("{}: {}", core::path_text(file_), message));
  }

  const std::filesystem::path& file_;
  std::vector<std::byte> bytes_;
  jpeg_progress_mgr limit_{};
  Errors errors_;
  Decompressor info_;  // freed first: it refers to the others
};

}  // namespace

Picture read_jpeg(const std::filesystem::path& file, DecodeMemory* memory) {
  return JpegReader(file).decode(memory);
}

PictureSize read_jpeg_size(const std::filesystem::path& file) { return JpegReader(file).size(); }

}  // namespace omnifit::supernet
