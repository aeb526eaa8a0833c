// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See AssignPacking.h.

#include "targets/cuda/lower/AssignPacking.h"

#include "dialects/kern/IR/KernPacking.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace dsv4::cuda {

bool isProductWeight(kern::WeightOp weight) {
  return llvm::any_of(weight.getHandle().getUsers(), [](Operation *user) {
    return isa<kern::LinearOp, kern::ExpertLinearOp>(user);
  });
}

llvm::Expected<MatrixLayout> layoutOf(qfmt::WeightType type) {
  ArrayRef<int64_t> shape = type.getShape();
  if (shape.size() < 2)
    return llvm::createStringError("expected a matrix, found a vector");
  TileFormat format;
  switch (type.getFormat()) {
  case qfmt::Format::FP4:
    format = TileFormat::Fp4;
    break;
  case qfmt::Format::FP8:
    format = TileFormat::Fp8;
    break;
  case qfmt::Format::BF16:
    format = TileFormat::Bf16;
    break;
  default:
    return llvm::createStringError("expected fp4, fp8 or bf16");
  }
  return MatrixLayout::get(format, shape[shape.size() - 2], shape.back());
}

int64_t matricesOf(qfmt::WeightType type) {
  return type.getShape().size() == 3 ? type.getShape()[0] : 1;
}

llvm::Expected<int64_t> matrixStride(kern::WeightOp weight) {
  auto layout = layoutOf(cast<qfmt::WeightType>(weight.getHandle().getType()));
  if (!layout)
    return layout.takeError();
  int64_t escapes = weight.getEscapes() ? int64_t(*weight.getEscapes()) : 0;
  if (escapes < 0 || escapes > layout->tiles())
    return llvm::createStringError("expected 0 to " + Twine(layout->tiles()) +
                                   " escapes, found " + Twine(escapes));
  return kern::roundUp(layout->packedBytes(escapes), WeightAlignment);
}

namespace {

struct AssignPackingPass
    : PassWrapper<AssignPackingPass, OperationPass<kern::ProgramOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(AssignPackingPass)

  StringRef getArgument() const override { return "cuda-assign-packing"; }
  StringRef getDescription() const override {
    return "place weights in the layout of the CUDA target";
  }

  void runOnOperation() override {
    kern::ProgramOp program = getOperation();
    int64_t end = 0;
    for (kern::WeightOp weight : program.getOps<kern::WeightOp>()) {
      if (weight.getHandle().use_empty()) {
        weight.emitOpError("no phase reads ") << weight.getTensor();
        return signalPassFailure();
      }
      FailureOr<int64_t> bytes = place(weight);
      if (failed(bytes))
        return signalPassFailure();
      weight.setOffset(end);
      weight.setBytes(*bytes);
      end = kern::roundUp(end + *bytes, WeightAlignment);
    }
    program.setWeightBytes(end);
  }

  FailureOr<int64_t> place(kern::WeightOp weight) {
    auto type = cast<qfmt::WeightType>(weight.getHandle().getType());
    auto set = [&](kern::Layout layout) {
      weight.setPackingAttr(kern::PackingAttr::get(&getContext(), layout));
    };
    if (!isProductWeight(weight)) {
      if (!kern::canPack(type, kern::Layout::Raw))
        return weight.emitOpError("layout raw cannot hold ")
               << type << " of " << weight.getTensor();
      set(kern::Layout::Raw);
      return kern::getPackedBytes(type, kern::Layout::Raw);
    }
    llvm::Expected<int64_t> stride = matrixStride(weight);
    if (!stride)
      return weight.emitOpError("tile64 cannot hold ")
             << weight.getTensor() << ": "
             << llvm::toString(stride.takeError());
    set(kern::Layout::Tile64);
    return *stride * matricesOf(type);
  }
};

} // namespace

void registerAssignPackingPass() { PassRegistration<AssignPackingPass>(); }

} // namespace dsv4::cuda
