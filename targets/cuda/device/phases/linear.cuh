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

/// One element of y: parts ascending.
DSV4_DEVICE void sumElement(const MatrixJob &job, i64 i, i64 count) {
  float sum = job.partials[i];
  DSV4_UNROLL_BY(8) // loads of many parts are on their way together
  for (u32 part = 1; part < job.split; ++part)
    sum = fmaF32(job.partials[part * count + i], 1.0f, sum);
  if (job.floatOut)
    job.y.template as<float>()[i] = sum;
  else
    job.y.template as<u16>()[i] = u16(bf16Of(sum));
}

/// Sums the parts that a phase with C::partials has left, ascending, into y.
/// Jobs with one part have no partials and are passed over. Threads take single
/// elements; `rowsPer` is experts per token after expertLinear, 1 after linear.
template <class Params>
DSV4_DEVICE void reducePartials(const Params &p, u32 rowsPer) {
  gridDepLaunch();
  gridDepWait();
  i64 targets = i64(p.rows[0]) * rowsPer;
  i64 i = i64(blockIdX()) * blockDimX() + threadIdX(); // over all jobs
  for (u32 number = 0; number < p.numJobs; ++number) {
    const MatrixJob &job = p.jobs[number];
    if (job.split < 2)
      continue;
    i64 count = targets * job.rows;
    for (; i < count; i += i64(gridDimX()) * blockDimX())
      sumElement(job, i, count);
    i -= count;
  }
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_LINEAR_CUH
