#pragma once

#include <memory>
#include <vector>

#include "cosformer/cosformer.h"
#include "fuzz/random_bytes.h"

namespace cosformer::test {

/// Holds every product of sizes and strides.
__extension__ using Wide = __int128;

/// A call of the C interface with sizes, strides, pointers and options out of bytes, over memory that holds
/// exactly the elements that they reach.
class RandomCall {
 public:
  explicit RandomCall(RandomBytes& bytes);

  /// False where the elements are more than this has memory or time for, although they can be counted: not a
  /// call to make.
  bool has_memory() const { return has_memory_; }
  /// Whether its sizes are none or cannot be counted. Then its memory is not there: nothing may be read.
  bool must_be_refused() const { return must_be_refused_; }
  /// Whether results are as they were before the call.
  bool untouched() const;

  const cosformer_call& call() const { return call_; }
  int64_t* position_in_out() { return position_.get(); }

 private:
  enum class Role { input, result };
  void draw_sizes(RandomBytes& bytes);
  void draw_rows(RandomBytes& bytes, cosformer_rows& rows, int64_t T);
  cosformer_tensor tensor(RandomBytes& bytes, int64_t T, int64_t heads, int64_t width, bool packed,
                          Role role);
  void* array(RandomBytes& bytes, Wide elements, int64_t element, Role role);
  unsigned char* memory(Wide bytes, Role role);

  struct Result {
    const unsigned char* data;
    std::size_t size;
  };
  cosformer_call call_{};
  std::vector<std::unique_ptr<unsigned char[]>> memory_;
  std::vector<Result> results_;
  std::unique_ptr<int64_t[]> position_, position_before_;
  int64_t positions_ = 0;
  bool has_memory_ = true, must_be_refused_ = false;
};

}  // namespace cosformer::test
