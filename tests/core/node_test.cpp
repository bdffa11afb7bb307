#include "core/node.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include "core/file_io.hpp"

#include <filesystem>
#include <string>

using namespace omnifit::core;
using Catch::Matchers::ContainsSubstring;
using namespace std::string_literals;

namespace {

/// The message of the ConfigError that parsing `text` as job.yaml ends with.
std::string refusal(const std::string& text) {
  try {
    parse_yaml(text, "job.yaml");
  } catch (const omnifit::ConfigError& error) {
    return error.what();
  }
  return "(accepted)";
}

std::string override_refusal(Node root, const std::string& assignment) {
  try {
    apply_override(root, assignment);
  } catch (const omnifit::ConfigError& error) {
    return error.what();
  }
  return "(accepted)";
}

}  // namespace

TEST_CASE("every value knows its kind, text and place", "[core][unit]") {
  const Node root = parse_yaml(
      "# a job\n"
      "name: first try\n"
      "train:\n"
      "  batch_size:   64\n"
      "  steps: [1, 'two', ~]\n"
      "empty:\n"
      "items:\n"
      "  - a: 1\n"
      "  - {b: \"x\"}\n",
      "job.yaml");
  REQUIRE(root.kind == Node::Kind::kMap);
  REQUIRE(root.entries.size() == 4);
  CHECK(root.entries[0].first == "name");
  CHECK(root.key_locations[1].str() == "job.yaml:3:1");
  CHECK(root.find("name")->scalar == "first try");
  CHECK(root.find("name")->where.str() == "job.yaml:2:7");
  const Node& train = *root.find("train");
  CHECK(train.find("batch_size")->where.str() == "job.yaml:4:17");
  CHECK(train.key_locations[1].str() == "job.yaml:5:3");
  const Node& steps = *train.find("steps");
  REQUIRE(steps.items.size() == 3);
  CHECK_FALSE(steps.items[0].quoted);
  CHECK(steps.items[1].quoted);
  CHECK(steps.items[1].where.str() == "job.yaml:5:14");
  CHECK(steps.items[2].kind == Node::Kind::kNull);
  CHECK(root.find("empty")->kind == Node::Kind::kNull);
  CHECK(root.find("items")->items[0].find("a")->scalar == "1");
  CHECK(root.find("items")->items[1].find("b")->quoted);
  CHECK(root.find("none") == nullptr);
}

TEST_CASE("words stay text until a field asks for a type", "[core][unit]") {
  const Node root = parse_yaml("[no, off, yes, 0x10, 07, 1e3, 12 ms]", "f");
  for (const Node& item : root.items) {
    CHECK(item.kind == Node::Kind::kScalar);
    CHECK_FALSE(item.quoted);
  }
  CHECK(root.items[0].scalar == "no");
  CHECK(root.items[6].scalar == "12 ms");
}

TEST_CASE("an empty document is null", "[core][unit]") {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~", "\xef\xbb\xbf"}) {
    CAPTURE(text);
    const Node root = parse_yaml(text, "job.yaml");
    CHECK(root.kind == Node::Kind::kNull);
    CHECK(root.where.file == "job.yaml");
  }
}

TEST_CASE("a UTF-8 byte-order mark and Windows line ends are accepted", "[core][unit]") {
  const Node root = parse_yaml(
      "\xef\xbb\xbf"
      "a: 1\r\nb: x y\r\n",
      "job.yaml");
  CHECK(root.key_locations[0].str() == "job.yaml:1:1");
  CHECK(root.find("a")->scalar == "1");
  CHECK(root.find("b")->scalar == "x y");
  CHECK(root.find("b")->where.str() == "job.yaml:2:4");
}

TEST_CASE("columns count characters, not bytes", "[core][unit]") {
  const Node root = parse_yaml("{\xc3\xbc\xc3\xbc: \xe2\x82\xac, b: 1}", "f");
  CHECK(root.key_locations[1].str() == "f:1:9");
  CHECK(root.entries[0].first == "\xc3\xbc\xc3\xbc");
}

TEST_CASE("other encodings and bytes that are no text are refused", "[core][error]") {
  const std::string utf16 =
      "job.yaml:1:1: UTF-16 and UTF-32 are not supported; save the file as UTF-8";
  CHECK(refusal("\xff\xfe"
                "a\0"s) == utf16);
  CHECK(refusal("\xfe\xff\0a"s) == utf16);
  CHECK(refusal("\0\0\xfe\xff"s) == utf16);
  CHECK(refusal("a: 1\nb: \xff\n") == "job.yaml:2:4: not valid UTF-8");
  CHECK(refusal("a: 1\nb: x\0y\n"s) == "job.yaml:2:5: control character U+0000 is not allowed");
  CHECK(refusal("a: \x04\nb: 1\n") == "job.yaml:1:4: control character U+0004 is not allowed");
}

TEST_CASE("tabs in indentation are refused", "[core][error]") {
  const std::string message = ": tabs are not allowed in indentation; use spaces";
  CHECK(refusal("train:\n\tsteps: 1\n") == "job.yaml:2:1" + message);
  CHECK(refusal("train:\n  a: 1\n \tb: 1\n") == "job.yaml:3:2" + message);
  CHECK(parse_yaml("a: 1 \t# why\n\t\nb: 'x\ty'\n", "f").find("b")->scalar == "x\ty");
}

TEST_CASE("duplicate keys are refused at any depth", "[core][error]") {
  CHECK(refusal("a: 1\nb: 2\na: 3\n") ==
        "job.yaml:3:1: duplicate key 'a', first written in line 1");
  CHECK(refusal("x:\n  - {b: 1, 'b': 2}\n") ==
        "job.yaml:2:12: duplicate key 'b', first written in line 2");
  CHECK(refusal("x: {a: 1}\ny: {a: 1}\n") == "(accepted)");
}

TEST_CASE("anchors, aliases, merge keys and tags are refused", "[core][error]") {
  const std::string anchors = ": anchors (&name) are not supported; repeat the value";
  CHECK(refusal("a: &x 1\nb: *x\n") == "job.yaml:1:4" + anchors);
  CHECK(refusal("a: &x [1]\n") == "job.yaml:1:4" + anchors);
  CHECK(refusal("a: &x {b: 1}\n") == "job.yaml:1:4" + anchors);
  CHECK(refusal("a: &x\nb: 1\n") == "job.yaml:1:4" + anchors);
  CHECK_THAT(refusal("a: *x\n"), ContainsSubstring("job.yaml:1:4: "));
  CHECK(refusal("a:\n  <<: {b: 1}\n") ==
        "job.yaml:2:3: merge keys (<<) are not supported; repeat the values");
  CHECK(refusal("a: !!int 3\n") ==
        "job.yaml:1:4: tags are not supported, got 'tag:yaml.org,2002:int'");
  CHECK(refusal("a: !thing [3]\n") == "job.yaml:1:4: tags are not supported, got '!thing'");
  CHECK(refusal("!thing\na: 1\n") == "job.yaml:1:1: tags are not supported, got '!thing'");
}

TEST_CASE("keys must be names", "[core][error]") {
  CHECK_THAT(refusal("? [a, b]\n: 1\n"),
             ContainsSubstring("job.yaml:1:3: a key must be a name, not a list or map"));
  CHECK_THAT(refusal("{{a: 1}: 2}\n"),
             ContainsSubstring("a key must be a name, not a list or map"));
  CHECK(refusal("~: 1\n") == "job.yaml:1:1: a key must be a name");
}

TEST_CASE("a second document is refused", "[core][error]") {
  CHECK(refusal("a: 1\n---\na: 2\n") ==
        "job.yaml:2:1: only one YAML document is allowed in a file");
  CHECK(refusal("---\na: 1\n...\n") == "(accepted)");
}

TEST_CASE("broken YAML is refused with its place", "[core][error]") {
  CHECK_THAT(refusal("a: [1, 2\nb: 3\n"), ContainsSubstring("job.yaml:2:2: not valid YAML: "));
  CHECK_THAT(refusal("a: 'x\n"), ContainsSubstring("job.yaml:2:1: not valid YAML: "));
  CHECK_THAT(refusal("a: \"x\n  "), ContainsSubstring("not valid YAML: "));
  CHECK_THAT(refusal("a:\n  - [1, 2\n"), ContainsSubstring("not valid YAML: "));
  CHECK_THAT(refusal("a: {b: 1\n"), ContainsSubstring("not valid YAML: "));
  CHECK_THAT(refusal("a: 1\n  b: 2\n"), ContainsSubstring("job.yaml:2:4: not valid YAML: "));
  CHECK_THAT(refusal("a: b: c\n"), ContainsSubstring("job.yaml:1:5: not valid YAML: "));
}

TEST_CASE("deep nesting is refused before it can exhaust the stack", "[core][error]") {
  const std::string message = "nested deeper than 64 levels";
  CHECK(refusal(std::string(64, '[') + std::string(64, ']')) == "(accepted)");
  CHECK(refusal(std::string(65, '[') + std::string(65, ']')) == "job.yaml:1:65: " + message);
  CHECK_THAT(refusal(std::string(200000, '[')), ContainsSubstring(message));
  std::string block;
  for (int k = 0; k < 5000; ++k) block += "- ";
  CHECK_THAT(refusal(block), ContainsSubstring(message));
  std::string maps;
  for (int k = 0; k < 200; ++k) maps += std::string(static_cast<std::size_t>(k), ' ') + "a:\n";
  CHECK_THAT(refusal(maps), ContainsSubstring(message));
}

TEST_CASE("a missing or huge file is refused by name", "[core][error]") {
  const omnifit::test::TempDir dir;
  const std::string missing = (dir / "none.yaml").string();
  CHECK_THROWS_AS(load_yaml(missing), omnifit::ConfigError);
  CHECK_THROWS_WITH(load_yaml(missing), missing + ": no such file");
  CHECK_THROWS_WITH(load_yaml(dir.path()), dir.path().string() + ": not a regular file");
  const std::string huge = (dir / "huge.yaml").string();
  write_file_atomically(huge, "a: 1\n");
  std::filesystem::resize_file(huge, 64'000'001);
  CHECK_THROWS_WITH(load_yaml(huge), huge + ": larger than the 64.0 MB allowed");

  const std::string good = (dir / "good.yaml").string();
  write_file_atomically(good, "a: 1\n");
  CHECK(load_yaml(good).find("a")->where.str() == good + ":1:4");
}

TEST_CASE("an override replaces, adds and reaches into lists", "[core][unit]") {
  Node root = parse_yaml("search:\n  budgets:\n    - {latency: 10 ms}\n  seed: 1\n", "job.yaml");
  apply_override(root, "search.seed=7");
  CHECK(root.find("search")->find("seed")->scalar == "7");
  CHECK(root.find("search")->find("seed")->where.str() == "<cli>");
  CHECK(root.find("search")->key_locations[1].str() == "<cli>");
  CHECK(root.find("search")->key_locations[0].str() == "job.yaml:2:3");

  apply_override(root, "search.budgets.0.latency=12 ms");
  CHECK(root.find("search")->find("budgets")->items[0].find("latency")->scalar == "12 ms");

  apply_override(root, "train.schedule.name=\"a=b\"");
  const Node* name = root.find("train")->find("schedule")->find("name");
  REQUIRE(name != nullptr);
  CHECK(name->scalar == "a=b");
  CHECK(name->quoted);
  CHECK(root.find("train")->where.str() == "<cli>");

  apply_override(root, "train={steps: [1, 2]}");
  CHECK(root.find("train")->find("schedule") == nullptr);
  CHECK(root.find("train")->find("steps")->items[1].where.str() == "<cli>");

  apply_override(root, "train=");
  CHECK(root.find("train")->kind == Node::Kind::kNull);

  Node empty = parse_yaml("", "job.yaml");
  apply_override(empty, "a.b=1");
  CHECK(empty.find("a")->find("b")->scalar == "1");
}

TEST_CASE("an override that cannot be applied says why", "[core][error]") {
  const Node root = parse_yaml("a: 1\nlist: [{x: 1}, 2]\n", "job.yaml");
  for (const char* text : {"a", "=1", ".a=1", "a.=1", "a..b=1", ""}) {
    CHECK(override_refusal(root, text) ==
          "<cli>: an override must read path.to.key=value, got '" + std::string(text) + "'");
  }
  CHECK(override_refusal(root, "a.b=1") == "<cli>: a is the value '1', it has no element 'b'");
  CHECK(override_refusal(root, "list.2=1") ==
        "<cli>: list has 2 elements, there is no element '2'");
  CHECK(override_refusal(root, "list.last=1") ==
        "<cli>: list has 2 elements, there is no element 'last'");
  CHECK(override_refusal(root, "list.-1=1") ==
        "<cli>: list has 2 elements, there is no element '-1'");
  CHECK(override_refusal(root, "list.99999999999999999999=1") ==
        "<cli>: list has 2 elements, there is no element '99999999999999999999'");
  CHECK(override_refusal(root, "list.0.x.y=1") ==
        "<cli>: list.0.x is the value '1', it has no element 'y'");
  const std::string broken = override_refusal(root, "a=[1");
  CHECK_THAT(broken, ContainsSubstring("<cli>: not valid YAML: "));
  CHECK_THAT(broken, ContainsSubstring(" (in 'a=[1')"));
  CHECK(override_refusal(root, "a={b: 1, b: 2}") ==
        "<cli>: duplicate key 'b' (in 'a={b: 1, b: 2}')");
}

TEST_CASE("a suggestion is made only for near words", "[core][unit]") {
  const std::vector<std::string> names = {"population_size", "parents", "mutation_prob", "seed"};
  CHECK(did_you_mean("population_szie", names) == "population_size");
  CHECK(did_you_mean("Population-Size", names) == "population_size");
  CHECK(did_you_mean("parent", names) == "parents");
  CHECK(did_you_mean("sed", names) == "seed");
  CHECK(did_you_mean("mutation_probability", names).empty());
  CHECK(did_you_mean("learning_rate", names).empty());
  CHECK(did_you_mean("x", {"y"}).empty());
  CHECK(did_you_mean("", names).empty());
  CHECK(did_you_mean("seed", {}).empty());
}
