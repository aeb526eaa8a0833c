// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reference interpreter of the dsv4 dialect: one obvious function per op,
// on the scalar functions of runtime/numerics, so that its bits are those of
// the generated kernels. Unfused and fused ops both; a fused op calls the
// functions of its parts. It keeps one sequence's state between steps.

#ifndef DSV4_COMPILER_REFERENCE_INTERPRETER_H
#define DSV4_COMPILER_REFERENCE_INTERPRETER_H

#include "compiler/import/Checkpoint.h"
#include "dialects/dsv4/IR/Dsv4.h"
#include "runtime/numerics/dot.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace dsv4::reference {

/// A tensor [T, ...]: floats (BF16 values lie on the BF16 grid) or ids.
struct Value {
  std::vector<int64_t> Shape;
  std::vector<float> F;
  std::vector<int32_t> I;

  int64_t rows() const { return Shape[0]; }
  /// Elements per row.
  int64_t width() const {
    int64_t W = 1;
    for (size_t D = 1; D < Shape.size(); ++D)
      W *= Shape[D];
    return W;
  }
  float *row(int64_t T) { return F.data() + T * width(); }
  const float *row(int64_t T) const { return F.data() + T * width(); }
};

/// A decoded weight [N, K] (or a vector): element values, and one scale per 32
/// of K for FP8 and FP4.
struct Weight {
  int64_t N = 1, K = 0;
  std::vector<float> Values, Scales;
  const float *row(int64_t I) const { return Values.data() + I * K; }
  const float *scales(int64_t I) const {
    return Scales.empty() ? nullptr : Scales.data() + I * (K / 32);
  }
};

/// What a sequence keeps, by name of the state; rows by position or entry.
/// Nothing is dropped: the interpreter is about being obvious.
struct State {
  std::vector<std::vector<float>> Rows;
  std::vector<std::vector<float>> U, G; // carry
};

/// Called for every result that has a trace name; may change it.
using Observer = std::function<void(llvm::StringRef Name, Value &V)>;

class Interpreter {
public:
  Interpreter(graph::ModelOp Model, const Checkpoint &Source);

  /// Feeds the next tokens of the sequence; logits [tokens, vocabulary].
  llvm::Expected<Value> run(llvm::ArrayRef<int32_t> Tokens);

  void observe(Observer O) { Observe = std::move(O); }
  /// Of sums in linears; Chain unless set.
  void setDotOrder(num::DotOrder To) { Order = To; }

private:
  friend class OpRunner;
  /// The decoded tensor behind a dsv4.weight; expert E of a stack.
  const Weight &weight(mlir::Value V, int64_t E = 0);
  State &state(mlir::Value V);

  graph::ModelOp Model;
  const Checkpoint &Source;
  Observer Observe;
  num::DotOrder Order = num::DotOrder::Chain;
  std::map<std::string, Weight> Weights;
  std::map<std::string, State> States;
  int64_t Length = 0;
};

/// Body(i) for i in [0, N) on all cores; each with denormals flushed.
void parallelFor(int64_t N, llvm::function_ref<void(int64_t)> Body);

} // namespace dsv4::reference

#endif // DSV4_COMPILER_REFERENCE_INTERPRETER_H
