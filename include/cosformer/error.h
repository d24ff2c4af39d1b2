#pragma once

#include <stdexcept>
#include <string>

/// Exceptions thrown at the library's boundary. what() is one line that names the argument, file or key, what
/// was expected and what was got.
namespace cosformer {

#if defined(__GNUC__)
#define COSFORMER_API __attribute__((visibility("default")))
#else
#define COSFORMER_API
#endif

/// A size, rank, stride, position or option that does not fit the others.
class COSFORMER_API ShapeError : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// An instruction set or device that is unknown or that this machine lacks.
class COSFORMER_API DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A device has too little memory left for a call, whose sizes are named; nothing was written.
class COSFORMER_API OutOfMemory : public DeviceError {
 public:
  using DeviceError::DeviceError;
};

/// The content of a file breaks its format: truncated, corrupt, or of an unknown version.
class COSFORMER_API FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The operating system refused to open, read, write, sync or rename a file.
class COSFORMER_API IoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace cosformer
