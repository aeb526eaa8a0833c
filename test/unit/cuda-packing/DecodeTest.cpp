// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding of packed words, exhaustively: every code, offset and place in a
// word gives the code's value times its power of two, in E4M3 and in FP16.

#include "test/unit/cuda-packing/PackTools.h"

#include "runtime/numerics/formats.h"
#include "targets/cuda/device/decode.cuh"

#include <cmath>
#include <cstring>

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

/// The packed word that holds `Code` at place `At` and other codes around it.
u32 packedWord(u32 Code, int At) {
  Matrix M{layoutOf(TileFormat::Fp4, 1, 32), Bytes(16), Bytes(1, 127)};
  for (int I = 0; I < 8; ++I) {
    u32 Here = I == At ? Code : (Code * 7 + I * 5 + 3) & 15;
    M.data[I / 2] = uint8_t(M.data[I / 2] | Here << I % 2 * 4);
  }
  Bytes Packed = mustPack(M);
  u32 Word;
  std::memcpy(&Word, Packed.data() + 128 + tileWord(Fp4Words, 0, 0, 0), 4);
  return Word;
}

double expected(u32 Code, int Offset) {
  return std::ldexp(double(dsv4::num::e2m1ToFloat(uint8_t(Code))),
                    Offset - Fp4Bias);
}

TEST(CudaDecode, Fp4ToE4m3) {
  for (u32 Code = 0; Code < 16; ++Code)
    for (int At = 0; At < 8; ++At) {
      u32 Word = packedWord(Code, At);
      for (int Offset = 0; Offset <= Fp4MaxOffset; ++Offset) {
        Bytes8 Out = decodeFp4Word(Word, fp4TableE4m3(Offset));
        u32 Byte = (At < 4 ? Out.first : Out.second) >> At % 4 * 8 & 255;
        EXPECT_EQ(double(dsv4::num::e4m3ToFloat(uint8_t(Byte))),
                  expected(Code, Offset));
        EXPECT_EQ(Byte >> 7, Code >> 3) << "sign, of zeros too";
        // A normal number, so that nothing hangs on the unit's subnormals.
        EXPECT_TRUE((Byte & 0x7f) == 0 || (Byte & 0x78) != 0);
        EXPECT_NE(Byte & 0x7f, 0x7f);
      }
    }
}

/// Twelve offsets are all: at the next one on either side a code is lost.
TEST(CudaDecode, TwelveOffsetsAndNoMore) {
  auto Holds = [](int Exponent) {
    for (u32 Code = 0; Code < 8; ++Code) {
      double Value =
          std::ldexp(double(dsv4::num::e2m1ToFloat(uint8_t(Code))), Exponent);
      bool Found = Value == 0;
      for (u32 Byte = 8; Byte < 127; ++Byte) // normals
        Found |= double(dsv4::num::e4m3ToFloat(uint8_t(Byte))) == Value;
      if (!Found)
        return false;
    }
    return true;
  };
  for (int Exponent = -20; Exponent < 20; ++Exponent)
    EXPECT_EQ(Holds(Exponent),
              Exponent >= -Fp4Bias && Exponent <= Fp4MaxOffset - Fp4Bias)
        << Exponent;
}

TEST(CudaDecode, Fp4ToF16) {
  for (u32 Code = 0; Code < 16; ++Code)
    for (int At = 0; At < 8; ++At) {
      U32x4 Words{{packedWord(Code, At), 0, 0, 0}}, None{};
      for (int Offset = 0; Offset <= Fp4MaxOffset; ++Offset)
        for (bool Lower : {false, true}) {
          Fp4Tables Tables = fp4TablesF16(u32(Offset) << (Lower ? 4 : 0));
          FragmentPair Out = fp4FragmentsF16(Lower ? None : Words,
                                             Lower ? Words : None, Tables, 0);
          const FragmentA &A = At < 4 ? Out.even : Out.odd;
          u32 Half = A[At % 4 / 2 * 2 + Lower] >> At % 2 * 16 & 0xffff;
          EXPECT_EQ(emu::alu::decode(emu::alu::F16, Half),
                    expected(Code, Offset));
          EXPECT_EQ(Half >> 15, Code >> 3);
        }
    }
}

TEST(CudaDecode, TablesOfBothRows) {
  for (u32 Byte = 0; Byte < 256; ++Byte) {
    if ((Byte & 15) > Fp4MaxOffset || Byte >> 4 > Fp4MaxOffset)
      continue;
    Fp4Tables Tables = fp4TablesE4m3(Byte);
    EXPECT_EQ(Tables.upper.low, fp4TableE4m3(Byte & 15).low);
    EXPECT_EQ(Tables.upper.high, fp4TableE4m3(Byte & 15).high);
    EXPECT_EQ(Tables.lower.low, fp4TableE4m3(Byte >> 4).low);
    EXPECT_EQ(Tables.lower.high, fp4TableE4m3(Byte >> 4).high);
  }
}

TEST(CudaDecode, EscapeTablesAreUnscaledOrZero) {
  for (u32 Code = 0; Code < 16; ++Code) {
    u32 Word = packedWord(Code, 2);
    u32 Mine = decodeFp4Word(Word, fp4EscapeTablesE4m3(true).lower).first;
    u32 Other = decodeFp4Word(Word, fp4EscapeTablesE4m3(false).upper).first;
    EXPECT_EQ(dsv4::num::e4m3ToFloat(Mine >> 16 & 255),
              dsv4::num::e2m1ToFloat(uint8_t(Code)));
    EXPECT_EQ(dsv4::num::e4m3ToFloat(Other >> 16 & 255), 0.0f);
    Mine = decodeFp4Word(Word, fp4EscapeTablesF16(true).upper).first;
    Other = decodeFp4Word(Word, fp4EscapeTablesF16(false).lower).first;
    EXPECT_EQ(emu::alu::decode(emu::alu::F16, Mine >> 8 & 0xff00),
              double(dsv4::num::e2m1ToFloat(uint8_t(Code))));
    EXPECT_EQ(emu::alu::decode(emu::alu::F16, Other >> 8 & 0xff00), 0.0);
  }
}

/// Every scale that a base and an offset may say, and the float factors.
TEST(CudaDecode, Factors) {
  EXPECT_EQ(e8m0Factor(0), 0.0f);
  for (u32 Byte = 1; Byte < 255; ++Byte)
    EXPECT_EQ(double(e8m0Factor(Byte)), std::ldexp(1.0, int(Byte) - 127));
  for (int Base = Fp4MinBase; Base <= Fp4MaxBase; ++Base)
    for (int Offset = 0; Offset <= Fp4MaxOffset; ++Offset)
      EXPECT_EQ(double(fp4Factor(u32(Base))) * expected(2, Offset),
                std::ldexp(1.0, Base + Offset - 127));
}

/// FP8 to FP16 with the conversion and without (sm_80), all codes and places.
TEST(CudaDecode, Fp8ToF16) {
  for (u32 Code = 0; Code < 256; ++Code) {
    if ((Code & 127) == 127)
      continue; // refused when packing
    for (int At = 0; At < 4; ++At) {
      u32 Word = 0x39a54277u;
      Word = (Word & ~(255u << At * 8)) | Code << At * 8;
      double Value = dsv4::num::e4m3ToFloat(uint8_t(Code));
      for (bool Software : {false, true}) {
        u32 Pair = Software ? e4m3UpperToF16x2(upperBytesPair(Word, At > 1))
                            : e4m3PairToF16x2(Word, At > 1);
        u32 Half = Pair >> At % 2 * 16 & 0xffff;
        EXPECT_EQ(emu::alu::decode(emu::alu::F16, Half), Value);
        EXPECT_EQ(Half >> 15, Code >> 7);
      }
    }
  }
}

} // namespace
