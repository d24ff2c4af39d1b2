#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "train/recipe.h"

namespace cosformer::train {

/// A key's place in a recipe.
using Field = std::variant<int64_t*, double*, bool*, std::string*, std::optional<int64_t>*>;

struct Key {
  const char* name;  ///< dotted
  Field (*field)(Recipe&);
  const char* expected;  ///< type and range, in words
  double least, most;    ///< of a number, both allowed
  bool binding;          ///< whether a resumed run has to keep it
  const char* meaning;
};

/// Every key, in the order of a recipe: the one table that parser, writer and help use.
const std::vector<Key>& recipe_keys();

const Key* find_key(std::string_view name);

/// The known key with the fewest edits from `name`.
const Key& nearest_key(std::string_view name);

/// A value as TOML writes it.
std::string value_text(const Field& field);

}  // namespace cosformer::train
