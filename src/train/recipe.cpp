#include "train/recipe.h"

#include <toml++/toml.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <thread>

#include "train/ranks/environment.h"
#include "train/recipe_keys.h"

namespace cosformer::train {
namespace {

/// Where each key that was given was written.
using Places = std::map<std::string, std::string>;

/// Where a value was written: "recipe.toml: train.steps" or "--train.steps".
[[noreturn]] void refuse(const std::string& place, const std::string& expected, const std::string& got) {
  throw RecipeError(place + ": expected " + expected + ", got " + got);
}

/// On one line.
std::string text_of(const toml::node& node) {
  if (node.is_string()) {
    std::string value = node.as_string()->get();
    return value_text(&value);
  }
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  std::string line = text.str();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

/// Of "a | b | c" one; of any other text, everything.
bool is_choice(const std::string& value, const std::string& choices) {
  if (choices.find(" | ") == std::string::npos) return true;
  return !value.empty() && value.find('|') == std::string::npos &&
         (" " + choices + " ").find(" " + value + " ") != std::string::npos;
}

void set(const Key& key, Recipe& recipe, const toml::node& node, const std::string& place) {
  const auto wrong = [&]() { refuse(place, key.expected, text_of(node)); };
  const auto check_range = [&](double value) {
    if (!(value >= key.least && value <= key.most)) wrong();
  };
  const auto integer = [&]() {
    if (!node.is_integer()) wrong();
    check_range(static_cast<double>(node.as_integer()->get()));
    return node.as_integer()->get();
  };
  struct Setter {
    const toml::node& node;
    decltype(wrong)& refuse_value;
    decltype(check_range)& check;
    decltype(integer)& read_integer;
    const char* expected;

    void operator()(int64_t* value) const { *value = read_integer(); }
    void operator()(double* value) const {
      if (!node.is_number()) refuse_value();
      *value = *node.value<double>();
      check(*value);
    }
    void operator()(bool* value) const {
      if (!node.is_boolean()) refuse_value();
      *value = node.as_boolean()->get();
    }
    void operator()(std::string* value) const {
      if (!node.is_string() || !is_choice(node.as_string()->get(), expected)) refuse_value();
      *value = node.as_string()->get();
    }
    void operator()(std::optional<int64_t>* value) const {
      if (node.is_string() && node.as_string()->get() == "none") {
        value->reset();
      } else {
        *value = read_integer();
      }
    }
  };
  std::visit(Setter{node, wrong, check_range, integer, key.expected}, key.field(recipe));
}

const Key& known(const std::string& name, const std::string& place) {
  if (const Key* key = find_key(name)) return *key;
  throw RecipeError(place + ": unknown key " + name + "; the nearest is " + nearest_key(name).name);
}

void set_table(const toml::table& table, const std::string& prefix, const std::string& file, Recipe& recipe,
               Places& given) {
  for (const auto& [name, node] : table) {
    const std::string path = prefix + std::string(name.str());
    if (const toml::table* section = node.as_table(); section && !find_key(path)) {
      if (section->empty()) continue;
      set_table(*section, path + ".", file, recipe, given);
      continue;
    }
    set(known(path, file), recipe, node, file + ": " + path);
    given[path] = file + ": " + path;
  }
}

/// A value of the command line is TOML, and a word that is not is a string: `=softmax` needs no quotes.
toml::table parse_value(const std::string& text) {
  try {
    toml::table table = toml::parse("value = " + text);
    if (table.size() == 1) return table;
  } catch (const toml::parse_error&) {
    // A word or a path.
  }
  toml::table table;
  table.insert("value", text);
  return table;
}

void set_override(const std::string& override, Recipe& recipe, Places& given) {
  const std::size_t equals = override.find('=');
  const std::string name = override.substr(0, equals);
  const Key& key = known(name, "--" + name);
  if (equals == std::string::npos) refuse("--" + name, key.expected + std::string(" after ="), "none");
  const toml::table table = [&] {
    toml::table plain;
    plain.insert("value", override.substr(equals + 1));
    const bool text = std::holds_alternative<std::string*>(key.field(recipe));
    return text ? plain : parse_value(override.substr(equals + 1));
  }();
  set(key, recipe, *table.get("value"), "--" + name);
  given[name] = "--" + name;
}

/// What one key alone cannot show.
void check(const Recipe& recipe, const std::string& file, const Places& given) {
  const auto place = [&](const std::string& key) {
    const auto found = given.find(key);
    return found == given.end() ? file + ": " + key : found->second;
  };
  if (recipe.data.path.empty()) refuse(file + ": data.path", "a folder", "none");
  try {
    nn::check(recipe.model, file + ": model.");
  } catch (const ShapeError& error) {
    throw RecipeError(error.what());
  }
  const int64_t length = recipe.train.sequence_length;
  const std::string least = "at least train.sequence_length = " + std::to_string(length);
  if (recipe.model.horizon && *recipe.model.horizon < length) {
    refuse(place("model.horizon"), least, std::to_string(*recipe.model.horizon));
  }
  const int64_t ranks = recipe.train.sequence_ranks;
  if (length % ranks != 0) {
    refuse(place("train.sequence_ranks"), "a divisor of train.sequence_length = " + std::to_string(length),
           std::to_string(ranks));
  }
  if (ranks > 1 && recipe.model.attention == "softmax") {
    refuse(place("train.sequence_ranks"), "1 for model.attention = \"softmax\", which has no state to send",
           std::to_string(ranks));
  }
  if (recipe.train.cuda_graphs && recipe.train.device == "cpu") {
    refuse(place("train.cuda_graphs"), "false for train.device = \"cpu\"", "true");
  }
  if (recipe.train.cuda_graphs && recipe.train.recompute) {
    refuse(place("train.cuda_graphs"), "false for train.recompute = true, which sets random numbers back",
           "true");
  }
  if (recipe.model.positions == "learned" && recipe.model.max_length < length) {
    refuse(place("model.max_length"), least, std::to_string(recipe.model.max_length));
  }
}

}  // namespace

Recipe read_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  if (std::filesystem::is_directory(file))
    throw RecipeError(file.string() + ": expected a TOML file, got a folder");
  Recipe recipe;
  Places given;
  try {
    set_table(toml::parse_file(file.string()), "", file.string(), recipe, given);
  } catch (const toml::parse_error& error) {
    const auto line = error.source().begin.line;
    throw RecipeError(file.string() + ": " + (line ? "line " + std::to_string(line) + ": " : std::string()) +
                      std::string(error.description()));
  }
  for (const std::string& override : overrides) set_override(override, recipe, given);
  if (!given.contains("model.horizon") && recipe.model.attention == "cosformer") {
    recipe.model.horizon = recipe.train.sequence_length;
  }
  if (!given.contains("model.max_length")) recipe.model.max_length = recipe.train.sequence_length;
  if (recipe.threads == 0) {
    const auto environment = rank_environment();
    const int64_t ranks_here = environment ? environment->local_count : 1;
    recipe.threads = std::max<int64_t>(1, std::thread::hardware_concurrency() / ranks_here);
  }
  check(recipe, file.string(), given);
  return recipe;
}

void check_ranks(const Recipe& recipe, int64_t count) {
  const TrainRecipe& train = recipe.train;
  if (count % train.sequence_ranks != 0) {
    refuse("train.sequence_ranks",
           "a divisor of " + std::to_string(count) + (count == 1 ? " rank" : " ranks"),
           std::to_string(train.sequence_ranks));
  }
  if (train.cuda_graphs && count > 1) {
    refuse("train.cuda_graphs",
           "false for " + std::to_string(count) +
               " ranks, which exchange gradients while the backward pass runs",
           "true");
  }
  const int64_t groups = count / train.sequence_ranks;
  if (train.batch_size < groups) {
    refuse("train.batch_size", "a row for each group of ranks, at least " + std::to_string(groups),
           std::to_string(train.batch_size));
  }
}

std::string to_toml(const Recipe& recipe) {
  Recipe copy = recipe;
  std::string text, section;
  for (const Key& key : recipe_keys()) {
    const std::string name = key.name;
    const std::size_t dot = name.find('.');
    const std::string of_key = dot == std::string::npos ? "" : name.substr(0, dot);
    if (of_key != section) text += "\n[" + (section = of_key) + "]\n";
    text +=
        (dot == std::string::npos ? name : name.substr(dot + 1)) + " = " + value_text(key.field(copy)) + "\n";
  }
  return text;
}

std::string recipe_help() {
  Recipe defaults;
  std::string text;
  for (const Key& key : recipe_keys()) {
    text += std::string(key.name) + " = " + value_text(key.field(defaults)) + "\n    " + key.expected + ": " +
            key.meaning + "\n";
  }
  return text;
}

std::optional<std::string> find_conflict(const Recipe& of_run, const Recipe& asked) {
  Recipe first = of_run, second = asked;
  for (const Key& key : recipe_keys()) {
    const std::string has = value_text(key.field(first)), got = value_text(key.field(second));
    if (key.binding && has != got) return std::string(key.name) + ": the run has " + has + ", got " + got;
  }
  return std::nullopt;
}

}  // namespace cosformer::train
