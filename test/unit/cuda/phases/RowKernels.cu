// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The row phases at the dimensions of DeepSeek V4 Flash, as the compiler will
// instantiate them. Compiled by RowCubinsTest.cpp, not run on hardware.

#include "targets/cuda/device/phases/fused/combine_mix.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/fused/route_dispatch.cuh"
#include "targets/cuda/device/phases/fused/side_by_side.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"

using namespace dsv4::cuda;

struct MixConfig {
  static constexpr u32 Streams = 4, Hidden = 4096, Rows = 24;
  static constexpr bool Closes = true;
};
struct HeadMixConfig : MixConfig {
  static constexpr u32 Rows = 4;
};
struct PreConfig {
  static constexpr u32 Streams = 4, Hidden = 4096, Iterations = 20;
  static constexpr float HcEps = 1e-6f, NormEps = 1e-6f;
  static constexpr bool Quantised = true;
};
struct NormConfig {
  static constexpr u32 Width = 1024;
  static constexpr float Eps = 1e-6f;
  static constexpr bool Normed = true, Quantised = true;
};
struct BiasConfig {
  static constexpr u32 Experts = 256, PerToken = 6, Warps = 32;
  static constexpr float Scale = 1.5f;
  static constexpr bool ByTable = false;
};
struct TableConfig : BiasConfig {
  static constexpr bool ByTable = true;
};
struct SlotsConfig {
  static constexpr u32 Inner = 2048, PerToken = 6, Hidden = 4096;
  static constexpr bool Weighted = true;
  static constexpr float Limit = 10.0f;
};
struct RowsConfig {
  static constexpr u32 Streams = 4, Hidden = 4096, Width = 8192;
};

#define KERNEL(name, threads, Params, body)                                    \
  extern "C" DSV4_KERNEL void DSV4_LAUNCH_BOUNDS(threads, 1) name(Params p) {  \
    body(p);                                                                   \
  }

KERNEL(mix, HcMixPlan<MixConfig>::Threads, HcMixParams, hcMix<MixConfig>)
KERNEL(headMix, HcMixPlan<HeadMixConfig>::Threads, HcMixParams,
       hcMix<HeadMixConfig>)
KERNEL(pre, HcPrePlan<PreConfig>::Threads, HcPreParams, hcPre<PreConfig>)
KERNEL(head, HcHeadPlan<PreConfig>::Threads, HcHeadParams, hcHead<PreConfig>)
KERNEL(normed, NormQuantPlan<NormConfig>::Threads, NormQuantParams,
       normQuant<NormConfig>)
KERNEL(routeByBias, 128, RouteParams, route<BiasConfig>)
KERNEL(routeByTable, 128, RouteParams, route<TableConfig>)
KERNEL(lists, DispatchPlan<BiasConfig>::Threads, DispatchParams,
       dispatch<BiasConfig>)
KERNEL(swigluOfSlots, 256, SwigluParams, swiglu<SlotsConfig>)
KERNEL(sumOfExperts, 256, CombineParams, combine<SlotsConfig>)
KERNEL(embedding, 256, EmbedParams, embed<RowsConfig>)
KERNEL(quantized, 256, QuantizeParams, quantize<RowsConfig>)

// Fused, for steps of few tokens.
struct FewTokens : BiasConfig {
  static constexpr u32 Warps = 8;
};
struct QueryConfig {
  static constexpr u32 Heads = 64, Width = 512, RopeDims = 64;
  static constexpr float Eps = 1e-6f;
  static constexpr u32 RingRows = 640, RowBytes = 584;
};
struct IndexConfig {
  static constexpr u32 Heads = 64, Width = 128, RopeDims = 64;
};
using Queries = SideTask<QueryHeadsParams, queryHeads<QueryConfig>>;
using IndexQueries = SideTask<IndexQueryParams, indexQuery<IndexConfig>>;
using KvRows = SideTask<StoreKvParams, storeKv<QueryConfig>>;
using ThreeParams = SideParams<Queries, IndexQueries, KvRows>;

KERNEL(preEncoded, HcPrePlan<PreConfig>::Threads, HcPreEncodeParams,
       hcPreEncode<PreConfig>)
KERNEL(normedEncoded, NormQuantPlan<NormConfig>::Threads, NormQuantEncodeParams,
       normQuantEncode<NormConfig>)
KERNEL(swigluEncoded, 256, SwigluEncodeParams, swigluEncode<SlotsConfig>)
KERNEL(quantizedEncoded, 256, QuantizeEncodeParams, quantizeEncode<RowsConfig>)
#define COMBINE_MIX combineMix<MixConfig, SlotsConfig>
KERNEL(combinedMix, HcMixPlan<MixConfig>::Threads, CombineMixParams,
       COMBINE_MIX)
#define ROUTE_DISPATCH routeDispatch<FewTokens, FewTokens>
KERNEL(routeLists, DispatchPlan<FewTokens>::Threads, RouteDispatchParams,
       ROUTE_DISPATCH)
#define THREE sideBySide<Queries, IndexQueries, KvRows>
KERNEL(threeTasks, 128, ThreeParams, THREE)
