// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A random weight matrix in the checkpoint's form, its packed form, and the
// dot product of numerics R1 as plain loops over std::fma.

#ifndef DSV4_TEST_UNIT_CPU_RANDOMMATRIX_H
#define DSV4_TEST_UNIT_CPU_RANDOMMATRIX_H

#include "runtime/numerics/dot.h"
#include "runtime/numerics/formats.h"
#include "targets/cpu/Packing.h"
#include "test/unit/cpu/KernelHarness.h"

#include <cmath>
#include <cstring>

namespace dsv4::cpu::test {

struct RandomMatrix {
  RandomMatrix(TileFormat F, int64_t Rows, int64_t K, std::mt19937 &Random)
      : F(F), Rows(Rows), K(K), Data(Rows * rowBytes(F, K)) {
    for (uint8_t &B : Data)
      B = uint8_t(Random());
    if (F == TileFormat::Fp8) // 127 stands for NaN
      for (uint8_t &B : Data)
        B = (B & 127) == 127 ? 0 : B;
    if (F == TileFormat::Bf16)
      fillBf16(reinterpret_cast<uint16_t *>(Data.data()), Rows * K, 12, Random);
    if (F == TileFormat::Fp4)
      Scales.resize(Rows * (K / 32));
    if (F == TileFormat::Fp8)
      Scales.resize((Rows + 127) / 128 * ((K + 127) / 128));
    for (uint8_t &B : Scales)
      B = uint8_t(112 + Random() % 20);
  }

  int64_t packedBytes() const { return (Rows + 15) / 16 * tileBytes(F, K); }
  void pack(uint8_t *Out) const {
    packTiles(F, K, Rows, 0, (Rows + 15) / 16, Data.data(), Scales.data(), Out);
  }

  float weight(int64_t Row, int64_t I) const {
    if (F == TileFormat::Fp4)
      return num::e2m1ToFloat(Data[Row * K / 2 + I / 2] >> (I % 2 * 4) & 15);
    if (F == TileFormat::Fp8)
      return num::e4m3ToFloat(Data[Row * K + I]);
    uint16_t Bits;
    std::memcpy(&Bits, &Data[(Row * K + I) * 2], 2);
    return num::bf16ToFloat(Bits);
  }
  float scale(int64_t Row, int64_t Group) const {
    if (F == TileFormat::Fp4)
      return num::e8m0ToFloat(Scales[Row * (K / 32) + Group]);
    if (F == TileFormat::Fp8)
      return num::e8m0ToFloat(
          Scales[Row / 128 * ((K + 127) / 128) + Group / 4]);
    return 1;
  }

  /// Row `Row` with K BF16 values.
  float dot(int64_t Row, const uint16_t *X,
            num::DotOrder Order = num::DotOrder::Chain) const {
    float Total = 0;
    for (int64_t G = 0; G < K / 32; ++G) {
      float Even = 0, Odd = 0;
      bool IsSplit = Order == num::DotOrder::Split;
      for (int64_t I = G * 32; I < G * 32 + 32; I += 2) {
        float &OddChain = IsSplit ? Odd : Even;
        OddChain =
            std::fma(num::bf16ToFloat(X[I + 1]), weight(Row, I + 1), OddChain);
        Even = std::fma(num::bf16ToFloat(X[I]), weight(Row, I), Even);
      }
      Total = std::fma(IsSplit ? Even + Odd : Even, scale(Row, G), Total);
    }
    return Total;
  }

  TileFormat F;
  int64_t Rows, K;
  std::vector<uint8_t> Data, Scales;
};

} // namespace dsv4::cpu::test

#endif // DSV4_TEST_UNIT_CPU_RANDOMMATRIX_H
