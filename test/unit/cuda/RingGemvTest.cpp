// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The weight ring under many schedules: right, bit-identical, and each thing it
// needs is missed when it is left out.

#include "test/unit/cuda/RingGemv.h"
#include "test/unit/cuda/EmulationTestSupport.h"

namespace dsv4::cuda::test {
namespace {

constexpr RingShape shape{48, 1536, 3};

float weight(u32 row, u32 k) {
  return float(int((row * 31 + k * 17) % 255) - 127);
}

/// In the order in which blocks stream them.
std::vector<float> packedWeights() {
  using C = RingConfig;
  std::vector<float> packed;
  for (u32 tile = 0; tile < shape.tiles(); ++tile)
    for (u32 k = 0; k < shape.k; k += C::tileK)
      for (u32 row = 0; row < C::tileRows; ++row)
        for (u32 i = 0; i < C::tileK; ++i)
          packed.push_back(weight(tile * C::tileRows + row, k + i));
  return packed;
}

Outcome runGemv(u64 seed, Fault fault) {
  static const std::vector<float> packed = packedWeights();
  Emulator emu({.seed = seed, .residentBlocks = 6});
  emu.adopt("weights", packed.data(), packed.size() * sizeof(float), true);
  Global<const float> w(packed.data());
  auto x = emu.scratch<float>("x", shape.k);
  auto partials = emu.scratch<float>("partials", shape.rows * shape.splits);
  auto y = emu.scratch<float>("y", shape.rows);
  auto a =
      emu.launch("prepare", {2}, {64}, 0, [=] { prepareKernel(shape, x); });
  auto b = emu.launch("gemv", {shape.tiles(), shape.splits},
                      {RingConfig::threads}, RingConfig::sharedBytes,
                      [=] { ringGemvKernel(shape, w, x, partials, fault); },
                      {{a, Edge::Programmatic}});
  emu.launch("reduce", {2}, {32}, 0,
             [=] { reduceKernel(shape, partials, y, fault); },
             {{b, Edge::Programmatic}});
  Result result = emu.run();
  return {result, contents(y, shape.rows)};
}

TEST(CudaRingGemv, RightAndBitIdentical) {
  std::vector<float> first;
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Outcome run = runGemv(seed, Fault::None);
    ASSERT_TRUE(run.result.ok()) << run.result.text();
    if (seed == 1)
      first = run.values;
    for (u32 row = 0; row < shape.rows; ++row) {
      double want = 0, size = 0;
      for (u32 k = 0; k < shape.k; ++k) {
        want += double(weight(row, k)) / (1 + k);
        size += std::fabs(double(weight(row, k))) / (1 + k);
      }
      ASSERT_NEAR(run.values[row], want, 1e-6 * size) << "row " << row;
      ASSERT_EQ(run.values[row], first[row]) << "seed " << seed;
    }
  }
}

struct FaultCase {
  const char *name;
  Fault fault;
  FaultKind kind;
  const char *says;
};

class CudaSeededFault : public testing::TestWithParam<FaultCase> {};

/// The twin without the fault is RightAndBitIdentical, over the same seeds.
TEST_P(CudaSeededFault, IsReportedUnderEverySeed) {
  const FaultCase &c = GetParam();
  for (u64 seed = 1; seed <= seeds; ++seed) {
    Outcome run = runGemv(seed, c.fault);
    EXPECT_TRUE(run.result.has(c.kind)) << "seed " << seed << "\n"
                                        << run.result.text();
    EXPECT_NE(run.result.text().find(c.says), std::string::npos)
        << c.says << " not in, seed " << seed << ":\n"
        << run.result.text();
  }
}

INSTANTIATE_TEST_SUITE_P(
    RingGemv, CudaSeededFault,
    testing::Values(
        FaultCase{"NoFullWait", Fault::NoFullWait, FaultKind::Race,
                  "bulk copy"},
        FaultCase{"NoEmptyWait", Fault::NoEmptyWait, FaultKind::Race,
                  "bulk copy of 4096 bytes at shared memory + "},
        FaultCase{"EarlyRelease", Fault::EarlyRelease, FaultKind::Race,
                  "is not ordered behind a read by gemv"},
        FaultCase{"NoGridDepWait", Fault::NoGridDepWait, FaultKind::Race,
                  "partials + "},
        FaultCase{"NoGridDepWaitX", Fault::NoGridDepWaitX, FaultKind::Race,
                  "x + "},
        FaultCase{"WrongBarrier", Fault::WrongBarrier, FaultKind::Deadlock,
                  "bar.sync 1: 128 of 160 threads have come"},
        FaultCase{"NoBarrier", Fault::NoBarrier, FaultKind::Race,
                  "shared memory + "},
        FaultCase{"OutOfBounds", Fault::OutOfBounds, FaultKind::OutOfBounds,
                  "gemv block 8 thread "},
        FaultCase{"NoInitFence", Fault::NoInitFence, FaultKind::Misuse,
                  "no fence shows its initialisation to copies"},
        FaultCase{"MissingBytes", Fault::MissingBytes, FaultKind::Deadlock,
                  "is in phase 0 with 0 of 1 arrivals and 16 bytes "
                  "outstanding"}),
    [](const auto &info) { return info.param.name; });

} // namespace
} // namespace dsv4::cuda::test
