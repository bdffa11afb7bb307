#include "core/file_io.hpp"
#include "tests/fuzz/torch_file_object.hpp"

#include <cstdio>
#include <filesystem>

using namespace omnifit;

/// Writes the corpus that torch_file_fuzz starts from: torch_file_seeds FOLDER.
int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: torch_file_seeds FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  const test::Bytes object = test::seed_object();
  const auto storages = test::seed_storages();
  const auto items = test::zip_items(object, storages);
  const auto write = [&folder](const char* name, char mode, const test::Bytes& bytes) {
    core::write_file_atomically(folder / name, mode + bytes);
  };
  write("legacy_file", 0, test::legacy_file(object, storages));
  write("zip_file", 0, test::zip_file(items));
  write("zip64_file", 0, test::zip_file(items, true, "comment"));
  write("legacy_object", 1, object);
  write("zip_object", 2, object);
  write("legacy_python2_object", 1, test::seed_python2_object());
  write("zip_python2_object", 2, test::seed_python2_object());
  return 0;
}
