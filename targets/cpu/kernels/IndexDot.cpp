// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See IndexDot.h. Queries become bytes q + 16 (1 .. 31), keys bytes with sign,
// because the instructions multiply unsigned with signed bytes; what the 16
// adds to a sum depends on the key alone and is what the sums of its tile start
// from.
//
// Room: queries [heads][N] bytes; [heads][N / 32] units; per tile the keys, a
// line of four k per lane; the starts of its groups; their scales in f32.

#include "targets/cpu/kernels/IndexDot.h"

#include "targets/cpu/kernels/IndexUnit.h"

using namespace mlir;

namespace dsv4::cpu {

static constexpr int64_t Lanes = KernelBuilder::Lanes;
static constexpr int64_t Bias = 16; // of the queries' bytes

IndexDot::IndexDot(KernelBuilder &K, int64_t Heads, int64_t N, Val Room)
    : K(K), Heads(Heads), N(N), SlotBytes(N * 16 + N / GroupK * 128),
      HasDot(K.isa() >= IsaLevel::Avx512Bf16) {
  SumType = HasDot ? K.vec(Lanes, K.i32()) : K.vec(2 * Lanes, K.i16());
  Keys = Room;
  Codes = Keys + Tiles * SlotBytes;
  Units = Codes + Heads * N;
}

int64_t IndexDot::roomBytes(int64_t Heads, int64_t N) {
  int64_t Bytes =
      Heads * (N + N / GroupK * 4) + Tiles * (N * 16 + N / GroupK * 128);
  return (Bytes + (LineBytes - 1)) / LineBytes * LineBytes;
}

//===----------------------------------------------------------------------===//
// Instructions
//===----------------------------------------------------------------------===//

/// F of both halves of 64-byte vectors, for intrinsics of 32 bytes.
static Val inHalves(KernelBuilder &K, Type Element, Val A, Val B,
                    llvm::function_ref<Val(Val, Val)> F) {
  int64_t Half = cast<VectorType>(A.type()).getNumElements() / 2;
  auto Part = [&](Val V, int64_t From) {
    SmallVector<int64_t> Mask;
    for (int64_t I = 0; I < Half; ++I)
      Mask.push_back(From + I);
    return K.shuffle(V, V, Mask);
  };
  Val Low = F(Part(A, 0), Part(B, 0)), High = F(Part(A, Half), Part(B, Half));
  SmallVector<int64_t> All;
  for (int64_t I = 0; I < 64 / (Element.getIntOrFloatBitWidth() / 8); ++I)
    All.push_back(I);
  return K.shuffle(Low, High, All);
}

/// The lower and the upper half of each lane, sign-extended.
static std::pair<Val, Val> signedHalves(Val V, int64_t Bits) {
  int64_t Sign = int64_t(1) << (Bits - 1);
  auto Extend = [&](Val Half) { return (Half ^ Sign) - Sign; };
  return {Extend(V & (2 * Sign - 1)), Extend(V >> Bits)};
}

/// Twice the values of E2M1 codes, one per byte, as signed bytes.
Val IndexDot::signedCodes(Val Code) {
  static constexpr int8_t Values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                        0, -1, -2, -3, -4, -6, -8, -12};
  int8_t Table[64];
  for (int64_t I = 0; I < 64; ++I)
    Table[I] = Values[I % 16];
  if (K.isa() >= IsaLevel::Avx512)
    return K.intrinsic("llvm.x86.avx512.pshuf.b.512", Code.type(),
                       {K.lanes8(Table), Code});
  if (K.isa() == IsaLevel::Avx2)
    return inHalves(K, K.i8(), K.lanes8(Table), Code, [&](Val T, Val C) {
      return K.intrinsic("llvm.x86.avx2.pshuf.b", C.type(), {T, C});
    });
  Val M = Code & 7, Zero = Code.like(int64_t(0));
  Val Twice = M;
  for (auto [Of, More] : {std::pair(5, 1), std::pair(6, 2), std::pair(7, 5)})
    Twice = Twice + select(M == Of, Code.like(int64_t(More)), Zero);
  return select((Code & 8) != 0, Zero - Twice, Twice);
}

/// Sums of the products of four neighbouring bytes, two in each half of a lane
/// where there is no instruction for four: at most 16 x 31 x 12 for a group.
Val IndexDot::multiply(Val Sums, Val Q, Val Line) {
  if (HasDot)
    return K.intrinsic("llvm.x86.avx512.vpdpbusd.512", SumType,
                       {Sums, Q, Line});
  if (K.isa() >= IsaLevel::Avx512)
    return Sums +
           K.intrinsic("llvm.x86.avx512.pmaddubs.w.512", SumType, {Q, Line});
  if (K.isa() == IsaLevel::Avx2)
    return Sums + inHalves(K, K.i16(), Q, Line, [&](Val A, Val B) {
             return K.intrinsic("llvm.x86.avx2.pmadd.ub.sw",
                                K.vec(Lanes, K.i16()), {A, B});
           });
  Val Queries = K.bitcast(Q, SumType);
  auto [Even, Odd] = signedHalves(K.bitcast(Line, SumType), 8);
  return Sums + (Queries & 255) * Even + (Queries >> 8) * Odd;
}

/// Sums with one number a lane.
Val IndexDot::widen(Val Sums) {
  if (HasDot)
    return Sums;
  Val Ones = K.constant(SumType, int64_t(1));
  if (K.isa() >= IsaLevel::Avx512)
    return K.intrinsic("llvm.x86.avx512.pmaddw.d.512", K.vec(Lanes, K.i32()),
                       {Sums, Ones});
  if (K.isa() == IsaLevel::Avx2)
    return inHalves(K, K.i32(), Sums, Ones, [&](Val A, Val B) {
      return K.intrinsic("llvm.x86.avx2.pmadd.wd", K.vec(8, K.i32()), {A, B});
    });
  auto [Even, Odd] = signedHalves(K.bitcast(Sums, K.vec(Lanes, K.i32())), 16);
  return Even + Odd;
}

//===----------------------------------------------------------------------===//
// Queries
//===----------------------------------------------------------------------===//

/// One block of 32 BF16 at X: bytes q + 16, and the unit, a float: 1.5 * 2^23 *
/// 2^u. Returns lanes that are nonzero where a value does not fit, and a number
/// that is if the largest is neither 0 nor near 1.
std::pair<Val, Val> IndexDot::prepareBlock(Val X, Val Block) {
  Val In[] = {K.loadBf16(X, Lanes), K.loadBf16(X + 2 * Lanes, Lanes)};
  Val Exponent = K.asInt(K.laneMax(max(abs(In[0]), abs(In[1])))) >> 23;
  // 2^u = 2^(E - 3) / 2, the half from the keys, with E = exponent - 127. It
  // and the inverse of 2^(E - 3) are normal from 5 on, the unit to 235.
  Val E = min(max(Exponent, K.c32(5)), K.c32(235));
  Val Inverse = K.splat(K.asFloat((257 - E) << 23));
  Val Power = K.splat(K.asFloat((E - 3) << 23));
  K.store(((E + 19) << 23) | 0x400000, Units + Block * 4);
  Val Misfit = K.splat(select(Exponent > E, K.c32(1), K.c32(0)));
  for (int64_t I = 0; I < 2; ++I) {
    // Rounds to a multiple of 1; the low byte of the sum is q + 16.
    constexpr double Magic = 0x1.8p23 + double(Bias);
    Val Sum = In[I] * Inverse + Magic;
    Misfit = Misfit | select((Sum - Magic) * Power == In[I], K.vi(0), K.vi(1));
    // As keys lie in the two bytes-vectors of a line.
    Val Bytes = K.trunc(K.asInt(Sum), K.i8());
    Val Turned = K.shuffle(Bytes, Bytes,
                           {0, 4, 1, 5, 2, 6, 3, 7, //
                            8, 12, 9, 13, 10, 14, 11, 15});
    K.store(Turned, Codes + Block * GroupK + I * Lanes);
  }
  constexpr int64_t Most = IndexUnit::MostExponent;
  Val Near = min(max(Exponent, K.c32(127 - Most)), K.c32(127 + Most));
  Val Far = select(Exponent == Near, K.c32(0), Exponent);
  return {Misfit, Far};
}

IndexDot::Fitness IndexDot::prepareQuery(Val Q) {
  Vals Bad =
      K.forRange(K.c64(0), K.c64(Heads * (N / GroupK)), 1, {K.vi(0), K.c32(0)},
                 [&](Val Block, llvm::ArrayRef<Val> It) {
                   auto [Misfit, Far] =
                       prepareBlock(Q + Block * (GroupK * 2), Block);
                   return Vals{It[0] | Misfit, It[1] | Far};
                 });
  Val Sum = K.laneSum(Bad[0]);
  return {Sum == 0, (Sum | Bad[1]) == 0};
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

void IndexDot::decodeTile(Val Tile, int64_t Slot) {
  TileLayout Layout{TileFormat::Fp4, N};
  constexpr int64_t PerBlock = BlockK / GroupK, Lines = GroupK / 8;
  Type Bytes = K.vec(64, K.i8());
  for (int64_t G = 0; G < N / GroupK; ++G) {
    Val Block = K.c64(G / PerBlock);
    Val From = Layout.lines(Tile, Block) + G % PerBlock * (Lines * LineBytes);
    // Minus the sum of 16 * k.
    Val Sums = K.constant(SumType, int64_t(0));
    for (int64_t L = 0; L < 2 * Lines; ++L) {
      Val Line = K.loadVI(From + L / 2 * LineBytes, Layout.lineAlign());
      Val Nibbles = (L % 2 ? Line >> 4 : Line) & 0x0f0f0f0f;
      Val Signed = signedCodes(K.bitcast(Nibbles, Bytes));
      Sums = multiply(Sums, K.constant(Bytes, Bias), Signed);
      K.store(Signed, keys(Slot) + (G * 2 * Lines + L) * LineBytes, LineBytes);
    }
    K.store(K.constant(SumType, int64_t(0)) - Sums,
            starts(Slot) + G * LineBytes, LineBytes);
    int64_t Size = std::min(BlockK, N - G / PerBlock * BlockK);
    Val Scale = Layout.scale(Tile, Block, Size, K.c64(G % PerBlock));
    K.store(loadScale(K, TileFormat::Fp4, Scale), scales(Slot) + G * LineBytes,
            LineBytes);
  }
}

/// Total plus the chain of one group times its scale.
Val IndexDot::addGroup(Val Sums, Val Total, Val H, int64_t Group,
                       int64_t Slot) {
  // The unit is a float whose last bit counts 2^u: added to its bits, the sum
  // of integers turns into the chain when the unit is taken off again.
  Val Unit = K.splat(K.loadI32(Units + (H * (N / GroupK) + Group) * 4));
  Val Chain = K.asFloat(widen(Sums) + Unit) - K.asFloat(Unit);
  return fma(Chain, K.loadVF(scales(Slot) + Group * LineBytes, LineBytes),
             Total);
}

Vals IndexDot::addDots(Val H, int64_t Count, int64_t Group, Vals Totals) {
  constexpr int64_t Quads = GroupK / 4;
  Type Bytes = K.vec(64, K.i8());
  Vals Sums, Out;
  for (int64_t I = 0; I < Tiles * Count; ++I)
    Sums.push_back(
        K.load(SumType, starts(I / Count) + Group * LineBytes, LineBytes));
  for (int64_t Quad = 0; Quad < Quads; ++Quad) {
    Vals Lines, In;
    for (int64_t T = 0; T < Tiles; ++T)
      Lines.push_back(K.load(
          Bytes, keys(T) + (Group * Quads + Quad) * LineBytes, LineBytes));
    for (int64_t I = 0; I < Count; ++I)
      In.push_back(K.bitcast(
          K.splat(K.loadI32(Codes + (H + I) * N + Group * GroupK + Quad * 4)),
          Bytes));
    for (int64_t I = 0; I < Tiles * Count; ++I)
      Sums[I] = multiply(Sums[I], In[I % Count], Lines[I / Count]);
  }
  for (int64_t I = 0; I < Tiles * Count; ++I)
    Out.push_back(
        addGroup(Sums[I], Totals[I], H + I % Count, Group, I / Count));
  return Out;
}

int64_t IndexDot::groups() const { return N / GroupK; }

Vals IndexDot::dots(Val H, int64_t Count,
                    llvm::function_ref<void(int64_t Group)> Between) {
  Vals Totals(Tiles * Count, K.vf(0));
  for (int64_t Group = 0; Group < groups(); ++Group) {
    Totals = addDots(H, Count, Group, Totals);
    Between(Group);
  }
  return Totals;
}

} // namespace dsv4::cpu
