// Damaged files: whatever the bytes, the reader throws FormatError or gives out tensors that lie in the file.
// Run under the address and undefined sanitizers this finds reads outside of it.

#include <cstring>
#include <random>
#include <vector>

#include "cosformer/error.h"
#include "io/safetensors.h"
#include "io/safetensors_file.h"
#include "support/temporary_folder.h"

namespace cosformer::io::test {
namespace {

class SafetensorsDamage : public cosformer::test::FolderTest {
 protected:
  void SetUp() override {
    cosformer::test::FolderTest::SetUp();
    const std::vector<TensorBytes> tensors = {{"layers.0.weight", "F32", {2, 3}, bytes_of(24)},
                                              {"layers.0.bias", "BF16", {3}, bytes_of(6)},
                                              {"position", "I64", {}, bytes_of(8)}};
    write_safetensors(folder_ / "whole", tensors, {{"format", "pt"}});
    whole_ = cosformer::test::read_text(folder_ / "whole");
    std::memcpy(&header_size_, whole_.data(), 8);
  }

  std::span<const std::byte> bytes_of(std::size_t count) const {
    return std::as_bytes(std::span(storage_)).first(count);
  }

  /// True where the file was refused; one that was read has all its bytes touched.
  bool refused(const std::string& content) {
    const auto path = write("file", content);
    try {
      const Safetensors file(path);
      std::size_t bytes = 0;
      unsigned sum = 0;
      for (const TensorBytes& tensor : file.tensors()) {
        std::size_t expected = dtype_size(tensor.dtype);
        for (const int64_t size : tensor.shape) expected *= static_cast<std::size_t>(size);
        EXPECT_EQ(tensor.bytes.size(), expected);
        for (const std::byte b : tensor.bytes) sum += std::to_integer<unsigned>(b);
        bytes += tensor.bytes.size();
      }
      sum_ = sum;
      EXPECT_LE(bytes, content.size());
      return false;
    } catch (const FormatError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return true;
    }
  }

  const std::string storage_ = std::string(32, 'x');
  std::string whole_;
  uint64_t header_size_ = 0;
  volatile unsigned sum_ = 0;
};

TEST_F(SafetensorsDamage, CutAtEveryByte) {
  EXPECT_FALSE(refused(whole_));
  for (std::size_t size = 0; size < whole_.size(); ++size) {
    EXPECT_TRUE(refused(whole_.substr(0, size))) << "cut at " << size << " of " << whole_.size();
  }
}

TEST_F(SafetensorsDamage, HeaderCutAtEveryByteWithItsLengthMended) {
  const std::string header = whole_.substr(8, header_size_), bytes = whole_.substr(8 + header_size_);
  const std::size_t json_size = header.find_last_of('}') + 1;
  for (std::size_t size = 0; size < json_size; ++size) {
    EXPECT_TRUE(refused(safetensors_file(header.substr(0, size), bytes))) << "cut at " << size;
  }
}

TEST_F(SafetensorsDamage, EveryByteOfTheHeaderReplaced) {
  const std::string json = R"({]",0\)" + std::string("\0\xff", 2);
  for (std::size_t at = 0; at < 8 + header_size_; ++at) {
    for (const char c : json) {
      std::string file = whole_;
      file[at] = c;
      refused(file);
    }
  }
}

TEST_F(SafetensorsDamage, RandomDamage) {
  constexpr unsigned kSeed = 20220217;
  std::mt19937 random(kSeed);
  const auto below = [&](std::size_t n) { return random() % n; };
  std::size_t refusals = 0;
  constexpr std::size_t kFiles = 4000;
  for (std::size_t i = 0; i < kFiles; ++i) {
    std::string file = whole_;
    for (std::size_t edits = 1 + below(4); edits > 0 && file.size() > 8; --edits) {
      const std::size_t at = 8 + below(std::min<std::size_t>(header_size_, file.size() - 8));
      switch (below(5)) {
        case 0:  // a bit
          file[at] = static_cast<char>(file[at] ^ (1 << below(8)));
          break;
        case 1:  // a digit
          file[at] = static_cast<char>('0' + below(10));
          break;
        case 2:  // a piece twice
          file.insert(at, file.substr(at, below(20)));
          break;
        case 3:  // a piece lost
          file.erase(at, below(20));
          break;
        default:  // the length
          file[below(2)] = static_cast<char>(below(256));
      }
    }
    // Half of the files get a length that fits what was inserted or lost.
    if (below(2) == 0 && file.size() > 8 + 38) {
      file = safetensors_file(file.substr(8, file.size() - 8 - 38), file.substr(file.size() - 38));
    }
    if (refused(file)) ++refusals;
  }
  EXPECT_GT(refusals, kFiles / 2) << "seed " << kSeed;
  EXPECT_LT(refusals, kFiles) << "seed " << kSeed << ": some damage, of names say, is none";
}

}  // namespace
}  // namespace cosformer::io::test
