#include "supernet/data/image_labels.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

namespace omnifit::supernet {
namespace {

constexpr std::uint64_t kMaxLabelFileBytes = std::uint64_t{256} << 20;

class LabelReader {
 public:
  LabelReader(const std::filesystem::path& file, int num_classes)
      : name_(core::path_text(file)),
        text_(core::read_text_file(file, kMaxLabelFileBytes)),
        num_classes_(num_classes) {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
  }

  ImageLabels read(const std::string& label_column) {
    const std::vector<std::string> header = row();
    const std::size_t path_at = column(header, "path");
    const std::size_t label_at = column(header, label_column);
    ImageLabels labels;
    while (at_ < text_.size()) {
      const int line = line_;
      const std::vector<std::string> values = row();
      if (values.size() == 1 && values[0].empty()) continue;
      if (values.size() != header.size()) {
        fail(line, fmt::format("{} values, but the first line names {} columns", values.size(),
                               header.size()));
      }
      const std::string& path = values[path_at];
      const std::int32_t label = parse_label(line, path, values[label_at]);
      if (!labels.emplace(path, label).second) {
        fail(line, fmt::format("'{}' has a label already", core::path_text(path)));
      }
    }
    if (labels.empty()) throw DataError(name_ + ": no row follows the first line");
    return labels;
  }

 private:
  [[noreturn]] void fail(int line, const std::string& message) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line, message));
  }

  [[nodiscard]] std::size_t column(const std::vector<std::string>& header,
                                   const std::string& wanted) const {
    const auto found = std::find(header.begin(), header.end(), wanted);
    if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
    std::string names;
    for (const std::string& name : header)
      names += (names.empty() ? "" : ", ") + core::path_text(name);
    fail(1, fmt::format("no column '{}'; columns: {}", wanted, names));
  }

  [[nodiscard]] std::int32_t parse_label(int line, const std::string& path,
                                         const std::string& text) const {
    std::int32_t label = -1;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, label);
    if (error == std::errc() && stop == end && label >= 0 && label < num_classes_) return label;
    fail(line, fmt::format("label '{}' of '{}' is not a whole number from 0 to {}",
                           core::path_text(text), core::path_text(path), num_classes_ - 1));
  }

  /// The values of one line; a quoted one may span several.
  std::vector<std::string> row() {
    const int line = line_;
    std::vector<std::string> values(1);
    bool quoted = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\n') ++line_;
      if (quoted) {
        if (c != '"') {
          values.back() += c;
        } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
          values.back() += c;
          ++at_;
        } else {
          quoted = false;
        }
      } else if (c == '"' && values.back().empty()) {
        quoted = true;
      } else if (c == ',') {
        values.emplace_back();
      } else if (c == '\n') {
        ++at_;
        break;
      } else if (c != '\r') {
        values.back() += c;
      }
    }
    if (quoted) fail(line, "a quote is opened and never closed");
    return values;
  }

  std::string name_;
  std::string text_;
  int num_classes_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

ImageLabels read_image_labels(const std::filesystem::path& file, const std::string& label_column,
                              int num_classes) {
  return LabelReader(file, num_classes).read(label_column);
}

}  // namespace omnifit::supernet
