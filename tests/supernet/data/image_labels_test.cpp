#include "supernet/data/image_labels.hpp"

#include "tests/supernet/data/data_files.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

using namespace omnifit;
using namespace omnifit::test;
using supernet::ImageLabels;
using supernet::read_image_labels;

namespace {

struct LabelFile {
  TempDir folder;
  std::filesystem::path path = folder / "labels.csv";

  explicit LabelFile(const std::string& text) { core::write_file_atomically(path, text); }
  [[nodiscard]] ImageLabels read() const { return read_image_labels(path, "label", 10); }
  /// What is wrong, without the folder.
  [[nodiscard]] std::string error() const {
    const std::string message = message_of<DataError>([this] { static_cast<void>(read()); });
    const std::string where = path.string();
    return message.starts_with(where) ? message.substr(where.size()) : message;
  }
};

}  // namespace

TEST_CASE("labels are read by column name", "[supernet][unit]") {
  const ImageLabels expected = {{"train/a/1.jpg", 3}, {"val/b/2.jpg", 0}};
  CHECK(LabelFile("path,label\ntrain/a/1.jpg,3\nval/b/2.jpg,0\n").read() == expected);
  CHECK(LabelFile("name,label,path\nx,3,train/a/1.jpg\ny,0,val/b/2.jpg").read() == expected);
  CHECK(LabelFile("\xEF\xBB\xBFpath,label\r\ntrain/a/1.jpg,3\r\n\r\nval/b/2.jpg,0\r\n").read() ==
        expected);
  const LabelFile other("path,label,index\nx.jpg,1,7\n");
  CHECK(read_image_labels(other.path, "index", 8) == ImageLabels{{"x.jpg", 7}});
}

TEST_CASE("quoted values may hold commas, quotes and line ends", "[supernet][unit]") {
  const LabelFile file("note,path,label\n\"a \"\"b\"\",\nc\",\"d,e.jpg\",\"4\"\n");
  CHECK(file.read() == ImageLabels{{"d,e.jpg", 4}});
}

TEST_CASE("a wrong labels file says where and what", "[supernet][error]") {
  CHECK(LabelFile("path,class\nx,1\n").error() == ":1: no column 'label'; columns: path, class");
  CHECK(LabelFile("file,label\nx,1\n").error() == ":1: no column 'path'; columns: file, label");
  CHECK(LabelFile("path,label\n").error() == ": no row follows the first line");
  CHECK(LabelFile("").error() == ":1: no column 'path'; columns: ");
  CHECK(LabelFile("path,label\na,1\nb\n").error() ==
        ":3: 1 values, but the first line names 2 columns");
  CHECK(LabelFile("path,label\na,1\nb,1,2\n").error() ==
        ":3: 3 values, but the first line names 2 columns");
  CHECK(LabelFile("path,label\na,1\na,2\n").error() == ":3: 'a' has a label already");
  CHECK(LabelFile("path,label\n\"a,1\nb,2\n").error() == ":2: a quote is opened and never closed");
  for (const char* label : {"10", "-1", "1.5", "x", "", " 1", "99999999999", "1\xff"}) {
    CAPTURE(label);
    const std::string shown = std::string(label) == "1\xff" ? "1\\xff" : label;
    CHECK(LabelFile(fmt::format("path,label\na,0\nb\xff.jpg,{}\n", label)).error() ==
          fmt::format(":3: label '{}' of 'b\\xff.jpg' is not a whole number from 0 to 9", shown));
  }
  const TempDir folder;
  CHECK(message_of<DataError>([&] { read_image_labels(folder / "no.csv", "label", 10); }) ==
        (folder / "no.csv").string() + ": no such file");
}
