#include "train/named_tensors.h"

#include "cosformer/error.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

namespace cosformer::train {
namespace {

NamedTensors some_tensors(float value) {
  return {{"a", torch::full({2, 3}, value)},
          {"b", torch::full({4}, static_cast<int64_t>(value), torch::kUInt8)},
          {"none", torch::empty({0})}};
}

TEST(NamedTensors, RoundTrip) {
  const NamedTensors from = some_tensors(7), to = some_tensors(1);
  copy_from(to_bytes(from), to, "x");
  for (std::size_t i = 0; i < to.size(); ++i) EXPECT_TRUE(torch::equal(to[i].second, from[i].second));
}

TEST(NamedTensors, WhatDoesNotFitIsNamedAndChangesNothing) {
  const NamedTensors from = some_tensors(7), to = some_tensors(1);
  const auto error_after = [&](auto change) {
    auto bytes = to_bytes(from);
    change(bytes);
    return test::message_of<FormatError>([&] { copy_from(bytes, to, "x"); });
  };
  EXPECT_EQ(error_after([](auto& bytes) { bytes[1].dtype = "I8"; }), "x: b: expected U8 [4], got I8 [4]");
  EXPECT_EQ(error_after([](auto& bytes) {
              bytes[0].shape = {3, 2};
            }),
            "x: a: expected F32 [2, 3], got F32 [3, 2]");
  EXPECT_EQ(error_after([](auto& bytes) { bytes.erase(bytes.begin() + 1); }),
            "x: b: expected U8 [4], got none");
  EXPECT_TRUE(torch::equal(to[0].second, some_tensors(1)[0].second));
}

}  // namespace
}  // namespace cosformer::train
