// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.index_score and kern.top_k in one launch, for a step of one token: the
// last block to end has all scores. Bit-equal to the two launches. Not run on
// hardware.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SCORE_TOP_K_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SCORE_TOP_K_CUH

#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/top_k.cuh"

namespace dsv4::cuda {

struct ScoreTopKParams {
  IndexScoreParams score;
  TopKParams topK;
  Global<u32> counter; // zero before and after
};

template <class Score, class Top> struct ScoreTopKPlan {
  static constexpr u32 ScoreBytes = IndexScorePlan<Score>::Bytes;
  static constexpr u32 FlagAt =
      ScoreBytes > TopKPlan<Top>::Bytes ? ScoreBytes : TopKPlan<Top>::Bytes;
  static constexpr u32 SharedBytes = FlagAt + 16;
};

/// Top::Threads, which moves no bit, is the launch's.
template <class Score, class Top>
DSV4_DEVICE void scoreTopK(const ScoreTopKParams &p) {
  indexScore<Score>(p.score);
  auto flag =
      (dynamicShared() + ScoreTopKPlan<Score, Top>::FlagAt).template as<u32>();
  if (arriveLast(p.counter, gridDimX(), flag, Top::Threads))
    topK<Top>(p.topK, BlockView<Top::Threads>{0, 1, 0});
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SCORE_TOP_K_CUH
