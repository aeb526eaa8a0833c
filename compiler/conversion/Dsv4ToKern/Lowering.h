// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// State of one translation from dsv4.model to kern.program: which buffer holds
// a value, which weights, states and rotary tables are declared. One method per
// graph op, in one file per family.

#ifndef DSV4_COMPILER_CONVERSION_DSV4TOKERN_LOWERING_H
#define DSV4_COMPILER_CONVERSION_DSV4TOKERN_LOWERING_H

#include "dialects/dsv4/IR/Dsv4.h"
#include "dialects/kern/IR/KernOps.h"
#include "llvm/ADT/MapVector.h"

namespace dsv4 {

class Lowering {
public:
  Lowering(graph::ModelOp Model, kern::ProgramOp Program);

  /// Translates all ops; fails with a diagnostic on one outside the subset.
  mlir::LogicalResult run();

private:
  using Value = mlir::Value;

  // LowerModel.cpp: embedding, norm, quantisation, linear, return.
  mlir::LogicalResult lower(graph::WeightOp Op);
  mlir::LogicalResult lower(graph::StateOp Op);
  mlir::LogicalResult lower(graph::EmbedOp Op);
  mlir::LogicalResult lower(graph::ExpandStreamsOp Op);
  mlir::LogicalResult lower(graph::RmsNormOp Op);
  mlir::LogicalResult lower(graph::QuantizeOp Op);
  mlir::LogicalResult lower(graph::LinearOp Op);
  mlir::LogicalResult lower(graph::StackedLinearOp Op);
  mlir::LogicalResult lower(graph::GroupedLinearOp Op);
  mlir::LogicalResult lower(graph::ReturnOp Op);
  // LowerHyper.cpp
  mlir::LogicalResult lower(graph::HcEntryOp Op);
  mlir::LogicalResult lower(graph::HcBoundaryOp Op);
  mlir::LogicalResult lower(graph::HcExitOp Op);
  // LowerAttention.cpp
  mlir::LogicalResult lower(graph::QueryHeadsOp Op);
  mlir::LogicalResult lower(graph::StoreKvOp Op);
  mlir::LogicalResult lower(graph::CompressOp Op);
  mlir::LogicalResult lower(graph::IndexQueryOp Op);
  mlir::LogicalResult lower(graph::IndexSelectOp Op);
  mlir::LogicalResult lower(graph::AttentionOp Op);
  // LowerMoe.cpp
  mlir::LogicalResult lower(graph::MoeOp Op);
  struct Routing {
    Value weights, lists;
  };
  Routing emitRouting(graph::MoeOp Op, Value Logits);

  /// One product of a linear phase.
  struct Job {
    Value x, w, y;
    int64_t groups = 1;
  };
  void emitLinear(mlir::Location Loc, llvm::StringRef Name, kern::RowsOf Rows,
                  llvm::ArrayRef<Job> Jobs);
  /// Streams, partials and the phases that make post, comb, x (and xq) of the
  /// sublayer that begins.
  template <typename OpT>
  void emitHcPre(OpT Op, Value Streams, Value Partials, Value Post, Value Comb,
                 Value X);
  /// hc_mix; answers the partials.
  Value emitHcMix(mlir::Operation *Op, Value StreamsIn, Value Out, Value Post,
                  Value Comb, Value Fn, Value StreamsOut);

  /// A new buffer, declared as "<scope>.<Name>".
  Value makeBuffer(llvm::StringRef Name, kern::Per Per, kern::Affine Width,
                   mlir::Type Element);
  /// The buffer of a graph value, made on first demand: token rows of all the
  /// values per token.
  Value makeBuffer(Value Tensor, llvm::StringRef Name);
  Value getBuffer(Value Tensor) const;
  /// Declares a weight on first use, and answers its handle.
  Value getWeight(Value Weight);
  Value getState(Value State) { return States.lookup(State); }
  /// The rotary table of these parameters; its phase is emitted on first use.
  Value getRopeTable(graph::RopeAttr Rope, mlir::Location Loc);
  /// The quantised copy of a value; emits a quantize phase if no phase wrote
  /// one.
  Value getQuantized(Value Tensor, mlir::Location Loc);
  /// Whether some user of the value wants it quantised / plain.
  static bool wantsQuantized(Value Tensor);
  static bool wantsPlain(Value Tensor);

  /// "layers.3.attn.<Name>"; the scope follows the weights that ops use.
  mlir::StringAttr getName(llvm::StringRef Name) const;
  void enterScope(Value Weight);
  static llvm::StringRef getTensorName(Value Weight);
  static int64_t getValuesPerToken(Value Tensor);

  graph::ModelOp Model;
  kern::ProgramOp Program;
  mlir::Operation *Fence = nullptr;
  mlir::OpBuilder Decl;  // declarations, before all phases
  mlir::OpBuilder Phase; // at the end
  mlir::Type BF16, F32, I32;
  std::string Scope = "model";
  llvm::DenseMap<Value, Value> Buffers;
  llvm::DenseMap<Value, Value> Quantized;
  llvm::DenseMap<Value, Value> Weights;
  llvm::DenseMap<Value, Value> States;
  llvm::MapVector<mlir::Attribute, Value> RopeTables;
};

/// Set by later passes and backends.
inline const kern::AffineAttr NoScratch;
inline const kern::ScheduleAttr NoSchedule;

/// Whether a linear with this weight takes a quantised input (model.md 3.3).
inline bool isQuantizedFormat(qfmt::WeightType Type) {
  return Type.getFormat() == qfmt::Format::FP8 ||
         Type.getFormat() == qfmt::Format::FP4;
}

} // namespace dsv4

#endif // DSV4_COMPILER_CONVERSION_DSV4TOKERN_LOWERING_H
