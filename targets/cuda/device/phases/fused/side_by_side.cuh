// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Phases that need nothing of each other in one launch: rows of the grid, one
// for each. A body sees its row alone as its grid (blockIdX, gridDimX), so it
// is the body of the launch alone, bit for bit. Bodies must take the launch's
// number of threads; shared memory is the largest of theirs. Not run on
// hardware.
//
//   using T0 = SideTask<StoreKvParams, storeKv<C0>>;
//   using T1 = SideTask<IndexQueryParams, indexQuery<C1>>;
//   using P = SideParams<T0, T1>;
//   DSV4_ENTRY(k_side_0, P, 128, sideBySide<T0, T1>)   // gridDimY = 2

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SIDE_BY_SIDE_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SIDE_BY_SIDE_CUH

// The tasks that the compiler puts side by side.
#include "targets/cuda/device/phases/query_rows.cuh"

namespace dsv4::cuda {

template <class P, void (*Body)(const P &)> struct SideTask {
  using Params = P;
  DSV4_DEVICE static void run(const P &p) { Body(p); }
};

/// The tasks' parameters one after another.
template <class First, class... Rest> struct SideParams {
  typename First::Params own;
  SideParams<Rest...> rest;
};
template <class Last> struct SideParams<Last> {
  typename Last::Params own;
};

namespace detail {
template <u32 Row, class First, class... Rest>
DSV4_DEVICE void runRow(const SideParams<First, Rest...> &p) {
  if (blockIdY() == Row)
    First::run(p.own);
  else if constexpr (sizeof...(Rest) > 0)
    runRow<Row + 1, Rest...>(p.rest);
}
} // namespace detail

template <class... Tasks>
DSV4_DEVICE void sideBySide(const SideParams<Tasks...> &p) {
  detail::runRow<0, Tasks...>(p);
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_SIDE_BY_SIDE_CUH
