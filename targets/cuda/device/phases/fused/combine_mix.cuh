// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.combine and the kern.hc_mix that closes its sublayer, in one launch: the
// block that has 128 columns of a token adds the experts' rows there. For few
// tokens: every stream adds them again, four reads of a row for one. Bit-equal
// to the two launches.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_COMBINE_MIX_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_COMBINE_MIX_CUH

#include "targets/cuda/device/phases/experts.cuh"
#include "targets/cuda/device/phases/hyper.cuh"

namespace dsv4::cuda {

/// Of mix, `out` is not read, of combine, `out` not written.
struct CombineMixParams {
  HcMixParams mix;
  CombineParams combine;
};

/// combine's sum of two columns: slots ascending from zero, then shared.
template <class C> struct CombinedOut {
  const CombineParams &p;
  DSV4_DEVICE u32 operator()(i64 token, u32 word) const {
    float low = 0, high = 0;
    auto add = [&](Global<const u16> rows, i64 row) {
      u32 pair = rows.as<const u32>()[row * (C::Hidden / 2) + word];
      low += num::bf16ToFloat(u16(pair));
      high += num::bf16ToFloat(u16(pair >> 16));
    };
    DSV4_UNROLL
    for (u32 slot = 0; slot < C::PerToken; ++slot)
      add(p.y, token * C::PerToken + slot);
    add(p.shared, token);
    return num::floatToBf16(low) | u32(num::floatToBf16(high)) << 16;
  }
};

/// Mix: config of hc_mix, which closes. Combine: of combine. Threads and shared
/// memory: HcMixPlan<Mix>.
template <class Mix, class Combine>
DSV4_DEVICE void combineMix(const CombineMixParams &p) {
  static_assert(Mix::Closes && Mix::Hidden == Combine::Hidden,
                "expected the mix behind the sum");
  hcMixOf<Mix>(p.mix, CombinedOut<Combine>{p.combine});
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_COMBINE_MIX_CUH
