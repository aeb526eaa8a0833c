// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows and hyper-connections: device/phases/norms.cuh and hyper.cuh.

#include "targets/cuda/lower/Phases.h"

#include "targets/cuda/device/phases/hyper.cuh"
#include "targets/cuda/device/phases/norms.cuh"

namespace dsv4::cuda {

using kern::ceilDiv;
using kern::roundUp;

static constexpr int64_t rowThreads = 128; // where a body takes any number

void lower(ProgramBuilder &b, kern::EmbedOp op) {
  int64_t hidden =
      llvm::cast<qfmt::WeightType>(op.getTable().getType()).getShape().back();
  KernelChoice k{"embed", "norms.cuh", "EmbedParams", "embed<{C}>"};
  k.config.integer("Streams", widthOf(op.getStreams()) / hidden)
      .integer("Hidden", hidden);
  k.threads = rowThreads;
  Launch<EmbedParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.table, b.placeOf(op.getTable()));
  l.bind(&l.params.streams, b.placeOf(op.getStreams()));
  b.launch("embed", k, l,
           b.gridFor(ceilDiv(b.tokens * (hidden / RowVector), rowThreads), 4));
}

void lower(ProgramBuilder &b, kern::NormQuantOp op) {
  int64_t width = widthOf(op.getRaw());
  KernelChoice k{"norm_quant", "norms.cuh", "NormQuantParams",
                 "normQuant<{C}>"};
  k.config.integer("Width", width)
      .real("Eps", op.getEps().convertToFloat())
      .boolean("Normed", bool(op.getY()))
      .boolean("Quantised", bool(op.getYq()));
  k.threads = int32_t(roundUp(width / RowVector, 32));
  k.sharedBytes = int32_t(4 * (width + 1));
  k.check =
      "NormQuantPlan<{C}>::Threads == " + std::to_string(k.threads) +
      " && NormQuantPlan<{C}>::SharedBytes == " + std::to_string(k.sharedBytes);
  Launch<NormQuantParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.raw, b.placeOf(op.getRaw()));
  l.bind(&l.params.weight, b.placeOf(op.getWeight()));
  if (op.getY())
    l.bind(&l.params.y, b.placeOf(op.getY()));
  if (op.getYq())
    l.bind(&l.params.yq, b.placeOf(op.getYq()));
  b.launch("norm_quant", k, l, b.gridFor(b.tokens));
}

void lower(ProgramBuilder &b, kern::QuantizeOp op) {
  int64_t width = widthOf(op.getX());
  KernelChoice k{"quantize", "norms.cuh", "QuantizeParams", "quantize<{C}>"};
  k.config.integer("Width", width);
  k.threads = rowThreads;
  Launch<QuantizeParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.x, b.placeOf(op.getX()));
  l.bind(&l.params.xq, b.placeOf(op.getXq()));
  b.launch("quantize", k, l,
           b.gridFor(ceilDiv(b.tokens * (width / RowVector), rowThreads), 4));
}

/// A multiple of the chunks where there is room, so that a block keeps its
/// weights from token to token.
static int64_t mixGrid(const ProgramBuilder &b, int64_t chunks) {
  int64_t most = b.gridFor(b.tokens * chunks, 4);
  return most < chunks ? most : most / chunks * chunks;
}

void lower(ProgramBuilder &b, kern::HcMixOp op) {
  int64_t streams = op.getStreams(), hidden = op.getHidden();
  int64_t rows =
      llvm::cast<qfmt::WeightType>(op.getFn().getType()).getShape()[0];
  int64_t chains = rows * streams * (MixColumns / 32);
  KernelChoice k{"hc_mix", "hyper.cuh", "HcMixParams", "hcMix<{C}>"};
  k.config.integer("Streams", streams)
      .integer("Hidden", hidden)
      .integer("Rows", rows)
      .boolean("Closes", bool(op.getOut()));
  k.threads = int32_t(roundUp(chains, 32) + 32);
  k.sharedBytes = int32_t(4 * (streams * MixColumns + chains));
  k.check =
      "HcMixPlan<{C}>::Threads == " + std::to_string(k.threads) +
      " && HcMixPlan<{C}>::SharedBytes == " + std::to_string(k.sharedBytes);
  Launch<HcMixParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.streamsIn, b.placeOf(op.getStreamsIn()));
  if (op.getOut()) {
    l.bind(&l.params.out, b.placeOf(op.getOut()));
    l.bind(&l.params.post, b.placeOf(op.getPost()));
    l.bind(&l.params.comb, b.placeOf(op.getComb()));
    l.bind(&l.params.streamsOut, b.placeOf(op.getStreamsOut()));
  }
  l.bind(&l.params.fn, b.placeOf(op.getFn()));
  l.bind(&l.params.partials, b.placeOf(op.getPartials()));
  b.launch("hc_mix", k, l, mixGrid(b, hidden / MixColumns));
}

/// Shared memory of hc_pre and hc_head (HcRowPlan).
static int32_t hcRowBytes(int64_t hidden, int64_t rows) {
  return int32_t(4 * (roundUp(hidden + 1, 4) + rows + 1));
}

void lower(ProgramBuilder &b, kern::HcPreOp op) {
  int64_t streams = op.getStreams();
  int64_t hidden = widthOf(op.getStreamsIn()) / streams;
  KernelChoice k{"hc_pre", "hyper.cuh", "HcPreParams", "hcPre<{C}>"};
  k.config.integer("Streams", streams)
      .integer("Hidden", hidden)
      .integer("Iterations", op.getSinkhornIters())
      .real("HcEps", op.getHcEps().convertToFloat())
      .real("NormEps", op.getNormEps().convertToFloat())
      .boolean("Quantised", bool(op.getXq()));
  k.threads = int32_t(roundUp(hidden / RowVector, 32) + 32);
  k.sharedBytes = hcRowBytes(hidden, streams * (2 + streams));
  k.check =
      "HcPrePlan<{C}>::Threads == " + std::to_string(k.threads) +
      " && HcPrePlan<{C}>::SharedBytes == " + std::to_string(k.sharedBytes);
  Launch<HcPreParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.partials, b.placeOf(op.getPartials()));
  l.bind(&l.params.streamsIn, b.placeOf(op.getStreamsIn()));
  l.bind(&l.params.scale, b.placeOf(op.getScale()));
  l.bind(&l.params.base, b.placeOf(op.getBase()));
  l.bind(&l.params.norm, b.placeOf(op.getNorm()));
  l.bind(&l.params.x, b.placeOf(op.getX()));
  if (op.getXq())
    l.bind(&l.params.xq, b.placeOf(op.getXq()));
  l.bind(&l.params.post, b.placeOf(op.getPost()));
  l.bind(&l.params.comb, b.placeOf(op.getComb()));
  b.launch("hc_pre", k, l, b.gridFor(b.tokens));
}

void lower(ProgramBuilder &b, kern::HcHeadOp op) {
  int64_t streams = op.getStreams();
  int64_t hidden = widthOf(op.getStreamsIn()) / streams;
  KernelChoice k{"hc_head", "hyper.cuh", "HcHeadParams", "hcHead<{C}>"};
  k.config.integer("Streams", streams)
      .integer("Hidden", hidden)
      .real("HcEps", op.getHcEps().convertToFloat())
      .real("NormEps", op.getNormEps().convertToFloat());
  k.threads = int32_t(roundUp(hidden / RowVector, 32));
  k.sharedBytes = hcRowBytes(hidden, streams);
  k.check =
      "HcHeadPlan<{C}>::Threads == " + std::to_string(k.threads) +
      " && HcHeadPlan<{C}>::SharedBytes == " + std::to_string(k.sharedBytes);
  Launch<HcHeadParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.partials, b.placeOf(op.getPartials()));
  l.bind(&l.params.streamsIn, b.placeOf(op.getStreamsIn()));
  l.bind(&l.params.scale, b.placeOf(op.getScale()));
  l.bind(&l.params.base, b.placeOf(op.getBase()));
  l.bind(&l.params.norm, b.placeOf(op.getNorm()));
  l.bind(&l.params.x, b.placeOf(op.getX()));
  b.launch("hc_head", k, l, b.gridFor(b.outputs));
}

} // namespace dsv4::cuda
