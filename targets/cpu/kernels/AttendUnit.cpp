// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See AttendUnit.h.

#include "targets/cpu/kernels/AttendUnit.h"

namespace dsv4::cpu {

void unitScores(KernelBuilder &K, int64_t N, int64_t Blocks, Val Rows,
                int64_t Pitch, Val Query, Val Scores) {
  constexpr int64_t RowReg = 4, QueryReg = 7; // rows in 4 to 6 in turns
  for (int64_t B = 0; B < Blocks; ++B)
    zeroTile(K, B);
  K.forRange(K.c64(0), K.c64(N / GroupK), 1, [&](Val G) {
    loadTile(K, QueryReg, Query + G * (GroupK / 2 * LineBytes), LineBytes);
    for (int64_t B = 0; B < Blocks; ++B) {
      Val From = Rows + B * UnitRows * Pitch + G * (GroupK * 2);
      loadTile(K, RowReg + B % 3, From, Pitch);
      multiplyRegisters(K, B, RowReg + B % 3, QueryReg);
    }
  });
  for (int64_t B = 0; B < Blocks; ++B)
    storeTile(K, B, Scores + B * UnitTotalBytes, LineBytes);
}

void transposePairs(KernelBuilder &K, Val Ptr) {
  Vals Lines;
  for (int64_t I = 0; I < 16; ++I)
    Lines.push_back(K.loadVI(Ptr + I * 128));
  // Four times: of lines half the count apart, lane by lane in turns.
  for (int Turn = 0; Turn < 4; ++Turn) {
    Vals Out;
    for (int64_t I = 0; I < 8; ++I)
      for (int64_t Half = 0; Half < 2; ++Half) {
        llvm::SmallVector<int64_t> Mask;
        for (int64_t L = 0; L < 8; ++L) {
          Mask.push_back(Half * 8 + L);
          Mask.push_back(16 + Half * 8 + L);
        }
        Out.push_back(K.shuffle(Lines[I], Lines[I + 8], Mask));
      }
    Lines = Out;
  }
  for (int64_t I = 0; I < 16; ++I)
    K.store(Lines[I], Ptr + I * 64);
}

void unitValues(KernelBuilder &K, int64_t N, Val Groups, Val Probabilities,
                Val Values, int64_t PairPitch, Val Acc, int64_t AccPitch) {
  constexpr int64_t WeightReg = 4, ValueReg = 5; // values in 5 to 7 in turns
  int64_t Tiles = N % (4 * 16) ? 2 : 4;
  K.forRange(K.c64(0), K.c64(N), Tiles * 16, [&](Val D) {
    auto Sum = [&](int64_t T) { return Acc + D * 4 + T * LineBytes; };
    for (int64_t T = 0; T < Tiles; ++T)
      loadTile(K, T, Sum(T), AccPitch);
    K.forRange(K.c64(0), Groups, 1, [&](Val G) {
      loadTile(K, WeightReg, Probabilities + G * (32 * LineBytes), LineBytes);
      for (int64_t T = 0; T < Tiles; ++T) {
        Val From = Values + G * (16 * PairPitch) + D * 4 + T * LineBytes;
        loadTile(K, ValueReg + T % 3, From, PairPitch);
        multiplyRegisters(K, T, WeightReg, ValueReg + T % 3);
      }
    });
    for (int64_t T = 0; T < Tiles; ++T)
      storeTile(K, T, Sum(T), AccPitch);
  });
}

} // namespace dsv4::cpu
