#pragma once

#include <gtest/gtest.h>

#include <string>

namespace cosformer::test {

/// The message of what `call` throws; fails the test if it is no `Error`, or no single line.
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
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace cosformer::test
