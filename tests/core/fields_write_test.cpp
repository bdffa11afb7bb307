#include "core/fields.hpp"

#include "tests/support/catch.hpp"

#include "core/rng.hpp"

#include <limits>
#include <string>

using namespace omnifit::core;

namespace {

enum class Colour { kRed, kOff };
const EnumTable<Colour> kColours = {{Colour::kRed, "red"}, {Colour::kOff, "off"}};

struct Leaf {
  std::string text = "x";
  std::vector<int> numbers = {1, 2};
  void fields(Fields& f) {
    f.text("text", text, "any text");
    f.integers("numbers", numbers, {0, 9}, "");
  }
  friend bool operator==(const Leaf&, const Leaf&) = default;
};

struct Empty {
  std::optional<Leaf> leaf;
  void fields(Fields& f) { f.optional_section("leaf", leaf, "a leaf"); }
  friend bool operator==(const Empty&, const Empty&) = default;
};

struct Branch {
  Leaf first;
  std::vector<Leaf> more;
  void fields(Fields& f) {
    f.section("first", first, "of all");
    f.sections("more", more, "after it");
  }
  friend bool operator==(const Branch&, const Branch&) = default;
};

struct Tree {
  std::int64_t count = -3;
  std::uint64_t seed = 5;
  double share = 0.25;
  bool flag = true;
  Colour colour = Colour::kOff;
  std::vector<double> reals;
  std::vector<std::string> words;
  Empty empty;
  std::optional<Empty> maybe;
  std::vector<Branch> branches;
  std::vector<Empty> hollow;

  void fields(Fields& f) {
    f.integer("count", count, {},
              "of something that takes so many words to explain that the comment "
              "has to go on in a second comment line");
    f.unsigned64("seed", seed, "");
    f.real("share", share, {0, 1, true}, "of the whole");
    f.boolean("flag", flag, "first line\nsecond line");
    f.choice("colour", colour, kColours, "of the tree");
    f.reals("reals", reals, {}, "");
    f.texts("words", words, "");
    f.section("empty", empty, "");
    f.optional_section("maybe", maybe, "");
    f.sections("branches", branches, "from the root up");
    f.sections("hollow", hollow, "");
  }
  friend bool operator==(const Tree&, const Tree&) = default;
};

Tree full_tree() {
  Tree tree;
  tree.reals = {0.1, 1e-300, -3, 1.0 / 3.0, 123456789.125};
  tree.words = {"plain", "", "no", "a, b", "12"};
  tree.empty.leaf = Leaf{"null", {}};
  tree.maybe.emplace();
  tree.branches = {Branch{}, Branch{{"y", {}}, {Leaf{"# no comment", {3}}, Leaf{}}}};
  tree.hollow = {Empty{}, Empty{Leaf{}}, Empty{}};
  return tree;
}

template <class T>
T read_back(const std::string& text) {
  CAPTURE(text);
  return read_config<T>(parse_yaml(text, "written"));
}

/// A text of characters that are likely to be misread.
std::string random_text(Rng& rng) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "Z",
                                                   "0",
                                                   "9",
                                                   " ",
                                                   "  ",
                                                   ":",
                                                   ": ",
                                                   "#",
                                                   " #",
                                                   "-",
                                                   "- ",
                                                   "'",
                                                   "\"",
                                                   ",",
                                                   "[",
                                                   "]",
                                                   "{",
                                                   "}",
                                                   "&",
                                                   "*",
                                                   "!",
                                                   "|",
                                                   ">",
                                                   "%",
                                                   "@",
                                                   "`",
                                                   "~",
                                                   "?",
                                                   "\n",
                                                   "\t",
                                                   "\\",
                                                   ".",
                                                   "..",
                                                   "---",
                                                   "null",
                                                   "true",
                                                   "<<",
                                                   "=",
                                                   "/",
                                                   "_",
                                                   "+",
                                                   "e",
                                                   "\r",
                                                   "\x01",
                                                   "\x7f",
                                                   "\xc3\xa9",
                                                   "\xc2\x85",
                                                   "\xe2\x80\xa8",
                                                   "\xef\xbb\xbf",
                                                   "\xf0\x9f\x98\x80"};
  std::string text;
  const std::uint64_t count = rng.below(6);
  for (std::uint64_t k = 0; k < count; ++k) text += kPieces[rng.below(kPieces.size())];
  return text;
}

}  // namespace

TEST_CASE("a written configuration reads as documented", "[core][golden]") {
  CHECK(write_config(full_tree()) ==
        "count: -3\n"
        "seed: 5\n"
        "share: 0.25\n"
        "flag: true\n"
        "colour: \"off\"\n"
        "reals: [0.1, 1e-300, -3, 0.3333333333333333, 123456789.125]\n"
        "words: [plain, \"\", \"no\", \"a, b\", \"12\"]\n"
        "empty:\n"
        "  leaf:\n"
        "    text: \"null\"\n"
        "    numbers: []\n"
        "maybe: {}\n"
        "branches:\n"
        "  - first:\n"
        "      text: x\n"
        "      numbers: [1, 2]\n"
        "    more: []\n"
        "  - first:\n"
        "      text: \"y\"\n"
        "      numbers: []\n"
        "    more:\n"
        "      - text: \"# no comment\"\n"
        "        numbers: [3]\n"
        "      - text: x\n"
        "        numbers: [1, 2]\n"
        "hollow:\n"
        "  - {}\n"
        "  - leaf:\n"
        "      text: x\n"
        "      numbers: [1, 2]\n"
        "  - {}\n");
}

TEST_CASE("the commented form explains every field", "[core][golden]") {
  Tree tree;
  tree.branches = {Branch{}};
  CHECK(write_config(tree, Fields::Style::kCommented) ==
        "# of something that takes so many words to explain that the comment has to go on in a "
        "second comment\n"
        "# line\n"
        "count: -3\n"
        "seed: 5\n"
        "# of the whole; in (0, 1]\n"
        "share: 0.25\n"
        "# first line\n"
        "# second line\n"
        "flag: true\n"
        "# of the tree; one of red, off\n"
        "colour: \"off\"\n"
        "reals: []\n"
        "words: []\n"
        "empty: {}\n"
        "# from the root up\n"
        "branches:\n"
        "  # of all\n"
        "  - first:\n"
        "      # any text\n"
        "      text: x\n"
        "      # in [0, 9]\n"
        "      numbers: [1, 2]\n"
        "    # after it\n"
        "    more: []\n"
        "hollow: []\n");
}

TEST_CASE("reading what was written gives the same configuration", "[core][property]") {
  for (const auto style : {Fields::Style::kPlain, Fields::Style::kCommented}) {
    CHECK(read_back<Tree>(write_config(Tree{}, style)) == Tree{});
    CHECK(read_back<Tree>(write_config(full_tree(), style)) == full_tree());
  }
}

TEST_CASE("any text survives writing and reading, alone and in a list", "[core][property]") {
  for (std::uint64_t k = 0; k < 3000; ++k) {
    Rng rng = Rng::stream(11, Purpose::kTest, {k});
    Tree tree;
    tree.empty.leaf = Leaf{random_text(rng), {}};
    tree.words = {random_text(rng), random_text(rng)};
    tree.branches = {Branch{Leaf{random_text(rng), {}}, {Leaf{random_text(rng), {}}}}};
    const std::string text = write_config(tree);
    INFO(text);
    REQUIRE(read_back<Tree>(text) == tree);
  }
}

TEST_CASE("numbers survive to the last bit", "[core][property]") {
  using Limits = std::numeric_limits<double>;
  Tree tree;
  for (std::uint64_t k = 0; k < 200; ++k) {
    Rng rng = Rng::stream(12, Purpose::kTest, {k});
    tree.reals.push_back(rng.normal() * std::pow(10.0, rng.uniform(-290, 290)));
  }
  tree.reals.push_back(-0.0);
  tree.reals.push_back(Limits::min());
  tree.reals.push_back(Limits::denorm_min());
  tree.count = INT64_MIN;
  tree.seed = UINT64_MAX;
  CHECK(read_back<Tree>(write_config(tree)) == tree);
}

TEST_CASE("words that other readers take for values are quoted", "[core][unit]") {
  const auto written = [](const std::string& text) {
    return write_config(Leaf{text, {}}).substr(6, text.size() + 2);
  };
  for (const char* text : {"Null", "TRUE", "off", "Yes", "12", "1e5", "0x10", "1.5", "2026-01-31",
                           ".inf", ".nan", "-1", "~", "<<", "a ", " a", "a: b", "x #y"}) {
    CAPTURE(text);
    CHECK(written(text) == '"' + std::string(text) + '"');
  }
  for (const char* text :
       {"12 ms", "40%", "cosine", "./data", "../shared/data", "/tmp/a b.yaml", "first try"}) {
    CAPTURE(text);
    CHECK(written(text) == std::string(text) + "\nn");
  }
}

TEST_CASE("text that is not UTF-8 cannot be written", "[core][error]") {
  CHECK_THROWS_AS(write_config(Leaf{"a\xff", {}}), omnifit::ConfigError);
  CHECK_THROWS_WITH(write_config(Leaf{"a\xff", {}}), "the text \"a\xff\" is not valid UTF-8");
}
