// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-plan-buffers: lifetimes of step buffers, best-fit offsets, peak.

#include "dialects/kern/Transforms/Passes.h"

using namespace mlir;

namespace dsv4::kern {

#define GEN_PASS_DEF_PLANBUFFERSPASS
#include "dialects/kern/Transforms/Passes.h.inc"

namespace {

/// One buffer while it is being placed.
struct Placed {
  BufferOp op;
  Affine bytes;
  Affine offset;
  size_t index = 0;
  int64_t first = INT64_MAX; // phase numbers, inclusive
  int64_t last = -1;

  bool meets(const Placed &O, int64_t Linger) const {
    return first <= O.last + Linger && O.first <= last + Linger;
  }
  Affine end() const { return offset + bytes; }
};

struct PlanBuffersPass : impl::PlanBuffersPassBase<PlanBuffersPass> {
  using Base::Base;

  void runOnOperation() override {
    ProgramOp Program = getOperation();
    MaxBlocks = Program.getMaxBlocks();
    SmallVector<Placed> Buffers = collect(Program);
    // Fixed sizes first, then the largest at the longest context, then in
    // declaration order.
    auto getKey = [&](const Placed &P) {
      return std::make_tuple(P.bytes.perBlock != 0, -P.bytes.at(MaxBlocks),
                             P.index);
    };
    llvm::sort(Buffers, [&](const Placed &A, const Placed &B) {
      return getKey(A) < getKey(B);
    });
    for (size_t I = 0; I < Buffers.size(); ++I) {
      Buffers[I].offset =
          findOffset(Buffers[I], ArrayRef(Buffers).take_front(I));
      annotate(Buffers[I]);
      ++numBuffers;
    }
    Affine Peak = getPeak(Buffers);
    Program.setBufferBytesAttr(AffineAttr::get(&getContext(), Peak));
  }

  int64_t MaxBlocks = 1;

  /// Buffers with sizes and lifetimes, in declaration order; a buffer that no
  /// phase uses is erased.
  SmallVector<Placed> collect(ProgramOp Program) {
    DenseMap<Operation *, int64_t> Number;
    for (auto Phase : Program.getOps<KernPhaseOpInterface>())
      Number.try_emplace(Phase, Number.size());
    // The logits outlive the last phase.
    Number.try_emplace(Program.getReturn(), Number.size());
    SmallVector<Placed> Buffers;
    for (BufferOp Op : llvm::make_early_inc_range(Program.getOps<BufferOp>())) {
      if (Op->use_empty()) {
        Op->erase();
        ++numErased;
        continue;
      }
      Placed P{Op, Program.getBufferBytes(Op.getHandle().getType()), {}};
      for (Operation *User : Op->getUsers()) {
        P.first = std::min(P.first, Number.lookup(User));
        P.last = std::max(P.last, Number.lookup(User));
      }
      P.index = Buffers.size();
      Buffers.push_back(P);
    }
    return Buffers;
  }

  bool isBelow(Affine A, Affine B) const {
    return leEverywhere(A, B, 1, MaxBlocks);
  }

  /// The smallest affine arena for one block and for the longest context. The
  /// ends of the buffers form a convex function of the context, so the chord
  /// between its two ends covers it everywhere in between.
  Affine getPeak(ArrayRef<Placed> Buffers) const {
    int64_t AtOne = 0, AtMax = 0;
    for (const Placed &P : Buffers) {
      AtOne = std::max(AtOne, P.end().at(1));
      AtMax = std::max(AtMax, P.end().at(MaxBlocks));
    }
    if (MaxBlocks == 1)
      return {AtOne, 0};
    int64_t Slope =
        roundUp(ceilDiv(AtMax - AtOne, MaxBlocks - 1), PlanAlignment);
    return {std::max<int64_t>(AtOne - Slope, 0), Slope};
  }

  /// Lowest-waste place among: the start of the arena, and right behind every
  /// buffer that is alive at the same time. Waste is the room that would stay
  /// free above the buffer up to the next live one.
  Affine findOffset(const Placed &New, ArrayRef<Placed> Old) const {
    SmallVector<const Placed *> Live;
    for (const Placed &P : Old)
      if (P.meets(New, linger))
        Live.push_back(&P);
    SmallVector<Affine> Candidates = {Affine{}};
    for (const Placed *P : Live)
      Candidates.push_back(P->end());
    Affine Best;
    int64_t BestWaste = INT64_MAX;
    bool Found = false;
    for (Affine At : Candidates) {
      std::optional<int64_t> Waste = getWaste(At, New.bytes, Live);
      if (!Waste)
        continue;
      auto Key = std::make_pair(*Waste, At.at(MaxBlocks));
      if (!Found || Key < std::make_pair(BestWaste, Best.at(MaxBlocks))) {
        Best = At;
        BestWaste = *Waste;
        Found = true;
      }
    }
    return Found ? Best : getEndOfAll(Live);
  }

  /// Free bytes between a candidate's end and the next live buffer, at the
  /// longest context; none if it overlaps one at some context.
  std::optional<int64_t> getWaste(Affine At, Affine Bytes,
                                  ArrayRef<const Placed *> Live) const {
    int64_t Waste = INT64_MAX;
    for (const Placed *P : Live) {
      if (isBelow(P->end(), At))
        continue;
      if (!isBelow(At + Bytes, P->offset))
        return std::nullopt;
      Waste =
          std::min(Waste, P->offset.at(MaxBlocks) - (At + Bytes).at(MaxBlocks));
    }
    return Waste;
  }

  /// Above everything alive, at every context.
  Affine getEndOfAll(ArrayRef<const Placed *> Live) const {
    Affine End;
    for (const Placed *P : Live)
      End = {std::max(End.fixed, P->end().fixed),
             std::max(End.perBlock, P->end().perBlock)};
    return End;
  }

  void annotate(Placed &P) {
    P.op.setOffsetAttr(AffineAttr::get(&getContext(), P.offset));
    P.op.setBytesAttr(AffineAttr::get(&getContext(), P.bytes));
    P.op.setLifetime(ArrayRef<int64_t>{P.first, P.last});
  }
};

} // namespace
} // namespace dsv4::kern
