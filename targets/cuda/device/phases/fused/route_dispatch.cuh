// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern.route and kern.dispatch in one launch of one block, for steps of few
// tokens: a warp routes a token, then the block sorts. Bit-equal to the two
// launches.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_ROUTE_DISPATCH_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_ROUTE_DISPATCH_CUH

#include "targets/cuda/device/phases/dispatch.cuh"
#include "targets/cuda/device/phases/experts.cuh"

namespace dsv4::cuda {

struct RouteDispatchParams {
  RouteParams route;
  DispatchParams dispatch; // of the same ids
};

template <class Route, class Dispatch, class View>
DSV4_DEVICE void routeDispatchIn(const RouteDispatchParams &p,
                                 const View &view) {
  static_assert(Route::Experts == Dispatch::Experts &&
                    Route::PerToken == Dispatch::PerToken,
                "expected the lists of what is routed");
  route<Route>(p.route, view);
  // Ids of all warps: dispatch meets at a barrier before it reads them.
  dispatch<Dispatch>(p.dispatch, view);
}

/// Route: config of route. Dispatch: of dispatch, whose threads and shared
/// memory it takes; with 8 warps route keeps its registers. A grid of one
/// block.
template <class Route, class Dispatch>
DSV4_DEVICE void routeDispatch(const RouteDispatchParams &p) {
  routeDispatchIn<Route, Dispatch>(p, WholeGrid());
}

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_ROUTE_DISPATCH_CUH
