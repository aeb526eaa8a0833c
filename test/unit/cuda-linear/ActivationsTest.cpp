// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Blocks of activations say exactly what the fake-quantised BF16 said: blocks
// of every kind that R15 can make.

#include "test/unit/cuda-linear/LinearTools.h"

namespace dsv4::cuda::test {
namespace {

/// Element `k`, by the layout's description, not by the device's code.
float elementOf(const u8 *block, u32 bytes, int k) {
  if (bytes == u32(WideActivationBytes)) {
    _Float16 value;
    std::memcpy(&value, block + 2 * k, 2);
    return float(value);
  }
  int c = k / 32, q = k % 32 / 4;
  u8 code = block[(4 * q + c) * 4 + k % 4];
  EXPECT_NE(code & 0x7f, 0x7f) << "a NaN at " << k;
  return num::e4m3ToFloat(code);
}

void expectBlock(const u8 *block, u32 bytes, const u16 *want,
                 const std::string &what) {
  float scale;
  std::memcpy(&scale, block + bytes - 16, 4);
  for (int k = 0; k < 128; ++k) {
    float value = elementOf(block, bytes, k) * scale;
    ASSERT_EQ(num::bitsOf(value), u32(want[k]) << 16) << what << ", k = " << k;
  }
}

void expectExact(const Activations &x, u32 size, const std::string &what) {
  Emulator emu;
  auto rows = emu.input<i64>("rows", {i64(x.rows)});
  DeviceX encoded = uploadX(emu, x, true, rows, size);
  Result result = emu.run();
  ASSERT_TRUE(result.ok()) << result.text();
  u32 blocks = x.rows * (x.k / 128);
  Bytes bytes = contents(encoded.data, size_t(blocks) * size);
  for (u32 block = 0; block < blocks; ++block) {
    expectBlock(bytes.data() + block * size, size, x.bits.data() + block * 128,
                what + ", block " + std::to_string(block));
    if (testing::Test::HasFatalFailure())
      return;
  }
}

void expectExact(const Activations &x, const std::string &what) {
  expectExact(x, ActivationBytes, what + ", E4M3");
  expectExact(x, WideActivationBytes, what + ", FP16");
}

TEST(CudaActivations, RandomBlocks) {
  expectExact(makeActivations(40, 512, true, 1), "random");
}

/// The largest value of a block walks over all BF16 mantissas and from below
/// the smallest scale to near the largest float; the others are any size.
TEST(CudaActivations, EveryLargestValue) {
  std::mt19937 random(2);
  Activations x{0, 128, {}};
  for (u32 exponent = 70; exponent < 255; exponent += exponent < 125 ? 1 : 9)
    for (u32 mantissa = 0; mantissa < 128; ++mantissa) {
      float values[128];
      for (float &value : values) {
        u32 lower = exponent - std::min(exponent, u32(random() % 20));
        u32 bits = (lower << 7 | (random() & (lower < exponent ? 127 : 0)));
        value = num::bf16ToFloat(u16(bits | (random() & 1) << 15));
      }
      values[random() % 128] = num::bf16ToFloat(u16(exponent << 7 | mantissa));
      num::fakeQuantizeE4M3(values, 128, 128);
      for (float value : values)
        x.bits.push_back(num::floatToBf16(value));
      ++x.rows;
    }
  expectExact(x, "largest");
}

/// Single codes, all zeros with their signs, and every code of E4M3 at once.
TEST(CudaActivations, EveryCode) {
  Activations x{0, 128, {}};
  for (int sign : {0, 0x80}) {
    for (int code = 0; code < 127; ++code) {
      std::vector<u16> block(128, u16(sign << 8));
      block[code] = num::floatToBf16(num::e4m3ToFloat(u8(code | sign)));
      x.bits.insert(x.bits.end(), block.begin(), block.end());
    }
    for (int code = 0; code < 128; ++code)
      x.bits.push_back(num::floatToBf16(
          num::e4m3ToFloat(u8(std::min(code, 126) | sign)) * 0x1p-7f));
    x.rows += 128;
  }
  expectExact(x, "code");
}

} // namespace
} // namespace dsv4::cuda::test
