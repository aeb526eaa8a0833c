// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Speed of the matrix products on this machine: compiles the tile kernels as
// the product does, loads them into this process and runs them over weights
// that are larger than the caches (decode) or stay in them (prefill), on the
// runtime's own workers. What `compile-model tune` and `kernel-bench` measure
// with.

#ifndef DSV4_COMPILER_TUNE_TILEBENCH_H
#define DSV4_COMPILER_TUNE_TILEBENCH_H

#include "compiler/tune/LoadedKernels.h"
#include "runtime/base/memory.h"
#include "runtime/base/thread_pool.h"

#include <string>
#include <vector>

namespace dsv4::tune {

/// A product of `rows` BF16 rows with tiles of 16 outputs x `inner`.
struct TileCase {
  cpu::TileFormat format;
  int64_t inner;
  int64_t rows;  // input rows: 1 is decode
  int64_t tiles; // of the weights
  int64_t weightBytes() const { return tiles * cpu::tileBytes(format, inner); }
  double multiplyAdds() const {
    return double(tiles) * cpu::TileRows * double(inner) * double(rows);
  }
};

/// One row streams `streamBytes` of weights from memory, as decode does; more
/// rows meet 16 MiB that stay in the caches, as prefill reads a matrix again
/// and again.
TileCase makeCase(cpu::TileFormat format, int64_t inner, int64_t rows,
                  int64_t streamBytes);

/// The middle one (the upper of two); 0 of none.
double median(std::vector<double> values);

/// Memory that all cases share: weights filled with codes of ordinary numbers,
/// input rows and results.
class TileMemory {
public:
  /// For cases of makeCase() with up to `rows` rows, and scratch for `workers`.
  /// Errors: no memory.
  llvm::Error open(int64_t streamBytes, int64_t inner, int64_t rows,
                   int workers);
  TileMemory() = default;
  TileMemory(const TileMemory &) = delete;
  ~TileMemory() { memory.release(); }

  uint8_t *weights = nullptr, *inputs = nullptr, *results = nullptr;
  uint8_t *scratch = nullptr; // of worker w: at w * scratchStride
  int64_t scratchStride = 0;

private:
  Reservation memory;
};

/// One case compiled under one choice of tile configurations.
class TileKernel {
public:
  static llvm::Expected<TileKernel> compile(const TargetDesc &target,
                                            const TileCase &shape,
                                            const Tuning &tuning,
                                            const std::string &dumps = "");

  /// Runs the product once on all workers; seconds.
  double run(ThreadPool &pool, const TileMemory &memory) const;

private:
  TileKernel(LoadedKernels kernels, dsv4_kernel kernel, const TileCase &shape)
      : kernels(std::move(kernels)), kernel(kernel), shape(shape) {}
  LoadedKernels kernels;
  dsv4_kernel kernel;
  TileCase shape;
};

} // namespace dsv4::tune

#endif // DSV4_COMPILER_TUNE_TILEBENCH_H
