// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One step of the interpreter: the values computed so far, and a function per
// op.

#ifndef DSV4_COMPILER_REFERENCE_OPRUNNER_H
#define DSV4_COMPILER_REFERENCE_OPRUNNER_H

#include "compiler/reference/Interpreter.h"

namespace dsv4::reference {

class OpRunner {
public:
  OpRunner(Interpreter &In, Value Tokens, Value Positions);

  /// Runs one op; an op that the interpreter does not know is an error.
  llvm::Error run(mlir::Operation &Op);
  Value result(mlir::Value V) { return Values[V]; }

private:
  bool runFused(mlir::Operation &Op);
  const Value &get(mlir::Value V) { return Values[V]; }
  void set(mlir::Value V, Value Result);
  int64_t tokens() const { return Positions.rows(); }
  int64_t position(int64_t T) const { return Positions.I[T]; }

  // RefModelOps.cpp
  Value embed(graph::EmbedOp Op);
  Value expandStreams(graph::ExpandStreamsOp Op);
  Value rmsNorm(const Value &X, const Weight &W, double Eps);
  Value quantize(Value X);
  Value linear(const Value &X, mlir::Value W, mlir::Type Type);
  Value groupedLinear(graph::GroupedLinearOp Op);

  // RefHyperOps.cpp
  struct Mix {
    Value Pre, Post, Comb;
  };
  Value mixRows(const Value &X, mlir::Value Fn, double Eps);
  Mix mix(const Value &X, mlir::Value Fn, mlir::Value Scale, mlir::Value Base,
          int64_t Iterations, double HcEps, double NormEps);
  Value headMix(const Value &X, mlir::Value Fn, mlir::Value Scale,
                mlir::Value Base, double HcEps, double NormEps);
  Value reduce(const Value &X, const Value &Pre);
  Value close(const Value &Out, const Value &X, const Value &Post,
              const Value &Comb);

  // RefAttentionOps.cpp
  Value headNorm(Value X, double Eps);
  Value rope(Value X, graph::RopeAttr Rope, bool Inverse);
  Value quantizeKv(Value X, int64_t RopeDims);
  void storeWindow(const Value &Kv, mlir::Value Window);
  void compress(graph::CompressOp Op);
  Value hadamard(Value X);
  Value quantizeFp4(Value X);
  Value scaleWeights(Value X, double Factor);
  Value indexScore(const Value &Q, const Value &Weights, mlir::Value Entries);
  Value topK(const Value &Scores, int64_t K, int64_t Ratio);
  Value attend(const Value &Q, mlir::Value Sink, mlir::Value Window,
               mlir::Value Entries, const Value *Ids, double Scale);

  // RefMoeOps.cpp
  struct Route {
    Value Ids, Weights;
  };
  Value routerScores(Value X);
  Route route(const Value &Scores, mlir::Value Table, int64_t K, double Scale);
  Value expertLinear(const Value &X, const Value &Ids, mlir::Value W);
  Value swiglu(const Value &Gate, const Value &Up, const Value *Weights,
               double Limit);
  Value expertSum(const Value &Y, const Value &Ids);
  Value addShared(const Value &Routed, const Value &Shared);
  Value moe(graph::MoeOp Op);

  Interpreter &In;
  Value Tokens, Positions;
  llvm::DenseMap<mlir::Value, Value> Values;
};

/// A value like X in shape, zero.
Value likeShape(std::vector<int64_t> Shape);

} // namespace dsv4::reference

#endif // DSV4_COMPILER_REFERENCE_OPRUNNER_H
