#include "kernels/cuda/emulated_boxes.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace cosformer::cuda {
namespace {

/// What the 8 bytes of a barrier hold.
struct Barrier {
  static constexpr int16_t kMark = 0x4242;
  int32_t bytes = 0;  ///< still to come
  int16_t mark = kMark;
  bool awaits_expectation = true, parity = false;  ///< of the phase at hand

  void complete_if_done() {
    if (awaits_expectation || bytes != 0) return;
    awaits_expectation = true;
    parity = !parity;
  }
};
static_assert(sizeof(Barrier) == sizeof(uint64_t));

Barrier& barrier_at(uint64_t* place) {
  auto& barrier = reinterpret_cast<Barrier&>(*place);
  if (barrier.mark != Barrier::kMark) emulator::fault("a barrier that was not initialised");
  return barrier;
}

struct Box {
  char* panel;
  TensorMap map;
  int64_t begin[4];  ///< column, head, row, b
  uint64_t* barrier;

  int bytes() const { return static_cast<int>(map.rows * map.columns * 2); }
};
thread_local std::vector<Box> boxes_to_come, boxes_to_leave;

/// Where an element of a box is in its tensor, or null.
const char* place(const Box& box, int row, int column) {
  const int64_t at[] = {box.begin[0] + column, box.begin[1], box.begin[2] + row, box.begin[3]};
  const auto* from = static_cast<const char*>(box.map.data) + 2 * at[0];
  for (int d = 0; d < 4; ++d) {
    if (at[d] < 0 || static_cast<uint64_t>(at[d]) >= box.map.sizes[d]) return nullptr;
    if (d > 0) from += at[d] * static_cast<int64_t>(box.map.strides[d - 1]);
  }
  return from;
}

/// Calls visit(element's place in the tensor, or null, its place in the block's memory).
template <class Visit>
void for_elements(const Box& box, const Visit& visit) {
  const int row_bytes = static_cast<int>(box.map.columns * 2),
            start = static_cast<int>(box.panel - block_memory());
  for (int r = 0; r < static_cast<int>(box.map.rows); ++r) {
    for (int c = 0; c < static_cast<int>(box.map.columns); ++c)
      visit(place(box, r, c), emulator::swizzled(start + r * row_bytes + 2 * c, row_bytes));
  }
}

void bring(const Box& box) {
  for_elements(box, [](const char* from, int at) {
    for (char* memory : {block_memory(), emulator::published_memory()}) {
      if (from) std::memcpy(memory + at, from, 2);
      if (!from) std::memset(memory + at, 0, 2);
    }
  });
}

void take_away(const Box& box) {
  for_elements(box, [](const char* to, int at) {
    if (to) std::memcpy(const_cast<char*>(to), emulator::published_memory() + at, 2);
  });
}

}  // namespace

bool encode(const TensorBoxes& boxes, TensorMap& map) {
  map = boxes;
  return boxes.data && reinterpret_cast<uintptr_t>(boxes.data) % 16 == 0 &&
         std::ranges::all_of(boxes.sizes, [](uint64_t n) { return n > 0 && n <= uint64_t{1} << 32; }) &&
         std::ranges::all_of(boxes.strides,
                             [](uint64_t n) { return n % 16 == 0 && n < uint64_t{1} << 40; }) &&
         (boxes.columns == 64 || boxes.columns == 32) && boxes.rows > 0 && boxes.rows <= 256;
}

void init_barrier(uint64_t* barrier) {
  reinterpret_cast<Barrier&>(*barrier) = Barrier{};
}

void expect_bytes(uint64_t* place, int bytes) {
  Barrier& barrier = barrier_at(place);
  if (!barrier.awaits_expectation) emulator::fault("a phase of a barrier that is expected twice");
  barrier.awaits_expectation = false;
  barrier.bytes += bytes;
  barrier.complete_if_done();
}

void copy_box(void* to, const TensorMap& map, int column, int head, int row, int b, uint64_t* barrier) {
  if (!emulator::all_have_published()) emulator::fault("a box in memory whose use was not published");
  const Box box{static_cast<char*>(to), map, {column, head, row, b}, barrier};
  const auto start = box.panel - block_memory();
  if (start % 128 != 0) emulator::fault("a box that is not aligned to 128 bytes");
  for (char* memory : {block_memory(), emulator::published_memory()})
    std::memset(memory + start, 0xFF, static_cast<size_t>(box.bytes()));
  boxes_to_come.push_back(box);
}

void wait_for_bytes(uint64_t* place, unsigned parity) {
  Barrier& barrier = barrier_at(place);
  if (barrier.parity != (parity != 0)) return;
  std::erase_if(boxes_to_come, [&](const Box& box) {
    if (box.barrier != place) return false;
    bring(box);
    barrier.bytes -= box.bytes();
    return true;
  });
  barrier.complete_if_done();
  if (barrier.parity == (parity != 0)) emulator::fault("a barrier that is waited for and never completes");
}

void store_box(const void* from, const TensorMap& map, int column, int head, int row, int b) {
  if (!emulator::all_have_published()) emulator::fault("a box that leaves memory before it was published");
  const Box box{static_cast<char*>(const_cast<void*>(from)), map, {column, head, row, b}, nullptr};
  if ((box.panel - block_memory()) % 128 != 0) emulator::fault("a box that is not aligned to 128 bytes");
  boxes_to_leave.push_back(box);
}

void wait_for_panels() {
  for (const Box& box : boxes_to_leave) take_away(box);
  boxes_to_leave.clear();
}

void emulator::end_boxes() {
  if (!boxes_to_leave.empty()) fault("a block that ended before its boxes left");
  if (!boxes_to_come.empty()) fault("a block that ended before its boxes came");
}

}  // namespace cosformer::cuda
