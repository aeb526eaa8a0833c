// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tails of products do: bodies of phases as one block, or one warp, of
// their grid. A task names its parameters, how its rows are taken, and of how
// many threads a block of it is.

#ifndef DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_TAIL_TASKS_CUH
#define DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_TAIL_TASKS_CUH

#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/fused/route_dispatch.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"

namespace dsv4::cuda {

enum class TailBy {
  Warp,    // a unit's columns of a row, by a warp
  Block,   // a row, by the task's threads
  Columns, // a unit's columns of a row, by the task's threads
  Step,    // all rows
};

template <class C> struct QuantizeEncodeTail {
  using Params = QuantizeEncodeParams;
  static constexpr TailBy by = TailBy::Warp;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    quantize<C>(p.phase, EncodeSink{p.blocks, p.blockBytes}, view);
  }
};

template <class C> struct SwigluEncodeTail {
  using Params = SwigluEncodeParams;
  static constexpr TailBy by = TailBy::Warp;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    swiglu<C>(p.phase, EncodeSink{p.blocks, p.blockBytes}, view);
  }
};

template <class C> struct NormQuantEncodeTail {
  using Params = NormQuantEncodeParams;
  static constexpr TailBy by = TailBy::Block;
  static constexpr u32 threads = NormQuantPlan<C>::Threads;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    normQuant<C>(p.phase, EncodeSink{p.blocks, p.blockBytes}, view);
  }
};

/// Dispatch::Warps is of a block of products' consumers.
template <class Route, class Dispatch> struct RouteDispatchTail {
  using Params = RouteDispatchParams;
  static constexpr TailBy by = TailBy::Step;
  static constexpr u32 threads = DispatchPlan<Dispatch>::Threads;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    routeDispatchIn<Route, Dispatch>(p, view);
  }
};

template <class C> struct QueryHeadsTail {
  using Params = QueryHeadsParams;
  static constexpr TailBy by = TailBy::Warp;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    queryHeadsIn<C>(p, view);
  }
};

template <class C> struct IndexQueryTail {
  using Params = IndexQueryParams;
  static constexpr TailBy by = TailBy::Warp;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    indexQueryIn<C>(p, view);
  }
};

template <class C> struct StoreKvTail {
  using Params = StoreKvParams;
  static constexpr TailBy by = TailBy::Warp;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    storeKvIn<C>(p, view);
  }
};

struct CompressCarryParams {
  CompressParams compress;
  CarryParams carry;
};

/// Entries of all rows, then what the next step's entries need of them: carry
/// overwrites what compress reads of the same or of later rows.
template <class Compress, class Carry> struct CompressCarryTail {
  using Params = CompressCarryParams;
  static constexpr TailBy by = TailBy::Step;
  static constexpr u32 threads = 128;
  template <class View>
  DSV4_DEVICE static void run(const Params &p, const View &view) {
    compress<Compress>(p.compress, view);
    view.sync();
    carry<Carry>(p.carry, view);
  }
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_DEVICE_PHASES_FUSED_TAIL_TASKS_CUH
