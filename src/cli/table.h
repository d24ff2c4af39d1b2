#pragma once

#include <string>
#include <vector>

namespace cosformer::cli {

/// Columns of text under their titles, as wide as their longest cell: the first `left` columns begin at the
/// left, the others end at the right, as numbers should.
class Table {
 public:
  Table(std::vector<std::string> titles, std::size_t left);
  void add(std::vector<std::string> cells);  ///< as many cells as titles
  void add_gap();                            ///< an empty line
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::size_t left_;
};

/// `value` with `decimals` places, "-" where it is not finite.
std::string fixed(double value, int decimals);

}  // namespace cosformer::cli
