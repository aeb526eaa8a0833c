// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the builders of the graph share: weights by name, tensor types, trace
// names.

#ifndef DSV4_COMPILER_IMPORT_GRAPHWRITER_H
#define DSV4_COMPILER_IMPORT_GRAPHWRITER_H

#include "compiler/import/CheckpointConfig.h"
#include "dialects/dsv4/IR/Dsv4.h"

namespace dsv4 {

class GraphWriter {
public:
  GraphWriter(mlir::OpBuilder &B, const ModelConfig &C, ExpertFormat Experts)
      : B(B), C(C), Experts(Experts), Loc(B.getUnknownLoc()) {}

  /// Writes the body; Tokens and Positions are the model's arguments.
  void writeModel(mlir::Value Tokens, mlir::Value Positions);

private:
  // GraphWriter.cpp
  mlir::Type tensor(llvm::ArrayRef<int64_t> Dims, mlir::Type Element);
  mlir::Type bf16(llvm::ArrayRef<int64_t> Dims);
  mlir::Type f32(llvm::ArrayRef<int64_t> Dims);
  mlir::Type ids(llvm::ArrayRef<int64_t> Dims);
  mlir::FloatAttr real(double Value) { return B.getF32FloatAttr(Value); }
  mlir::IntegerAttr integer(int64_t V) { return B.getI64IntegerAttr(V); }
  /// A weight whose tensor is Name + ".weight" (and ".scale").
  mlir::Value weight(const std::string &Name, llvm::ArrayRef<int64_t> Shape,
                     qfmt::Format Format);
  /// A weight whose tensor is Name itself.
  mlir::Value plain(const std::string &Name, llvm::ArrayRef<int64_t> Shape,
                    qfmt::Format Format);
  mlir::Value state(const std::string &Name, graph::StateKind Kind,
                    int64_t Extent, int64_t Width, qfmt::RowsAttr Rows);
  /// Sets the trace names of an op's results.
  template <class OpT> OpT traced(OpT Op, llvm::ArrayRef<std::string> Names) {
    llvm::SmallVector<llvm::StringRef> Refs(Names.begin(), Names.end());
    Op->setAttr("trace", B.getStrArrayAttr(Refs));
    return Op;
  }
  mlir::Value quantize(mlir::Value X);
  /// A linear of X with one output axis, or heads [H, N].
  mlir::Value linear(mlir::Value X, mlir::Value W, mlir::Type Type);
  mlir::Value rmsNorm(mlir::Value X, const std::string &Name, int64_t Width);
  graph::RopeAttr rope(bool Compressed);

  // GraphLayers.cpp
  void writeSublayer(int64_t Layer, const char *Part);
  mlir::Value writeFeedForward(int64_t Layer, mlir::Value X);
  mlir::Value writeExpert(mlir::Value X, mlir::Value Ids, mlir::Value Weights,
                          const std::string &Prefix);
  void writeHead();

  // GraphAttention.cpp
  mlir::Value writeAttention(int64_t Layer, mlir::Value X);
  mlir::Value writeKv(const std::string &P, mlir::Value X, bool Compressed);
  void writeCompressor(const std::string &P, mlir::Value X, int64_t Ratio,
                       int64_t Size, mlir::Value Entries);
  mlir::Value writeIndexer(const std::string &P, mlir::Value X, mlir::Value Qr);

  mlir::OpBuilder &B;
  const ModelConfig &C;
  ExpertFormat Experts;
  mlir::Location Loc;
  mlir::Value Tokens, Positions, Streams;
};

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_GRAPHWRITER_H
