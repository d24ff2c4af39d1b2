#pragma once

#include <gtest/gtest.h>

#include <string>

namespace cosformer::test {

/// The message of the `Error` that `call` throws, "no error" if it throws none; fails the test if it throws
/// anything else, or more than a line.
template <class Error, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    return message;
  } catch (...) {
    ADD_FAILURE() << "another type of error";
    return "";
  }
  return "no error";
}

}  // namespace cosformer::test
