#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "ops/call.h"
#include "ops/results.h"

/// An operator's signature, kernels and calls, made from two lists of members of Call: its arguments in the
/// order of the schema, and its results.
namespace cosformer::ops {

/// Members of Call.
template <auto... members>
struct Members {};

template <class A, class B>
struct JoinOf;
template <auto... a, auto... b>
struct JoinOf<Members<a...>, Members<b...>> {
  using type = Members<a..., b...>;
};
template <class A, class B>
using Join = typename JoinOf<A, B>::type;

/// How a member travels through the dispatcher: tensors by reference, others by value.
template <class T>
struct ParameterOf;
template <class T>
struct ParameterOf<T Call::*> {
  static constexpr bool kTensor = std::is_same_v<T, Tensor> || std::is_same_v<T, OptionalTensor>;
  using type = std::conditional_t<kTensor, const T&, T>;
};
template <auto member>
using Parameter = typename ParameterOf<decltype(member)>::type;

template <auto>
using ResultTensor = Tensor;

/// @tparam Name gives full_name() of the operator, short_name() for messages, and complete(Call&), which sets
///              what follows from which operator it is
template <class Name, class Arguments, class Results>
struct Operator;

template <class Name, auto... arguments, auto... results>
struct Operator<Name, Members<arguments...>, Members<results...>> {
  static constexpr bool kOneResult = sizeof...(results) == 1;
  using Result = std::conditional_t<kOneResult, Tensor, std::tuple<ResultTensor<results>...>>;
  using Function = Result(Parameter<arguments>...);

  static std::string name() { return Name::full_name(); }

  /// Calls the operator with the arguments in `call` and puts the results there.
  static void run(Call& call) {
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow(name().c_str(), "").template typed<Function>();
    if constexpr (kOneResult) {
      ((call.*results = op.call(call.*arguments...)), ...);
    } else {
      std::tie(call.*results...) = op.call(call.*arguments...);
    }
  }

  static std::vector<Tensor> results_of(const Call& call) { return {call.*results...}; }
  static void set_results(Call& call, const std::vector<Tensor>& tensors) {
    size_t next = 0;
    ((call.*results = tensors[next++]), ...);
  }

  /// A kernel that leaves everything to `body`, such as one that calls on.
  template <void (*body)(Call&)>
  static Result pass(Parameter<arguments>... values) {
    Call call;
    call.name = Name::short_name();
    ((call.*arguments = values), ...);
    Name::complete(call);
    body(call);
    return Result(std::move(call.*results)...);
  }

  /// A kernel that checks the arguments, makes the results as tensors without values, and lets `body` fill
  /// them.
  template <void (*body)(const Call&, const Shape&)>
  static Result kernel(Parameter<arguments>... values) {
    return pass<check_and_fill<body>>(values...);
  }

 private:
  template <void (*body)(const Call&, const Shape&)>
  static void check_and_fill(Call& call) {
    const Shape shape = check(call);
    ((call.*results = new_result(call, shape, results)), ...);
    body(call, shape);
  }
};

}  // namespace cosformer::ops
