#include "kernels/cuda/emulator.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "kernels/cuda/emulated_boxes.h"

namespace cosformer::cuda::emulator {
namespace {

/// Saves the registers that a function must keep on the stack, that stack's end in `from`, and goes on where
/// `to` was left.
extern "C" void cosformer_switch_stacks(void** from, void* to);
asm(R"(
.text
.type cosformer_switch_stacks, @function
cosformer_switch_stacks:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cosformer_switch_stacks, .-cosformer_switch_stacks
)");

struct Copy {
  void* to;
  const void* from;
  int bytes;
};

enum class State { runs, waits_for_warp, waits_for_block, ended };

struct Fiber {
  static constexpr size_t kStackBytes = 64 * 1024;
  State state = State::runs;
  bool published = false;
  void* stack_end = nullptr;
  std::vector<Copy> copies;
  std::deque<std::vector<std::function<void()>>> products;
  std::vector<std::function<void()>> begun;
  std::unique_ptr<char[]> stack{new char[kStackBytes]};
};

struct Block {
  std::vector<Fiber> fibers{static_cast<size_t>(kThreads)};
  std::vector<Lane> lanes{static_cast<size_t>(kThreads)};
  std::vector<char> memory;
  char *seen_by_threads = nullptr, *published = nullptr;
  size_t bytes = 0;
  bool all_published = true;
  int64_t index = 0;
  bool vote = false;
  const std::function<void()>* body = nullptr;
  Fiber* running = nullptr;
  void* scheduler = nullptr;
  std::mt19937 engine{1};
};
thread_local Block* the_block = nullptr;

void give_way(State state) {
  Fiber* fiber = the_block->running;
  fiber->state = state;
  cosformer_switch_stacks(&fiber->stack_end, the_block->scheduler);
}

void begin_thread() {
  (*the_block->body)();
  give_way(State::ended);
}

void prepare(Fiber& fiber) {
  fiber.state = State::runs;
  fiber.published = false;
  fiber.copies.clear();
  fiber.products.clear();
  fiber.begun.clear();
  auto end = reinterpret_cast<uintptr_t>(fiber.stack.get() + Fiber::kStackBytes) & ~uintptr_t{15};
  auto* top = reinterpret_cast<void**>(end) - 2;
  *top = reinterpret_cast<void*>(begin_thread);  // where the switch returns to
  top -= 6;                                      // the registers it restores
  std::fill_n(top, 6, nullptr);
  fiber.stack_end = top;
}

/// Calls visit(i) for each i below a power of 2, in one of many orders.
template <class Number, class Visit>
void in_some_order(Number n, std::mt19937& engine, const Visit& visit) {
  const auto drawn = static_cast<Number>(engine() >> 1);
  const Number first = drawn % n, step = 2 * (drawn / n % n) + 1;
  for (Number k = 0; k < n; ++k) visit((first + k * step) % n);
}

/// Lets a warp's threads run until each waits.
void run_until_waiting(Block& block, int first) {
  in_some_order(32, block.engine, [&](int lane) {
    Fiber& fiber = block.fibers[static_cast<size_t>(first + lane)];
    if (fiber.state != State::runs) return;
    block.running = &fiber;
    cosformer_switch_stacks(&block.scheduler, fiber.stack_end);
  });
}

bool all(const Block& block, int first, int last, State state) {
  return std::all_of(block.fibers.begin() + first, block.fibers.begin() + last,
                     [&](const Fiber& f) { return f.state == state; });
}
void release(Block& block, int first, int last) {
  for (int t = first; t < last; ++t) {
    auto& state = block.fibers[static_cast<size_t>(t)].state;
    if (state != State::ended) state = State::runs;
  }
}

void end_interval(Block& block) {
  block.all_published = std::ranges::all_of(block.fibers, &Fiber::published);
  if (block.all_published) std::memcpy(block.published, block.seen_by_threads, block.bytes);
  for (Fiber& fiber : block.fibers) fiber.published = false;
  release(block, 0, kThreads);
}

void run_block(Block& block) {
  for (int t = 0; t < kThreads; ++t) {
    prepare(block.fibers[static_cast<size_t>(t)]);
    block.lanes[static_cast<size_t>(t)].index = t;
    block.lanes[static_cast<size_t>(t)].turn = 0;
  }
  std::ranges::fill(block.memory, '\xFF');
  block.all_published = true;
  while (!all(block, 0, kThreads, State::ended)) {
    in_some_order(kWarps, block.engine, [&](int warp) {
      const int first = warp * 32;
      run_until_waiting(block, first);
      while (all(block, first, first + 32, State::waits_for_warp)) {
        release(block, first, first + 32);
        run_until_waiting(block, first);
      }
    });
    const bool stuck = std::any_of(block.fibers.begin(), block.fibers.end(),
                                   [](const Fiber& f) { return f.state == State::waits_for_warp; });
    if (stuck) fault("lanes of a warp that wait for different things");
    end_interval(block);
  }
  end_boxes();
}

}  // namespace

Lane& self() {
  return the_block->lanes[static_cast<size_t>(the_block->running - the_block->fibers.data())];
}
const Lane& lane_of_warp(int lane) {
  return the_block->lanes[static_cast<size_t>(self().index / 32 * 32 + lane)];
}
int64_t block_index() {
  return the_block->index;
}
char* block_memory() {
  return the_block->seen_by_threads;
}
char* published_memory() {
  return the_block->published;
}
void publish() {
  the_block->running->published = true;
}
bool all_have_published() {
  return the_block->all_published;
}
void fault(const char* what) {
  std::fprintf(stderr, "emulated GPU: %s\n", what);
  std::abort();
}
void warp_barrier() {
  give_way(State::waits_for_warp);
}
void block_barrier() {
  give_way(State::waits_for_block);
}
bool& vote() {
  return the_block->vote;
}
void begin_copy(void* to, const void* from, int bytes) {
  std::memset(to, 0xFF, 16);
  the_block->running->copies.push_back({to, from, bytes});
}
void finish_copies() {
  for (const Copy& copy : the_block->running->copies) {
    std::memset(copy.to, 0, 16);
    if (copy.bytes > 0) std::memcpy(copy.to, copy.from, static_cast<size_t>(copy.bytes));
  }
  the_block->running->copies.clear();
}

void begin_product(std::function<void()> product) {
  the_block->running->begun.push_back(std::move(product));
}
void end_products() {
  Fiber& fiber = *the_block->running;
  fiber.products.push_back(std::move(fiber.begun));
  fiber.begun.clear();
}
void wait_for_products(int later) {
  Fiber& fiber = *the_block->running;
  while (fiber.products.size() > static_cast<size_t>(later)) {
    for (const auto& product : fiber.products.front()) product();
    fiber.products.pop_front();
  }
}

void run_blocks(int64_t blocks, int memory_bytes, const std::function<void()>& thread) {
  Block block;
  constexpr size_t kAlign = 1024;
  block.bytes = (static_cast<size_t>(memory_bytes) + kAlign - 1) / kAlign * kAlign;
  block.memory.resize(2 * block.bytes + kAlign);
  block.seen_by_threads =
      block.memory.data() + (kAlign - reinterpret_cast<uintptr_t>(block.memory.data()) % kAlign);
  block.published = block.seen_by_threads + block.bytes;
  block.body = &thread;
  the_block = &block;
  in_some_order(std::bit_ceil(static_cast<uint64_t>(blocks)), block.engine, [&](uint64_t index) {
    block.index = static_cast<int64_t>(index);
    if (block.index < blocks) run_block(block);
  });
  the_block = nullptr;
}

}  // namespace cosformer::cuda::emulator
