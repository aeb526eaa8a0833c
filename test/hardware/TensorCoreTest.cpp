// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a GPU's matrix instructions do that their description leaves open, in
// printed lines, and the beliefs of docs/cuda-phases.md as assertions: where
// operands lie, how many bits a sum keeps, that columns do not matter to each
// other.

#include "test/hardware/Probes.cuh"
#include "test/unit/cuda/Compare.h"

#include "runtime/numerics/denormals.h"

#include <random>

namespace dsv4::cuda::test {
namespace {

/// One sum: c + a[0] b[0] + a[1] b[1] + ...; elements by k.
struct Sum {
  float c = 0;
  std::vector<std::pair<int, std::pair<float, float>>> products;
};

u32 encode(Unit unit, float x) {
  if (isE4m3(unit))
    return num::e4m3Code(num::roundE4M3(x));
  if (unit != Unit::MmaF16)
    return num::floatToBf16(x);
  u32 bits = num::bitsOf(x); // powers of two and few bits: exact
  int exponent = int(bits >> 23 & 255) - 127 + 15;
  return x == 0 ? 0
                : (bits >> 16 & 0x8000) | u32(exponent) << 10 |
                      (bits >> 13 & 1023);
}

template <Unit U> std::vector<float> run(const std::vector<Sum> &sums) {
  std::vector<u8> a(sums.size() * 32), b = a;
  std::vector<float> c;
  u32 size = isE4m3(U) ? 1 : 2;
  for (size_t i = 0; i < sums.size(); ++i) {
    c.push_back(sums[i].c);
    for (const auto &[k, product] : sums[i].products) {
      u32 codes[] = {encode(U, product.first), encode(U, product.second)};
      std::memcpy(&a[i * 32 + u32(k) * size], &codes[0], size);
      std::memcpy(&b[i * 32 + u32(k) * size], &codes[1], size);
    }
  }
  Emulator emu;
  OneSumParams p{emu.input("a", a), emu.input("b", b), emu.input("c", c),
                 emu.scratch<float>("d", c.size()), u32(c.size())};
  emu.launch("one sum", {8}, {128}, 1024,
             DSV4_PHASE(p, oneSum, OneSumConfig<U>));
  Result result = emu.run();
  EXPECT_TRUE(result.ok()) << result.text();
  return contents(p.d, c.size());
}

/// 2^e as a product of two elements.
std::pair<float, float> power(int e, float times = 1) {
  int half = e / 2;
  return {times * float(std::ldexp(1.0, half)),
          float(std::ldexp(1.0, e - half))};
}
std::pair<float, float> minusPower(int e) { return power(e, -1); }

/// Largest and smallest exponents of products that a unit can say.
template <Unit U>
constexpr int Top = isE4m3(U)           ? 16
                    : U == Unit::MmaF16 ? 14
                                        : 10;
template <Unit U>
constexpr int Range = isE4m3(U)           ? 30
                      : U == Unit::MmaF16 ? 34
                                          : 60;

/// How far below a largest addend another one still counts: the first j that is
/// lost, for sums that `make` builds of (j).
template <Unit U, class Make> int firstLost(const Make &make) {
  std::vector<Sum> sums;
  for (int j = 1; j < Range<U>; ++j)
    sums.push_back(make(j));
  std::vector<float> d = run<U>(sums);
  for (int j = 1; j < Range<U>; ++j)
    if (d[size_t(j - 1)] != float(std::ldexp(1.0, Top<U> - j)))
      return j;
  return Range<U>;
}

template <Unit U> void bitsKept(const char *name, int atLeast) {
  constexpr int top = Top<U>, last = isE4m3(U) ? 31 : 15;
  int worst = 99;
  for (auto [big, small, minus] :
       {std::array{0, 1, 2}, std::array{0, 5, 9}, std::array{0, last, 1},
        std::array{last, 0, 8}, std::array{3, 12, last}}) {
    int lost =
        firstLost<U>([&, big = big, small = small, minus = minus](int j) {
          return Sum{0,
                     {{big, power(top)},
                      {small, power(top - j)},
                      {minus, minusPower(top)}}};
        });
    printf("[  tensor  ] %s: beside products 2^%d and -2^%d at k = %d and %d, "
           "2^(%d - %d) at k = %d is the first that is lost\n",
           name, top, top, big, minus, top, lost, small);
    worst = std::min(worst, lost);
  }
  int beside = firstLost<U>([](int j) {
    return Sum{float(std::ldexp(1.0, top)),
               {{0, power(top - j)}, {1, minusPower(top)}}};
  });
  int ofC = firstLost<U>([](int j) {
    return Sum{float(std::ldexp(1.0, top - j)),
               {{0, power(top)}, {1, minusPower(top)}}};
  });
  printf("[  tensor  ] %s: p = %d bits kept of products; beside c = 2^%d the "
         "product 2^(%d - %d) is lost; of c beside products 2^%d, 2^(%d - %d) "
         "is lost%s\n",
         name, worst, top, top, beside, top, top, ofC,
         worst == Range<U> ? " (no limit found)" : "");
  EXPECT_GE(std::min({worst, beside, ofC}), atLeast) << name;
}

TEST(TensorCores, BitsKept) {
  bitsKept<Unit::WgmmaE4m3>("wgmma E4M3", 13);
  bitsKept<Unit::MmaE4m3>("mma.sync E4M3", 13);
  bitsKept<Unit::MmaF16>("mma.sync F16", 22);
  bitsKept<Unit::MmaBf16>("mma.sync BF16", 22);
  bitsKept<Unit::WgmmaBf16>("wgmma BF16", 22);
}

/// What becomes of the bits below the last one that is kept, alone and many.
template <Unit U> void rounding(const char *name) {
  constexpr int top = Top<U>, last = isE4m3(U) ? 31 : 15;
  int lost = firstLost<U>([](int j) {
    return Sum{0, {{0, power(top)}, {1, power(top - j)}, {2, minusPower(top)}}};
  });
  if (lost >= Range<U>)
    return;
  double unit = std::ldexp(1.0, top - lost + 1); // the last one kept
  std::vector<Sum> sums;
  for (float times : {1.25f, 1.5f, 1.75f, -1.25f, -1.5f, -1.75f})
    sums.push_back({0,
                    {{0, power(top)},
                     {1, power(top - lost + 1, times)},
                     {2, minusPower(top)}}});
  Sum many{0, {{0, power(top)}, {1, minusPower(top)}}};
  for (int k = 2; k <= last; ++k)
    many.products.push_back({k, power(top - lost, 1.5f)});
  sums.push_back(many);
  std::vector<float> d = run<U>(sums);
  printf("[  tensor  ] %s: units of the last bit: 1.25 -> %g, 1.5 -> %g, 1.75 "
         "-> %g, -1.25 -> %g, -1.5 -> %g, -1.75 -> %g; %d times 0.75 -> %g\n",
         name, d[0] / unit, d[1] / unit, d[2] / unit, d[3] / unit, d[4] / unit,
         d[5] / unit, last - 1, d[6] / unit);
}

TEST(TensorCores, Rounding) {
  rounding<Unit::WgmmaE4m3>("wgmma E4M3");
  rounding<Unit::MmaE4m3>("mma.sync E4M3");
  rounding<Unit::MmaF16>("mma.sync F16");
  rounding<Unit::MmaBf16>("mma.sync BF16");
}

/// A result's own last bits: c alone, c and one product, denormals.
template <Unit U> void results(const char *name) {
  std::vector<float> cs = {0x1.000002p+0f, -0x1.fffffep+0f, 0x1p-130f,
                           0x1.8p-126f, 0x1.123456p+10f};
  std::vector<Sum> sums;
  for (float c : cs)
    sums.push_back({c, {}});
  sums.push_back({0x1.000002p+0f, {{0, {1.0f, 1.0f}}}});
  sums.push_back({0x1.000006p+0f, {{0, {1.0f, 1.0f}}}});
  sums.push_back({0x1.fffffep+0f, {{0, {1.0f, 1.0f}}}});
  std::vector<float> d = run<U>(sums);
  for (size_t i = 0; i < cs.size(); ++i)
    printf("[  tensor  ] %s: c = %a without products -> %a\n", name,
           double(cs[i]), double(d[i]));
  for (size_t i = cs.size(); i < sums.size(); ++i)
    printf("[  tensor  ] %s: c = %a and 1 -> %a\n", name, double(sums[i].c),
           double(d[i]));
}

TEST(TensorCores, Results) {
  results<Unit::WgmmaE4m3>("wgmma E4M3");
  results<Unit::MmaBf16>("mma.sync BF16");
}

/// Random codes whose products span some powers of two.
std::vector<u8> randomCodes(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<u8> codes(count);
  for (u8 &code : codes)
    code = u8((random() & 0x87) | (3 + random() % 10) << 3);
  return codes;
}

template <int N>
std::vector<float> columns(const std::vector<u8> &a, const std::vector<u8> &b) {
  Emulator emu;
  ColumnsParams p{
      emu.input("a", a),
      emu.input("b", std::vector<u8>(b.begin(), b.begin() + N * 128)),
      emu.scratch<float>("d", 64 * N)};
  emu.launch("columns", {1}, {128}, 128 * N,
             DSV4_PHASE(p, columnSums, ColumnsConfig<N>));
  Result result = emu.run();
  EXPECT_TRUE(result.ok()) << result.text();
  std::vector<float> d = contents(p.d, 64 * N), byColumn;
  for (u32 n = 0; n < N; ++n)
    for (u32 row = 0; row < 64; ++row)
      byColumn.push_back(d[row * N + n]);
  return byColumn;
}

/// The first columns of a wider product, bit for bit; and a column anywhere.
TEST(TensorCores, ColumnsDoNotMatterToEachOther) {
  for (unsigned seed = 1; seed <= schedules(20); ++seed) {
    std::vector<u8> a = randomCodes(64 * 128, seed),
                    b = randomCodes(128 * 128, seed + 100);
    for (size_t copy : {size_t(5), size_t(15), size_t(77), size_t(127)})
      std::copy_n(b.begin(), 128, b.begin() + i64(copy) * 128);
    std::vector<float> widest = columns<128>(a, b);
    auto first = [&](size_t n) {
      return std::vector<float>(widest.begin(), widest.begin() + i64(n) * 64);
    };
    EXPECT_SAME(columns<8>(a, b), first(8)) << "8 and 128";
    EXPECT_SAME(columns<16>(a, b), first(16)) << "16 and 128";
    EXPECT_SAME(columns<32>(a, b), first(32)) << "32 and 128";
    EXPECT_SAME(columns<64>(a, b), first(64)) << "64 and 128";
    for (size_t copy : {size_t(5), size_t(15), size_t(77), size_t(127)})
      EXPECT_SAME(std::vector<float>(widest.begin() + i64(copy) * 64,
                                     widest.begin() + i64(copy + 1) * 64),
                  first(1))
          << "column " << copy << " is column 0";
  }
}

/// How far sums of 128 k are from exact ones, in units of the largest product.
TEST(TensorCores, SumsOf128) {
  std::vector<u8> a = randomCodes(64 * 128, 7), b = randomCodes(8 * 128, 8);
  std::vector<float> d = columns<8>(a, b);
  double worst = 0, squares = 0, bias = 0, ofSum = 0;
  for (u32 n = 0; n < 8; ++n)
    for (u32 row = 0; row < 64; ++row) {
      double sum = 0, most = 0, size = 0;
      for (u32 k = 0; k < 128; ++k) {
        double product = double(num::e4m3ToFloat(a[row * 128 + k])) *
                         double(num::e4m3ToFloat(b[n * 128 + k]));
        sum += product;
        size += std::abs(product);
        most = std::max({most, std::abs(product), std::abs(sum)});
      }
      double off = (double(d[n * 64 + row]) - sum) / most;
      worst = std::max(worst, std::abs(off));
      squares += off * off;
      bias += sum < 0 ? -off : off;
      ofSum = std::max(ofSum, std::abs(off) * most / size);
    }
  printf("[  tensor  ] wgmma E4M3, sums of 128 k: worst error 2^%.2f of the "
         "largest addend (2^%.2f of all magnitudes), rms 2^%.2f, bias %+.3g "
         "towards larger\n",
         std::log2(worst), std::log2(ofSum), std::log2(squares / 512) / 2,
         bias / 512);
  EXPECT_LT(ofSum, 132 * 0x1p-12);
}

// ---- Places -----------------------------------------------------------------

/// Row and k (or k and column) that a hit among raw accumulators tells.
struct Hits {
  int count = 0, line = -1;
  double first = 0, second = 0; // 1 + k % 8, 1 + k / 8
  std::string raw;
};

/// For A: a row, with k in columns 0 and 1. For B: a column, k in rows 0, 1.
Hits decode(const float *d, bool ofA) {
  Hits hits;
  for (int thread = 0; thread < 128; ++thread)
    for (int i = 0; i < 4; ++i) {
      float value = d[thread * 4 + i];
      if (value == 0)
        continue;
      int row = thread / 32 * 16 + thread % 32 / 4 + i / 2 * 8;
      int column = thread % 4 * 2 + i % 2;
      ++hits.count;
      hits.line = ofA ? row : column;
      ((ofA ? column : row) == 0 ? hits.first : hits.second) = double(value);
      hits.raw += " t" + std::to_string(thread) + "d" + std::to_string(i) +
                  "=" + std::to_string(value);
    }
  return hits;
}

void expectPlaces(const std::vector<float> &d, bool ofA) {
  int wrong = 0;
  for (int item = 0; item < (ofA ? 2048 : 1024); ++item) {
    int line = 0, k = 0;
    std::string what;
    if (ofA) {
      int thread = item / 16, reg = item / 4 % 4, byte = item % 4;
      line = thread / 32 * 16 + thread % 32 / 4 + reg % 2 * 8;
      k = reg / 2 * 16 + thread % 4 * 4 + byte;
      what = "A: thread " + std::to_string(thread) + " register " +
             std::to_string(reg) + " byte " + std::to_string(byte);
    } else {
      u32 offset = u32(item) ^ (u32(item) >> 3 & 0x70); // its own inverse
      line = int(offset / 128);
      k = int(offset % 128);
      what = "B: byte " + std::to_string(item) + " of the swizzled tile";
    }
    Hits hits = decode(&d[size_t(item) * 512], ofA);
    bool right = hits.count == 2 && hits.line == line &&
                 hits.first == 1 + k % 8 && hits.second == 1 + k / 8;
    if (!right && wrong++ < 24)
      ADD_FAILURE() << what << ": expected " << (ofA ? "row " : "column ")
                    << line << ", k " << k << "; found " << hits.count
                    << " hits:" << hits.raw.substr(0, 160);
  }
  printf("[  tensor  ] places of %s: %d wrong\n", ofA ? "A" : "B", wrong);
  EXPECT_EQ(wrong, 0);
}

TEST(TensorCores, PlacesOfOperands) {
  Emulator emu;
  PlacesParams p{emu.scratch<float>("of A", 2048 * 512),
                 emu.scratch<float>("of B", 1024 * 512)};
  emu.launch("places", {264}, {128}, 1024, DSV4_PHASE(p, places));
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  expectPlaces(contents(p.ofA, 2048 * 512), true);
  expectPlaces(contents(p.ofB, 1024 * 512), false);
}

} // namespace
} // namespace dsv4::cuda::test
