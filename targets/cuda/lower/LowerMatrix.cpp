// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matrix products: device/phases/linear.cuh. Rows of BF16 become blocks of E4M3
// first where weights are FP8 or FP4, and parts of K are added by a launch of
// their own in steps of few rows. What fixes the order of sums, the split, is
// chosen from weights alone and is the same in every graph.

#include "targets/cuda/lower/Phases.h"

#include "targets/cuda/LinearPlan.h"
#include "targets/cuda/device/phases/reduce.cuh"
#include "targets/cuda/lower/AssignPacking.h"

#include "llvm/ADT/MapVector.h"

namespace dsv4::cuda {

using kern::ceilDiv;
using mlir::Value;

namespace {

/// One product of a phase: operands, and what the host knows of its weights.
struct Product {
  Value x, w, y;
  int64_t groups = 1;
  std::optional<MatrixLayout> layout;
  int64_t escapes = 0; // room for them, per matrix

  WeightFormat format = WeightFormat::Bf16; // of the product

  bool isEncoded() const { return !readsBf16(format); }
  qfmt::WeightType type() const {
    return llvm::cast<qfmt::WeightType>(w.getType());
  }
};

/// Whether a buffer holds fake-quantised rows, which blocks of E4M3 hold
/// exactly: what the phase that writes it says.
bool isQuantised(Value buffer) {
  return llvm::any_of(buffer.getUsers(), [&](mlir::Operation *user) {
    if (auto op = llvm::dyn_cast<kern::HcPreOp>(user))
      return op.getXq() == buffer;
    if (auto op = llvm::dyn_cast<kern::NormQuantOp>(user))
      return op.getYq() == buffer;
    if (auto op = llvm::dyn_cast<kern::QuantizeOp>(user))
      return op.getXq() == buffer;
    if (auto op = llvm::dyn_cast<kern::SwigluOp>(user))
      return op.getH() == buffer;
    return false;
  });
}

/// The config of a matrix kernel (matrix_ring.cuh) and its sizes.
struct MatrixConfig {
  uint32_t formats = 0; // bits of WeightFormat
  bool escapes = false, partials = false;
  int64_t columns = 8, groups = 1, stageBytes = 0, weightStages = 0,
          xStages = 0;
  int64_t blocks = 2; // on a multiprocessor
  bool isF16 = true;  // products of FP8 and FP4 weights

  bool has(WeightFormat format) const { return formats >> int(format) & 1; }
  /// Blocks of activations have FP16 values.
  bool hasWideBlocks() const {
    return isF16 && columns <= (escapes ? 16 : 32) &&
           (has(WeightFormat::Fp4) || has(WeightFormat::Fp8));
  }
  bool readsRows() const {
    return has(WeightFormat::Bf16) || has(WeightFormat::Fp8Wide);
  }
  int64_t blockBytes() const {
    return hasWideBlocks() ? WideActivationBytes : ActivationBytes;
  }
  int64_t sharedBytes() const;
  int64_t threads() const { return groups * 128 + 128; }
};

/// As MatrixPlan counts; the device's compiler compares.
int64_t MatrixConfig::sharedBytes() const {
  int64_t stage = 0;
  for (WeightFormat format : {WeightFormat::Fp4, WeightFormat::Fp8,
                              WeightFormat::Bf16, WeightFormat::Fp8Wide}) {
    int64_t tiles = groups * tileBytes(format);
    if (has(format))
      stage = std::max(stage, std::max<int64_t>(1, stageBytes / tiles) * tiles);
  }
  int64_t xRows = hasWideBlocks() ? 32 : 64;
  int64_t x = xRows * (readsRows() || hasWideBlocks() ? 256 : 128);
  return 1024 + xStages * (xRows * 16 + x) + weightStages * stage;
}

/// What multiplies E4M3 by FP8 and FP4 weights (products.cuh).
const char *mmaKind(const ProgramBuilder &b) {
  return !b.options.fp8Products        ? "MmaKind::F16"
         : b.target.has(FeatureWgmma)  ? "MmaKind::Wgmma"
         : b.target.has(FeatureFp8Mma) ? "MmaKind::E4M3"
                                       : "MmaKind::F16";
}
bool usesF16(const ProgramBuilder &b) {
  return llvm::StringRef(mmaKind(b)).ends_with("F16");
}

/// `rows`: that meet the weights of a matrix together, as a rule. Candidates
/// in order of preference: deeper rings first, then single strips.
/// Legal is what fits the target's shared memory.
MatrixConfig chooseConfig(const ProgramBuilder &b, int64_t rows,
                          llvm::ArrayRef<Product> products) {
  MatrixConfig c;
  c.isF16 = usesF16(b);
  for (const Product &p : products) {
    c.formats |= 1u << int(p.format);
    c.escapes |= p.escapes > 0;
  }
  bool hasBf16 = c.readsRows();
  c.partials = b.isDecode();
  bool isFp4 = c.formats == 1u << int(WeightFormat::Fp4);
  if (b.isDecode())
    c.blocks = b.options.decodeBlocks ? b.options.decodeBlocks : isFp4 ? 4 : 2;
  // Registers of sums: 64 columns leave none for BF16's operands.
  int64_t most = hasBf16 || c.escapes ? 32 : 64;
  while (c.columns < most && c.columns < rows)
    c.columns *= 2;
  for (int64_t groups : {c.columns > 8 ? 2 : 1, 1})
    for (int64_t stages : {6, 4, 3, 2}) {
      c.groups = groups;
      // FP4 alone for decode: the loop over a stage's tiles is unrolled, and
      // four cost the fewest instructions (docs/cuda-phases.md).
      bool fours = c.columns == 8 && isFp4;
      c.stageBytes = groups * (hasBf16 ? Bf16TileBytes
                               : fours ? Fp4TileBytes * 4
                                       : Fp4TileBytes * 2);
      c.weightStages = stages;
      c.xStages = hasBf16 || c.columns == 8 ? 3 : 4;
      // Blocks of decode share an SM, so that one's ring is full while the
      // others wait.
      int64_t room = c.columns == 8 ? b.target.sharedPerSm / c.blocks -
                                          b.target.reservedShared
                                    : b.target.sharedPerBlock;
      if (c.sharedBytes() <= std::min<int64_t>(room, b.target.sharedPerBlock))
        return c;
    }
  return c;
}

void addConfig(const ProgramBuilder &b, const MatrixConfig &c,
               KernelChoice &k) {
  k.config.other("MmaKind", "mma", mmaKind(b))
      .boolean("bulk", b.target.has(FeatureBulkCopy))
      .integer("formats", c.formats)
      .boolean("escapes", c.escapes)
      .boolean("partials", c.partials)
      .integer("columns", c.columns)
      .integer("groups", c.groups)
      .integer("weightStages", c.weightStages)
      .integer("stageBytes", c.stageBytes)
      .integer("xStages", c.xStages);
  k.threads = int32_t(c.threads());
  k.sharedBytes = int32_t(c.sharedBytes());
  k.blocksPerSm = c.columns == 8 ? int32_t(c.blocks) : 0;
  k.check =
      "MatrixPlan<{C}>::threads == " + std::to_string(k.threads) +
      " && MatrixPlan<{C}>::sharedBytes == " + std::to_string(k.sharedBytes);
}

/// What the launches of one phase share.
class MatrixPhase {
public:
  MatrixPhase(ProgramBuilder &b, bool ofOutputs, int64_t copies)
      : b(b), ofOutputs(ofOutputs), copies(copies) {}

  bool add(Value x, Value w, Value y, int64_t groups);
  /// False: something is wrong and has been said.
  bool plan();
  /// Sets job `i`. `rows`: most rows of y.
  template <class P> void setJob(Launch<P> &l, size_t i, int64_t rows);
  /// Parts of K that were left to a launch behind.
  template <class P>
  void reduce(const Launch<P> &l, const char *params, int64_t rowsPer,
              int64_t rows);
  int64_t items(int64_t rows) const;

  MatrixConfig config;
  std::vector<Product> products;
  int64_t split = 1;
  int64_t rowCount() const { return ofOutputs ? b.outputs : b.tokens; }
  /// Rows of a tile that make sense: experts share the slots of a step.
  int64_t typicalRows() const {
    if (copies == 1)
      return rowCount();
    int64_t experts = products[0].type().getShape()[0];
    return std::max<int64_t>(b.isDecode() ? 8 : 16,
                             ceilDiv(b.tokens * copies, experts));
  }

private:
  Place encoded(const Product &p);

  ProgramBuilder &b;
  bool ofOutputs;
  int64_t copies;                       // of a matrix in a step of one token
  llvm::MapVector<Value, Place> blocks; // of x, encoded in this phase
};

bool MatrixPhase::add(Value x, Value w, Value y, int64_t groups) {
  Product p{x, w, y, groups, std::nullopt, 0};
  auto layout = layoutOf(p.type());
  if (!layout) {
    b.fail(llvm::toString(layout.takeError()));
    return false;
  }
  p.layout = *layout;
  p.escapes =
      int64_t(w.getDefiningOp<kern::WeightOp>().getEscapes().value_or(0));
  p.format = WeightFormat(int(layout->format()));
  if (p.isEncoded() && !isQuantised(x)) {
    if (p.format == WeightFormat::Fp4) {
      b.fail("FP4 weights meet rows that no phase has quantised");
      return false;
    }
    p.format = WeightFormat::Fp8Wide;
  }
  products.push_back(p);
  return true;
}

bool MatrixPhase::plan() {
  std::vector<PhaseMatrix> matrices;
  for (const Product &p : products)
    matrices.push_back({*p.layout, copies, p.groups, 1});
  llvm::Expected<int64_t> chosen =
      chooseSplit(matrices, unsigned(b.multiprocessors), 1, 16,
                  itemsForTwoBlocks(b.multiprocessors));
  if (!chosen) {
    b.fail(llvm::toString(chosen.takeError()));
    return false;
  }
  split = *chosen;
  config = chooseConfig(b, typicalRows(), products);
  return true;
}

/// x as blocks in the workspace: once per phase.
Place MatrixPhase::encoded(const Product &p) {
  auto [found, isNew] = blocks.try_emplace(p.x);
  if (!isNew)
    return found->second;
  if (auto known = b.encoded(p.x, config.blockBytes())) {
    found->second = *known;
    return *known;
  }
  auto type = llvm::cast<kern::BufferType>(p.x.getType());
  bool ofSlots = type.getPer() == kern::Per::Slot;
  int64_t rowsPer = ofSlots ? b.expertsPerToken() : 1;
  int64_t items = rowCount() * rowsPer * (type.getFixed() / TileK);
  Place place = b.workspace(items * config.blockBytes());
  found->second = place;
  KernelChoice k{"encode", "activations.cuh", "EncodeParams",
                 "encodeActivations"};
  k.threads = 256;
  Launch<EncodeParams> l;
  l.params.rowsPer = u32(rowsPer);
  l.params.k = u32(type.getFixed());
  l.params.blockBytes = u32(config.blockBytes());
  l.bind(&l.params.rows, b.rowsPlace(ofOutputs));
  l.bind(&l.params.x, b.placeOf(p.x));
  l.bind(&l.params.blocks, place);
  b.launch("encode", k, l, b.gridFor(ceilDiv(items, 256 / 32), 4));
  b.setEncoded(p.x, config.blockBytes(), place);
  return place;
}

template <class P>
void MatrixPhase::setJob(Launch<P> &l, size_t i, int64_t rows) {
  const Product &p = products[i];
  llvm::Expected<JobSizes> sizes = planJob(*p.layout, p.groups, split);
  if (!sizes)
    return b.fail(llvm::toString(sizes.takeError()));
  MatrixJob &job = l.params.jobs[i];
  job.format = p.format;
  job.rows = sizes->rows;
  job.blocks = sizes->blocks;
  job.xGroups = sizes->xGroups;
  job.xBytes = p.isEncoded() ? sizes->blocks * u32(config.blockBytes())
                             : u32(p.layout->k() * 2);
  job.xRowBytes = job.xBytes * job.xGroups;
  job.split = sizes->split;
  job.tilesBegin = sizes->tilesBegin;
  job.escapesBegin = sizes->escapesBegin;
  job.floatOut =
      llvm::cast<kern::BufferType>(p.y.getType()).getElement().isF32();
  l.bind(&job.w, b.placeOf(p.w));
  l.bind(&job.x, p.isEncoded() ? encoded(p) : b.placeOf(p.x));
  l.bind(&job.y, b.placeOf(p.y));
  if (config.partials && split > 1)
    l.bind(&job.partials, b.workspace(split * rows * p.layout->rows() * 4));
}

template <class P>
void MatrixPhase::reduce(const Launch<P> &l, const char *params,
                         int64_t rowsPer, int64_t rows) {
  if (!config.partials || split < 2)
    return;
  KernelChoice k{"reduce", "reduce.cuh", params, "reduce<{C}>"};
  k.config.integer("RowsPer", rowsPer);
  k.threads = 256;
  int64_t elements = 0;
  for (const Product &p : products)
    elements += rows * p.layout->rows();
  b.launch("reduce", k, l, b.gridFor(ceilDiv(elements, 256), 4));
}

/// Blocks' items in a step of so many rows of y, per matrix.
int64_t MatrixPhase::items(int64_t rows) const {
  int64_t all = 0;
  for (const Product &p : products)
    all += p.groups * ceilDiv(p.layout->strips() / p.groups, config.groups) *
           (config.partials ? split : 1) * ceilDiv(rows, config.columns);
  return all;
}

} // namespace

void lower(ProgramBuilder &b, kern::LinearOp op) {
  bool ofOutputs = op.getRows() == kern::RowsOf::Outputs;
  if (op.getNumJobs() > LinearParams::MaxJobs)
    return b.fail("has " + llvm::Twine(op.getNumJobs()) +
                  " products, a launch takes " +
                  llvm::Twine(LinearParams::MaxJobs));
  MatrixPhase phase(b, ofOutputs, 1);
  for (unsigned i = 0; i < op.getNumJobs(); ++i)
    if (!phase.add(op.getX(i), op.getW(i), op.getY(i), op.getGroups()[i]))
      return;
  if (!phase.plan())
    return;
  KernelChoice k{"linear", "linear.cuh", "LinearParams", "linear<{C}>"};
  addConfig(b, phase.config, k);
  Launch<LinearParams> l;
  l.params.numJobs = op.getNumJobs();
  l.bind(&l.params.rows, b.rowsPlace(ofOutputs));
  for (unsigned i = 0; i < op.getNumJobs(); ++i)
    phase.setJob(l, i, phase.rowCount());
  b.launch("linear", k, l,
           b.gridFor(phase.items(phase.rowCount()), phase.config.blocks));
  phase.reduce(l, "LinearParams", 1, phase.rowCount());
}

/// Which experts of the phase are on the host; its stacks must agree.
static void setCold(ProgramBuilder &b, Launch<ExpertLinearParams> &l,
                    llvm::ArrayRef<Product> products) {
  const llvm::BitVector *cold = nullptr;
  for (auto [i, product] : llvm::enumerate(products)) {
    const Placement::Weight &stack =
        b.placement.of(product.w.getDefiningOp<kern::WeightOp>());
    l.params.stride[i] = stack.stride;
    if (stack.cold.any())
      l.bind(&l.params.cold[i], b.coldPlaceOf(stack));
    if (cold && *cold != stack.cold)
      return b.fail("expected the same experts of both weights on the host");
    cold = &stack.cold;
    l.params.coldInPlace = stack.isMapped();
  }
  ColdExperts &to = l.params.coldExperts;
  for (unsigned e : cold->set_bits()) {
    to.bits[e / 32] |= 1u << e % 32;
    for (u32 word = e / 32 + 1; word < ColdExperts::Most / 32; ++word)
      ++to.before[word];
  }
}

void lower(ProgramBuilder &b, kern::ExpertLinearOp op) {
  MatrixPhase phase(b, false, b.expertsPerToken());
  if (!phase.add(op.getX(), op.getW(), op.getY(), 1) ||
      (op.getWOther() &&
       !phase.add(op.getX(), op.getWOther(), op.getYOther(), 1)) ||
      !phase.plan())
    return;
  KernelChoice k{"expert_linear", "linear.cuh", "ExpertLinearParams",
                 "expertLinear<{C}>"};
  addConfig(b, phase.config, k);
  int64_t experts = phase.products[0].type().getShape()[0];
  if (experts > ColdExperts::Most)
    return b.fail("has " + llvm::Twine(experts) + " experts, a launch takes " +
                  llvm::Twine(ColdExperts::Most));
  int64_t slots = b.tokens * b.expertsPerToken();
  Launch<ExpertLinearParams> l;
  l.params.experts = u32(experts);
  l.params.expertsPerToken = u32(b.expertsPerToken());
  l.params.slotRows =
      llvm::cast<kern::BufferType>(op.getX().getType()).getPer() ==
      kern::Per::Slot;
  l.params.numJobs = u32(phase.products.size());
  l.bind(&l.params.rows, b.rowsPlace(false));
  l.bind(&l.params.lists, b.placeOf(op.getLists()));
  setCold(b, l, phase.products);
  for (size_t i = 0; i < phase.products.size(); ++i)
    phase.setJob(l, i, slots);
  int64_t active = std::min(experts, slots);
  b.launch("expert_linear", k, l,
           b.gridFor(active * phase.items(ceilDiv(slots, active)),
                     phase.config.blocks));
  phase.reduce(l, "ExpertLinearParams", b.expertsPerToken(), slots);
}

} // namespace dsv4::cuda
