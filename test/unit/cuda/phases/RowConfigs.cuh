// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of the row phases' tests, apart from the tests because the device's
// compiler reads them too (docs/cuda-hardware-tests.md).

#ifndef DSV4_TEST_UNIT_CUDA_PHASES_ROWCONFIGS_CUH
#define DSV4_TEST_UNIT_CUDA_PHASES_ROWCONFIGS_CUH

#include "targets/cuda/device/phases/dispatch.cuh"
#include "targets/cuda/device/phases/experts.cuh"
#include "targets/cuda/device/phases/fused/combine_mix.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/fused/route_dispatch.cuh"
#include "targets/cuda/device/phases/fused/side_by_side.cuh"
#include "targets/cuda/device/phases/hyper.cuh"
#include "targets/cuda/device/phases/norms.cuh"

namespace dsv4::cuda::test {

namespace expert_configs {

template <u32 E, u32 K, bool Table> struct RouteConfig {
  static constexpr u32 Experts = E, PerToken = K;
  static constexpr float Scale = 1.5f;
  static constexpr bool ByTable = Table;
};
template <u32 E, u32 K, u32 W> struct DispatchConfig {
  static constexpr u32 Experts = E, PerToken = K, Warps = W;
};
template <u32 K, bool Weights> struct SwigluConfig {
  static constexpr u32 Inner = 384, PerToken = K;
  static constexpr bool Weighted = Weights;
  static constexpr float Limit = 10.0f;
};
struct CombineConfig {
  static constexpr u32 Hidden = 200, PerToken = 3;
};

} // namespace expert_configs

namespace fused_configs {

inline constexpr u32 C = 4, D = 384;

struct Norm {
  static constexpr u32 Width = 384; // 48 vectors: no whole warps
  static constexpr float Eps = 1e-6f;
  static constexpr bool Normed = true, Quantised = true;
};
struct Quantised {
  static constexpr u32 Width = 640; // five blocks: two to a warp, and a rest
};
struct Slots {
  static constexpr u32 Inner = 384, PerToken = 3;
  static constexpr bool Weighted = true;
  static constexpr float Limit = 10.0f;
};
struct Mix {
  static constexpr u32 Streams = C, Hidden = D, Rows = C * (2 + C);
  static constexpr bool Closes = true;
};
struct Pre {
  static constexpr u32 Streams = C, Hidden = D, Iterations = 20;
  static constexpr float HcEps = 1e-6f, NormEps = 1e-5f;
  static constexpr bool Quantised = true;
};
struct Experts {
  static constexpr u32 Hidden = D, PerToken = 3;
};
/// Bodies without a type, which SideTask can name.
DSV4_DEVICE void quantizeFirst(const QuantizeParams &p) {
  quantize<Quantised>(p);
}
DSV4_DEVICE void combineSecond(const CombineParams &p) { combine<Experts>(p); }

struct Router {
  static constexpr u32 Experts = 40, PerToken = 3, Warps = 4;
  static constexpr float Scale = 1.5f;
  static constexpr bool ByTable = false;
};

} // namespace fused_configs

namespace hyper_configs {

inline constexpr u32 C = 4, D = 384, Chunks = 3; // 48 vectors: no whole warps

struct Mix {
  static constexpr u32 Streams = C, Hidden = D, Rows = C * (2 + C);
  static constexpr bool Closes = true;
};
struct HeadMix {
  static constexpr u32 Streams = C, Hidden = D, Rows = C;
  static constexpr bool Closes = false;
};
struct Pre {
  static constexpr u32 Streams = C, Hidden = D, Iterations = 20;
  static constexpr float HcEps = 1e-6f, NormEps = 1e-5f;
  static constexpr bool Quantised = true;
};
struct PlainPre : Pre {
  static constexpr bool Quantised = false;
};

} // namespace hyper_configs

namespace norm_configs {

struct EmbedConfig {
  static constexpr u32 Streams = 3, Hidden = 200;
};
struct Both {
  static constexpr u32 Width = 384; // 48 vectors: no whole warps
  static constexpr float Eps = 1e-6f;
  static constexpr bool Normed = true, Quantised = true;
};
struct OnlyQuantised : Both {
  static constexpr u32 Width = 1024;
  static constexpr bool Normed = false;
};
struct OnlyNormed : Both {
  static constexpr u32 Width = 80; // no whole block
  static constexpr bool Quantised = false;
};
struct QuantizeConfig {
  static constexpr u32 Width = 640; // five blocks: two to a warp, and a rest
};

} // namespace norm_configs

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_PHASES_ROWCONFIGS_CUH
