// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The streaming packer: weights by offset, experts one after the other, tiles
// in portions of a few MiB.

#include "compiler/pack/WeightPacker.h"

#include "compiler/pack/PackParts.h"
#include "dialects/kern/IR/KernPacking.h"
#include "targets/cpu/Packing.h"
#include "targets/cuda/lower/AssignPacking.h"

#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

using namespace dsv4::kern;
using dsv4::qfmt::Format;
using llvm::ArrayRef;
using llvm::Error;
using llvm::StringRef;

namespace dsv4 {

namespace {

/// Bytes packed before they go to the sink.
constexpr int64_t PortionBytes = 8 << 20;

/// One matrix of a weight (one expert of a stack) in the checkpoint.
struct Matrix {
  std::string name, scaleName;
  ArrayRef<uint8_t> data, scales;
};

class Packer {
public:
  Packer(kern::ProgramOp program, TensorReader read, ByteSink sink,
         PackProgress progress, unsigned threads)
      : program(program), read(read), sink(sink), progress(progress),
        threads(std::max(1u, threads)) {}

  Error run();

private:
  Error weight(WeightOp op);
  Error matrix(WeightOp op, const Matrix &m);
  Error raw(WeightOp op, const Matrix &m);
  Error tiles(WeightOp op, const Matrix &m);
  Error gpuTiles(WeightOp op, const Matrix &m);
  Error indices(WeightOp op, const Matrix &m);
  Error emit(ArrayRef<uint8_t> bytes);
  Error zeros(int64_t count);

  kern::ProgramOp program;
  TensorReader read;
  ByteSink sink;
  PackProgress progress;
  unsigned threads;
  uint64_t done = 0, total = 0;
  std::vector<uint8_t> buffer;
};

} // namespace

static cpu::TileFormat tileFormat(Format format) {
  switch (format) {
  case Format::FP4:
    return cpu::TileFormat::Fp4;
  case Format::FP8:
    return cpu::TileFormat::Fp8;
  case Format::BF16:
    return cpu::TileFormat::Bf16;
  default:
    return cpu::TileFormat::F32;
  }
}

static int64_t rowsOf(ArrayRef<int64_t> shape) {
  return shape.size() < 2 ? 1 : shape[shape.size() - 2];
}

/// Bytes of one matrix in the checkpoint, and of its scales.
static std::pair<int64_t, int64_t> sourceBytes(qfmt::WeightType type) {
  ArrayRef<int64_t> shape = type.getShape();
  int64_t rows = rowsOf(shape), inner = shape.back();
  switch (type.getFormat()) {
  case Format::FP4:
    return {rows * inner / 2, rows * (inner / 32)};
  case Format::FP8:
    return {rows * inner, ceilDiv(rows, 128) * ceilDiv(inner, 128)};
  case Format::BF16:
    return {rows * inner * 2, 0};
  case Format::I64:
    return {rows * inner * 8, 0};
  default:
    return {rows * inner * 4, 0};
  }
}

/// Scales that kernels may multiply into weights or sums, whichever suits them,
/// for the same bits (docs/numerics.md): exponents at most so large.
static constexpr int MostExponent = 60;

/// Whether all codes under scale number `i` are zeros, whose scale says
/// nothing: quantisers may write 0 there.
static bool scalesZeros(const Matrix &m, Format format, ArrayRef<int64_t> shape,
                        int64_t i) {
  int64_t inner = shape.back();
  if (format == Format::FP4)
    return llvm::all_of(m.data.slice(i * 16, 16),
                        [](uint8_t b) { return (b & 0x77) == 0; });
  int64_t across = ceilDiv(inner, 128), first = i % across * 128;
  int64_t begin = i / across * 128, end = std::min(begin + 128, rowsOf(shape));
  for (int64_t row = begin; row < end; ++row)
    if (llvm::any_of(m.data.slice(row * inner + first,
                                  std::min<int64_t>(128, inner - first)),
                     [](uint8_t b) { return (b & 127) != 0; }))
      return false;
  return true;
}

/// What is not a number has no place in a weight.
static Error checkNumbers(const Matrix &m, qfmt::WeightType type) {
  if (llvm::is_contained(m.scales, 255))
    return llvm::createStringError(
        "tensor " + m.scaleName +
        ": scale 255 (NaN) found; the checkpoint is damaged");
  for (auto [i, scale] : llvm::enumerate(m.scales)) {
    int exponent = int(scale) - 127;
    if (std::abs(exponent) > MostExponent &&
        !scalesZeros(m, type.getFormat(), type.getShape(), int64_t(i)))
      return llvm::createStringError(
          "tensor " + m.scaleName + ": expected scales from 2^-" +
          llvm::Twine(MostExponent) + " to 2^" + llvm::Twine(MostExponent) +
          ", found 2^" + llvm::Twine(exponent) + " (code " +
          llvm::Twine(int(scale)) + "); the checkpoint is damaged");
  }
  if (type.getFormat() != Format::FP8)
    return Error::success();
  if (llvm::any_of(m.data, [](uint8_t b) { return (b & 127) == 127; }))
    return llvm::createStringError(
        "tensor " + m.name +
        ": E4M3 code 127 (NaN) found; the checkpoint is damaged");
  return Error::success();
}

Error Packer::emit(ArrayRef<uint8_t> bytes) {
  done += bytes.size();
  if (Error error = sink(bytes))
    return error;
  return progress(done, total);
}

Error Packer::zeros(int64_t count) {
  static constexpr uint8_t none[4096] = {};
  for (; count > 0; count -= int64_t(sizeof none))
    if (Error error = emit(
            ArrayRef(none).take_front(std::min<int64_t>(count, sizeof none))))
      return error;
  return Error::success();
}

/// A table of experts names those that there are, which dispatch counts on.
static int64_t largestIndex(WeightOp op) {
  for (mlir::Operation *user : op.getHandle().getUsers())
    if (auto route = llvm::dyn_cast<RouteOp>(user))
      return llvm::cast<BufferType>(route.getLogits().getType()).getFixed() - 1;
  return std::numeric_limits<int32_t>::max();
}

Error Packer::indices(WeightOp op, const Matrix &m) {
  int64_t most = largestIndex(op);
  size_t count = m.data.size() / 8;
  buffer.resize(count * 4);
  for (size_t i = 0; i < count; ++i) {
    int64_t wide;
    std::memcpy(&wide, m.data.data() + 8 * i, 8);
    if (wide < 0 || wide > most)
      return llvm::createStringError(
          "tensor " + m.name + ": expected indices from 0 to " +
          llvm::Twine(most) + ", found " + llvm::Twine(wide) + " at element " +
          llvm::Twine(i));
    int32_t narrow = int32_t(wide);
    std::memcpy(buffer.data() + 4 * i, &narrow, 4);
  }
  return emit(buffer);
}

Error Packer::raw(WeightOp op, const Matrix &m) {
  auto type = llvm::cast<qfmt::WeightType>(op.getHandle().getType());
  if (type.getFormat() == Format::I64)
    return indices(op, m);
  for (size_t at = 0; at < m.data.size(); at += PortionBytes)
    if (Error error = emit(m.data.slice(
            at, std::min<size_t>(PortionBytes, m.data.size() - at))))
      return error;
  return Error::success();
}

Error Packer::tiles(WeightOp op, const Matrix &m) {
  auto type = llvm::cast<qfmt::WeightType>(op.getHandle().getType());
  cpu::TileFormat format = tileFormat(type.getFormat());
  int64_t rows = rowsOf(type.getShape()), inner = type.getShape().back();
  int64_t count = getNumTiles(type), bytes = getTileBytes(type);
  if (bytes != cpu::tileBytes(format, inner))
    return llvm::createStringError("tensor " + m.name + ": the plan has " +
                                   llvm::Twine(bytes) +
                                   " bytes per tile, the packer " +
                                   llvm::Twine(cpu::tileBytes(format, inner)));
  int64_t atOnce = std::max<int64_t>(1, PortionBytes / bytes);
  for (int64_t first = 0; first < count; first += atOnce) {
    int64_t here = std::min(atOnce, count - first);
    buffer.resize(here * bytes);
    if (Error error = inParts(threads, here, [&](int64_t lo, int64_t hi) {
          cpu::packTiles(format, inner, rows, first + lo, hi - lo,
                         m.data.data(), m.scales.data(),
                         buffer.data() + lo * bytes);
          return Error::success();
        }))
      return error;
    if (Error error = emit(buffer))
      return error;
  }
  return Error::success();
}

/// Header, tiles, escapes, and zeros up to the stride of a stack
/// (targets/cuda/Packing.h).
Error Packer::gpuTiles(WeightOp op, const Matrix &m) {
  auto layout =
      cuda::layoutOf(llvm::cast<qfmt::WeightType>(op.getHandle().getType()));
  if (!layout)
    return layout.takeError();
  auto stride = cuda::matrixStride(op);
  if (!stride)
    return stride.takeError();
  auto plan = cuda::planScales(*layout, m.scales);
  if (!plan)
    return plan.takeError();
  if (uint64_t(plan->escapes) > op.getEscapes().value_or(0))
    return llvm::createStringError(
        "tensor " + m.scaleName + ": " + llvm::Twine(plan->escapes) +
        " tiles have scales too far apart, the plan has room for " +
        llvm::Twine(op.getEscapes().value_or(0)));
  if (Error error = emit(plan->header))
    return error;
  int64_t bytes = layout->tileBytes(), count = layout->tiles();
  int64_t atOnce = std::max<int64_t>(1, PortionBytes / bytes);
  for (int64_t first = 0; first < count; first += atOnce) {
    int64_t here = std::min(atOnce, count - first);
    buffer.resize(here * bytes);
    if (Error error = inParts(threads, here, [&](int64_t lo, int64_t hi) {
          return cuda::packTiles(*layout, *plan, first + lo, hi - lo, m.data,
                                 m.scales,
                                 llvm::MutableArrayRef(buffer).slice(
                                     lo * bytes, (hi - lo) * bytes));
        }))
      return error;
    if (Error error = emit(buffer))
      return error;
  }
  buffer.resize(layout->packedBytes(plan->escapes) - layout->escapesBegin());
  if (Error error = cuda::packEscapes(*layout, *plan, m.scales, buffer))
    return error;
  if (Error error = emit(buffer))
    return error;
  return zeros(*stride - layout->packedBytes(plan->escapes));
}

Error Packer::matrix(WeightOp op, const Matrix &m) {
  auto type = llvm::cast<qfmt::WeightType>(op.getHandle().getType());
  auto [data, scales] = sourceBytes(type);
  if (int64_t(m.data.size()) != data)
    return wrongSize(m.name, data, m.data.size());
  if (int64_t(m.scales.size()) != scales)
    return wrongSize(m.scaleName, scales, m.scales.size());
  if (Error error = checkNumbers(m, type))
    return error;
  if (op.getPacking()->getLayout() == Layout::Raw)
    return raw(op, m);
  if (op.getPacking()->getLayout() == Layout::Tile64)
    return gpuTiles(op, m);
  return tiles(op, m);
}

Error Packer::weight(WeightOp op) {
  auto type = llvm::cast<qfmt::WeightType>(op.getHandle().getType());
  ArrayRef<int64_t> shape = type.getShape();
  int64_t experts = shape.size() == 3 ? shape[0] : 1;
  for (int64_t e = 0; e < experts; ++e) {
    Matrix m;
    m.name = withExpert(op.getTensor(), e);
    auto data = read(m.name);
    if (!data)
      return data.takeError();
    m.data = *data;
    if (op.getScale()) {
      m.scaleName = withExpert(*op.getScale(), e);
      auto scales = read(m.scaleName);
      if (!scales)
        return scales.takeError();
      m.scales = *scales;
    }
    if (Error error = matrix(op, m))
      return error;
  }
  return Error::success();
}

Error Packer::run() {
  if (!program.getWeightBytes())
    return llvm::createStringError(
        "the program's weights are not placed (kern-assign-packing)");
  total = *program.getWeightBytes();
  llvm::SmallVector<WeightOp> weights;
  for (auto op : program.getBody().getOps<WeightOp>()) {
    if (!op.getOffset() || !op.getBytes() || !op.getPacking())
      return llvm::createStringError("weight " + op.getTensor() +
                                     " is not placed (kern-assign-packing)");
    weights.push_back(op);
  }
  llvm::sort(weights, [](WeightOp a, WeightOp b) {
    return *a.getOffset() < *b.getOffset();
  });
  for (WeightOp op : weights) {
    if (*op.getOffset() < done)
      return llvm::createStringError("weight " + op.getTensor() +
                                     " overlaps the one before it");
    if (Error error = zeros(int64_t(*op.getOffset() - done)))
      return error;
    if (Error error = weight(op))
      return error;
    if (done != *op.getOffset() + *op.getBytes())
      return llvm::createStringError("weight " + op.getTensor() +
                                     ": packed size differs from the plan");
  }
  return zeros(int64_t(total - done));
}

Error packWeights(kern::ProgramOp program, TensorReader read, ByteSink sink,
                  PackProgress progress, unsigned threads) {
  return Packer(program, read, sink, progress, threads).run();
}

} // namespace dsv4
