// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The packed tile layouts: packing loses nothing, and says where a byte goes.

#include "targets/cpu/Packing.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

using namespace dsv4::cpu;

namespace {

struct Case {
  TileFormat format;
  int64_t k, rows;
};

class PackingTest : public testing::TestWithParam<Case> {};

int64_t dataBytes(TileFormat F, int64_t K) {
  return F == TileFormat::Fp4   ? K / 2
         : F == TileFormat::Fp8 ? K
         : F == TileFormat::F32 ? 4 * K
                                : 2 * K;
}

TEST_P(PackingTest, RoundTrip) {
  auto [F, K, Rows] = GetParam();
  std::mt19937 Random(7);
  std::vector<uint8_t> Data(Rows * dataBytes(F, K));
  std::vector<uint8_t> Scales(F == TileFormat::Fp4   ? Rows * K / 32
                              : F == TileFormat::Fp8 ? (K + 127) / 128
                                                     : 0);
  for (uint8_t &B : Data)
    B = uint8_t(Random());
  for (uint8_t &B : Scales)
    B = uint8_t(Random());
  std::vector<uint8_t> Packed(tileBytes(F, K), 0xEE);
  packTile(F, K, {Data.data(), Scales.data(), Rows}, Packed.data());
  std::vector<uint8_t> Back(Data.size()), BackScales(Scales.size());
  unpackTile(F, K, Rows, Packed.data(), Back.data(), BackScales.data());
  EXPECT_EQ(Back, Data);
  EXPECT_EQ(BackScales, Scales);
}

INSTANTIATE_TEST_SUITE_P(All, PackingTest,
                         testing::Values(Case{TileFormat::Fp4, 128, 16},
                                         Case{TileFormat::Fp4, 32, 16},
                                         Case{TileFormat::Fp4, 64, 3},
                                         Case{TileFormat::Fp4, 384, 5},
                                         Case{TileFormat::Fp8, 128, 16},
                                         Case{TileFormat::Fp8, 512, 7},
                                         Case{TileFormat::Bf16, 32, 16},
                                         Case{TileFormat::Bf16, 160, 1},
                                         Case{TileFormat::F32, 20, 4}));

TEST(Packing, SizesOfRealTiles) {
  // w1 of a routed expert: 2048 x 4096 in FP4 is 16 x 1088 bytes x 2 per tile.
  EXPECT_EQ(tileBytes(TileFormat::Fp4, 4096), 32 * 1088);
  // wq_a: 32 scales padded to a line.
  EXPECT_EQ(tileBytes(TileFormat::Fp8, 4096), 64 + 32 * 2048);
  EXPECT_EQ(tileBytes(TileFormat::Bf16, 4096), 16 * 4096 * 2);
}

TEST(Packing, Fp4NibblePlaces) {
  // Input 5 of row 2 is nibble n = 2 of the high half of lane 2.
  std::vector<uint8_t> Data(16 * 64), Scales(16 * 4), Packed(1088);
  Data[2 * 64 + 2] = 0xB0;
  packTile(TileFormat::Fp4, 128, {Data.data(), Scales.data(), 16},
           Packed.data());
  EXPECT_EQ(Packed[2 * 4 + 3], 0x0B);
  // Scale of row 9, group 3, is in the line after 16 lines.
  Scales[9 * 4 + 3] = 200;
  packTile(TileFormat::Fp4, 128, {Data.data(), Scales.data(), 16},
           Packed.data());
  EXPECT_EQ(Packed[1024 + 3 * 16 + 9], 200);
}

TEST(Packing, MissingRowsAreZero) {
  std::vector<uint8_t> Data(64, 0xFF), Scales(4, 130), Packed(1088, 0xEE);
  packTile(TileFormat::Fp4, 128, {Data.data(), Scales.data(), 1},
           Packed.data());
  EXPECT_EQ(Packed[0], 0xFF);
  for (int64_t I = 4; I < 64; ++I)
    EXPECT_EQ(Packed[I], 0) << I;
  EXPECT_EQ(Packed[1024], 130);
  EXPECT_EQ(Packed[1025], 127);
}

} // namespace
