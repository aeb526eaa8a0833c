// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TileBench.h.

#include "compiler/tune/TileBench.h"

#include "runtime/base/clock.h"
#include "targets/cpu/kernels/TileProduct.h"

#include <algorithm>
#include <cstring>

using namespace dsv4::cpu;

namespace dsv4::tune {

/// Weights that one row streams, or that more rows meet.
static int64_t weightBytesFor(int64_t rows, int64_t streamBytes) {
  return rows == 1 ? streamBytes : std::min<int64_t>(streamBytes, 16 << 20);
}

TileCase makeCase(TileFormat format, int64_t inner, int64_t rows,
                  int64_t streamBytes) {
  return {format, inner, rows,
          weightBytesFor(rows, streamBytes) / tileBytes(format, inner)};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

llvm::Error TileMemory::open(int64_t streamBytes, int64_t inner, int64_t rows,
                             int workers) {
  // Tiles of FP4 are the smallest, so its cases have the most results.
  auto results16 = [&](int64_t count) {
    int64_t tiles = makeCase(TileFormat::Fp4, inner, count, streamBytes).tiles;
    return count * tiles * TileRows * 2;
  };
  int64_t weightBytes = streamBytes, inputBytes = rows * inner * 2;
  int64_t resultBytes = std::max(results16(1), results16(rows));
  scratchStride = (productScratchBytes(inner) + 4095) / 4096 * 4096;
  size_t parts[] = {memory.add(uint64_t(weightBytes)),
                    memory.add(uint64_t(inputBytes)),
                    memory.add(uint64_t(resultBytes)),
                    memory.add(uint64_t(scratchStride * workers))};
  if (Status status = memory.reserve(); !status.isOk())
    return llvm::createStringError(status.message);
  weights = static_cast<uint8_t *>(memory.address(parts[0]));
  inputs = static_cast<uint8_t *>(memory.address(parts[1]));
  results = static_cast<uint8_t *>(memory.address(parts[2]));
  scratch = static_cast<uint8_t *>(memory.address(parts[3]));
  // Bytes that are ordinary numbers in every format: no NaN, no denormals.
  uint64_t state = 1;
  for (int64_t i = 0; i < weightBytes; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    weights[i] = uint8_t(0x30 | (state >> 60));
  }
  for (int64_t i = 0; i < inputBytes; i += 2) {
    inputs[i] = uint8_t(i * 37);
    inputs[i + 1] = 0x3f;
  }
  std::memset(results, 0, size_t(resultBytes));
  return llvm::Error::success();
}

/// The kernel of one linear: an item is a tile for all rows.
static void emitProduct(KernelBuilder &K, const TileCase &Case) {
  TileShape Shape{Case.format, Case.inner, /*single=*/false};
  needTileProduct(K, Shape);
  K.beginKernel("product", 3);
  Val First = K.operand(1) + K.begin() * tileBytes(Case.format, Case.inner);
  auto Address = [&](Val Row) {
    return std::pair(K.operand(0) + Row * (Case.inner * 2),
                     K.operand(2) +
                         (Row * Case.tiles + K.begin()) * (TileRows * 2));
  };
  multiplyTiles(K, Shape,
                {First, K.end() - K.begin(), K.c64(0), K.tokens(), Address});
  K.endFunction();
}

llvm::Expected<TileKernel> TileKernel::compile(const TargetDesc &target,
                                               const TileCase &shape,
                                               const Tuning &tuning,
                                               const std::string &dumps) {
  auto kernels = LoadedKernels::compile(
      target, [&](KernelBuilder &K) { emitProduct(K, shape); }, tuning,
      {dumps});
  if (!kernels)
    return kernels.takeError();
  auto kernel = kernels->find("product");
  if (!kernel)
    return kernel.takeError();
  return TileKernel(std::move(*kernels), *kernel, shape);
}

double TileKernel::run(ThreadPool &pool, const TileMemory &memory) const {
  // As the phases of a model: the pool alone says how many tiles a call gets.
  constexpr int64_t grain = 1;
  dsv4_step step = {};
  step.tokens = shape.rows;
  void *operands[] = {memory.inputs, memory.weights, memory.results};
  struct Call {
    dsv4_kernel kernel;
    const dsv4_step *step;
    void *const *operands;
    uint8_t *scratch;
    int64_t stride;
  } call = {kernel, &step, operands, memory.scratch, memory.scratchStride};
  auto job = [](void *argument, int worker, int64_t begin, int64_t end) {
    const Call &c = *static_cast<const Call *>(argument);
    c.kernel(c.step, c.operands, begin, end, c.scratch + worker * c.stride);
  };
  double start = seconds();
  pool.run(job, &call, shape.tiles, grain);
  return seconds() - start;
}

} // namespace dsv4::tune
