// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attention phases at the model's own sizes, as the compiler will emit
// them: compiled by CostTest.cpp, never run. HEAD_TILE comes with the target.

#include "targets/cuda/device/entry.h"
#include "targets/cuda/device/phases/attend.cuh"
#include "targets/cuda/device/phases/attend_scores.cuh"
#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"
#include "targets/cuda/device/phases/top_k.cuh"

using namespace dsv4::cuda;

struct Query {
  static constexpr int Heads = 64, Width = 512, RopeDims = 64;
  static constexpr float Eps = 1e-6f;
};
struct Index {
  static constexpr int Heads = 64, Width = 128, RopeDims = 64, Ratio = 4;
  static constexpr float Factor = 0.011048543f;
};
struct Store {
  static constexpr int Width = 512, RopeDims = 64, RowBytes = 584;
  static constexpr int RingRows = 640;
  static constexpr float Eps = 1e-6f;
};
struct Turns {
  static constexpr int Freqs = 32;
};
template <int D, bool Overlaps, int R, bool IsIndex> struct Pool {
  static constexpr int Width = D, Ratio = R, RopeDims = 64, RowBytes = 584;
  static constexpr int CarrySlots = Overlaps ? 2 * R : R;
  static constexpr bool Overlap = Overlaps, Index = IsIndex;
  static constexpr float Eps = 1e-6f;
};
struct Kept {
  static constexpr int Width = 1024, Slots = 8;
};
struct Top {
  static constexpr int K = 512, Ratio = 4, Threads = 512;
};
template <EntryRows Kind, int R> struct Attention {
  static constexpr int Heads = 64, Width = 512, RopeDims = 64, RowBytes = 584;
  static constexpr int WindowSize = 128, RingRows = 640, Ratio = R;
  static constexpr int NumIds = 512, MaxSplits = 16, HeadTile = HEAD_TILE;
  static constexpr EntryRows Entries = Kind;
  static constexpr float Scale = 0.044194173f;
};
using Window = Attention<EntryRows::None, 1>;
using Dense = Attention<EntryRows::All, 128>;
using Sparse = Attention<EntryRows::Selected, 4>;

DSV4_ENTRY(query_heads, QueryHeadsParams, 128, queryHeads<Query>)
DSV4_ENTRY(index_query, IndexQueryParams, 128, indexQuery<Index>)
DSV4_ENTRY(store_kv, StoreKvParams, 128, storeKv<Store>)
DSV4_ENTRY(rope_table, RopeTableParams, 128, ropeTable<Turns>)
DSV4_ENTRY(compress_sparse, CompressParams, 512,
           (compress<Pool<512, true, 4, false>>))
DSV4_ENTRY(compress_index, CompressParams, 128,
           (compress<Pool<128, true, 4, true>>))
DSV4_ENTRY(compress_dense, CompressParams, 512,
           (compress<Pool<512, false, 128, false>>))
DSV4_ENTRY(carry_rows, CarryParams, 128, carry<Kept>)
DSV4_ENTRY(index_score, IndexScoreParams, 256, indexScore<Index>)
DSV4_ENTRY(top_k, TopKParams, 512, topK<Top>)
DSV4_ENTRY(scores_window, AttendParams, AttendScoresPlan<Window>::Threads,
           attendScores<Window>)
DSV4_ENTRY(scores_dense, AttendParams, AttendScoresPlan<Dense>::Threads,
           attendScores<Dense>)
DSV4_ENTRY(scores_sparse, AttendParams, AttendScoresPlan<Sparse>::Threads,
           attendScores<Sparse>)
DSV4_ENTRY(attend_window, AttendParams, 256, attend<Window>)
DSV4_ENTRY(attend_dense, AttendParams, 256, attend<Dense>)
DSV4_ENTRY(attend_sparse, AttendParams, 256, attend<Sparse>)
