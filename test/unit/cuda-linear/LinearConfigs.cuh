// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of the matrix phases' tests, apart from the tests because the
// device's compiler reads them too (docs/cuda-hardware-tests.md).

#ifndef DSV4_TEST_UNIT_CUDA_LINEAR_LINEARCONFIGS_CUH
#define DSV4_TEST_UNIT_CUDA_LINEAR_LINEARCONFIGS_CUH

#include "targets/cuda/device/phases/reduce.cuh"

namespace dsv4::cuda::test {

namespace linear_configs {

/// A config of the tests: small rings, so that they go round.
template <MmaKind M, u32 Columns, bool Partials, bool Bulk = true,
          u32 Groups = 2>
struct TestConfig {
  static constexpr MmaKind mma = M;
  static constexpr bool bulk = Bulk;
  static constexpr u32 formats = 7;
  static constexpr bool escapes = true;
  static constexpr bool partials = Partials;
  static constexpr u32 columns = Columns, groups = Groups;
  static constexpr u32 weightStages = 3, stageBytes = 18000, xStages = 2;
};

/// Decode by single strips: four blocks of FP4 a stage, or three, which do not
/// divide the eight of a stage of activations.
using WgmmaFours = TestConfig<MmaKind::Wgmma, 8, true, true, 1>;
struct WgmmaThrees : WgmmaFours {
  static constexpr u32 stageBytes = 13000;
};

/// With FP8 weights that meet rows of BF16.
template <u32 Columns, bool Partials>
struct WideConfig : TestConfig<MmaKind::F16, Columns, Partials> {
  static constexpr u32 formats = 15;
};

template <u32 Rows> struct ReduceConfig {
  static constexpr u32 RowsPer = Rows;
};

} // namespace linear_configs

/// Lists come from a launch before, as dispatch's do: who does not wait for it
/// reads what nobody has written.
struct CopyListsParams {
  Global<const i32> from;
  Global<i32> to;
  u32 count;
};
DSV4_DEVICE void copyLists(const CopyListsParams &p) {
  gridDepLaunch();
  for (u32 i = threadIdX(); i < p.count; i += blockDimX())
    p.to[i] = i32(p.from[i]);
}

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_LINEAR_LINEARCONFIGS_CUH
