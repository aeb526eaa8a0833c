// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of few tokens whose blocks go on with what they have completed: the
// last block to arrive at a unit, some strips of one job or of several, adds
// their parts of K in ascending order, then does a task with the finished rows
// (norm, quantisation, swiglu, routing, queries, rows of state) that was a
// launch of its own. Bit-equal to those launches.
//
//   using T0 = QuantizeEncodeTail<C0>;
//   using P = ProductTailParams<LinearParams, T0>;
//   DSV4_ENTRY(k, P, 256, linearTails<C1, T0>)

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_PRODUCT_TAILS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_PRODUCT_TAILS_CUH

#include "targets/cuda/device/phases/fused/mix_pre_tail.cuh"
#include "targets/cuda/device/phases/linear.cuh"

namespace dsv4::cuda {

/// Jobs whose strips are cut alike, and the task of a unit.
struct TailUnits {
  static constexpr u32 NoTask = ~0u;
  u32 firstJob, numJobs;
  u32 strips;       // of each job in a unit
  u32 firstCounter; // of the first unit (of the first rows of experts)
  u32 task;         // number of the kernel's task, or NoTask
  u32 lanes;        // of a warp that have items, for tasks by warp
};

struct TailPlan {
  static constexpr u32 MaxJobs = LinearParams::MaxJobs;
  Global<u32> counters; // zeros before and after
  TailUnits units[MaxJobs];
  u32 unitsOf[MaxJobs]; // of each job
};

template <class... Tasks> struct TailTasks {};
template <class First, class... Rest> struct TailTasks<First, Rest...> {
  typename First::Params own;
  TailTasks<Rest...> rest;
};
template <class Last> struct TailTasks<Last> {
  typename Last::Params own;
};

template <class Product, class... Tasks> struct ProductTailParams {
  Product product;
  TailPlan plan;
  TailTasks<Tasks...> tasks;
};
template <class Product> struct ProductTailParams<Product> {
  Product product;
  TailPlan plan;
};

template <class C, class Product, class... Tasks> class ProductTails {
  using Plan = MatrixPlan<C>;
  static_assert(C::partials && C::groups == 1,
                "expected a strip and a part of K in each item");

public:
  DSV4_DEVICE explicit ProductTails(
      const ProductTailParams<Product, Tasks...> &p)
      : p(p) {}

  /// Called by all consumers.
  template <class Items>
  DSV4_DEVICE void stored(const Items &items, const MatrixItem &item,
                          const MatrixJob &) const {
    const TailUnits &units = p.plan.units[p.plan.unitsOf[item.job]];
    u32 strips = stripsOf(p.product.jobs[units.firstJob]);
    u32 perRow = ceilDiv(strips, units.strips);
    u32 unit = item.strip / units.strips, first = unit * units.strips;
    u32 left = strips - first;
    left = left < units.strips ? left : units.strips;
    u32 wanted = 0;
    for (u32 i = 0; i < units.numJobs; ++i)
      wanted += left * p.product.jobs[units.firstJob + i].split;
    if (wanted == 1 && units.task == TailUnits::NoTask)
      return;
    auto counter =
        p.plan.counters + i64(units.firstCounter + item.place * perRow + unit);
    auto flag = (dynamicShared() + Plan::tailFlagAt).template as<u32>();
    if (!arriveLast(counter, wanted, flag, Plan::consumers))
      return;
    for (u32 i = 0; i < units.numJobs; ++i)
      sum(items, item, p.product.jobs[units.firstJob + i], first, left);
    if constexpr (sizeof...(Tasks) > 0) {
      barSync(TailBarrier, Plan::consumers); // y is there
      run<0>(p.tasks, items, item, units, unit, perRow);
    }
  }

private:
  /// Adds the parts of strips [first, first + count).
  template <class Items>
  DSV4_DEVICE static void sum(const Items &items, const MatrixItem &item,
                              const MatrixJob &job, u32 first, u32 count) {
    if (job.split < 2)
      return;
    if (job.rows % 4 == 0)
      sumBy<4>(items, item, job, first, count);
    else
      sumBy<1>(items, item, job, first, count);
  }

  /// N neighbouring rows of W by a thread.
  template <u32 N, class Items>
  DSV4_DEVICE static void sumBy(const Items &items, const MatrixItem &item,
                                const MatrixJob &job, u32 first, u32 count) {
    u32 begin = first * TileRows, end = begin + count * TileRows;
    u32 width = ((end < job.rows ? end : job.rows) - begin) / N;
    i64 elements = i64(items.targets()) * job.rows;
    DSV4_NO_UNROLL
    for (u32 i = threadIdX(); i < width * item.columns; i += Plan::consumers) {
      i64 row = items.target(item, i / width);
      sumElements<N>(job, row * job.rows + begin + i % width * N, elements);
    }
  }

  template <u32 Number, class Items, class First, class... Rest>
  DSV4_DEVICE static void run(const TailTasks<First, Rest...> &tasks,
                              const Items &items, const MatrixItem &item,
                              const TailUnits &units, u32 unit, u32 perRow) {
    if (units.task == Number)
      runTask<First>(tasks.own, items, item, units, unit, perRow);
    else if constexpr (sizeof...(Rest) > 0)
      run<Number + 1>(tasks.rest, items, item, units, unit, perRow);
  }

  /// The unit's rows are the item's: whoever is last has them in its columns.
  template <class Task, class Items>
  DSV4_DEVICE static void runTask(const typename Task::Params &params,
                                  const Items &items, const MatrixItem &item,
                                  const TailUnits &units, u32 unit,
                                  u32 perRow) {
    if constexpr (Task::by == TailBy::Warp) {
      DSV4_NO_UNROLL
      for (u32 column = warpId(); column < item.columns;
           column += Plan::consumers / 32)
        Task::run(params, WarpView{items.target(item, column) * perRow + unit,
                                   units.lanes});
    } else if (threadIdX() < Task::threads) {
      static_assert(Task::threads <= Plan::consumers, "too few threads");
      using View = BlockView<Task::threads>;
      if constexpr (Task::by == TailBy::Step)
        Task::run(params, View{0, 1, Plan::sharedBytes});
      else {
        DSV4_NO_UNROLL
        for (u32 column = 0; column < item.columns; ++column) {
          u32 row = items.target(item, column);
          View view{row, NoOtherBlock, Plan::sharedBytes};
          if constexpr (Task::by == TailBy::Columns)
            Task::run(params, view, row, unit);
          else
            Task::run(params, view);
        }
      }
    }
  }

  const ProductTailParams<Product, Tasks...> &p;
};

/// kern.linear with tails. Threads: MatrixPlan<C>; shared memory: its own, then
/// the largest of the tasks'.
template <class C, class... Tasks>
DSV4_DEVICE void
linearTails(const ProductTailParams<LinearParams, Tasks...> &p) {
  ProductTails<C, LinearParams, Tasks...> tails(p);
  matrixPhase<C, LinearItems<C>>(p.product, tails);
}

template <class C, class... Tasks>
DSV4_DEVICE void
expertTails(const ProductTailParams<ExpertLinearParams, Tasks...> &p) {
  ProductTails<C, ExpertLinearParams, Tasks...> tails(p);
  matrixPhase<C, ExpertItems<C>>(p.product, tails);
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_PRODUCT_TAILS_CUH
