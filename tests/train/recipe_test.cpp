#include "train/recipe.h"

#include "support/errors.h"
#include "support/temporary_folder.h"
#include "train/recipe_keys.h"

namespace cosformer::train {
namespace {

using test::message_of;

constexpr const char* kLeast = "data.path = \"x\"\n";

class Recipes : public testing::Test {
 protected:
  Recipe read(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    return read_recipe(folder_.write("r.toml", text), overrides);
  }
  /// The error without the name of the folder.
  std::string error(const std::string& text, const std::vector<std::string>& overrides = {}) const {
    std::string message = message_of<RecipeError>([&] { read(text, overrides); });
    const std::string prefix = folder_.path().string() + "/";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  const test::TemporaryFolder folder_;
};

TEST_F(Recipes, SectionsAndOverridesSetKeys) {
  const Recipe recipe = read(
      "seed = 3\n[data]\npath = \"x\"\n[model]\nattention = \"softmax\"\n[optimizer]\nlearning_rate = 1\n"
      "[train]\nsteps = 7\n",
      {"train.steps=8", "optimizer.eps=1e-6", "model.tie_embeddings=false", "data.path=some dir/3"});
  EXPECT_EQ(recipe.seed, 3);
  EXPECT_EQ(recipe.model.attention, "softmax");
  EXPECT_EQ(recipe.optimizer.learning_rate, 1);
  EXPECT_EQ(recipe.train.steps, 8);
  EXPECT_EQ(recipe.optimizer.eps, 1e-6);
  EXPECT_FALSE(recipe.model.tie_embeddings);
  EXPECT_EQ(recipe.data.path, "some dir/3");
  EXPECT_EQ(read(kLeast, {"data.path=3"}).data.path, "3") << "text needs no quotes, whatever it looks like";
  EXPECT_EQ(
      read("[model]\nattention = \"linear\"\n", {"data.path=x", "model.attention=softmax"}).model.attention,
      "softmax");
}

TEST_F(Recipes, HorizonFollowsTheSequencesUnlessGiven) {
  EXPECT_EQ(read(kLeast, {"train.sequence_length=64"}).model.horizon, 64);
  EXPECT_EQ(read(kLeast, {"train.sequence_length=64"}).model.max_length, 64);
  EXPECT_EQ(read(kLeast, {"model.horizon=1000"}).model.horizon, 1000);
  EXPECT_EQ(read(kLeast, {"model.horizon=none"}).model.horizon, std::nullopt);
  EXPECT_EQ(read(kLeast, {"model.attention=softmax"}).model.horizon, std::nullopt);
}

TEST_F(Recipes, ThreadsAreTheCoresUnlessGiven) {
  EXPECT_GE(read(kLeast).threads, 1);
  EXPECT_EQ(read(kLeast, {"threads=3"}).threads, 3);
}

TEST_F(Recipes, AnUnknownKeyIsAnsweredWithTheNearest) {
  EXPECT_EQ(error("[train]\nstep = 3\n"), "r.toml: unknown key train.step; the nearest is train.steps");
  EXPECT_EQ(error("sed = 3\n"), "r.toml: unknown key sed; the nearest is seed");
  EXPECT_EQ(error("[modle]\nlayers = 3\n"), "r.toml: unknown key modle.layers; the nearest is model.layers");
  EXPECT_EQ(error(kLeast, {"optimizer.lerning_rate=1"}),
            "--optimizer.lerning_rate: unknown key optimizer.lerning_rate; the nearest is "
            "optimizer.learning_rate");
}

TEST_F(Recipes, AWrongTypeIsNamed) {
  EXPECT_EQ(error("[train]\nsteps = \"many\"\n"),
            "r.toml: train.steps: expected an integer >= 1, got \"many\"");
  EXPECT_EQ(error("[train]\nsteps = 1.5\n"), "r.toml: train.steps: expected an integer >= 1, got 1.5");
  EXPECT_EQ(error("[train]\nsteps = [1]\n"), "r.toml: train.steps: expected an integer >= 1, got [ 1 ]");
  EXPECT_EQ(error("[data]\npath = 3\n"), "r.toml: data.path: expected a folder, got 3");
  EXPECT_EQ(error(kLeast, {"model.tie_embeddings=maybe"}),
            "--model.tie_embeddings: expected true or false, got \"maybe\"");
  EXPECT_EQ(error(kLeast, {"model.horizon=far"}),
            "--model.horizon: expected an integer >= 1 or \"none\", got \"far\"");
  EXPECT_EQ(error(kLeast, {"seed"}), "--seed: expected an integer >= 0 after =, got none");
  EXPECT_EQ(error(kLeast, {"seed="}), "--seed: expected an integer >= 0, got \"\"");
  EXPECT_EQ(error(kLeast, {"train.steps=5\nseed=3"}),
            "--train.steps: expected an integer >= 1, got \"5\\u000Aseed=3\"");
}

TEST_F(Recipes, AValueOutOfRangeIsNamed) {
  EXPECT_EQ(error("[train]\nsteps = 0\n"), "r.toml: train.steps: expected an integer >= 1, got 0");
  EXPECT_EQ(error(kLeast, {"optimizer.beta1=1"}),
            "--optimizer.beta1: expected a number in [0, 0.9999999], got 1");
  EXPECT_EQ(error(kLeast, {"optimizer.learning_rate=nan"}),
            "--optimizer.learning_rate: expected a number >= 0, got nan");
  EXPECT_EQ(error(kLeast, {"train.steps=99999999999999999999"}).substr(0, 13), "--train.steps");
  EXPECT_EQ(error(kLeast, {"model.heads=3"}), "r.toml: model.heads: expected a divisor of width 256, got 3");
  EXPECT_EQ(error(kLeast, {"model.attention=sofmax"}),
            "--model.attention: expected cosformer | linear | softmax, got \"sofmax\"");
  EXPECT_EQ(error(kLeast, {"data.format=text"}),
            "--data.format: expected bytes | wikitext | shards, got \"text\"");
  EXPECT_EQ(error(kLeast, {"model.dropout=1"}), "r.toml: model.dropout: expected a number in [0, 1), got 1");
  EXPECT_EQ(error(""), "r.toml: data.path: expected a folder, got none");
}

TEST_F(Recipes, EveryKeyRefusesAnotherTypeAndWhatIsOutOfItsRange) {
  Recipe defaults;
  const auto refuses = [&](const Key& key, const std::string& value) {
    const std::string got = error(kLeast, {std::string(key.name) + '=' + value});
    EXPECT_EQ(got.substr(0, got.find(", got ")), "--" + std::string(key.name) + ": expected " + key.expected)
        << value;
  };
  for (const Key& key : recipe_keys()) {
    if (std::string_view(key.name) == "data.path") continue;  // any text
    refuses(key, "[1]");
    refuses(key, "1979-05-27");
    refuses(key, "");
    const Field field = key.field(defaults);
    if (std::holds_alternative<std::string*>(field) || std::holds_alternative<bool*>(field)) continue;
    for (const char* value : {"some", "nan", "true", "-1", "1e99", "99999999999999999999"})
      refuses(key, value);
  }
}

TEST_F(Recipes, AHorizonBelowTheSequencesIsRefused) {
  EXPECT_EQ(error(kLeast, {"train.sequence_length=64", "model.horizon=63"}),
            "--model.horizon: expected at least train.sequence_length = 64, got 63");
  EXPECT_EQ(error(kLeast, {"train.sequence_length=64", "model.horizon=64"}), "no error");
  EXPECT_EQ(error(kLeast, {"train.sequence_length=64", "model.max_length=63"}),
            "--model.max_length: expected at least train.sequence_length = 64, got 63");
  EXPECT_EQ(error(kLeast, {"train.sequence_length=64", "model.max_length=63", "model.positions=sinusoidal"}),
            "no error");
  EXPECT_EQ(error(kLeast, {"model.attention=softmax", "model.horizon=512"}),
            "r.toml: model.horizon: expected \"none\" where attention is softmax, got 512");
}

TEST_F(Recipes, GraphsWhereTheyCannotBeAreRefused) {
  EXPECT_EQ(error(kLeast, {"train.cuda_graphs=true"}),
            "--train.cuda_graphs: expected false for train.device = \"cpu\", got true");
  EXPECT_EQ(error("data.path = \"x\"\n[train]\ndevice = \"cuda\"\ncuda_graphs = true\nrecompute = true\n"),
            "r.toml: train.cuda_graphs: expected false for train.recompute = true, which sets random numbers "
            "back, got true");
  const Recipe recipe = read(kLeast, {"train.cuda_graphs=true", "train.device=cuda"});
  EXPECT_TRUE(recipe.train.cuda_graphs);
  check_ranks(recipe, 1);
  EXPECT_EQ(message_of<RecipeError>([&] { check_ranks(recipe, 2); }),
            "train.cuda_graphs: expected false for 2 ranks, which exchange gradients while the backward pass "
            "runs, got true");
}

TEST_F(Recipes, AFileThatIsNoTomlIsNamedWithItsLine) {
  EXPECT_EQ(error("seed = 1\nsteps 3\n").substr(0, 16), "r.toml: line 2: ");
  EXPECT_NE(message_of<RecipeError>([] { read_recipe("/nonexistent.toml", {}); }).find("/nonexistent.toml: "),
            std::string::npos);
  EXPECT_NE(message_of<RecipeError>([&] { read_recipe(folder_.path(), {}); }), "no error") << "a folder";
}

TEST_F(Recipes, AResolvedRecipeReadsBackEqual) {
  const Recipe recipe =
      read(kLeast, {"data.path=a \"b\" \\ \xC3\xA9\x01", "optimizer.learning_rate=0.1", "optimizer.eps=1e-12",
                    "model.horizon=none", "threads=2", "optimizer.weight_decay=3"});
  const std::string text = to_toml(recipe);
  EXPECT_EQ(to_toml(read(text)), text);
  EXPECT_EQ(read(text).data.path, recipe.data.path);
  EXPECT_EQ(read(text).optimizer.learning_rate, 0.1);
  EXPECT_EQ(read(text).model.horizon, std::nullopt);
}

TEST_F(Recipes, EveryKeyIsWrittenAndExplained) {
  const std::string help = recipe_help(), text = to_toml(read(kLeast));
  for (const Key& key : recipe_keys()) {
    const std::string name = key.name;
    EXPECT_NE(help.find(name + " = "), std::string::npos) << name;
    EXPECT_NE(text.find('\n' + name.substr(name.find('.') + 1) + " = "),
              name == "seed" ? 0 : std::string::npos)
        << name;
  }
}

TEST_F(Recipes, WhatAResumedRunHasToKeep) {
  const Recipe run = read(kLeast);
  const auto conflict = [&](const std::string& override) {
    return find_conflict(run, read(kLeast, {override})).value_or("none");
  };
  EXPECT_EQ(conflict("train.steps=7"), "train.steps: the run has 1000, got 7");
  EXPECT_EQ(conflict("model.horizon=1024"), "model.horizon: the run has 512, got 1024");
  EXPECT_EQ(conflict("seed=2"), "seed: the run has 1, got 2");
  EXPECT_EQ(conflict("optimizer.kind=nag"), "optimizer.kind: the run has \"adamw\", got \"nag\"");
  std::vector<std::string> free_keys;
  for (const Key& key : recipe_keys())
    if (!key.binding) free_keys.emplace_back(key.name);
  EXPECT_EQ(free_keys,
            (std::vector<std::string>{"threads", "data.path", "train.device", "train.cuda_graphs",
                                      "train.recompute", "train.checkpoint_every", "train.keep_checkpoints",
                                      "train.time_limit", "train.sequence_ranks", "train.rank_timeout"}));
  for (const char* free :
       {"threads=7", "data.path=y", "train.checkpoint_every=1", "train.keep_checkpoints=9"}) {
    EXPECT_EQ(conflict(free), "none") << free;
  }
  EXPECT_EQ(find_conflict(run, run), std::nullopt);
}

}  // namespace
}  // namespace cosformer::train
