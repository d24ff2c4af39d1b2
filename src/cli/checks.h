#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace cosformer::cli {

/// Refuses an empty name. @param expected such as "a folder"
inline CLI::Validator named(const std::string& expected) {
  return {[=](const std::string& text) {
            return text.empty() ? "expected " + expected + ", got an empty name" : std::string();
          },
          ""};
}

/// Refuses numbers out of a range; what is no number at all, CLI11 refuses itself.
inline CLI::Validator number(double least, double most, const std::string& expected) {
  return {[=](const std::string& text) {
            double value = least;
            const bool is_number = CLI::detail::lexical_cast(text, value);
            return !is_number || (value >= least && value <= most) ? std::string()
                                                                   : "expected " + expected + ", got " + text;
          },
          ""};
}

/// Of things that are counted: at least `least`.
inline CLI::Validator count(int least) {
  return number(least, 9e15, "an integer >= " + std::to_string(least));
}

}  // namespace cosformer::cli
