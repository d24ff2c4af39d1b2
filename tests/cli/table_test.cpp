#include "cli/table.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cosformer::cli {
namespace {

TEST(Table, AlignsNamesLeftAndNumbersRight) {
  Table table({"model", "bits"}, 1);
  table.add({"é", "1.5"});
  table.add_gap();
  table.add({"softmax", "12.25"});
  EXPECT_EQ(table.text(),
            "model     bits\n"
            "é          1.5\n"
            "\n"
            "softmax  12.25\n");
}

TEST(Fixed, ShowsNoNumberAsADash) {
  EXPECT_EQ(fixed(1.256, 2), "1.26");
  EXPECT_EQ(fixed(NAN, 2), "-");
}

}  // namespace
}  // namespace cosformer::cli
