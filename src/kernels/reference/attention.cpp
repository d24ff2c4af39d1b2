#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "kernels/reference/definition.h"

namespace cosformer::reference {
namespace {

/// Results in memory of their own until a call is through: one that runs out of memory has written nothing.
class Results {
 public:
  void stage(View<double>& view, const Rows& rows, int64_t B, int64_t length, int64_t heads, int64_t width) {
    if (rows.cu_seqlens) B = 1;
    if (B * length * heads * width == 0) return;
    const View<double> given = view;
    const View<double> own{take(B * length * heads * width), length * heads * width, heads * width, width};
    const auto copy = [=](const View<double>& from, const View<double>& to) {
      const auto row = [](const View<double>& v, int64_t b, int64_t t, int64_t h) {
        return v.data + b * v.batch_stride + t * v.time_stride + h * v.head_stride;
      };
      for (int64_t b = 0; b < B; ++b)
        for (int64_t t = 0; t < length; ++t)
          for (int64_t h = 0; h < heads; ++h) std::copy_n(row(from, b, t, h), width, row(to, b, t, h));
    };
    copy(given, own);
    give_back_.push_back([=] { copy(own, given); });
    view = own;
  }
  void stage(double*& numbers, int64_t count) {
    if (!numbers) return;
    double *given = numbers, *own = take(count);
    std::copy_n(given, count, own);
    give_back_.push_back([=] { std::copy_n(own, count, given); });
    numbers = own;
  }
  // Inputs stay where they are.
  void stage(const View<const double>&, const Rows&, int64_t, int64_t, int64_t, int64_t) {}
  void stage(const double*, int64_t) {}

  void give_back() const {
    for (const auto& one : give_back_) one();
  }

 private:
  double* take(int64_t count) {
    return memory_.emplace_back(std::make_unique<double[]>(static_cast<size_t>(count))).get();
  }

  std::vector<std::unique_ptr<double[]>> memory_;
  std::vector<std::function<void()>> give_back_;
};

template <class Args, class Definition>
void run(const Args& given, const Definition& definition) {
  check(given);
  Args args = given;
  Results results;
  const auto& [B, Tq, Tk, H, G, K, V] = args.shape;
  Rows query_rows, key_rows;
  if constexpr (requires { args.query_rows; }) query_rows = args.query_rows;
  if constexpr (requires { args.key_rows; }) key_rows = args.key_rows;
  if constexpr (requires { args.output; }) results.stage(args.output, query_rows, B, Tq, H, V);
  if constexpr (requires { args.d_query; }) results.stage(args.d_query, query_rows, B, Tq, H, K);
  if constexpr (requires { args.d_key; }) results.stage(args.d_key, key_rows, B, Tk, G, K);
  if constexpr (requires { args.d_value; }) results.stage(args.d_value, key_rows, B, Tk, G, V);
  if constexpr (requires { args.denominator; }) {
    results.stage(args.denominator, (query_rows.cu_seqlens ? 1 : B) * Tq * H);
  }
  const int64_t rows = B * G * args.options.states() * K;
  if constexpr (requires { args.S; }) results.stage(args.S, rows * V);
  if constexpr (requires { args.z; }) results.stage(args.z, rows);
  if constexpr (requires { args.S_out; }) results.stage(args.S_out, rows * V);
  if constexpr (requires { args.z_out; }) results.stage(args.z_out, rows);
  if constexpr (requires { args.dS; }) results.stage(args.dS, rows * V);
  if constexpr (requires { args.dz; }) results.stage(args.dz, rows);
  definition(args);
  results.give_back();
}

}  // namespace

void attention_forward(const AttentionForward<double>& args) {
  run(args, definition::forward<double>);
}
void attention_backward(const AttentionBackward<double>& args) {
  run(args, definition::backward<double>);
}
void attention_step(const AttentionStep<double>& args) {
  run(args, definition::step<double>);
}
void attention_state(const AttentionState<double>& args) {
  run(args, definition::state<double>);
}
void attention_state_backward(const AttentionStateBackward<double>& args) {
  run(args, definition::state_backward<double>);
}
void attention_read(const AttentionRead<double>& args) {
  run(args, definition::read<double>);
}
void attention_read_backward(const AttentionReadBackward<double>& args) {
  run(args, definition::read_backward<double>);
}

}  // namespace cosformer::reference
