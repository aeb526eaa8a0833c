// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The packed layout of the CUDA target: nothing is lost, bytes lie where the
// documents say, sizes are those of the real model, damaged input is refused
// with words.

#include "test/unit/cuda-packing/PackTools.h"

#include "targets/cuda/device/layout.h"

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

constexpr TileFormat Fp4 = TileFormat::Fp4, Fp8 = TileFormat::Fp8,
                     Bf16 = TileFormat::Bf16;

struct Case {
  TileFormat format;
  int64_t rows, k;
  int lowest, highest; // scales
};

class RoundTripTest : public testing::TestWithParam<Case> {};

TEST_P(RoundTripTest, GivesTheCheckpointBack) {
  Case C = GetParam();
  Matrix M = randomMatrix(C.format, C.rows, C.k, C.lowest, C.highest);
  Bytes Packed = mustPack(M);
  EXPECT_EQ(Packed, mustPack(M, 1000)) << "portions change bytes";
  Bytes Data(M.data.size(), 0xEE), Scales(M.scales.size(), 0xEE);
  EXPECT_EQ(wordsOf(unpackMatrix(M.layout, Packed, Data, Scales)), "");
  EXPECT_EQ(Data, M.data);
  EXPECT_EQ(Scales, M.scales);
}

INSTANTIATE_TEST_SUITE_P(
    All, RoundTripTest,
    testing::Values(
        // Experts of the small models, and a remainder in every direction.
        Case{Fp4, 128, 256, 118, 129}, Case{Fp4, 256, 128, 118, 129},
        Case{Fp4, 128, 384, 1, 12}, Case{Fp4, 384, 128, 243, 254},
        Case{Fp4, 1, 32, 127, 127}, Case{Fp4, 65, 160, 100, 111},
        Case{Fp4, 7, 96, 100, 111}, Case{Fp4, 200, 1056, 100, 111},
        // Escapes: wider than 11, scales of 0, at the upper end, anything.
        Case{Fp4, 70, 416, 100, 112}, Case{Fp4, 64, 128, 0, 0},
        Case{Fp4, 130, 288, 0, 11}, Case{Fp4, 64, 256, 250, 254},
        Case{Fp4, 257, 640, 0, 254}, Case{Fp4, 640, 128, 118, 130},
        Case{Fp8, 128, 256, 0, 254}, Case{Fp8, 1536, 256, 100, 140},
        Case{Fp8, 384, 512, 0, 254}, Case{Fp8, 1, 1, 127, 127},
        Case{Fp8, 129, 130, 0, 254}, Case{Fp8, 63, 33, 0, 254},
        Case{Bf16, 641, 384, 0, 0}, Case{Bf16, 2, 384, 0, 0},
        Case{Bf16, 12, 384, 0, 0}, Case{Bf16, 1, 1, 0, 0},
        Case{Bf16, 100, 65, 0, 0}));

TEST(CudaPacking, EscapesOnlyWhatDoesNotFit) {
  Matrix M = randomMatrix(Fp4, 128, 256, 118, 129);
  M.scales[70 * 8 + 5] = 130; // row 70, k 160 ..: strip 1, second tile
  M.scales[70 * 8 + 6] = 118;
  llvm::Expected<ScalePlan> Plan = planScales(M.layout, M.scales);
  ASSERT_TRUE(bool(Plan));
  EXPECT_EQ(Plan->escapes, 1);
  EXPECT_NE(Plan->header[2], Fp4Escape);
  EXPECT_EQ(Plan->header[3], Fp4Escape);
  Bytes Packed = mustPack(M);
  EXPECT_EQ(int64_t(Packed.size()), M.layout.packedBytes(1));
  // Row 6 of the strip, group 1 of the tile.
  EXPECT_EQ(Packed[M.layout.escapesBegin() + 6 * 4 + 1], 130);
}

TEST(CudaPacking, EveryByteHasOnePlace) {
  for (int Words : {Fp4Words, Fp8Words, Bf16Words}) {
    std::vector<int> Seen(TileRows * Words * 16);
    for (int Row = 0; Row < TileRows; ++Row)
      for (int C = 0; C < 4; ++C)
        for (int Q = 0; Q < Words; ++Q)
          for (int I = 0; I < 4; ++I)
            ++Seen.at(tileWord(Words, Row, C, Q) + I);
    EXPECT_EQ(std::count(Seen.begin(), Seen.end(), 1), int64_t(Seen.size()));
  }
}

TEST(CudaPacking, PlacesOfTheDocument) {
  // Row 29 is row 13 of warp 1: row g + 8 with g = 5. k = 77 is code 5 of word
  // 1 of block 2. Lane 4 g + c = 22.
  Matrix M = randomMatrix(Fp4, 64, 128, 120, 120);
  std::fill(M.data.begin(), M.data.end(), 0);
  M.data[29 * 64 + 77 / 2] = 0xB0; // -1.5, its code 0b1011
  M.scales[29 * 4 + 2] = 127;
  Bytes Packed = mustPack(M);
  const uint8_t *Tile = Packed.data() + 128;
  int At = 1 * 1024 + 512 + 22 * 16 + 1 * 4;
  EXPECT_EQ(Tile[At + 2], 0x30); // magnitude: nibble 5
  EXPECT_EQ(Tile[At + 1], 0x08); // sign: bit 11
  EXPECT_EQ(Tile[At + 0] | Tile[At + 3], 0);
  EXPECT_EQ(Packed[0], 120);
  EXPECT_EQ(Tile[4096 + 32 + 22], 7 << 4);

  // FP8: the register of row g + 8, k + 4 .. k + 7 of instruction 1.
  Matrix E = randomMatrix(Fp8, 64, 128, 127, 127);
  std::fill(E.data.begin(), E.data.end(), 0);
  E.data[29 * 128 + 77] = 0x55;
  EXPECT_EQ(mustPack(E)[128 + 1 * 2048 + 1 * 512 + 22 * 16 + 3 * 4 + 1], 0x55);

  // BF16: no header; instruction 3, row g + 8, first pair, second element.
  Matrix B = randomMatrix(Bf16, 64, 128, 0, 0);
  std::fill(B.data.begin(), B.data.end(), 0);
  B.data[29 * 256 + 77 * 2] = 0x55;
  EXPECT_EQ(mustPack(B)[1 * 4096 + 3 * 512 + 22 * 16 + 1 * 4 + 2], 0x55);
}

TEST(CudaPacking, SizesOfTheRealModel) {
  MatrixLayout W1 = layoutOf(Fp4, 2048, 4096), W2 = layoutOf(Fp4, 4096, 2048);
  EXPECT_EQ(W1.packedBytes(0), 1024 + 1024 * 4224);
  EXPECT_EQ(W2.packedBytes(0), W1.packedBytes(0));
  constexpr int64_t Matrices = 43 * 256 * 3;
  int64_t Stored = W1.dataBytes() + W1.scaleBytes();
  EXPECT_EQ(Matrices * Stored, 147'169'738'752);
  EXPECT_EQ(Matrices * W1.packedBytes(0), 142'875'033'600);
  EXPECT_EQ(Matrices * (Stored - W1.packedBytes(0)), 4'294'705'152);
  // wo_a, with 2048 scale bytes before 8192 x 4096 codes; lm_head.
  EXPECT_EQ(layoutOf(Fp8, 8192, 4096).packedBytes(0), 2048 + 8192 * 4096);
  EXPECT_EQ(layoutOf(Bf16, 129280, 4096).packedBytes(0), 1'059'061'760);
}

TEST(CudaPacking, SizesThatNobodyCanHold) {
  auto Words = [](TileFormat F, int64_t Rows, int64_t K) {
    llvm::Expected<MatrixLayout> Layout = MatrixLayout::get(F, Rows, K);
    return Layout ? std::string("fits") : llvm::toString(Layout.takeError());
  };
  constexpr int64_t Huge = INT64_MAX;
  EXPECT_NE(Words(Fp8, Huge, Huge).find("at most 2^31 tiles"),
            Words(Fp8, 1, 1).npos);
  EXPECT_NE(Words(Bf16, Huge, 1).find("at most 2^31 tiles"), std::string::npos);
  EXPECT_NE(Words(Fp4, 1, Huge / 32 * 32).find("2^31"), std::string::npos);
  EXPECT_EQ(Words(Fp8, 0, 128),
            "FP8 matrix of 0 x 128: expected at least one row and one column");
  EXPECT_NE(Words(Fp4, -1, 32).find("at least one row"), std::string::npos);
  EXPECT_EQ(Words(Fp4, 64, 48), "FP4 matrix of 64 x 48: expected a multiple of "
                                "32 columns, what one scale is for");
  MatrixLayout Largest = layoutOf(Bf16, int64_t(1) << 37, 128);
  EXPECT_EQ(Largest.tiles(), int64_t(1) << 31);
  EXPECT_EQ(Largest.packedBytes(0), int64_t(1) << 45);
  EXPECT_GT(layoutOf(Fp4, int64_t(1) << 37, 128).packedBytes(int64_t(1) << 31),
            0);
}

TEST(CudaPacking, RefusesDamagedCheckpoints) {
  Matrix M = randomMatrix(Fp4, 128, 256, 118, 129);
  M.scales[100 * 8 + 6] = 255;
  EXPECT_EQ(wordsOf(pack(M).takeError()),
            "scale 255 (NaN) found at row 100, column 6 of the scales; the "
            "checkpoint is damaged");
  Matrix E = randomMatrix(Fp8, 200, 300, 118, 129);
  E.scales[4] = 255;
  EXPECT_NE(wordsOf(pack(E).takeError()).find("row 1, column 1"),
            std::string::npos);
  E.scales[4] = 254;
  E.data[150 * 300 + 299] = 0xff;
  EXPECT_EQ(wordsOf(pack(E).takeError()),
            "E4M3 code 127 (NaN) found at row 150, column 299; the checkpoint "
            "is damaged");
}

TEST(CudaPacking, RefusesWrongSizes) {
  Matrix M = randomMatrix(Fp4, 64, 128, 118, 129);
  ScalePlan Plan = llvm::cantFail(planScales(M.layout, M.scales));
  Bytes Out(Fp4TileBytes);
  auto Words = [&](int64_t First, int64_t Count) {
    return wordsOf(
        packTiles(M.layout, Plan, First, Count, M.data, M.scales, Out));
  };
  EXPECT_EQ(Words(0, 1), "");
  EXPECT_NE(Words(1, 1).find("expected a part of 1"), std::string::npos);
  EXPECT_NE(Words(-1, 1).find("expected a part of 1"), std::string::npos);
  EXPECT_NE(Words(1, INT64_MAX).find("expected a part of 1"),
            std::string::npos);
  EXPECT_NE(Words(0, 0).find("packed tiles: expected 0 bytes, found 4224"),
            std::string::npos);
  M.scales[0] = Plan.header[0] == 118 ? 117 : 100;
  EXPECT_NE(Words(0, 1).find("was not planned for these scales"),
            std::string::npos);
  M.scales.pop_back();
  EXPECT_NE(Words(0, 1).find("scales: expected 256 bytes, found 255"),
            std::string::npos);
  EXPECT_NE(wordsOf(planScales(M.layout, M.scales).takeError()).find("255"),
            std::string::npos);
  M.data.pop_back();
  EXPECT_NE(Words(0, 1).find("weights: expected 4096 bytes, found 4095"),
            std::string::npos);
}

TEST(CudaPacking, RefusesDamagedPackedMatrices) {
  Matrix M = randomMatrix(Fp4, 128, 128, 118, 129);
  M.scales[0] = 20; // the first tile escapes
  const Bytes Good = mustPack(M);
  int64_t Second = M.layout.tileBegin(1);
  auto Words = [&](const Bytes &Packed) {
    Bytes Data(M.data.size()), Scales(M.scales.size());
    return wordsOf(unpackMatrix(M.layout, Packed, Data, Scales));
  };
  auto With = [&](int64_t At, uint8_t Value) {
    Bytes Bad = Good;
    Bad[At] = Value;
    return Words(Bad);
  };
  EXPECT_EQ(Words(Good), "");
  EXPECT_NE(With(M.layout.tileBegin(0) + 4096, 1)
                .find("expected an escape below 1, found 1"),
            std::string::npos);
  EXPECT_NE(With(M.layout.tileBegin(0) + 4099, 0x80).find("escape below 1"),
            std::string::npos);
  EXPECT_NE(With(M.layout.escapesBegin() + 9, 255).find("NaN"),
            std::string::npos);
  EXPECT_NE(With(Second + 4096, 12).find("offset of at most 11"),
            std::string::npos);
  EXPECT_NE(With(1, 0).find("expected a base of 1 to 249"), std::string::npos);
  EXPECT_NE(With(1, 250).find("expected a base"), std::string::npos);
  EXPECT_NE(With(1, 255).find("packed matrix: expected"), std::string::npos);
  EXPECT_NE(Words(Bytes(10)).find("packed matrix: expected"),
            std::string::npos);
  EXPECT_NE(Words({}).find("packed matrix: expected"), std::string::npos);
}

} // namespace
