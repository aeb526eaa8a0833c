// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See IndexUnit.h.

#include "targets/cpu/kernels/IndexUnit.h"

namespace dsv4::cpu {

IndexUnit::IndexUnit(KernelBuilder &K, int64_t Heads, int64_t N, Val Room)
    : K(K), Heads(Heads), N(N), Layout{TileFormat::Fp4, N}, Room(Room) {}

/// Calls F(block, its size, group in it) for all groups.
static void forGroups(int64_t N,
                      llvm::function_ref<void(int64_t, int64_t, int64_t)> F) {
  for (int64_t G = 0; G < N / GroupK; ++G) {
    int64_t Block = G / (BlockK / GroupK);
    F(Block, std::min(BlockK, N - Block * BlockK), G % (BlockK / GroupK));
  }
}

Val IndexUnit::farScales(Val Tile) {
  Val Far = K.vi(0);
  forGroups(N, [&](int64_t Block, int64_t Size, int64_t G) {
    Val Ptr = Layout.scale(Tile, K.c64(Block), Size, K.c64(G));
    Val Bytes = K.zext(K.load(K.vec(16, K.i8()), Ptr, 16), K.i32());
    // Negative below the first and beyond the last of them.
    Far = Far | (Bytes - (127 - MostExponent)) | ((127 + MostExponent) - Bytes);
  });
  return Far;
}

void IndexUnit::decodeTile(Val Tile, int64_t Slot) {
  auto Form = K.useForm(DotForm::Bf16);
  int64_t PerLine = pairsPerLine(TileFormat::Fp4), Group = 0;
  forGroups(N, [&](int64_t Block, int64_t Size, int64_t G) {
    Val Exponents =
        unitExponents(K, Layout, Tile, K.c64(Block), Size, K.c64(G));
    Val To = keys(Slot, Group++);
    for (int64_t L = 0; L < GroupK / 2 / PerLine; ++L) {
      Val Line = Layout.lines(Tile, K.c64(Block)) +
                 (G * lineBytes(TileFormat::Fp4, GroupK) + L * LineBytes);
      auto Pairs = unitFp4Pairs(K, Layout, Line, Exponents);
      for (int64_t P = 0; P < PerLine; ++P)
        K.store(Pairs[P], To + (L * PerLine + P) * LineBytes, LineBytes);
    }
  });
}

void IndexUnit::multiply(Val Q, int64_t Part,
                         llvm::function_ref<void(int64_t Group)> Between) {
  int64_t Blocks = partHeads() / UnitRows, KeyReg = 4, QueryReg = 6;
  for (int64_t R = 0; R < Tiles * Blocks; ++R)
    zeroTile(K, R);
  for (int64_t G = 0; G < groups(); ++G) {
    for (int64_t T = 0; T < Tiles; ++T)
      loadTile(K, KeyReg + T, keys(T, G), LineBytes);
    for (int64_t B = 0; B < Blocks; ++B) {
      Val From = Q + ((Part * Blocks + B) * (UnitRows * N * 2) + G * LineBytes);
      loadTile(K, QueryReg + B, From, N * 2);
      for (int64_t T = 0; T < Tiles; ++T)
        multiplyRegisters(K, T * Blocks + B, QueryReg + B, KeyReg + T);
    }
    Between(G);
  }
  for (int64_t T = 0; T < Tiles; ++T)
    for (int64_t B = 0; B < Blocks; ++B)
      storeTile(K, T * Blocks + B, results(T) + B * UnitTotalBytes, LineBytes);
}

Val IndexUnit::result(int64_t Head, int64_t Slot) {
  return K.loadVF(results(Slot) + Head * LineBytes, LineBytes);
}

} // namespace dsv4::cpu
