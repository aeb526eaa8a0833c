// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Configs of the attention phases' tests, apart from the tests because the
// device's compiler reads them too (docs/cuda-hardware-tests.md).

#ifndef DSV4_TEST_UNIT_CUDA_ATTENTION_ATTENTIONCONFIGS_CUH
#define DSV4_TEST_UNIT_CUDA_ATTENTION_ATTENTIONCONFIGS_CUH

#include "targets/cuda/device/phases/attend.cuh"
#include "targets/cuda/device/phases/attend_scores.cuh"
#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"
#include "targets/cuda/device/phases/top_k.cuh"

namespace dsv4::cuda::test {

namespace attend_configs {

/// A small model: rows of 128 values, of 200 bytes.
template <EntryRows Kind, int H = 20, int Tile = 16> struct Small {
  static constexpr int Heads = H, HeadTile = Tile;
  static constexpr int Width = 128, RopeDims = 64, RowBytes = 200;
  static constexpr int WindowSize = 40, RingRows = 80, Ratio = 4, NumIds = 30;
  static constexpr int MaxSplits = 3;
  static constexpr EntryRows Entries = Kind;
  static constexpr float Scale = 0.0883883461f;
};
/// The model's own sizes.
struct Real {
  static constexpr int Heads = 64, HeadTile = 64;
  static constexpr int Width = 512, RopeDims = 64, RowBytes = 584;
  static constexpr int WindowSize = 128, RingRows = 160, Ratio = 4;
  static constexpr int NumIds = 512, MaxSplits = 16;
  static constexpr EntryRows Entries = EntryRows::Selected;
  static constexpr float Scale = 0.0441941731f;
};

} // namespace attend_configs

namespace chain_configs {

/// One layer's sizes, as every phase asks for them.
struct Layer {
  static constexpr int Heads = 3, Width = 128, RopeDims = 64, Ratio = 4;
  static constexpr int RowBytes = 200, RingRows = 24, WindowSize = 6;
  static constexpr int Freqs = 32, CarrySlots = 8, K = 3, NumIds = 3;
  static constexpr int Threads = 64, MaxSplits = 2, HeadTile = 16;
  static constexpr bool Overlap = true, Index = false;
  static constexpr EntryRows Entries = EntryRows::Selected;
  static constexpr float Eps = 1e-6f, Factor = 0.05f, Scale = 0.088388346f;
};
struct IndexLayer : Layer {
  static constexpr bool Index = true;
};
struct CarryLayer {
  static constexpr int Width = 2 * Layer::Width, Slots = Layer::CarrySlots;
};

} // namespace chain_configs

namespace compress_configs {

template <int N, bool Overlaps, int R, int Slots, bool IsIndex> struct Config {
  static constexpr int Width = N, Ratio = R, CarrySlots = Slots, RopeDims = 64;
  static constexpr bool Overlap = Overlaps, Index = IsIndex;
  static constexpr int RowBytes = (N - 64) + 128 + 8;
  static constexpr float Eps = 1e-6f;
};
template <class C> struct CarryConfig {
  static constexpr int Width = C::Overlap ? 2 * C::Width : C::Width;
  static constexpr int Slots = C::CarrySlots;
};

} // namespace compress_configs

namespace score_configs {

template <int H, int N = 128> struct Config {
  static constexpr int Heads = H, Width = N, Ratio = 4;
  static constexpr float Factor = 0.0220970869f;
};

} // namespace score_configs

namespace query_configs {

template <int H, int N, int R> struct HeadsConfig {
  static constexpr int Heads = H, Width = N, RopeDims = R;
  static constexpr float Eps = 1e-6f;
};
template <int N, int R, int Bytes, int Ring> struct StoreConfig {
  static constexpr int Width = N, RopeDims = R, RowBytes = Bytes;
  static constexpr int RingRows = Ring;
  static constexpr float Eps = 1e-6f;
};
struct FreqsConfig {
  static constexpr int Freqs = 7;
};

} // namespace query_configs

namespace top_k_configs {

template <int Best, int R, int T> struct Config {
  static constexpr int K = Best, Ratio = R, Threads = T;
};

} // namespace top_k_configs

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_ATTENTION_ATTENTIONCONFIGS_CUH
