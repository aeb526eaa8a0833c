// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// index_score under emulation, bit for bit against R8: queries of E2M1 blocks,
// for which the products are exact, those at the limits of that, and any other,
// which take the way in order. Not run on hardware.

#include "test/unit/cuda-attention/AttentionTestSupport.h"

using namespace dsv4;
using namespace dsv4::cuda;
using namespace dsv4::cuda::test;
using namespace dsv4::cuda::test::score_configs;

namespace {

/// Index rows of one sequence, their tiles, and the scores that they should
/// get.
template <int N> struct Entries {
  using Tile = IndexTile<N>;
  int count;
  Bytes codes, scales, tiles;

  Entries(int count, const Bytes &scaleBytes, Randoms &random)
      : count(count), tiles(size_t((count + 15) / 16 * Tile::Bytes)) {
    for (int e = 0; e < count; ++e) {
      u8 *tile = tiles.data() + e / 16 * Tile::Bytes;
      for (int k = 0; k < N; ++k) {
        codes.push_back(u8(random() & 15));
        u8 *at = tile + 4 * Tile::word(e % 16, k / 32, k % 32 / 8);
        u32 bits = indexNibble(u32(k % 8), codes.back());
        for (int b = 0; b < 4; ++b)
          at[b] |= u8(bits >> 8 * b);
      }
      for (int g = 0; g < N / 32; ++g) {
        scales.push_back(scaleBytes[random() % scaleBytes.size()]);
        tile[Tile::scale(e % 16, g)] = scales.back();
      }
    }
  }

  u16 score(const u16 *q, const u16 *weights, int heads, float factor,
            int e) const {
    Floats key, scale;
    for (int k = 0; k < N; ++k)
      key.push_back(num::e2m1ToFloat(codes[size_t(e * N + k)]));
    for (int g = 0; g < N / 32; ++g)
      scale.push_back(num::e8m0ToFloat(scales[size_t(e * N / 32 + g)]));
    float sum = 0;
    for (int h = 0; h < heads; ++h) {
      float w = num::roundBf16(num::bf16ToFloat(weights[h]) * factor);
      Floats x = floatsOf(q + h * N, N);
      float d = num::roundBf16(num::dot(x.data(), key.data(), scale.data(), N));
      sum += num::roundBf16((d > 0 ? d : 0.0f) * w);
    }
    return num::floatToBf16(sum);
  }
};

const Bytes usual = {124, 125, 126, 127, 128, 129};
const Bytes extreme = {0, 1, 2, 127, 200, 230};
const Bytes smallest = {0, 1, 2, 20, 30};
const Bytes large = {0, 1, 127, 240, 254};

/// What index_query makes of values around 2^exponent.
Halves quantized(Randoms &random, i64 count, int exponent) {
  num::FlushDenormals flush;
  Halves q = random.bf16(count, 6);
  for (i64 block = 0; block < count; block += 32) {
    Floats x = floatsOf(q.data() + block, 32);
    for (float &v : x)
      v = block % 96 == 64
              ? -0.0f
              : num::roundBf16(float(std::ldexp(double(v), exponent)));
    num::fakeQuantizeE2M1(x.data(), 32);
    for (int i = 0; i < 32; ++i)
      q[size_t(block + i)] = num::floatToBf16(x[size_t(i)]);
  }
  return q;
}

/// Integers up to `most` in blocks with a largest value of 8, times powers of
/// two with which its biased exponent is `exponent`.
Halves scaledIntegers(Randoms &random, i64 count, int most, int exponent) {
  Halves q;
  for (i64 i = 0; i < count; ++i) {
    int value = i % 32 ? int(random() % u32(most + 1)) : 8;
    float x = float(std::ldexp(double(value), exponent - 127 - 3));
    q.push_back(num::floatToBf16(random() % 2 ? x : -x)); // both zeros
  }
  return q;
}

/// The tokens of `rows`, whose sequences share the entries.
template <class C>
void check(const StepRows &rows, const Halves &q, const Bytes &scaleBytes,
           const char *what, u64 count = 1) {
  Randoms random;
  i64 width = rows.context / C::Ratio;
  Entries<C::Width> entries((rows.most() + 1) / C::Ratio, scaleBytes, random);
  Halves weights = random.bf16(rows.tokens() * C::Heads, 2);
  Halves before(size_t(rows.tokens() * width), 0xa5a5);
  Halves scores = onAllSchedules<u16>(
      [&](Emulator &emu) {
        auto to = emu.buffer("scores", before);
        IndexScoreParams p{rows.upload(emu), emu.input("q", q),
                           emu.input("weights", weights),
                           emu.input("entries", entries.tiles), to};
        emu.launch("score", {2}, {128}, IndexScorePlan<C>::Bytes,
                   DSV4_PHASE(p, indexScore, C));
        return std::pair(to, before.size());
      },
      count);
  num::FlushDenormals flush;
  for (i64 t = 0; t < rows.tokens(); ++t)
    for (i64 e = 0; e < width; ++e) {
      bool visible = e < (rows.position[size_t(t)] + 1) / C::Ratio;
      u16 want = visible ? entries.score(q.data() + t * C::Heads * C::Width,
                                         weights.data() + t * C::Heads,
                                         C::Heads, C::Factor, int(e))
                         : u16(0xa5a5);
      ASSERT_EQ(scores[size_t(t * width + e)], want)
          << what << ": token " << t << ", entry " << e;
    }
}

StepRows stepOf(int first, int count) {
  StepRows rows;
  rows.context = 2048;
  rows.add(0, first, count);
  return rows;
}

/// Steps of 1, 2 and 7 tokens; blocks and tiles that are not full, tokens that
/// see nothing; heads that do not fill a product.
TEST(CudaIndexScore, QuantizedQueries) {
  Randoms random;
  check<Config<12>>(stepOf(1037, 1), quantized(random, 12 * 128, 0), usual,
                    "one", seeds);
  check<Config<3>>(stepOf(66, 2), quantized(random, 2 * 3 * 128, 0), usual,
                   "two", seeds);
  check<Config<5>>(stepOf(0, 7), quantized(random, 7 * 5 * 128, 3), usual,
                   "seven", seeds);
  check<Config<64>>(stepOf(1100, 1), quantized(random, 64 * 128, 0), usual,
                    "all heads", 2);
  check<Config<8>>(stepOf(333, 1), quantized(random, 8 * 128, 0), extreme,
                   "extreme scales", 2);
}

/// Rows of other models: two words of a row a lane.
TEST(CudaIndexScore, NarrowRows) {
  Randoms random;
  check<Config<2, 64>>(stepOf(1037, 1), quantized(random, 2 * 64, 0), usual,
                       "64, one", seeds);
  check<Config<12, 64>>(stepOf(66, 7), quantized(random, 7 * 12 * 64, 0),
                        extreme, "64, seven", 4);
  check<Config<3, 64>>(stepOf(90, 2), random.bf16(2 * 3 * 64, 2), usual,
                       "64, any", 2);
}

/// Where values are flushed, or where exact products end.
TEST(CudaIndexScore, QueriesAtTheLimits) {
  Randoms random;
  StepRows rows = stepOf(150, 1);
  constexpr i64 count = 4 * 128;
  check<Config<4>>(rows, scaledIntegers(random, count, 15, 125), extreme,
                   "up to fifteen");
  for (const Bytes &scales : {usual, large}) {
    check<Config<4>>(rows, quantized(random, count, -125), scales, "floor");
    for (int e = 1; e <= 8; ++e)
      check<Config<4>>(rows, scaledIntegers(random, count, 15, e), scales,
                       "low");
  }
  for (int e : {233, 234, 235, 236, 237, 246, 250, 254}) // sums overflow
    check<Config<4>>(rows, scaledIntegers(random, count, 12, e), smallest,
                     "high");
}

/// Any BF16, and one value that is no small integer of its block.
TEST(CudaIndexScore, OtherQueries) {
  Randoms random;
  StepRows rows = stepOf(90, 2);
  constexpr i64 count = 2 * 3 * 128;
  check<Config<3>>(rows, random.bf16(count, 2), usual, "any", 4);
  for (u16 bits : {0x3f81, 0x3f10, 0x3d80, 0x0080, 0x0001, 0x4110, 0x7f00})
    for (size_t at : {size_t(0), size_t(37), size_t(383), size_t(count - 1)}) {
      Halves q = scaledIntegers(random, count, 8, 127);
      q[at] = bits;
      check<Config<3>>(rows, q, bits == 0x7f00 ? smallest : usual,
                       "one misfit");
    }
}

} // namespace
