// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compressor (model.md 3.6): pools a finished block of tokens into one
// stored row, and carries the inputs that later steps need.

#include "targets/cpu/Packing.h"
#include "targets/cpu/kernels/KvRows.h"
#include "targets/cpu/kernels/Phases.h"
#include "targets/cpu/kernels/RowOps.h"

#include <limits>

namespace dsv4::cpu {

namespace {

constexpr int64_t Lanes = KernelBuilder::Lanes;

/// Sizes of one compress phase. Slots are the tokens that an entry pools.
struct Pool {
  int64_t Ratio, D, W, Slots, CarrySlots;
  explicit Pool(kern::CompressOp Op) {
    Ratio = Op.getRatio();
    D = Op.getRowWidth();
    W = Op.isOverlapping() ? 2 * D : D;
    Slots = Op.isOverlapping() ? 2 * Ratio : Ratio;
    CarrySlots =
        llvm::cast<kern::StateType>(Op.getCarry().getType()).getExtent();
  }
};

/// Where the u and g of one slot lie: in this step's rows or in the carry.
struct SlotAddress {
  Val U, G;
};

/// Slot s of the entry that token row `Token` at `Position` finishes.
SlotAddress slotAddress(KernelBuilder &K, const Pool &P, Val Token,
                        Val Position, Val Slot) {
  Val First = K.firstRow(Token), Start = K.position(First);
  Val At = Position - (P.Slots - 1) + Slot;
  // The A half of the block before, the B half of this block.
  Val Half =
      P.W == P.D ? K.c64(0) : select(Slot < P.Ratio, K.c64(0), K.c64(P.D * 4));
  Val Here = (First + At - Start) * (P.W * 4) + Half;
  Val Kept = (At % P.CarrySlots) * (P.W * 8) + Half;
  Val Now = At >= Start;
  Val Carry = K.stateOf(4, Token) + Kept;
  return {select(Now, K.operand(0) + Here, Carry),
          select(Now, K.operand(1) + Here, Carry + P.W * 4)};
}

/// Softmax-weighted sum of 16 channels over the slots [From, Slots) (R5).
Val poolChannels(KernelBuilder &K, const Pool &P, Val Addresses, Val Exps,
                 Val Ape, Val From, Val Channel) {
  auto Role = K.touching("slots");
  Val To = K.c64(P.Slots);
  auto Gate = [&](Val S) {
    Val G = K.load(K.ptr(), Addresses + S * 16 + 8);
    Val Half =
        P.W == P.D ? K.c64(0) : select(S < P.Ratio, K.c64(0), K.c64(P.D * 4));
    return K.loadVF(G + Channel * 64) +
           K.loadVF(Ape + (S % P.Ratio) * (P.W * 4) + Half + Channel * 64);
  };
  Val Lowest = K.vf(-std::numeric_limits<float>::infinity());
  Val M = K.forRange(From, To, 1, {Lowest}, [&](Val S, llvm::ArrayRef<Val> It) {
    return Vals{max(It[0], Gate(S))};
  })[0];
  Val Total =
      K.forRange(From, To, 1, {K.vf(0)}, [&](Val S, llvm::ArrayRef<Val> It) {
        Val E = K.exp(Gate(S) - M);
        K.store(E, Exps + S * 64);
        return Vals{It[0] + E};
      })[0];
  return K.forRange(From, To, 1, {K.vf(0)}, [&](Val S, llvm::ArrayRef<Val> It) {
    Val U = K.load(K.ptr(), Addresses + S * 16);
    Val W = K.loadVF(Exps + S * 64) / Total;
    return Vals{fma(K.loadVF(U + Channel * 64), W, It[0])};
  })[0];
}

/// ORs the words of each 8 lanes into every one of them.
Val gatherWords(KernelBuilder &K, Val Words) {
  for (int64_t Step = 1; Step < 8; Step *= 2) {
    llvm::SmallVector<int64_t> Partner;
    for (int64_t L = 0; L < Lanes; ++L)
      Partner.push_back(L ^ Step);
    Words = Words | K.shuffle(Words, Words, Partner);
  }
  return Words;
}

/// Packs N BF16 elements into lane `Entry % 16` of its FP4 tile (Packing.h).
void packIndexRow(KernelBuilder &K, Val Src, Val Rows, Val Entry, int64_t N) {
  auto Role = K.touching("index row");
  int64_t TileBytes = tileBytes(TileFormat::Fp4, N), Span = std::min(N, BlockK);
  int64_t SpanBytes = tileBytes(TileFormat::Fp4, Span);
  Val Tile = Rows + (Entry / TileRows) * TileBytes, Lane = Entry % TileRows;
  llvm::SmallVector<int32_t> Shift;
  for (int32_t I = 0; I < Lanes; ++I) // element 2n in nibble n, 2n+1 in n + 4
    Shift.push_back(I % 8 / 2 * 4 + I % 2 * 16);
  for (int64_t Group = 0; Group < N; Group += GroupK) {
    Val Byte = blockScaleE2M1(K, Src + Group * 2, GroupK);
    Val Inverse = K.splat(inverseScale(K, Byte));
    Val Block = Tile + Group / Span * SpanBytes;
    for (int64_t I = Group; I < Group + GroupK; I += Lanes) {
      Val Q = quantizeE2M1(K, K.loadBf16(Src + I * 2, Lanes), Inverse);
      Val Words = gatherWords(K, K.encodeE2m1(Q) << K.lanes(Shift));
      for (int64_t Line = 0; Line < 2; ++Line)
        K.store(K.lane(Words, Line * 8),
                Block + Lane * 4 + (I % Span / 8 + Line) * LineBytes);
    }
    int64_t Scales = Span * 8 + Group % Span / GroupK * TileRows;
    K.store(K.trunc(Byte, K.i8()), Block + Lane + Scales);
  }
}

} // namespace

void emitCompress(KernelBuilder &K, kern::CompressOp Op) {
  Pool P(Op);
  llvm::ArrayRef<float> Freqs = Op.getFreqs();
  int64_t R = 2 * Freqs.size();
  auto Entries = llvm::cast<kern::StateType>(Op.getEntries().getType());
  Val Row = stackBuffer(K, P.D * 2), Tab = stackBuffer(K, R * 4);
  Val Addresses = stackBuffer(K, P.Slots * 16);
  Val Exps = stackBuffer(K, P.Slots * 64);
  K.forItems([&](Val Token) {
    Val Position = K.position(Token);
    K.ifThen((Position + 1) % P.Ratio == 0, [&] {
      Val Entry = Position / P.Ratio;
      Val From =
          P.W == P.D ? K.c64(0) : select(Entry == 0, K.c64(P.Ratio), K.c64(0));
      K.forRange(From, K.c64(P.Slots), 1, [&](Val S) {
        SlotAddress A = slotAddress(K, P, Token, Position, S);
        K.store(A.U, Addresses + S * 16);
        K.store(A.G, Addresses + S * 16 + 8);
      });
      K.forRange(K.c64(0), K.c64(P.D / Lanes), 1, [&](Val C) {
        K.storeBf16(Row + C * 32,
                    poolChannels(K, P, Addresses, Exps, K.operand(2), From, C));
      });
      rmsNormRow(K, Row, K.operand(3), Row, P.D, Op.getEps().convertToDouble());
      cosSinRow(K, K.toFloat(Entry * P.Ratio), Freqs, Tab);
      ropeRow(K, Row + (P.D - R) * 2, Tab, R, false);
      Val Rows = K.stateOf(5, Token);
      if (Op.isIndex()) {
        hadamardRow(K, Row, P.D);
        packIndexRow(K, Row, Rows, Entry, P.D);
      } else {
        packKvRow(K, Row, Rows + Entry * Entries.getRowFormat().bytesPerRow(),
                  P.D, R);
      }
    });
  });
}

void emitCarry(KernelBuilder &K, kern::CarryOp Op) {
  auto Role = K.touching("carry");
  auto Carry = llvm::cast<kern::StateType>(Op.getCarry().getType());
  int64_t W = Carry.getWidth(), Slots = Carry.getExtent();
  K.forItems([&](Val Token) {
    Val Position = K.position(Token);
    Val Last = K.position(K.endRow(Token) - 1);
    K.ifThen(Position > Last - Slots, [&] {
      Val Dst = K.stateOf(2, Token) + (Position % Slots) * (W * 8);
      Val U = K.operand(0) + Token * (W * 4),
          G = K.operand(1) + Token * (W * 4);
      K.forRange(K.c64(0), K.c64(W / Lanes), 1, [&](Val I) {
        K.store(K.loadVF(U + I * 64), Dst + I * 64);
        K.store(K.loadVF(G + I * 64), Dst + I * 64 + W * 4);
      });
    });
  });
}

} // namespace dsv4::cpu
