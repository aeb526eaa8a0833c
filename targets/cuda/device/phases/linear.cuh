// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The matrix phases: kern.linear and kern.expert_linear on packed weights, for
// decode and prefill, and the sum over parts of K that decode leaves to a
// following phase. docs/cuda-phases.md has the order of the sums and how far
// they may be from numerics R1.
//
// The order of every sum follows from the matrix and its split alone: blocks of
// 128 k ascending within a part, parts ascending. Neither the number of tokens,
// nor columns, groups or `partials` of the config change it.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH

#include "targets/cuda/device/phases/matrix_consumer.cuh"

namespace dsv4::cuda {

/// The body of a matrix phase: roles by warp.
template <class C, class Items, class Params, class Tail = NoTail>
DSV4_DEVICE void matrixPhase(const Params &p, const Tail &tail = {}) {
  using Plan = MatrixPlan<C>;
  MatrixShared<C>::init();
  gridDepLaunch();
  u32 thread = threadIdX();
  if (thread >= Plan::consumers + Plan::loaders) {
    if (Items::weightsWait)
      gridDepWait();
    WeightProducer<C>().run(Items(p));
    return;
  }
  gridDepWait();
  if (thread >= Plan::consumers)
    XLoader<C>().run(Items(p));
  else
    MatrixConsumer<C, Tail>(tail).run(Items(p));
}

/// kern.linear. Threads and shared memory: MatrixPlan<C>.
template <class C> DSV4_DEVICE void linear(const LinearParams &p) {
  matrixPhase<C, LinearItems<C>>(p);
}

/// kern.expert_linear, w and w_other in one phase.
template <class C> DSV4_DEVICE void expertLinear(const ExpertLinearParams &p) {
  matrixPhase<C, ExpertItems<C>>(p);
}

template <u32 N>
DSV4_DEVICE Vec<float, N> loadFloats(Global<const float> from, i64 at) {
  if constexpr (N == 1)
    return {{float(from[at])}};
  else
    return from.template vec<N>(at);
}

/// N neighbouring elements of y, parts ascending: loads of four parts are on
/// their way together, because the sum is all that a block still waits for.
template <u32 N>
DSV4_DEVICE void sumElements(const MatrixJob &job, i64 i, i64 count) {
  constexpr u32 Batch = 4;
  Vec<float, N> sum = loadFloats<N>(job.partials, i);
  DSV4_NO_UNROLL
  for (u32 first = 1; first < job.split; first += Batch) {
    u32 last = job.split - 1 - first; // parts that there are not are the last
    Vec<float, N> parts[Batch];
    DSV4_UNROLL
    for (u32 b = 0; b < Batch; ++b)
      parts[b] = loadFloats<N>(job.partials,
                               i64(first + (b < last ? b : last)) * count + i);
    DSV4_UNROLL
    for (u32 b = 0; b < Batch; ++b) {
      DSV4_UNROLL
      for (int n = 0; n < int(N); ++n) {
        float more = fmaF32(parts[b][n], 1.0f, sum[n]);
        sum[n] = b <= last ? more : sum[n];
      }
    }
  }
  if constexpr (N == 1) {
    if (job.floatOut)
      job.y.template as<float>()[i] = sum[0];
    else
      job.y.template as<u16>()[i] = u16(bf16Of(sum[0]));
  } else if (job.floatOut) {
    job.y.template as<float>().template setVec<N>(i, sum);
  } else {
    Vec<u32, N / 2> words;
    DSV4_UNROLL
    for (int n = 0; n < int(N / 2); ++n)
      words[n] = bf16Of(sum[2 * n]) | bf16Of(sum[2 * n + 1]) << 16;
    job.y.template as<u32>().template setVec<N / 2>(i / 2, words);
  }
}

/// Sums the parts that a phase with C::partials has left, ascending, into y.
/// Jobs with one part have no partials and are passed over. Threads take single
/// elements; `rowsPer` is experts per token after expertLinear, 1 after linear.
template <class Params>
DSV4_DEVICE void reducePartials(const Params &p, u32 rowsPer) {
  gridDepLaunch();
  i64 targets = i64(p.rows[0]) * rowsPer; // of the step: need not wait
  gridDepWait();
  i64 i = i64(blockIdX()) * blockDimX() + threadIdX(); // over all jobs
  for (u32 number = 0; number < p.numJobs; ++number) {
    const MatrixJob &job = p.jobs[number];
    if (job.split < 2)
      continue;
    i64 count = targets * job.rows;
    for (; i < count; i += i64(gridDimX()) * blockDimX())
      sumElements<1>(job, i, count);
    i -= count;
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH
