// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linear layers, norms, quantisation, embedding, rotary table: verifiers, item
// rules, and the text form of linear jobs.

#include "dialects/kern/IR/KernAsm.h"
#include "dialects/kern/IR/KernPacking.h"
#include "dialects/kern/IR/KernVerify.h"

using namespace mlir;
using namespace dsv4::kern;
using dsv4::qfmt::Format;

ParseResult dsv4::kern::parseLinearJobs(
    OpAsmParser &Parser, DenseI64ArrayAttr &Groups,
    SmallVectorImpl<OpAsmParser::UnresolvedOperand> &Jobs,
    SmallVectorImpl<Type> &Types) {
  SmallVector<int64_t> Values;
  if (Parser.parseLBrace())
    return failure();
  while (failed(Parser.parseOptionalRBrace())) {
    Jobs.resize(Jobs.size() + 3);
    Types.resize(Types.size() + 3);
    OpAsmParser::UnresolvedOperand *Job = Jobs.end() - 3;
    Type *JobTypes = Types.end() - 3;
    if (Parser.parseOperand(Job[0]) || Parser.parseComma() ||
        Parser.parseOperand(Job[1]) || Parser.parseComma() ||
        Parser.parseOperand(Job[2]) || Parser.parseKeyword("groups") ||
        Parser.parseInteger(Values.emplace_back()) || Parser.parseColon() ||
        Parser.parseType(JobTypes[0]) || Parser.parseComma() ||
        Parser.parseType(JobTypes[1]) || Parser.parseComma() ||
        Parser.parseType(JobTypes[2]))
      return failure();
  }
  Groups = Parser.getBuilder().getDenseI64ArrayAttr(Values);
  return success();
}

void dsv4::kern::printLinearJobs(OpAsmPrinter &Printer, Operation *,
                                 DenseI64ArrayAttr Groups, OperandRange Jobs,
                                 TypeRange Types) {
  Printer << "{";
  Printer.increaseIndent();
  for (unsigned I = 0; I < Jobs.size() / 3; ++I) {
    Printer.printNewline();
    Printer << Jobs[3 * I] << ", " << Jobs[3 * I + 1] << ", " << Jobs[3 * I + 2]
            << " groups " << Groups[I] << " : " << Types[3 * I] << ", "
            << Types[3 * I + 1] << ", " << Types[3 * I + 2];
  }
  Printer.decreaseIndent();
  Printer.printNewline();
  Printer << "}";
}

PhaseItems RopeTableOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult RopeTableOp::verify() {
  int64_t Pairs = getFreqs().size();
  if (Pairs == 0)
    return emitOpError("C1: expected at least one frequency");
  return checkBuffer(*this, "C2", "tab", getTab(),
                     {Per::Token, {2 * Pairs}, 'f'});
}

PhaseItems EmbedOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult EmbedOp::verify() {
  auto Table = weightOf(getTable());
  if (Table.getFormat() != Format::BF16 || Table.getShape().size() != 2)
    return emitOpError("C1: expected table to be bf16 [V, D], got ") << Table;
  return checkBuffer(*this, "C2", "streams", getStreams(),
                     {Per::Token, {}, 'b', Table.getShape()[1]});
}

int64_t LinearOp::getTiles(unsigned Job) {
  return getNumTiles(weightOf(getW(Job)));
}

PhaseItems LinearOp::getItems() {
  int64_t Tiles = 0;
  for (unsigned Job = 0; Job < getNumJobs(); ++Job)
    Tiles += getTiles(Job);
  return {ItemsRule::One, Tiles};
}

Affine LinearOp::getScratchBytes() {
  int64_t Most = 0;
  for (unsigned Job = 0; Job < getNumJobs(); ++Job)
    Most = std::max(Most, weightOf(getW(Job)).getShape().back());
  return {roundUp(getProductScratchBytes(Most), PlanAlignment)};
}

Layout LinearOp::getOperandLayout(unsigned) { return Layout::Tile16; }

void LinearOp::getEffects(
    SmallVectorImpl<MemoryEffects::EffectInstance> &Effects) {
  for (OpOperand &Operand : getJobsMutable()) {
    bool IsResult = Operand.getOperandNumber() % 3 == 2;
    MemoryEffects::Effect *Effect =
        IsResult
            ? static_cast<MemoryEffects::Effect *>(MemoryEffects::Write::get())
            : MemoryEffects::Read::get();
    Effects.emplace_back(Effect, &Operand);
  }
}

/// C2: the weight of a job.
static LogicalResult checkJobWeight(LinearOp Op, unsigned Job) {
  auto W = weightOf(Op.getW(Job));
  ArrayRef<int64_t> Shape = W.getShape();
  int64_t Groups = Op.getGroups()[Job];
  bool Fits = Shape.size() == 2 && Groups > 0 &&
              (W.getFormat() == Format::FP8 || W.getFormat() == Format::FP4 ||
               W.getFormat() == Format::BF16);
  if (!Fits)
    return Op.emitOpError("C2: expected w of job ")
           << Job << " to be fp8, fp4 or bf16 [N, K] in at least one group, "
           << "got " << W << " in " << Groups;
  int64_t Step = W.getFormat() == Format::BF16 ? 32 : 128;
  if (Shape[1] % Step || Shape[0] % Groups ||
      (Groups > 1 && Shape[0] / Groups % TileRows))
    return Op.emitOpError("C2: expected w of job ")
           << Job << " to have K in steps of " << Step
           << " and whole tiles per group, got " << W << " in " << Groups
           << " groups";
  return success();
}

static LogicalResult checkJob(LinearOp Op, unsigned Job, Per Per) {
  if (failed(checkJobWeight(Op, Job)))
    return failure();
  ArrayRef<int64_t> Shape = weightOf(Op.getW(Job)).getShape();
  std::string Of = " of job " + std::to_string(Job);
  char YElement = bufferOf(Op.getY(Job)).getElement().isF32() ? 'f' : 'b';
  return success(
      succeeded(checkBuffer(Op, "C3", "x" + Of, Op.getX(Job),
                            {Per, {Op.getGroups()[Job] * Shape[1]}, 'b'})) &&
      succeeded(checkBuffer(Op, "C4", "y" + Of, Op.getY(Job),
                            {Per, {Shape[0]}, YElement})));
}

LogicalResult LinearOp::verify() {
  if (getJobs().empty() || getJobs().size() != 3 * getNumJobs())
    return emitOpError("C1: expected three operands per job, got ")
           << getJobs().size() << " for " << getNumJobs() << " jobs";
  Per Per = getRows() == RowsOf::Tokens ? Per::Token : Per::Output;
  for (unsigned Job = 0; Job < getNumJobs(); ++Job) {
    if (!isa<BufferType>(getX(Job).getType()) ||
        !isa<dsv4::qfmt::WeightType>(getW(Job).getType()) ||
        !isa<BufferType>(getY(Job).getType()))
      return emitOpError("C1: expected buffer, weight, buffer in job ") << Job;
    if (failed(checkJob(*this, Job, Per)))
      return failure();
  }
  return success();
}

PhaseItems NormQuantOp::getItems() { return {ItemsRule::Tokens}; }

LogicalResult NormQuantOp::verify() {
  int64_t N = widthOf(getRaw());
  if (failed(
          checkBuffer(*this, "C1", "raw", getRaw(), {Per::Token, {N}, 'b'})) ||
      failed(checkWeight(*this, "C2", "weight", getWeight(), Format::BF16, N)))
    return failure();
  if (!getY() && !getYq())
    return emitOpError("C3: expected y or yq");
  for (Value Result : {getY(), getYq()})
    if (Result && failed(checkSameType(*this, "C3", "the result", Result, "raw",
                                       getRaw())))
      return failure();
  if (getYq() && N % 128)
    return emitOpError("C4: expected a multiple of 128 elements for yq, got ")
           << N;
  return success();
}

PhaseItems QuantizeOp::getItems() {
  return {ItemsRule::Tokens, widthOf(getX()) / 128};
}

LogicalResult QuantizeOp::verify() {
  if (failed(checkBuffer(*this, "C1", "x", getX(), {Per::Token, {}, 'b', 128})))
    return failure();
  return checkSameType(*this, "C1", "xq", getXq(), "x", getX());
}
