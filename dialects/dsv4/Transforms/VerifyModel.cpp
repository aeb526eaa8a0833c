// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-verify-model: see Passes.td for the constraints V1 to V5.

#include "dialects/dsv4/Transforms/Passes.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace dsv4::graph {

#define GEN_PASS_DEF_VERIFYMODELPASS
#include "dialects/dsv4/Transforms/Passes.h.inc"

namespace {

struct VerifyModelPass : impl::VerifyModelPassBase<VerifyModelPass> {
  void runOnOperation() override {
    if (failed(checkNames()) || failed(checkLogits()) ||
        failed(checkSublayers()) || failed(checkCompressors()) ||
        failed(checkStates()))
      signalPassFailure();
  }

  /// V1.
  LogicalResult checkNames() {
    llvm::StringSet<> Seen;
    for (Operation &Op : getOperation().getBody().front()) {
      StringRef Name;
      if (auto Weight = dyn_cast<WeightOp>(Op))
        Name = Weight.getTensor();
      else if (auto State = dyn_cast<StateOp>(Op))
        Name = State.getName();
      if (!Name.empty() && !Seen.insert(Name).second)
        return Op.emitOpError("V1: expected ") << Name << " once";
    }
    return success();
  }

  /// A number of the config, or nothing where a hand-written model has none.
  std::optional<int64_t> number(StringRef Name) {
    auto Attr = getOperation().getConfig().getAs<IntegerAttr>(Name);
    return Attr ? std::optional(Attr.getInt()) : std::nullopt;
  }

  /// V2.
  LogicalResult checkLogits() {
    auto Return = cast<ReturnOp>(getOperation().getBody().front().back());
    int64_t Found =
        cast<RankedTensorType>(Return.getLogits().getType()).getShape().back();
    auto Want = number("vocab_size");
    if (Want && *Want != Found)
      return Return.emitOpError("V2: expected ")
             << *Want << " logits, got " << Found;
    return success();
  }

  /// V3.
  LogicalResult checkSublayers() {
    auto Layers = number("num_hidden_layers");
    auto Posts = getOperation().getOps<HcPostOp>();
    int64_t Found = std::distance(Posts.begin(), Posts.end());
    if (Layers && Found != 2 * *Layers)
      return getOperation().emitOpError("V3: expected ")
             << 2 * *Layers << " hc_post for " << *Layers << " layers, got "
             << Found;
    return success();
  }

  /// V4: layer by layer, the compressors' entries in order.
  LogicalResult checkCompressors() {
    auto Ratios =
        getOperation().getConfig().getAs<DenseI64ArrayAttr>("compress_ratios");
    if (!Ratios)
      return success();
    SmallVector<int64_t> Found;
    for (auto Op : getOperation().getOps<CompressOp>())
      if (Op.getEntries().getType().getKind() == StateKind::Entries)
        Found.push_back(Op.getEntries().getType().getExtent());
    size_t Next = 0;
    for (auto [Layer, Ratio] : llvm::enumerate(Ratios.asArrayRef())) {
      if (Ratio == 0)
        continue;
      if (Next == Found.size() || Found[Next] != Ratio)
        return getOperation().emitOpError("V4: expected layer ")
               << Layer << " to compress by " << Ratio << ", got "
               << (Next < Found.size() ? Found[Next] : 0);
      ++Next;
    }
    return success();
  }

  /// V5: a compressor's carry is read and written by its one op.
  LogicalResult checkStates() {
    for (auto State : getOperation().getOps<StateOp>()) {
      bool Written = false, Read = false;
      for (Operation *User : State.getResult().getUsers()) {
        Written |= isa<StoreWindowOp, CompressOp>(User);
        Read |= isa<SparseAttentionOp, IndexScoreOp>(User);
      }
      if (!Written ||
          !(Read || State.getResult().getType().getKind() == StateKind::Carry))
        return State.emitOpError("V5: expected ")
               << State.getName() << " to be written and read";
    }
    return success();
  }
};

} // namespace
} // namespace dsv4::graph
