#pragma once

#include "train/on_device.h"
#include "train/runs.h"

namespace cosformer::train::test {

/// Runs on the device that the parameter names.
class RunsOn : public Runs, public testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    if (is_missing(GetParam())) GTEST_SKIP() << "there is no GPU";
    Runs::SetUp();
    recipe_.train.device = GetParam();
  }
};

}  // namespace cosformer::train::test
