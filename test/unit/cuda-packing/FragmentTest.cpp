// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packed tiles through the fragment maps of the PTX manual: whole products W x,
// with the device's loads, decoding and factors, and a plain emulation of
// wgmma m64n8k32 / mma.sync m16n8k32 (the same map for each warp) and of
// mma.sync m16n8k16. Values are such that every sum is exact, so the result is
// that of W x in plain loops, whatever the order.

#include "test/unit/cuda-packing/PackTools.h"

#include "runtime/numerics/formats.h"
#include "targets/cuda/device/decode.cuh"

#include <cmath>
#include <cstring>

using namespace dsv4::cuda;
using namespace dsv4::cuda::test;

namespace {

constexpr int N = 8;

/// x, N columns of K integers of -8 .. 8, and the same in memory as a kernel
/// writes them: per block of 128 k and column, words of `Bytes` per element,
/// permuted by activationWord.
struct Activations {
  Activations(int64_t K, unsigned Seed) : x(K * N) {
    std::mt19937 Random(Seed);
    for (double &Value : x)
      Value = double(int(Random() % 17) - 8);
  }
  double at(int64_t K, int Column) const {
    size_t I = size_t(K) * N + Column;
    return I < x.size() ? x[I] : 7; // beyond K: weights are zero there
  }
  std::vector<double> x;
};

/// Elements of one block of 128 k of a column in the order of memory: words of
/// `PerWord` elements go where activationWord says.
std::vector<double> permuted(const Activations &X, int64_t Block, int Column,
                             int PerWord) {
  std::vector<double> Out(TileK);
  for (int C = 0; C < 4; ++C)
    for (int Q = 0; Q < 32 / PerWord; ++Q)
      for (int I = 0; I < PerWord; ++I)
        Out[activationWord(C, Q) * PerWord + I] =
            X.at(Block * TileK + 32 * C + Q * PerWord + I, Column);
  return Out;
}

using Decoder = double (*)(u32 Bits);
double fromE4m3(u32 Bits) { return emu::alu::decodeE4m3(Bits); }
double fromF16(u32 Bits) { return emu::alu::decode(emu::alu::F16, Bits); }
double fromBf16(u32 Bits) { return emu::alu::decode(emu::alu::Bf16, Bits); }

/// What a warp's instructions do over a tile: sum[16][N] += A B. Lane by lane,
/// `Fragment(Lane, I)` gives operand A of instruction I; its registers are
/// (g, first), (g + 8, first), (g, last), (g + 8, last) halves of k.
class WarpProduct {
public:
  WarpProduct(int PerWord, Decoder Decode) : PerWord(PerWord), Decode(Decode) {}

  template <typename Function>
  void run(const Activations &X, int64_t Block, Function Fragment) {
    for (int Column = 0; Column < N; ++Column)
      columns[Column] = permuted(X, Block, Column, PerWord);
    int Steps = TileK / (8 * PerWord);
    for (int I = 0; I < Steps; ++I)
      for (int Lane = 0; Lane < 32; ++Lane) {
        FragmentA A = Fragment(Lane, I);
        for (int Reg = 0; Reg < 4; ++Reg)
          word(A[Reg], Lane / 4 + Reg % 2 * 8,
               I * 8 * PerWord + Reg / 2 * 4 * PerWord + Lane % 4 * PerWord);
      }
  }

  double sum[WarpRows][N] = {};

private:
  /// Elements of one register at row `Row` and consecutive places of k.
  void word(u32 Bits, int Row, int K) {
    int Width = 32 / PerWord;
    for (int E = 0; E < PerWord; ++E) {
      double W = Decode(Bits >> E * Width & ((1u << Width) - 1));
      for (int Column = 0; Column < N; ++Column)
        sum[Row][Column] += W * columns[Column][K + E];
    }
  }

  int PerWord;
  Decoder Decode;
  std::vector<double> columns[N];
};

/// A lane's 16 bytes of load `Load` of its warp.
U32x4 loadVector(const uint8_t *Tile, int Words, int Warp, int Load, int Lane) {
  U32x4 V;
  std::memcpy(&V,
              Tile + (Warp * (Words / 2) + Load) * WarpLoadBytes +
                  Lane * VectorBytes,
              16);
  return V;
}

enum class Form { E4m3, F16, Bf16 };

/// One tile of FP4 through one warp: with the tables that `Tables(Lane)` gives.
template <typename Function>
void fp4Tile(WarpProduct &P, Form F, const Activations &X, int64_t Block,
             const uint8_t *Tile, int Warp, Function Tables) {
  P.run(X, Block, [&](int Lane, int I) {
    U32x4 Upper = loadVector(Tile, Fp4Words, Warp, 0, Lane),
          Lower = loadVector(Tile, Fp4Words, Warp, 1, Lane);
    if (F == Form::E4m3)
      return fp4FragmentE4m3(Upper, Lower, Tables(Lane), I);
    FragmentPair Pair = fp4FragmentsF16(Upper, Lower, Tables(Lane), I / 2);
    return I % 2 ? Pair.odd : Pair.even;
  });
}

/// Totals of one warp over the strip's tiles, as a kernel forms them.
class StripProduct {
public:
  StripProduct(const Matrix &M, const Bytes &Packed, Form F)
      : M(M), Packed(Packed), F(F) {}

  std::vector<double> run(const Activations &X) {
    std::vector<double> Y(M.layout.strips() * TileRows * N);
    for (int64_t Tile = 0; Tile < M.layout.tiles(); ++Tile)
      for (int Warp = 0; Warp < 4; ++Warp) {
        int64_t Row =
            Tile / M.layout.tilesPerStrip() * TileRows + Warp * WarpRows;
        tile(X, Tile, Warp, &Y[Row * N]);
      }
    return Y;
  }

private:
  WarpProduct product() const {
    return F == Form::E4m3  ? WarpProduct(4, fromE4m3)
           : F == Form::F16 ? WarpProduct(2, fromF16)
                            : WarpProduct(2, fromBf16);
  }

  static void promote(double *Y, int Row, const WarpProduct &P, float Factor) {
    for (int Column = 0; Column < N; ++Column)
      Y[Row * N + Column] += P.sum[Row][Column] * double(Factor);
  }

  void tile(const Activations &X, int64_t Tile, int Warp, double *Y) {
    const uint8_t *Bytes = Packed.data() + M.layout.tileBegin(Tile);
    int64_t Block = Tile % M.layout.tilesPerStrip();
    if (M.layout.format() == TileFormat::Fp4)
      return Packed[Tile] == Fp4Escape ? escaped(X, Block, Bytes, Warp, Y)
                                       : fp4(X, Tile, Bytes, Warp, Y);
    WarpProduct P = product();
    int Words = M.layout.format() == TileFormat::Fp8 ? Fp8Words : Bf16Words;
    bool Widen = M.layout.format() == TileFormat::Fp8 && F == Form::F16;
    P.run(X, Block, [&](int Lane, int I) {
      U32x4 V = loadVector(Bytes, Words, Warp, Widen ? I / 2 : I, Lane);
      if (!Widen)
        return V;
      FragmentPair Pair = fp8FragmentsF16(V);
      return I % 2 ? Pair.odd : Pair.even;
    });
    int64_t Strip = Tile / M.layout.tilesPerStrip();
    float Factor =
        Words == Bf16Words
            ? 1
            : e8m0Factor(Packed[Strip / 2 * M.layout.tilesPerStrip() + Block]);
    for (int Row = 0; Row < WarpRows; ++Row)
      promote(Y, Row, P, Factor);
  }

  void fp4(const Activations &X, int64_t Tile, const uint8_t *Bytes, int Warp,
           double *Y) {
    WarpProduct P = product();
    fp4Tile(P, F, X, Tile % M.layout.tilesPerStrip(), Bytes, Warp,
            [&](int Lane) {
              u32 Byte = Bytes[tileOffset(Warp, Lane)];
              return F == Form::E4m3 ? fp4TablesE4m3(Byte) : fp4TablesF16(Byte);
            });
    for (int Row = 0; Row < WarpRows; ++Row)
      promote(Y, Row, P, fp4Factor(Packed[Tile]));
  }

  /// Four passes, one per block of scales, each times its row's own scale.
  void escaped(const Activations &X, int64_t Block, const uint8_t *Bytes,
               int Warp, double *Y) {
    u32 Index;
    std::memcpy(&Index, Bytes + Fp4CodeBytes, 4);
    const uint8_t *Scales = Packed.data() + M.layout.packedBytes(Index);
    for (int Pass = 0; Pass < 4; ++Pass) {
      WarpProduct P = product();
      fp4Tile(P, F, X, Block, Bytes, Warp, [&](int Lane) {
        bool Mine = Lane % 4 == Pass;
        return F == Form::E4m3 ? fp4EscapeTablesE4m3(Mine)
                               : fp4EscapeTablesF16(Mine);
      });
      for (int Row = 0; Row < WarpRows; ++Row)
        promote(Y, Row, P,
                e8m0Factor(Scales[(Warp * WarpRows + Row) * 4 + Pass]));
    }
  }

  const Matrix &M;
  const Bytes &Packed;
  Form F;
};

/// BF16 of any bits has no exact sums: integers of -100 .. 100 instead.
void makeIntegers(Matrix &M) {
  for (size_t I = 0; I < M.data.size(); I += 2) {
    uint16_t Bits = dsv4::num::floatToBf16(float(int(M.data[I] % 201) - 100));
    std::memcpy(&M.data[I], &Bits, 2);
  }
}

struct Case {
  TileFormat format;
  Form form;
  int64_t rows, k;
  int lowest, highest;
};

class FragmentTest : public testing::TestWithParam<Case> {};

TEST_P(FragmentTest, IsThePlainProduct) {
  Case C = GetParam();
  Matrix M = randomMatrix(C.format, C.rows, C.k, C.lowest, C.highest, 11);
  if (C.format == TileFormat::Bf16)
    makeIntegers(M);
  Activations X(C.k, 12);
  Bytes Packed = mustPack(M);
  std::vector<double> Y = StripProduct(M, Packed, C.form).run(X);
  for (int64_t Row = 0; Row < M.layout.strips() * TileRows; ++Row)
    for (int Column = 0; Column < N; ++Column) {
      double Sum = 0;
      for (int64_t K = 0; Row < C.rows && K < C.k; ++K)
        Sum += weight(M, Row, K) * X.at(K, Column);
      ASSERT_EQ(Y[Row * N + Column], Sum) << Row << ", " << Column;
    }
}

constexpr TileFormat Fp4 = TileFormat::Fp4, Fp8 = TileFormat::Fp8,
                     Bf16 = TileFormat::Bf16;

INSTANTIATE_TEST_SUITE_P(
    All, FragmentTest,
    testing::Values(Case{Fp4, Form::E4m3, 128, 256, 120, 131},
                    Case{Fp4, Form::E4m3, 77, 416, 120, 131},
                    Case{Fp4, Form::F16, 128, 256, 120, 131},
                    Case{Fp4, Form::F16, 77, 416, 120, 131},
                    // Tiles with and without escapes; zeros among the scales.
                    Case{Fp4, Form::E4m3, 130, 288, 118, 130},
                    Case{Fp4, Form::F16, 130, 288, 118, 130},
                    Case{Fp4, Form::E4m3, 20, 96, 0, 3},
                    Case{Fp8, Form::E4m3, 257, 384, 125, 129},
                    Case{Fp8, Form::E4m3, 65, 130, 0, 5},
                    Case{Fp8, Form::F16, 257, 384, 125, 129},
                    Case{Bf16, Form::Bf16, 100, 320, 0, 0},
                    Case{Bf16, Form::Bf16, 3, 65, 0, 0}));

/// What lanes read of B for their products: word 2 i of block c first, then
/// word 2 i + 1, so that a lane of mma.sync may load its 32 k at once.
TEST(CudaFragments, LanesOfBReadTheirOwnBlock) {
  for (int C = 0; C < 4; ++C)
    for (int I = 0; I < 8; ++I) {
      EXPECT_EQ(activationWord(C, 2 * I), 8 * I + C);
      EXPECT_EQ(activationWord(C, 2 * I + 1), 8 * I + 4 + C);
    }
}

} // namespace
