#include "core/fields.hpp"

#include "tests/support/catch.hpp"

#include <cmath>
#include <limits>
#include <string>

using namespace omnifit::core;
using Catch::Matchers::ContainsSubstring;

namespace {

enum class Schedule { kCosine, kStep, kNone };
const EnumTable<Schedule> kSchedules = {
    {Schedule::kCosine, "cosine"}, {Schedule::kStep, "step"}, {Schedule::kNone, "none"}};

struct Stage {
  int width = 16;
  std::vector<int> depths = {2, 3, 4};
  bool squeeze = false;

  void fields(Fields& f) {
    f.integer("width", width, {1, 4096}, "output channels");
    f.integers("depths", depths, {1, 10}, "blocks to choose from");
    f.boolean("squeeze", squeeze, "squeeze-and-excite");
  }
  friend bool operator==(const Stage&, const Stage&) = default;
};

struct Warmup {
  std::int64_t steps = 100;
  void fields(Fields& f) { f.integer("steps", steps, {.min = 0}, "optimiser steps"); }
  friend bool operator==(const Warmup&, const Warmup&) = default;
};

struct Train {
  std::int64_t batch_size = 64;
  int offset = 0;
  std::uint64_t seed = 1;
  double rate = 0.1;
  double temperature = 1;
  bool shuffle = true;
  std::string note = "none yet";
  std::string data = "data";
  Schedule schedule = Schedule::kCosine;
  std::vector<double> weights = {0.5, 1};
  std::vector<std::string> tags = {"a"};
  std::optional<Warmup> warmup;

  void fields(Fields& f) {
    f.integer("batch_size", batch_size, {1, 65536}, "images per optimiser step");
    f.integer("offset", offset, {}, "");
    f.unsigned64("seed", seed, "of every random stream");
    f.real("rate", rate, {0, 1, true}, "learning rate");
    f.real("temperature", temperature, {}, "of the soft targets");
    f.boolean("shuffle", shuffle, "another order in each epoch");
    f.text("note", note, "free text");
    f.text("data", data, "folder of the data set", true);
    f.choice("schedule", schedule, kSchedules, "of the learning rate");
    f.reals("weights", weights, {.min = 0}, "of the losses");
    f.texts("tags", tags, "labels of the run");
    f.optional_section("warmup", warmup, "start slowly");
    if (f.reading() && warmup && warmup->steps > 1000 * batch_size) {
      f.error("warmup", "must not be longer than 1000 batches");
    }
  }
  friend bool operator==(const Train&, const Train&) = default;
};

struct Job {
  std::string name = "job";
  Train train;
  std::vector<Stage> stages;

  void fields(Fields& f) {
    f.text("name", name, "of the job");
    f.section("train", train, "training of the supernet");
    f.sections("stages", stages, "of the network, first to last");
  }
  friend bool operator==(const Job&, const Job&) = default;
};

Job read(const std::string& text) { return read_config<Job>(parse_yaml(text, "job.yaml")); }

/// All messages that reading `text` ends with.
std::string refusal(const std::string& text) {
  try {
    read(text);
  } catch (const omnifit::ConfigError& error) {
    return error.what();
  }
  return "(accepted)";
}

/// The message about `entry` written as the first line of the train section.
std::string train_refusal(const std::string& entry) { return refusal("train:\n  " + entry + "\n"); }

}  // namespace

TEST_CASE("absent and empty values keep the defaults", "[core][unit]") {
  CHECK(read("") == Job{});
  CHECK(read("train:\n") == Job{});
  CHECK(read("train: {}\nstages:\n") == Job{});
  CHECK(read("train:\n  batch_size:\n  warmup: ~\n") == Job{});
}

TEST_CASE("values of every type are read", "[core][unit]") {
  const Job job = read(
      "name: no\n"
      "train:\n"
      "  batch_size: 65536\n"
      "  offset: -2147483648\n"
      "  seed: 18446744073709551615\n"
      "  rate: 1\n"
      "  temperature: +2.5e-3\n"
      "  shuffle: false\n"
      "  note: ''\n"
      "  data: 12\n"
      "  schedule: none\n"
      "  weights: [0, .5, 1e2]\n"
      "  tags: [off, \"x, y\", 3]\n"
      "  warmup: {steps: 7}\n"
      "stages:\n"
      "  - width: 24\n"
      "    depths: []\n"
      "  - {squeeze: true}\n"
      "  -\n");
  CHECK(job.name == "no");
  CHECK(job.train.batch_size == 65536);
  CHECK(job.train.offset == std::numeric_limits<int>::min());
  CHECK(job.train.seed == UINT64_MAX);
  CHECK(job.train.rate == 1);
  CHECK(job.train.temperature == 0.0025);
  CHECK_FALSE(job.train.shuffle);
  CHECK(job.train.note.empty());
  CHECK(job.train.data == "12");
  CHECK(job.train.schedule == Schedule::kNone);
  CHECK(job.train.weights == std::vector<double>{0, 0.5, 100});
  CHECK(job.train.tags == std::vector<std::string>{"off", "x, y", "3"});
  CHECK(job.train.warmup == Warmup{7});
  REQUIRE(job.stages.size() == 3);
  CHECK(job.stages[0] == Stage{24, {}, false});
  CHECK(job.stages[1] == Stage{16, {2, 3, 4}, true});
  CHECK(job.stages[2] == Stage{});
}

TEST_CASE("an unknown key is reported with a suggestion and the allowed ones", "[core][error]") {
  CHECK(refusal("trian: {}\n") ==
        "job.yaml:1:1: trian: unknown key; did you mean 'train'? (allowed: name, train, stages)");
  CHECK(refusal("train:\n  warmup:\n    banana: 3\n") ==
        "job.yaml:3:5: train.warmup.banana: unknown key (allowed: steps)");
  CHECK(refusal("stages:\n  - width: 1\n  - widht: 3\n") ==
        "job.yaml:3:5: stages.1.widht: unknown key; did you mean 'width'? "
        "(allowed: width, depths, squeeze)");
  struct Nothing {
    void fields(Fields&) {}
  };
  CHECK_THROWS_WITH(read_config<Nothing>(parse_yaml("a: 1", "f")),
                    "f:1:1: a: unknown key (allowed: no keys)");
}

TEST_CASE("an integer of the wrong form or size is refused", "[core][error]") {
  const std::string at = "job.yaml:2:15: train.batch_size must be ";
  CHECK(train_refusal("batch_size: 0") == at + "in [1, 65536], got 0");
  CHECK(train_refusal("batch_size: 65537") == at + "in [1, 65536], got 65537");
  CHECK(train_refusal("batch_size: 99999999999999999999") ==
        at + "in [1, 65536], got 99999999999999999999");
  for (const char* text : {"abc", "1.5", "1e3", "0x10", "1_000", "no", "true", ".nan", ".inf",
                           "--1", "+-1", "12 images", "-"}) {
    const std::string message = train_refusal("batch_size: " + std::string(text));
    CAPTURE(text);
    if (std::string(text) == "-") {
      CHECK_THAT(message, ContainsSubstring("job.yaml:2:1"));
    } else {
      CHECK(message == at + "an integer, got '" + text + "'");
    }
  }
  CHECK(train_refusal("batch_size: '64'") == at + "an integer, got the quoted text '64'");
  CHECK(train_refusal("batch_size: [64]") == at + "an integer, got a list");
  CHECK(train_refusal("batch_size: {a: 64}") == at + "an integer, got a map");
  CHECK(train_refusal("offset: 2147483648") ==
        "job.yaml:2:11: train.offset must be in [-2147483648, 2147483647], got 2147483648");
  CHECK(train_refusal("seed: -1") ==
        "job.yaml:2:9: train.seed must be in [0, 18446744073709551615], got -1");
  CHECK(train_refusal("seed: 18446744073709551616") ==
        "job.yaml:2:9: train.seed must be in [0, 18446744073709551615], got 18446744073709551616");
  CHECK(train_refusal("seed: x") == "job.yaml:2:9: train.seed must be an integer, got 'x'");
  CHECK(train_refusal("warmup: {steps: -1}") ==
        "job.yaml:2:19: train.warmup.steps must be at least 0, got -1");
}

TEST_CASE("a number that is not finite or out of range is refused", "[core][error]") {
  const std::string at = "job.yaml:2:9: train.rate must be ";
  CHECK(train_refusal("rate: 0") == at + "in (0, 1], got 0");
  CHECK(train_refusal("rate: 1.0001") == at + "in (0, 1], got 1.0001");
  for (const char* text : {".nan", ".inf", "-.inf", "nan", "inf", "infinity", "-nan", "1e", "1.2.3",
                           "0.1x", "+-1", "e5", ".", "1,5"}) {
    CAPTURE(text);
    CHECK(train_refusal("rate: " + std::string(text)) ==
          at + "a finite number, got '" + text + "'");
  }
  CHECK(train_refusal("rate: \"0.1\"") == at + "a finite number, got the quoted text '0.1'");
  CHECK(train_refusal("rate: []") == at + "a finite number, got a list");
  CHECK(train_refusal("rate: 1e999") == at + "a number that a 64-bit float can hold, got '1e999'");
  CHECK(train_refusal("temperature: 1e301") ==
        "job.yaml:2:16: train.temperature must be in [-1e+300, 1e+300], got 1e301");
  CHECK(train_refusal("weights: [1, -1]") ==
        "job.yaml:2:16: train.weights.1 must be at least 0, got -1");
}

TEST_CASE("one-sided bounds read well", "[core][error]") {
  struct Bounds {
    std::int64_t low = 0;
    double above = 1, below = 0;
    void fields(Fields& f) {
      f.integer("low", low, {.max = 5}, "");
      f.real("above", above, {.min = 0, .open_min = true}, "");
      f.real("below", below, {.max = 0.5}, "");
    }
  };
  CHECK_THROWS_WITH(read_config<Bounds>(parse_yaml("{low: 6, above: 0, below: 1}", "f")),
                    "f:1:7: low must be at most 5, got 6\n"
                    "f:1:17: above must be greater than 0, got 0\n"
                    "f:1:27: below must be at most 0.5, got 1");
}

TEST_CASE("only true and false are booleans", "[core][error]") {
  for (const char* text : {"yes", "no", "on", "off", "True", "1", "0", "y"}) {
    CAPTURE(text);
    CHECK(train_refusal("shuffle: " + std::string(text)) ==
          "job.yaml:2:12: train.shuffle must be true or false, got '" + std::string(text) + "'");
  }
  CHECK(train_refusal("shuffle: 'true'") ==
        "job.yaml:2:12: train.shuffle must be true or false, got the quoted text 'true'");
}

TEST_CASE("texts, choices and lists of the wrong kind are refused", "[core][error]") {
  CHECK(train_refusal("note: [a]") == "job.yaml:2:9: train.note must be a text, got a list");
  CHECK(train_refusal("note: {a: 1}") == "job.yaml:2:9: train.note must be a text, got a map");
  CHECK(train_refusal("data: ''") ==
        "job.yaml:2:9: train.data must be a text that is not empty, got ''");
  CHECK(train_refusal("schedule: cosin") ==
        "job.yaml:2:13: train.schedule must be one of cosine, step, none; got 'cosin'; "
        "did you mean 'cosine'?");
  CHECK(train_refusal("schedule: off") ==
        "job.yaml:2:13: train.schedule must be one of cosine, step, none; got 'off'");
  CHECK(train_refusal("schedule: [step]") ==
        "job.yaml:2:13: train.schedule must be one of cosine, step, none; got a list");
  CHECK(train_refusal("tags: a") == "job.yaml:2:9: train.tags must be a list, got 'a'");
  CHECK(train_refusal("tags: [a, ~]") == "job.yaml:2:13: train.tags.1 must be a text, got nothing");
  CHECK(refusal("stages:\n  - depths: [1, x, 11]\n") ==
        "job.yaml:2:17: stages.0.depths.1 must be an integer, got 'x'\n"
        "job.yaml:2:20: stages.0.depths.2 must be in [1, 10], got 11");
}

TEST_CASE("sections of the wrong kind are refused", "[core][error]") {
  CHECK(refusal("train: fast\n") ==
        "job.yaml:1:8: train must be a map of keys and values, got 'fast'");
  CHECK(refusal("train: [1]\n") ==
        "job.yaml:1:8: train must be a map of keys and values, got a list");
  CHECK(refusal("stages: {a: 1}\n") == "job.yaml:1:9: stages must be a list, got a map");
  CHECK(refusal("stages: [3]\n") ==
        "job.yaml:1:10: stages.0 must be a map of keys and values, got '3'");
  CHECK(refusal("just text\n") ==
        "job.yaml:1:1: the document must be a map of keys and values, got 'just text'");
}

TEST_CASE("all errors are reported at once, in the order of the file", "[core][error]") {
  CHECK(refusal("extra: 1\ntrain:\n  tags: 3\n  rate: x\n  oops: 1\n  batch_size: 0\n") ==
        "job.yaml:1:1: extra: unknown key (allowed: name, train, stages)\n"
        "job.yaml:3:9: train.tags must be a list, got '3'\n"
        "job.yaml:4:9: train.rate must be a finite number, got 'x'\n"
        "job.yaml:5:3: train.oops: unknown key (allowed: batch_size, offset, seed, rate, "
        "temperature, shuffle, note, data, schedule, weights, tags, warmup)\n"
        "job.yaml:6:15: train.batch_size must be in [1, 65536], got 0");
  std::string many = "train:\n  weights: [";
  for (int k = 0; k < 60; ++k) many += "x, ";
  const std::string message = refusal(many + "1]\n");
  CHECK_THAT(message, ContainsSubstring("\nand 10 more errors"));
  CHECK(std::count(message.begin(), message.end(), '\n') == 50);
}

TEST_CASE("errors of command-line overrides are located there", "[core][error]") {
  Node root = parse_yaml("train:\n  rate: 0.5\n", "job.yaml");
  apply_override(root, "train.batch_size=0");
  apply_override(root, "train.shceduler.x=1");
  apply_override(root, "tranin.rate=1");
  CHECK_THROWS_WITH(
      read_config<Job>(root),
      "<cli>: train.batch_size must be in [1, 65536], got 0\n"
      "<cli>: train.shceduler: unknown key; did you mean 'schedule'? (allowed: batch_size, offset, "
      "seed, rate, temperature, shuffle, note, data, schedule, weights, tags, warmup)\n"
      "<cli>: tranin: unknown key; did you mean 'train'? (allowed: name, train, stages)");
}

TEST_CASE("cross-field checks can point at a field or its section", "[core][error]") {
  CHECK(refusal("train:\n  warmup:\n    steps: 100000\n") ==
        "job.yaml:3:5: train.warmup: must not be longer than 1000 batches");
  Diagnostics diagnostics;
  const Node root = parse_yaml("a:\n  b: 1\n", "f");
  Fields fields = Fields::reader(*root.find("a"), "a", diagnostics);
  CHECK(fields.has("b"));
  CHECK_FALSE(fields.has("c"));
  CHECK(fields.location("b").str() == "f:2:6");
  CHECK(fields.location("c").str() == "f:2:3");
  fields.error("", "contradicts itself");
  CHECK_THROWS_WITH(diagnostics.throw_if_any(), "f:2:3: a: contradicts itself");

  std::string out;
  Fields writer = Fields::writer(out, Fields::Style::kPlain);
  writer.error("b", "is only for readers");
  CHECK_FALSE(writer.has("b"));
  CHECK(out.empty());
}

TEST_CASE("an absent section is located at its parent", "[core][unit]") {
  struct Inner {
    int x = 0;
    void fields(Fields& f) {
      f.integer("x", x, {}, "");
      if (f.reading()) f.error("x", "is needed");
    }
  };
  struct Outer {
    Inner inner;
    void fields(Fields& f) { f.section("inner", inner, ""); }
  };
  CHECK_THROWS_WITH(read_config<Outer>(parse_yaml("", "f")), "f:1:1: inner.x: is needed");
  CHECK_THROWS_WITH(read_config<Outer>(parse_yaml("inner:\n", "f")),
                    ContainsSubstring("inner.x: is needed"));
}
