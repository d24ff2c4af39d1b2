// Memory that runs out, at every allocation of a call: the caller hears of it and nothing was written, or the
// results are what they always are.

#include <gtest/gtest.h>

#include <algorithm>
#include <new>
#include <thread>

#include "kernels/good_call.h"
#include "kernels/refusing_new.h"
#include "support/sanitized.h"

namespace cosformer::test {
namespace {

/// Calls with so many allocations and no more, on a thread that has no scratch memory yet, as its helpers
/// have none. Returns how many were refused.
int64_t with_served(int64_t count, const std::function<void()>& call) {
  refused = 0;
  std::thread([&] {
    served = count;
    call();
    served = kAll;
  }).join();
  return refused;
}

/// Padding, sequences with and without states, several tasks of each kind.
Case causal_case() {
  Case c;
  c.shape = {.B = 3, .Tq = 70, .Tk = 70, .H = 4, .G = 2, .K = 8, .V = 40};
  c.options = {.horizon = 400, .causal = true};
  c.states = c.decay = true;
  c.padding = Padding::right;
  return c;
}
/// Whose sweeps are divided between threads.
Case one_head() {
  Case c = causal_case();
  c.shape = {.B = 1, .Tq = 70, .Tk = 70, .H = 1, .G = 1, .K = 70, .V = 40};
  c.padding = Padding::none;
  return c;
}
/// For the recurrence.
Case two_tokens() {
  Case c = causal_case();
  c.shape.Tq = c.shape.Tk = 2;
  return c;
}
Case dense_case() {
  Case c = causal_case();
  c.options.causal = c.states = c.decay = false;
  return c;
}
Case small_case() {
  Case c = causal_case();
  c.shape = {.B = 2, .Tq = 5, .Tk = 5, .H = 2, .G = 1, .K = 2, .V = 3};
  return c;
}
Case one_token() {
  Case c = one_head();
  c.shape.Tq = c.shape.Tk = 1;
  return c;
}

/// One thread takes as long as two, and a sanitizer sees less of it.
constexpr int kFewestThreads = kSanitized ? 2 : 1;

enum class Outcome { done, out_of_memory, something_else };
template <class T>
using Call = std::function<Outcome(GoodCall<T>&)>;

/// What every allocation's refusal led to.
struct Outcomes {
  int failed = 0, done_without = 0;
};

/// Runs the call with ever more memory, until there is enough.
template <class T>
Outcomes refuse_every_allocation(const Case& c, const Call<T>& call) {
  GoodCall<T> good(c);
  const std::vector<int64_t> position = good.in.position;
  const auto reset = [&] {
    good.output.fill([] { return 0.5F; });
    for (Tensor<T>* t : {&good.d_query, &good.d_key, &good.d_value}) t->fill([] { return 7.0F; });
    for (auto* v : {&good.denominator, &good.S_out, &good.z_out, &good.dS, &good.dz}) {
      std::ranges::fill(*v, GoodCall<T>::kPoison);
    }
    good.in.position = position;
  };
  reset();
  const auto before = good.bits();
  EXPECT_EQ(call(good), Outcome::done);
  const auto expected = good.bits();
  EXPECT_NE(expected, before);
  Outcomes outcomes;
  for (int64_t count = 0;; ++count) {
    reset();
    Outcome outcome = Outcome::something_else;
    const int64_t refusals = with_served(count, [&] { outcome = call(good); });
    const bool failed = outcome == Outcome::out_of_memory;
    const bool as_expected = failed                     ? good.bits() == before
                             : outcome == Outcome::done ? good.bits() == expected
                                                        : false;
    EXPECT_TRUE(as_expected) << "after " << count << " allocations, " << (failed ? "" : "not ") << "refused";
    if (!as_expected || refusals == 0) return outcomes;
    ++(failed ? outcomes.failed : outcomes.done_without);
  }
}

Execution on_threads(int threads) {
  Execution execution;
  execution.width = threads;
  execution.parallel = [threads](int64_t n, const std::function<void(int64_t)>& task) {
    if (threads == 1) return serial_for(n, task);
    parallel_for_on(threads, n, task);
  };
  return execution;
}

template <template <class> class Args, class T>
Call<T> in_cpp(const Execution& execution, const auto& function) {
  return [&execution, function](GoodCall<T>& good) {
    try {
      function(good.template args<Args<T>>(), execution);
      return Outcome::done;
    } catch (const std::bad_alloc&) {
      return Outcome::out_of_memory;
    }
  };
}
constexpr auto kForward = [](const auto&... args) { attention_forward(args...); };
constexpr auto kBackward = [](const auto&... args) { attention_backward(args...); };

template <class T>
void check_cpp(int threads) {
  const Execution execution = on_threads(threads);
  for (const Case& c : {causal_case(), one_head(), two_tokens(), dense_case()}) {
    SCOPED_TRACE(c.describe() + ", threads " + std::to_string(threads));
    EXPECT_GT((refuse_every_allocation<T>(c, in_cpp<AttentionForward, T>(execution, kForward)).failed), 5);
    EXPECT_GT((refuse_every_allocation<T>(c, in_cpp<AttentionBackward, T>(execution, kBackward)).failed), 5);
  }
}

TEST(OutOfMemory, ReachesTheCallerAndNothingIsWritten) {
  for (int threads = kFewestThreads; threads <= 2; ++threads) {
    check_cpp<float>(threads);
    if (!kSanitized) check_cpp<bfloat16>(threads);
  }
}

TEST(OutOfMemory, OfAnotherThreadIsMadeUpForByTheCaller) {
  Execution execution;
  execution.width = 2;
  execution.parallel = [](int64_t n, const std::function<void(int64_t)>& task) {
    for (int64_t i = 0; i < n; ++i) std::thread([&] { task(i); }).join();
  };
  lines_alone = true;
  for (const Case& c : {causal_case(), one_head(), dense_case()}) {
    SCOPED_TRACE(c.describe());
    const Outcomes forward = refuse_every_allocation<float>(
                       c, in_cpp<AttentionForward, float>(execution, kForward)),
                   backward = refuse_every_allocation<float>(
                       c, in_cpp<AttentionBackward, float>(execution, kBackward));
    EXPECT_GT(forward.failed, 0);
    EXPECT_GT(forward.done_without, 0);
    EXPECT_GT(backward.failed, 0);
    EXPECT_GT(backward.done_without, 0);
  }
  lines_alone = false;
}

/// Of every function whose arguments the case has.
template <class T>
void check_c(const Case& c, int threads, std::initializer_list<std::string_view> functions) {
  const Context context(nullptr, threads);
  for (const CFunction& function : kCFunctions) {
    if (std::ranges::find(functions, function.name) == functions.end()) continue;
    SCOPED_TRACE(std::string(function.name) + ", threads " + std::to_string(threads) + ", " + c.describe());
    const Outcomes outcomes = refuse_every_allocation<T>(c, [&](GoodCall<T>& good) {
      const auto status = function.run(context.get(), &good.call, good.in.position.data());
      if (status == COSFORMER_OK) return Outcome::done;
      const bool named = std::string_view(cosformer_message(context.get())) == "out of memory";
      return status == COSFORMER_OUT_OF_MEMORY && named ? Outcome::out_of_memory : Outcome::something_else;
    });
    EXPECT_GT(outcomes.failed, 0);
  }
}

TEST(OutOfMemory, IsAStatusInC) {
  for (int threads = kFewestThreads; threads <= 2; ++threads) {
    check_c<float>(causal_case(), threads, {"forward", "backward", "state", "state_backward"});
    check_c<float>(dense_case(), threads, {"forward", "backward"});
    check_c<float>(one_head(), threads, {"forward", "backward", "read", "read_backward"});
    check_c<float>(one_token(), threads, {"step"});
  }
}

TEST(OutOfMemory, OfTheReferenceToo) {
  check_c<double>(small_case(), 1, {"forward", "backward", "state", "state_backward"});
  Case whole = small_case();
  whole.padding = Padding::none;
  check_c<double>(whole, 1, {"read", "read_backward"});
  check_c<double>(one_token(), 1, {"step"});
}

TEST(OutOfMemory, OfAMessageLeavesAStatus) {
  const Context context(nullptr, 1);
  GoodCall<float> good;
  good.call.H = 5;
  for (int64_t count = 0;; ++count) {
    cosformer_status status = COSFORMER_OK;
    const int64_t refusals =
        with_served(count, [&] { status = cosformer_attention_forward(context.get(), &good.call); });
    EXPECT_TRUE(status == COSFORMER_OUT_OF_MEMORY || status == COSFORMER_BAD_ARGUMENT) << count;
    if (refusals == 0) break;
  }
  EXPECT_EQ(context.message(), "attention: H must be a multiple of G = 2, got H = 5");
}

}  // namespace
}  // namespace cosformer::test
