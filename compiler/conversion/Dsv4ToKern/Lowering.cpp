// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Book-keeping of the lowering: buffers, weights, names, quantised copies, and
// the walk over the graph.

#include "compiler/conversion/Dsv4ToKern/Lowering.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace dsv4;

Lowering::Lowering(graph::ModelOp Model, kern::ProgramOp Program)
    : Model(Model), Program(Program), Decl(Program.getContext()),
      Phase(Program.getContext()) {
  Block &Body = Program.getBody().front();
  Phase.setInsertionPointToEnd(&Body);
  BF16 = Decl.getBF16Type();
  F32 = Decl.getF32Type();
  I32 = Decl.getI32Type();
  // Declarations go before the fence, phases behind it; run() removes it.
  Decl.setInsertionPointToStart(&Body);
  Fence = kern::BufferOp::create(
      Decl, Program.getLoc(), kern::BufferType::get(kern::Per::Program, 1, I32),
      Decl.getStringAttr("fence"), kern::AffineAttr(), kern::AffineAttr(),
      DenseI64ArrayAttr());
  Decl.setInsertionPoint(Fence);
}

LogicalResult Lowering::run() {
  for (Operation &Op : Model.getBody().front()) {
    LogicalResult Result =
        TypeSwitch<Operation *, LogicalResult>(&Op)
            .Case<graph::WeightOp, graph::StateOp, graph::EmbedOp,
                  graph::ExpandStreamsOp, graph::RmsNormOp, graph::QuantizeOp,
                  graph::LinearOp, graph::StackedLinearOp,
                  graph::GroupedLinearOp, graph::ReturnOp, graph::HcEntryOp,
                  graph::HcBoundaryOp, graph::HcExitOp, graph::QueryHeadsOp,
                  graph::StoreKvOp, graph::CompressOp, graph::IndexQueryOp,
                  graph::IndexSelectOp, graph::AttentionOp, graph::MoeOp>(
                [&](auto Op) { return lower(Op); })
            .Default([](Operation *Op) {
              return Op->emitOpError("is outside the fused subset: run the "
                                     "fusion passes before lowering");
            });
    if (failed(Result))
      return failure();
  }
  Fence->erase();
  return success();
}

int64_t Lowering::getValuesPerToken(Value Tensor) {
  int64_t Values = 1;
  for (int64_t Dim :
       cast<RankedTensorType>(Tensor.getType()).getShape().drop_front())
    Values *= Dim;
  return Values;
}

Value Lowering::makeBuffer(StringRef Name, kern::Per Per, kern::Affine Width,
                           Type Element) {
  auto Type = kern::BufferType::get(Decl.getContext(), Per, Width.fixed,
                                    Width.perBlock, Element);
  return kern::BufferOp::create(Decl, Program.getLoc(), Type, getName(Name),
                                kern::AffineAttr(), kern::AffineAttr(),
                                DenseI64ArrayAttr())
      .getHandle();
}

Value Lowering::makeBuffer(Value Tensor, StringRef Name) {
  Type Element = cast<RankedTensorType>(Tensor.getType()).getElementType();
  // A weight's name stands for the product with it.
  bool IsFullName = Name.starts_with("layers.");
  if (IsFullName && Name.starts_with(Scope + "."))
    Name = Name.drop_front(Scope.size() + 1);
  return Buffers[Tensor] = makeBuffer(Name, kern::Per::Token,
                                      {getValuesPerToken(Tensor)}, Element);
}

Value Lowering::getBuffer(Value Tensor) const {
  Value Buffer = Buffers.lookup(Tensor);
  assert(Buffer && "a value is lowered before its users");
  return Buffer;
}

StringRef Lowering::getTensorName(Value Weight) {
  StringRef Name = cast<graph::WeightOp>(Weight.getDefiningOp()).getTensor();
  Name.consume_back(".weight");
  return Name;
}

Value Lowering::getWeight(Value Weight) {
  Value &Handle = Weights[Weight];
  if (!Handle) {
    auto Op = cast<graph::WeightOp>(Weight.getDefiningOp());
    Handle = kern::WeightOp::create(Decl, Op.getLoc(), Weight.getType(),
                                    Op.getTensorAttr(), Op.getScaleAttr(),
                                    kern::PackingAttr(), IntegerAttr(),
                                    IntegerAttr(), IntegerAttr())
                 .getHandle();
  }
  return Handle;
}

Value Lowering::getQuantized(Value Tensor, Location Loc) {
  Value &Copy = Quantized[Tensor];
  if (Copy)
    return Copy;
  Value X = getBuffer(Tensor);
  auto Type = cast<kern::BufferType>(X.getType());
  Value Xq = makeBuffer("quantized", Type.getPer(), Type.getWidth(), BF16);
  kern::QuantizeOp::create(Phase, Loc, getName("quantize"), X, Xq, NoScratch,
                           NoSchedule);
  return Quantized[Tensor] = Xq;
}

/// How an operand of a graph op wants its value.
static bool usesQuantized(OpOperand &Use) {
  Operation *User = Use.getOwner();
  if (isa<graph::QuantizeOp>(User))
    return true;
  if (auto Stack = dyn_cast<graph::StackedLinearOp>(User))
    return llvm::is_contained(Stack.getQuantized(), true);
  if (auto Moe = dyn_cast<graph::MoeOp>(User))
    return isQuantizedFormat(
        cast<qfmt::WeightType>(Moe.getSharedW1().getType()));
  return false;
}

static bool usesPlain(OpOperand &Use) {
  Operation *User = Use.getOwner();
  if (isa<graph::QuantizeOp>(User))
    return false;
  if (auto Stack = dyn_cast<graph::StackedLinearOp>(User))
    return llvm::is_contained(Stack.getQuantized(), false);
  return true;
}

bool Lowering::wantsQuantized(Value Tensor) {
  return llvm::any_of(Tensor.getUses(), usesQuantized);
}

bool Lowering::wantsPlain(Value Tensor) {
  return llvm::any_of(Tensor.getUses(), usesPlain);
}

StringAttr Lowering::getName(StringRef Name) const {
  return StringAttr::get(Decl.getContext(), Scope + "." + Name);
}

void Lowering::enterScope(Value Weight) {
  // layers.N.attn.x, layers.N.attn_norm -> layers.N.attn; other names are
  // their own scope.
  StringRef Name = getTensorName(Weight);
  SmallVector<StringRef> Parts;
  Name.split(Parts, '.');
  if (Parts.size() >= 3 && Parts[0] == "layers") {
    StringRef Part = Parts[2];
    Part.consume_back("_norm");
    Part.consume_front("hc_");
    Scope = ("layers." + Parts[1] + "." + Part).str();
  } else {
    Scope = Name.str();
  }
}
