#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "io/mapped_file.h"

/// The safetensors format: 8 bytes of header length (little endian), a JSON header that names each tensor's
/// dtype, shape and place, and the tensors' bytes without gaps.
namespace cosformer::io {

/// A tensor as it lies in a file. The bytes belong to somebody else.
struct TensorBytes {
  std::string name;
  std::string dtype;  ///< as the format names it: F32, BF16, I64, ...
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Size in bytes of one number; 0 for a dtype that the format does not know.
std::size_t dtype_size(const std::string& dtype);

/// A file of tensors, memory-mapped. Everything is checked before a tensor is given out: sizes, offsets that
/// overlap, overflow or leave gaps, names that occur twice.
class Safetensors {
 public:
  /// @throws IoError; FormatError naming the file, the tensor, what was expected and what was got
  explicit Safetensors(const std::filesystem::path& path);

  /// In the order of their bytes.
  const std::vector<TensorBytes>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::vector<TensorBytes> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// A file of tensors: its header, and then their bytes in their order. Equal tensors and metadata give equal
/// bytes.
class SafetensorsParts {
 public:
  /// @throws FormatError if the bytes of a tensor do not fit its dtype and shape, or two have one name;
  ///   it begins with `file`
  SafetensorsParts(const std::string& file, const std::vector<TensorBytes>& tensors,
                   const std::map<std::string, std::string>& metadata = {});
  SafetensorsParts(const SafetensorsParts&) = delete;
  SafetensorsParts& operator=(const SafetensorsParts&) = delete;

  /// They last as long as this and the tensors.
  const std::vector<std::span<const std::byte>>& parts() const { return parts_; }

 private:
  std::string header_;
  std::vector<std::span<const std::byte>> parts_;
};

/// Writes beside the file and renames (atomic_file.h).
/// @throws IoError; FormatError as above
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace cosformer::io
