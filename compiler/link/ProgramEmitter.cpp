// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables of the ABI as LLVM constants. Sizes are checked against the C structs,
// so that a change of the header without a change here is an error.

#include "compiler/link/ProgramEmitter.h"

#include "compiler/link/ConstantTables.h"
#include "compiler/link/CudaProgramEmitter.h"

#include "runtime/abi/program.h"
#include "targets/cpu/CpuCodegen.h"
#include "targets/cpu/EmitKernels.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"

#include <array>

using namespace dsv4::kern;
using llvm::Constant;

namespace dsv4 {

static_assert(int(ItemsRule::One) == DSV4_ITEMS_ONE &&
              int(ItemsRule::Tokens) == DSV4_ITEMS_TOKENS &&
              int(ItemsRule::Outputs) == DSV4_ITEMS_OUTPUTS &&
              int(ItemsRule::ActiveExperts) == DSV4_ITEMS_ACTIVE_EXPERTS &&
              int(ItemsRule::Entries) == DSV4_ITEMS_ENTRIES);

namespace {

/// The tables of dsv4_program.
class Tables : ConstantTables {
public:
  Tables(llvm::Module &module, kern::ProgramOp program,
         const ProgramFacts &facts)
      : ConstantTables(module), program(program), facts(facts) {}

  /// `functions`: kernels of the phases in order; none of a program for a GPU,
  /// whose half is `cuda`.
  llvm::Error emit(llvm::ArrayRef<std::string> functions, Constant *cuda);

private:
  int64_t addOperand(mlir::Value value);
  void addPhase(KernPhaseOpInterface phase, llvm::StringRef function);
  void addProducts(mlir::Operation *phase, int64_t first);
  void addProduct(mlir::Value x, mlir::Value w, mlir::Value y,
                  std::array<int64_t, 4> operandNumbers, int64_t groups,
                  bool isOfOutputs = false);
  void addStateReads(mlir::Operation *phase, int64_t first);
  Constant *weightIndex();
  Constant *limits();

  kern::ProgramOp program;
  const ProgramFacts &facts;
  std::vector<Constant *> phases, operands, products, stateReads;
  int64_t numWeights = 0;
};

} // namespace

/// Adds the place of a handle to the operand table; returns its number.
int64_t Tables::addOperand(mlir::Value value) {
  mlir::Operation *op = value.getDefiningOp();
  int32_t space = 0;
  Affine offset;
  if (auto buffer = llvm::dyn_cast_or_null<BufferOp>(op)) {
    space = DSV4_SPACE_BUFFER;
    if (!buffer.getOffset())
      fail("buffer " + buffer.getName() + " has no offset (kern-plan-buffers)");
    else
      offset = buffer.getOffset()->getValue();
  } else if (auto state = llvm::dyn_cast_or_null<StateOp>(op)) {
    space = DSV4_SPACE_STATE;
    if (!state.getOffset())
      fail("state " + state.getName() + " has no offset (kern-plan-state)");
    else
      offset = state.getOffset()->getValue();
  } else if (auto weight = llvm::dyn_cast_or_null<WeightOp>(op)) {
    space = DSV4_SPACE_WEIGHTS;
    if (!weight.getOffset())
      fail("weight " + weight.getTensor() +
           " has no offset (kern-assign-packing)");
    else
      offset = {int64_t(*weight.getOffset()), 0};
  } else {
    fail("an operand is neither buffer, state nor weight");
  }
  operands.push_back(record({i32(space), i32(0), affine(offset)}));
  return int64_t(operands.size()) - 1;
}

void Tables::addPhase(KernPhaseOpInterface phase, llvm::StringRef function) {
  auto schedule = phase->getAttrOfType<ScheduleAttr>("schedule");
  if (!schedule)
    return fail("phase " + phase.getPhaseName() +
                " has no schedule (kern-schedule-phases)");
  int64_t first = int64_t(operands.size());
  for (mlir::Value operand : phase->getOperands())
    addOperand(operand);
  addProducts(phase, first);
  addStateReads(phase, first);
  Constant *kernel =
      function.empty() ? null() : (Constant *)module.getFunction(function);
  phases.push_back(
      record({kernel, text(phase.getPhaseName()),
              text(phase->getName().stripDialect()), i32(first),
              i32(phase->getNumOperands()), i32(int32_t(schedule.getRule())),
              i32(schedule.getOperand()), i64(schedule.getFactor()),
              i32(schedule.getRatio()), i32(schedule.getBlock()),
              i32(schedule.getGrain()), i32(0)}));
}

/// Operand numbers are those of x, w, y and of the lists (or -1).
void Tables::addProduct(mlir::Value x, mlir::Value w, mlir::Value y,
                        std::array<int64_t, 4> operandNumbers, int64_t groups,
                        bool isOfOutputs) {
  auto xType = llvm::cast<BufferType>(x.getType());
  auto yType = llvm::cast<BufferType>(y.getType());
  auto weight = llvm::cast<qfmt::WeightType>(w.getType());
  llvm::ArrayRef<int64_t> shape = weight.getShape();
  int32_t format = DSV4_TILE_BF16;
  if (weight.getFormat() == qfmt::Format::FP4)
    format = DSV4_TILE_FP4;
  else if (weight.getFormat() == qfmt::Format::FP8)
    format = DSV4_TILE_FP8;
  bool isOfTokens =
      operandNumbers[3] >= 0 && xType.getPer() == kern::Per::Token;
  products.push_back(record(
      {i32(int64_t(phases.size())), i32(operandNumbers[0]),
       i32(operandNumbers[1]), i32(operandNumbers[2]), i32(operandNumbers[3]),
       i32(format), i32(groups), i32(yType.getElement().isF32()),
       i32(isOfOutputs), i32(0), i64(shape.size() == 3 ? shape[0] : 1),
       i64(shape[shape.size() - 2]), i64(shape.back()),
       i64(xType.getRowBytes().fixed), i64(yType.getRowBytes().fixed),
       i64(isOfTokens ? program.getExpertsPerToken() : 1)}));
}

/// Products of a phase whose operands begin at `first` in the operand table.
void Tables::addProducts(mlir::Operation *phase, int64_t first) {
  if (auto linear = llvm::dyn_cast<LinearOp>(phase))
    for (unsigned job = 0; job < linear.getNumJobs(); ++job) {
      int64_t at = first + 3 * job;
      addProduct(linear.getX(job), linear.getW(job), linear.getY(job),
                 {at, at + 1, at + 2, -1}, linear.getGroups()[job],
                 linear.getRows() == kern::RowsOf::Outputs);
    }
  if (auto experts = llvm::dyn_cast<ExpertLinearOp>(phase)) {
    // Operand table: x, lists, w, w_other?, y, y_other?.
    bool hasOther = bool(experts.getWOther());
    int64_t y = first + (hasOther ? 4 : 3);
    addProduct(experts.getX(), experts.getW(), experts.getY(),
               {first, first + 2, y, first + 1}, 1);
    if (hasOther)
      addProduct(experts.getX(), experts.getWOther(), experts.getYOther(),
                 {first, first + 3, y + 1, first + 1}, 1);
  }
}

/// States that a phase reads, whose operands begin at `first` in the table.
void Tables::addStateReads(mlir::Operation *phase, int64_t first) {
  // `products`: multiply-adds with one row.
  auto add = [&](mlir::Value state, int64_t ratio, int64_t limit,
                 int64_t products) {
    auto type = llvm::cast<StateType>(state.getType());
    int64_t at =
        llvm::find(phase->getOperands(), state) - phase->getOperands().begin();
    stateReads.push_back(record(
        {i32(int64_t(phases.size())), i32(ratio), i32(first + at), i32(0),
         i64(type.getRowFormat().bytesPerRow()), i64(limit), i64(products)}));
  };
  auto widthOf = [](mlir::Value buffer) {
    return llvm::cast<BufferType>(buffer.getType()).getFixed();
  };
  auto ratioOf = [](mlir::Value entries) {
    return llvm::cast<StateType>(entries.getType()).getExtent();
  };
  if (auto attend = llvm::dyn_cast<AttendOp>(phase)) {
    int64_t products = 2 * widthOf(attend.getQ()); // q.k and p.v
    add(attend.getWindow(), 0, attend.getWindowSize(), products);
    if (mlir::Value ids = attend.getIds())
      add(attend.getEntries(), ratioOf(attend.getEntries()), widthOf(ids),
          products);
    else if (attend.getEntries())
      add(attend.getEntries(), ratioOf(attend.getEntries()), INT64_MAX,
          products);
  }
  if (auto score = llvm::dyn_cast<IndexScoreOp>(phase))
    add(score.getEntries(), ratioOf(score.getEntries()), INT64_MAX,
        widthOf(score.getQ()));
}

Constant *Tables::weightIndex() {
  std::vector<Constant *> rows;
  for (auto weight : program.getBody().getOps<WeightOp>()) {
    if (!weight.getOffset() || !weight.getBytes()) {
      fail("weight " + weight.getTensor() + " is not placed");
      continue;
    }
    rows.push_back(record({text(weight.getTensor()), i64(*weight.getOffset()),
                           i64(*weight.getBytes())}));
  }
  numWeights = int64_t(rows.size());
  return array("weights", rows, sizeof(dsv4_weight_entry));
}

Constant *Tables::limits() {
  if (!program.getBufferBytes() || !program.getStateBytes() ||
      !program.getScratchBytes() || !program.getWeightBytes()) {
    fail("the program is not planned");
    return null();
  }
  auto logits =
      llvm::cast<BufferType>(program.getReturn().getLogits().getType());
  Constant *value = record(
      {i64(program.getMaxContext()), i64(program.getMaxSequences()),
       i64(program.getMaxStepTokens()), i64(program.getMaxOutputs()),
       i64(logits.getFixed()), affine(program.getBufferBytes()->getValue()),
       affine(program.getStateBytes()->getValue()),
       affine(program.getScratchBytes()->getValue()),
       i64(*program.getWeightBytes()), i64(program.getExpertsPerToken())});
  checkSize(value, sizeof(dsv4_limits), "limits");
  return value;
}

llvm::Error Tables::emit(llvm::ArrayRef<std::string> functions,
                         Constant *cuda) {
  size_t next = 0;
  for (mlir::Operation &op : program.getBody().front())
    if (auto phase = llvm::dyn_cast<KernPhaseOpInterface>(&op))
      addPhase(phase, functions.empty() ? "" : functions[next++]);
  if (!program.getReturn())
    return llvm::createStringError("the program has no kern.return");
  int64_t logits = addOperand(program.getReturn().getLogits());
  Constant *limitTable = limits(), *weights = weightIndex();
  if (!problem.empty())
    return llvm::createStringError("cannot emit the program: " + problem);

  Constant *hash =
      llvm::ConstantDataArray::get(context, llvm::ArrayRef(facts.weightsHash));
  Constant *root =
      record({i64(int64_t(DSV4_PROGRAM_MAGIC)),
              i32(DSV4_ABI_VERSION),
              i32(int32_t(facts.target.cpuFeatures)),
              text(facts.target.name),
              text(facts.identity),
              text(facts.infoJson),
              text(facts.configs),
              limitTable,
              array("phases", phases, sizeof(dsv4_phase)),
              i64(int64_t(phases.size())),
              array("operands", operands, sizeof(dsv4_operand)),
              i64(int64_t(operands.size())),
              null(),
              i64(0),
              weights,
              i64(numWeights),
              i32(int32_t(logits)),
              i32(facts.sidecar),
              blob("tokenizer", facts.tokenizer),
              blob("known_answers", facts.knownAnswers),
              hash,
              i32(facts.bosToken),
              i32(facts.eosToken),
              f32(facts.temperature),
              f32(facts.topP),
              array("products", products, sizeof(dsv4_product)),
              i64(int64_t(products.size())),
              array("state_reads", stateReads, sizeof(dsv4_state_read)),
              i64(int64_t(stateReads.size())),
              i32(int32_t(facts.target.order)),
              i32(0),
              cuda ? cuda : null()});
  checkSize(root, sizeof(dsv4_program), "program");
  if (!problem.empty())
    return llvm::createStringError(problem);
  auto *variable = new llvm::GlobalVariable(
      module, root->getType(), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, root, "dsv4_program_root");
  variable->setAlignment(llvm::Align(64));
  return llvm::Error::success();
}

llvm::Expected<std::string> emitProgram(kern::ProgramOp program,
                                        const ProgramFacts &facts) {
  auto kernels = cpu::emitKernels(program, facts.target, facts.tuning);
  if (!kernels)
    return kernels.takeError();
  llvm::LLVMContext context;
  cpu::CodegenDumps dumps{facts.dumpFolder, kernels->words};
  auto module =
      cpu::translateKernels(*kernels->module, facts.target, context, dumps);
  if (!module)
    return module.takeError();
  if (llvm::Error error =
          Tables(**module, program, facts).emit(kernels->functions, nullptr))
    return std::move(error);
  // Only the root is visible outside; kernels are reached through it.
  for (llvm::Function &function : **module)
    if (!function.isDeclaration())
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
  return cpu::emitObject(**module, facts.target, dumps);
}

llvm::Expected<std::string> emitCudaProgram(kern::ProgramOp program,
                                            const ProgramFacts &facts,
                                            const CudaHalf &cuda) {
  llvm::LLVMContext context;
  llvm::Module module("program", context);
  if (llvm::Error error = cpu::setTarget(module, facts.target))
    return std::move(error);
  llvm::Expected<Constant *> half = emitCudaHalf(module, cuda);
  if (!half)
    return half.takeError();
  if (llvm::Error error = Tables(module, program, facts).emit({}, *half))
    return std::move(error);
  return cpu::emitObject(module, facts.target);
}

} // namespace dsv4
