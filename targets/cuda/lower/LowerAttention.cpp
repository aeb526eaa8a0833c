// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Queries, rows of state, index and attention: device/phases/query_rows.cuh,
// compress.cuh, index_score.cuh, top_k.cuh, attend_scores.cuh and attend.cuh.

#include "targets/cuda/lower/Phases.h"

#include "targets/cuda/device/phases/attend_rows.cuh"
#include "targets/cuda/device/phases/compress.cuh"
#include "targets/cuda/device/phases/index_score.cuh"
#include "targets/cuda/device/phases/query_rows.cuh"
#include "targets/cuda/device/phases/top_k.cuh"

namespace dsv4::cuda {

using kern::ceilDiv;

static constexpr int64_t rowThreads = 128; // where a body takes any number

/// These bodies compute with signed figures.
static KernelChoice bodyOf(llvm::StringRef family, llvm::StringRef header,
                           llvm::StringRef params, llvm::StringRef body) {
  KernelChoice k{family.str(), header.str(), params.str(), body.str()};
  k.config = ConfigText("int");
  return k;
}

static kern::StateType stateOf(mlir::Value state) {
  return llvm::cast<kern::StateType>(state.getType());
}

static void setFreqs(ProgramBuilder &b, RopeFreqs &to,
                     llvm::ArrayRef<float> freqs) {
  if (freqs.size() > size_t(RopeFreqs::Most))
    return b.fail("has " + llvm::Twine(freqs.size()) +
                  " rotary frequencies, room is for " +
                  llvm::Twine(RopeFreqs::Most));
  std::copy(freqs.begin(), freqs.end(), to.of);
}

void lower(ProgramBuilder &b, kern::RopeTableOp op) {
  llvm::ArrayRef<float> freqs = op.getFreqs();
  KernelChoice k = bodyOf("rope_table", "query_rows.cuh", "RopeTableParams",
                          "ropeTable<{C}>");
  k.config.integer("Freqs", int64_t(freqs.size()));
  k.threads = rowThreads;
  Launch<RopeTableParams> l;
  setFreqs(b, l.params.freqs, freqs);
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.tab, b.placeOf(op.getTab()));
  b.launch("rope_table", k, l,
           b.gridFor(ceilDiv(b.tokens * int64_t(freqs.size()), rowThreads)));
}

/// Half a warp for each head.
static int64_t headGrid(const ProgramBuilder &b, int64_t heads) {
  return b.gridFor(ceilDiv(b.tokens * heads, rowThreads / 16), 4);
}

void lower(ProgramBuilder &b, kern::QueryHeadsOp op) {
  int64_t heads = op.getHeads();
  KernelChoice k = bodyOf("query_heads", "query_rows.cuh", "QueryHeadsParams",
                          "queryHeads<{C}>");
  k.config.integer("Heads", heads)
      .integer("Width", widthOf(op.getRaw()) / heads)
      .integer("RopeDims", widthOf(op.getTab()))
      .real("Eps", op.getEps().convertToFloat());
  k.threads = rowThreads;
  Launch<QueryHeadsParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.raw, b.placeOf(op.getRaw()));
  l.bind(&l.params.tab, b.placeOf(op.getTab()));
  l.bind(&l.params.q, b.placeOf(op.getQ()));
  b.launch("query_heads", k, l, headGrid(b, heads));
}

void lower(ProgramBuilder &b, kern::IndexQueryOp op) {
  int64_t heads = op.getHeads();
  KernelChoice k = bodyOf("index_query", "query_rows.cuh", "IndexQueryParams",
                          "indexQuery<{C}>");
  k.config.integer("Heads", heads)
      .integer("Width", widthOf(op.getRaw()) / heads)
      .integer("RopeDims", widthOf(op.getTab()));
  k.threads = rowThreads;
  Launch<IndexQueryParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.raw, b.placeOf(op.getRaw()));
  l.bind(&l.params.tab, b.placeOf(op.getTab()));
  l.bind(&l.params.q, b.placeOf(op.getQ()));
  b.launch("index_query", k, l, headGrid(b, heads));
}

void lower(ProgramBuilder &b, kern::StoreKvOp op) {
  kern::StateType window = stateOf(op.getWindow());
  qfmt::RowsAttr rows = window.getRowFormat();
  KernelChoice k =
      bodyOf("store_kv", "query_rows.cuh", "StoreKvParams", "storeKv<{C}>");
  k.config.integer("Width", rows.getWidth())
      .integer("RopeDims", rows.getRopeDims())
      .integer("RowBytes", rows.bytesPerRow())
      .integer("RingRows", window.getExtent())
      .real("Eps", op.getEps().convertToFloat());
  k.threads = rowThreads;
  Launch<StoreKvParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.raw, b.placeOf(op.getRaw()));
  l.bind(&l.params.norm, b.placeOf(op.getNorm()));
  l.bind(&l.params.tab, b.placeOf(op.getTab()));
  l.bind(&l.params.window, b.placeOf(op.getWindow()));
  b.launch("store_kv", k, l, headGrid(b, 1));
}

/// Index rows lie in tiles that two loads of a warp take (index_tile.cuh).
static bool hasTiles(ProgramBuilder &b, int64_t width) {
  bool has = width == 64 || width == 128;
  if (!has)
    b.fail("has index rows of " + llvm::Twine(width) +
           " values, expected 64 or 128");
  return has;
}

void lower(ProgramBuilder &b, kern::CompressOp op) {
  int64_t width = op.getRowWidth();
  if (op.isIndex() && !hasTiles(b, width))
    return;
  KernelChoice k =
      bodyOf("compress", "compress.cuh", "CompressParams", "compress<{C}>");
  k.config.integer("Width", width)
      .integer("Ratio", op.getRatio())
      .integer("RopeDims", 2 * int64_t(op.getFreqs().size()))
      .integer("RowBytes",
               stateOf(op.getEntries()).getRowFormat().bytesPerRow())
      .integer("CarrySlots", stateOf(op.getCarry()).getExtent())
      .boolean("Overlap", op.isOverlapping())
      .boolean("Index", op.isIndex())
      .real("Eps", op.getEps().convertToFloat());
  k.threads = int32_t(std::min<int64_t>(kern::roundUp(width, 32), 512));
  k.sharedBytes = int32_t(4 * width);
  Launch<CompressParams> l;
  setFreqs(b, l.params.freqs, op.getFreqs());
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.u, b.placeOf(op.getU()));
  l.bind(&l.params.g, b.placeOf(op.getG()));
  l.bind(&l.params.ape, b.placeOf(op.getApe()));
  l.bind(&l.params.norm, b.placeOf(op.getNorm()));
  l.bind(&l.params.carry, b.placeOf(op.getCarry()));
  l.bind(&l.params.entries, b.placeOf(op.getEntries()));
  b.launch("compress", k, l, b.gridFor(b.tokens));
}

void lower(ProgramBuilder &b, kern::CarryOp op) {
  kern::StateType carry = stateOf(op.getCarry());
  KernelChoice k = bodyOf("carry", "compress.cuh", "CarryParams", "carry<{C}>");
  k.config.integer("Width", carry.getWidth())
      .integer("Slots", carry.getExtent());
  k.threads = rowThreads;
  Launch<CarryParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.u, b.placeOf(op.getU()));
  l.bind(&l.params.g, b.placeOf(op.getG()));
  l.bind(&l.params.carry, b.placeOf(op.getCarry()));
  b.launch("carry", k, l, b.gridFor(b.tokens));
}

/// Shared memory of index_score (IndexScorePlan).
static int32_t scoreBytes(int64_t heads, int64_t width) {
  int64_t columns = ceilDiv(heads, 8), padded = 8 * columns;
  int64_t groups = width / 32;
  return int32_t(columns * groups * 512 + groups * padded * 4 + padded * 4 +
                 16);
}

void lower(ProgramBuilder &b, kern::IndexScoreOp op) {
  kern::StateType entries = stateOf(op.getEntries());
  int64_t ratio = entries.getExtent(), heads = op.getHeads();
  int64_t width = widthOf(op.getQ()) / heads;
  if (!hasTiles(b, width))
    return;
  KernelChoice k = bodyOf("index_score", "index_score.cuh", "IndexScoreParams",
                          "indexScore<{C}>");
  k.config.integer("Heads", heads)
      .integer("Width", width)
      .integer("Ratio", ratio)
      .real("Factor", op.getFactor().convertToFloat());
  k.threads = 256;
  k.sharedBytes = scoreBytes(heads, width);
  k.check = "IndexScorePlan<{C}>::Bytes == " + std::to_string(k.sharedBytes);
  Launch<IndexScoreParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.q, b.placeOf(op.getQ()));
  l.bind(&l.params.weights, b.placeOf(op.getWeights()));
  l.bind(&l.params.entries, b.placeOf(op.getEntries()));
  l.bind(&l.params.scores, b.placeOf(op.getScores()));
  int64_t most =
      ceilDiv(int64_t(b.program.getMaxContext()) / ratio, ScoreBlock);
  b.launch("index_score", k, l, b.gridFor(b.tokens * most, 2));
}

void lower(ProgramBuilder &b, kern::TopKOp op) {
  constexpr int64_t threads = 512, warps = threads / 32;
  KernelChoice k = bodyOf("top_k", "top_k.cuh", "TopKParams", "topK<{C}>");
  k.config.integer("K", op.getK())
      .integer("Ratio", op.getRatio())
      .integer("Threads", threads);
  k.threads = threads;
  k.sharedBytes = int32_t(warps * 1024 + 2 * warps * 4 + 16);
  k.check = "TopKPlan<{C}>::Bytes == " + std::to_string(k.sharedBytes);
  Launch<TopKParams> l;
  l.bind(&l.params.step, b.stepPlace());
  l.bind(&l.params.scores, b.placeOf(op.getScores()));
  l.bind(&l.params.ids, b.placeOf(op.getIds()));
  b.launch("top_k", k, l, b.gridFor(b.tokens));
}

// ---- attend -----------------------------------------------------------------

namespace {

/// Sizes of AttendScoresPlan that the launch needs.
struct AttendSizes {
  int64_t heads, width, headTile, sharedBytes;
  int64_t threads() const { return headTile / 4 * 32; }
  int64_t headGroups() const { return ceilDiv(heads, headTile); }
};

constexpr int64_t maxSplits = 16;
/// Tokens that go through the scratch together: 160 KiB each where Flash
/// selects 512 entries, 2 MiB where 8,192 are read.
constexpr int64_t turnTokens = 64;

int64_t scoreTileBytes(int64_t width, int64_t headTile) {
  constexpr int64_t tile = 32;
  int64_t pitch = width * 2 + 16;
  return headTile * pitch + tile * pitch + headTile * (tile + 4) * 4 +
         headTile * 4;
}

/// Rows of a token, at most, in whole tiles.
int64_t rowsOf(ProgramBuilder &b, kern::AttendOp op) {
  int64_t rows = op.getWindowSize();
  if (op.getIds())
    rows += widthOf(op.getIds());
  else if (op.getEntries())
    rows += int64_t(b.program.getMaxContext()) /
            stateOf(op.getEntries()).getExtent();
  return kern::roundUp(rows, 32);
}

/// Scores of a turn's tokens, at most: all layers have the same place.
int64_t mostScoreBytes(ProgramBuilder &b, int64_t turn) {
  int64_t most = 0;
  for (auto op : b.program.getOps<kern::AttendOp>())
    most = std::max(most, turn * int64_t(op.getHeads()) * rowsOf(b, op) * 4);
  return kern::roundUp(most, DSV4_CUDA_PART_ALIGN);
}

/// The most heads, 64 at most, whose block fits: they share the decoded rows.
AttendSizes attendSizes(const ProgramBuilder &b, int64_t heads, int64_t width) {
  for (int64_t tile = 64; tile > 16; tile /= 2)
    if (tile / 2 < heads &&
        scoreTileBytes(width, tile) <= b.target.sharedPerBlock)
      return {heads, width, tile, scoreTileBytes(width, tile)};
  return {heads, width, 16, scoreTileBytes(width, 16)};
}

void setAttendConfig(KernelChoice &k, kern::AttendOp op,
                     const AttendSizes &sizes) {
  kern::StateType window = stateOf(op.getWindow());
  qfmt::RowsAttr rows = window.getRowFormat();
  llvm::StringRef entries = op.getIds()       ? "EntryRows::Selected"
                            : op.getEntries() ? "EntryRows::All"
                                              : "EntryRows::None";
  k.config.integer("Heads", sizes.heads)
      .integer("Width", sizes.width)
      .integer("RopeDims", rows.getRopeDims())
      .integer("RowBytes", rows.bytesPerRow())
      .integer("WindowSize", op.getWindowSize())
      .integer("RingRows", window.getExtent())
      .integer("Ratio",
               op.getEntries() ? stateOf(op.getEntries()).getExtent() : 1)
      .integer("NumIds", op.getIds() ? widthOf(op.getIds()) : 1)
      .integer("MaxSplits", maxSplits)
      .integer("HeadTile", sizes.headTile)
      .other("EntryRows", "Entries", entries)
      .real("Scale", op.getScale().convertToFloat());
}

} // namespace

void lower(ProgramBuilder &b, kern::AttendOp op) {
  int64_t heads = op.getHeads();
  AttendSizes sizes = attendSizes(b, heads, widthOf(op.getQ()) / heads);
  KernelChoice scores = bodyOf("attend_scores", "attend_scores.cuh",
                               "AttendParams", "attendScores<{C}>");
  KernelChoice values =
      bodyOf("attend", "attend.cuh", "AttendParams", "attend<{C}>");
  setAttendConfig(scores, op, sizes);
  setAttendConfig(values, op, sizes);
  scores.threads = int32_t(sizes.threads());
  scores.sharedBytes = int32_t(sizes.sharedBytes);
  scores.check =
      "AttendScoresPlan<{C}>::Bytes == " + std::to_string(scores.sharedBytes) +
      " && AttendScoresPlan<{C}>::Threads == " + std::to_string(scores.threads);
  // Eight warps, with a stage of 32 rows of 64 dims each.
  values.threads = 256;
  values.sharedBytes = 8 * 32 * 144 + 8 * 16 * 4 + 16 * 4;
  values.check =
      "AttendPlan<{C}>::Bytes == " + std::to_string(values.sharedBytes) +
      " && AttendPlan<{C}>::Threads == " + std::to_string(values.threads);

  int64_t turn = std::min(b.tokens, turnTokens);
  int64_t scoreBytes = mostScoreBytes(b, turn);
  Place scorePlace =
      b.attentionWorkspace(scoreBytes + turn * maxSplits * heads * 4);
  Place largest = scorePlace;
  largest.offset.fixed += scoreBytes;
  for (int64_t first = 0; first < b.tokens; first += turn) {
    Launch<AttendParams> l;
    l.params.firstToken = first;
    l.params.numTokens = std::min(turn, b.tokens - first);
    l.bind(&l.params.step, b.stepPlace());
    l.bind(&l.params.q, b.placeOf(op.getQ()));
    l.bind(&l.params.tab, b.placeOf(op.getTab()));
    l.bind(&l.params.sink, b.placeOf(op.getSink()));
    l.bind(&l.params.window, b.placeOf(op.getWindow()));
    if (op.getEntries())
      l.bind(&l.params.entries, b.placeOf(op.getEntries()));
    if (op.getIds())
      l.bind(&l.params.ids, b.placeOf(op.getIds()));
    l.bind(&l.params.headsOut, b.placeOf(op.getHeadsOut()));
    l.bind(&l.params.scores, scorePlace);
    l.bind(&l.params.largest, largest);
    l.params.scoreRows = rowsOf(b, op);
    int64_t tokens = l.params.numTokens;
    b.launch("attend_scores", scores, l,
             b.gridFor(tokens * sizes.headGroups() * maxSplits));
    b.launch("attend", values, l,
             b.gridFor(tokens * ceilDiv(heads, 16) * (sizes.width / 64), 2));
  }
}

} // namespace dsv4::cuda
