#include "cosformer/nn/config.h"

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <sstream>

namespace cosformer::nn {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
void require(bool holds, std::string_view prefix, const char* key, const std::string& expected,
             const T& got) {
  if (!holds) {
    std::ostringstream message;
    message << prefix << key << ": expected " << expected << ", got " << got;
    throw ShapeError(message.str());
  }
}

void require_size(std::string_view prefix, const char* key, int64_t value, int64_t largest) {
  require(value >= 1 && value <= largest, prefix, key, "an integer from 1 to " + std::to_string(largest),
          value);
}

void require_probability(std::string_view prefix, const char* key, double value) {
  require(value >= 0 && value < 1, prefix, key, "a number in [0, 1)", value);
}

void require_one_of(std::string_view prefix, const char* key, const std::string& value,
                    std::initializer_list<const char*> names) {
  std::string expected;
  bool known = false;
  for (const char* name : names) {
    expected += (expected.empty() ? "" : " | ") + std::string(name);
    known = known || value == name;
  }
  require(known, prefix, key, expected, '"' + value + '"');
}

/// Takes one key after another out of an object and at the end refuses what is left.
class Fields {
 public:
  Fields(Json object, std::string_view name)
      : object_(std::move(object)), prefix_(std::string(name) + ": ") {}

  void take(const char* key, int64_t& value) {
    const Json json = take(key);
    // A number above the largest int64_t is kept as unsigned.
    const bool fits = json.is_number_integer() &&
                      (!json.is_number_unsigned() || json.get<uint64_t>() <= uint64_t{INT64_MAX});
    expect(fits, key, "an integer", json);
    value = json.get<int64_t>();
  }
  void take(const char* key, std::string& value) {
    const Json json = take(key);
    expect(json.is_string(), key, "a string", json);
    value = json.get<std::string>();
  }
  void take(const char* key, double& value) {
    const Json json = take(key);
    expect(json.is_number(), key, "a number", json);
    value = json.get<double>();
  }
  void take(const char* key, bool& value) {
    const Json json = take(key);
    expect(json.is_boolean(), key, "true or false", json);
    value = json.get<bool>();
  }
  void take(const char* key, std::optional<int64_t>& value) {
    if (object_.contains(key) && object_[key] == "none") {
      object_.erase(key);
      value.reset();
      return;
    }
    expect(!object_.contains(key) || object_[key].is_number_integer(), key, "an integer >= 1 or \"none\"",
           object_.contains(key) ? object_[key] : Json());
    take(key, value.emplace());
  }
  /// A key that earlier versions did not write: `value` stays where it is absent.
  void take_if_there(const char* key, double& value) {
    if (object_.contains(key)) take(key, value);
  }
  void refuse_rest() const {
    if (!object_.empty()) {
      throw FormatError(prefix_ + "unknown key \"" + object_.begin().key() + '"');
    }
  }

 private:
  Json take(const char* key) {
    if (!object_.contains(key)) {
      throw FormatError(prefix_ + key + ": expected a value, got none");
    }
    Json value = object_[key];
    object_.erase(key);
    return value;
  }
  void expect(bool holds, const char* key, const char* expected, const Json& got) const {
    if (!holds) {
      throw FormatError(prefix_ + key + ": expected " + expected + ", got " + got.dump());
    }
  }

  Json object_;
  std::string prefix_;
};

}  // namespace

void check(const LanguageModelConfig& config, std::string_view prefix) {
  // Largest values: products of these stay far inside int64_t.
  require_size(prefix, "vocabulary_size", config.vocabulary_size, int64_t{1} << 31);
  require_size(prefix, "layers", config.layers, 1 << 14);
  require_size(prefix, "width", config.width, 1 << 20);
  require_size(prefix, "ffn_width", config.ffn_width, 1 << 22);
  require_size(prefix, "max_length", config.max_length, int64_t{1} << 31);
  require(config.heads >= 1 && config.width % config.heads == 0, prefix, "heads",
          "a divisor of width " + std::to_string(config.width), config.heads);
  require_one_of(prefix, "attention", config.attention, {"cosformer", "linear", "softmax"});
  if (config.horizon) {
    require(*config.horizon >= 1, prefix, "horizon", "an integer >= 1 or \"none\"", *config.horizon);
    require(config.attention == "cosformer", prefix, "horizon",
            "\"none\" where attention is " + config.attention, *config.horizon);
  }
  require_one_of(prefix, "ffn", config.ffn, {"gelu", "swiglu"});
  require_one_of(prefix, "positions", config.positions, {"learned", "sinusoidal"});
  require(config.positions == "learned" || config.width % 2 == 0, prefix, "width",
          "an even number for sinusoidal positions", config.width);
  require_probability(prefix, "dropout", config.dropout);
  require_probability(prefix, "activation_dropout", config.activation_dropout);
  require_probability(prefix, "attention_dropout", config.attention_dropout);
  require(config.attention_dropout == 0 || config.attention == "softmax", prefix, "attention_dropout",
          "0 where attention is " + config.attention + ", which forms no weights", config.attention_dropout);
}

std::string to_json(const LanguageModelConfig& config) {
  Json json;
  json["vocabulary_size"] = config.vocabulary_size;
  json["layers"] = config.layers;
  json["width"] = config.width;
  json["heads"] = config.heads;
  json["ffn_width"] = config.ffn_width;
  json["attention"] = config.attention;
  json["horizon"] = config.horizon ? Json(*config.horizon) : Json("none");
  json["ffn"] = config.ffn;
  json["positions"] = config.positions;
  json["max_length"] = config.max_length;
  json["dropout"] = config.dropout;
  json["activation_dropout"] = config.activation_dropout;
  json["attention_dropout"] = config.attention_dropout;
  json["tie_embeddings"] = config.tie_embeddings;
  return json.dump(2) + '\n';
}

LanguageModelConfig config_from_json(std::string_view text, std::string_view name) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    throw FormatError(std::string(name) + ": expected JSON, got an error at byte " +
                      std::to_string(error.byte));
  }
  if (!json.is_object()) {
    throw FormatError(std::string(name) + ": expected a JSON object, got " + json.type_name());
  }
  LanguageModelConfig config;
  Fields fields(std::move(json), name);
  fields.take("vocabulary_size", config.vocabulary_size);
  fields.take("layers", config.layers);
  fields.take("width", config.width);
  fields.take("heads", config.heads);
  fields.take("ffn_width", config.ffn_width);
  fields.take("attention", config.attention);
  fields.take("horizon", config.horizon);
  fields.take("ffn", config.ffn);
  fields.take("positions", config.positions);
  fields.take("max_length", config.max_length);
  fields.take("dropout", config.dropout);
  fields.take_if_there("activation_dropout", config.activation_dropout);
  fields.take_if_there("attention_dropout", config.attention_dropout);
  fields.take("tie_embeddings", config.tie_embeddings);
  fields.refuse_rest();
  try {
    check(config, std::string(name) + ": ");
  } catch (const ShapeError& error) {
    throw FormatError(error.what());
  }
  return config;
}

}  // namespace cosformer::nn
