// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See ProgramBuilder.h.

#include "targets/cuda/lower/ProgramBuilder.h"
#include "targets/cuda/lower/Fuse.h"

#include "llvm/ADT/StringExtras.h"

#include <cstddef>
#include <cstdio>
#include <limits>

using namespace mlir;

namespace dsv4::cuda {

ConfigText &ConfigText::other(StringRef type, StringRef name, StringRef value) {
  lines +=
      ("  static constexpr " + type + " " + name + " = " + value + ";\n").str();
  return *this;
}

ConfigText &ConfigText::integer(StringRef name, int64_t value) {
  return other(integerType, name, std::to_string(value));
}

ConfigText &ConfigText::boolean(StringRef name, bool value) {
  return other("bool", name, value ? "true" : "false");
}

ConfigText &ConfigText::real(StringRef name, float value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%af", double(value));
  return other("float", name, text);
}

ProgramBuilder::ProgramBuilder(kern::ProgramOp program,
                               const CudaTarget &target,
                               const LowerOptions &options,
                               const Placement &placement)
    : program(program), target(target), options(options), placement(placement),
      multiprocessors(options.multiprocessors) {
  result.target = std::string("cuda:") + target.name;
  result.multiprocessors = 0; // blocks walk their items on any number
}

void ProgramBuilder::fail(const Twine &what) {
  if (problem.empty())
    problem = ("phase " + phase + ": " + what).str();
}

Place ProgramBuilder::placeOf(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto buffer = dyn_cast_or_null<kern::BufferOp>(op)) {
    if (buffer.getOffset())
      return {BuffersPart, buffer.getOffset()->getValue()};
    fail("buffer " + buffer.getName() + " has no offset (kern-plan-buffers)");
  } else if (auto state = dyn_cast_or_null<kern::StateOp>(op)) {
    if (state.getOffset())
      return {StatePart, state.getOffset()->getValue()};
    fail("state " + state.getName() + " has no offset (kern-plan-state)");
  } else if (auto weight = dyn_cast_or_null<kern::WeightOp>(op)) {
    const Placement::Weight &at = placement.of(weight);
    if (weight.getOffset())
      return at.isCold ? coldPlaceOf(at) : Place{WeightsPart, {at.offset, 0}};
    fail("weight " + weight.getTensor() + " has no offset");
  } else {
    fail("an operand is neither buffer, state nor weight");
  }
  return {};
}

Place ProgramBuilder::rowsPlace(bool ofOutputs) {
  return stepPlace(ofOutputs ? offsetof(dsv4_step, outputs)
                             : offsetof(dsv4_step, tokens));
}

/// The first place that is free.
Place ProgramBuilder::workspace(int64_t bytes) {
  bytes = kern::roundUp(bytes, DSV4_CUDA_PART_ALIGN);
  int64_t at = 0;
  for (const Taken &one : taken) { // ascending
    if (at + bytes <= one.begin)
      break;
    at = std::max(at, one.end);
  }
  Taken mine{at, at + bytes, phaseNumber};
  auto place = llvm::find_if(
      taken, [&](const Taken &one) { return one.begin > mine.begin; });
  taken.insert(place, mine);
  workspaceBytes = std::max(workspaceBytes, mine.end);
  return {WorkspacePart, {at, 0}};
}

Place ProgramBuilder::attentionWorkspace(int64_t bytes) {
  bytes = kern::roundUp(bytes, DSV4_CUDA_PART_ALIGN);
  if (!ofAttention || ofAttention->end - ofAttention->begin < bytes) {
    int64_t at = workspace(bytes).offset.fixed;
    ofAttention = {at, at + bytes, phaseNumber};
    for (Taken &one : taken)
      if (one.begin == at)
        one.last = std::numeric_limits<int64_t>::max();
  }
  return {WorkspacePart, {ofAttention->begin, 0}};
}

std::optional<Place> ProgramBuilder::encoded(Value rows, int64_t blockBytes) {
  auto found = llvm::find_if(encodings, [&](const Encoding &one) {
    return one.rows == rows && one.blockBytes == blockBytes;
  });
  if (found == encodings.end())
    return std::nullopt;
  for (Taken &one : taken)
    if (one.begin == found->place.offset.fixed) {
      one.last = phaseNumber;
      return found->place;
    }
  return std::nullopt;
}

void ProgramBuilder::setEncoded(Value rows, int64_t blockBytes, Place place) {
  if (options.fuse)
    encodings.push_back({rows, blockBytes, place});
}

void ProgramBuilder::beginPhase(kern::KernPhaseOpInterface op) {
  phase = op.getPhaseName().str();
  ++phaseNumber;
  // Launches are a chain, so the phase before has ended when this one writes,
  // unless both will be one launch.
  int64_t kept = phaseNumber - (options.fuse ? FusedPhases : 0);
  llvm::erase_if(taken, [&](const Taken &one) {
    bool ends = one.last < kept;
    if (ends)
      llvm::erase_if(encodings, [&](const Encoding &e) {
        return e.place.offset.fixed == one.begin;
      });
    return ends;
  });
  for (unsigned i : op.getWrittenOperands())
    llvm::erase_if(encodings, [&](const Encoding &one) {
      return one.rows == op->getOperand(i);
    });
}

static std::string replaced(std::string text, StringRef config) {
  for (size_t at; (at = text.find("{C}")) != std::string::npos;)
    text.replace(at, 3, config.str());
  return text;
}

int32_t ProgramBuilder::kernel(const KernelChoice &choice, size_t paramsBytes) {
  std::string key = choice.family + "\n" + choice.params + "\n" + choice.body +
                    "\n" + std::to_string(choice.threads) + "\n" +
                    choice.config.text();
  auto [found, isNew] =
      kernels.try_emplace(key, int32_t(result.kernels.size()));
  if (!isNew)
    return found->second;
  std::string name =
      choice.family + "_" + std::to_string(numbers[choice.family]++);
  std::string config = "Config_" + name, text;
  if (!choice.config.text().empty())
    text = "struct " + config + " {\n" + choice.config.text() + "};\n";
  if (!choice.check.empty())
    text += "static_assert(" + replaced(choice.check, config) + ");\n";
  text += "DSV4_ENTRY(" + name + ", " + choice.params + ", " +
          std::to_string(choice.threads) + ",\n           " +
          replaced(choice.body, config) + ")\n";
  KernelSpec spec;
  spec.symbol = name;
  spec.header = "targets/cuda/device/phases/" + choice.header;
  spec.text = std::move(text);
  spec.threads = choice.threads;
  spec.sharedBytes = choice.sharedBytes;
  spec.blocksPerSm = choice.blocksPerSm;
  spec.paramsBytes = int32_t(paramsBytes);
  if (choice.sharedBytes > int32_t(target.sharedPerBlock))
    fail(name + " takes " + Twine(choice.sharedBytes) +
         " bytes of shared memory, a block of " + target.name + " has " +
         Twine(target.sharedPerBlock));
  result.kernels.push_back(std::move(spec));
  return found->second;
}

void ProgramBuilder::addNode(NodeSpec node) {
  GraphSpec &graph = result.graphs.back();
  auto isCopy = [](const NodeSpec &n) { return n.kernel == DSV4_CUDA_COPY; };
  if (!graph.nodes.empty()) {
    bool full = isCopy(graph.nodes.back()) || isCopy(node) || !options.overlap;
    auto number = int32_t(graph.nodes.size());
    graph.edges.push_back(
        {number - 1, number, full ? DSV4_CUDA_FULL : DSV4_CUDA_PROGRAMMATIC});
  }
  graph.nodes.push_back(std::move(node));
}

void ProgramBuilder::addLaunch(StringRef kind, int32_t kernel,
                               std::vector<uint8_t> params,
                               const std::vector<OperandSpec> &operands,
                               int64_t grid) {
  NodeSpec node;
  node.name = phase;
  node.kind = kind.str();
  node.kernel = kernel;
  node.params = std::move(params);
  node.operands = operands;
  node.gridX.fixed = grid;
  addNode(std::move(node));
}

int64_t ProgramBuilder::stepBytes() {
  return dsv4_cuda_step_bytes(program.getMaxStepTokens());
}

void ProgramBuilder::beginGraph(StringRef name, int64_t most,
                                int64_t mostOutputs) {
  tokens = most;
  outputs = mostOutputs;
  taken.clear();
  ofAttention.reset();
  encodings.clear();
  result.graphs.emplace_back();
  GraphSpec &graph = result.graphs.back();
  graph.name = name.str();
  graph.tokens = most;
  graph.outputs = mostOutputs;
  NodeSpec copy;
  copy.name = "step";
  copy.kind = "copy";
  copy.operands = {{HostStepPart, 0, {}}, {StepPart, 0, {}}};
  copy.gridX.fixed = stepBytes();
  addNode(std::move(copy));
}

void ProgramBuilder::endGraph() {
  Value logits = program.getReturn().getLogits();
  NodeSpec copy;
  copy.name = "logits";
  copy.kind = "copy";
  copy.operands = {{BuffersPart, 0, placeOf(logits).offset},
                   {HostLogitsPart, 0, {}}};
  auto row = cast<kern::BufferType>(logits.getType()).getRowBytes().fixed;
  copy.gridX = {0, 0, row, 0, 1};
  addNode(std::move(copy));
}

void ProgramBuilder::addParts() {
  auto logits =
      cast<kern::BufferType>(program.getReturn().getLogits().getType());
  auto add = [&](const char *name, int32_t kind, int32_t tier,
                 kern::Affine bytes) {
    result.parts.push_back({name, kind, tier, bytes});
  };
  add("weights", DSV4_CUDA_WEIGHTS, DSV4_CUDA_DEVICE,
      {placement.deviceBytes(), 0});
  add("state", DSV4_CUDA_STATE, DSV4_CUDA_DEVICE,
      program.getStateBytes()->getValue());
  add("buffers", DSV4_CUDA_BUFFERS, DSV4_CUDA_DEVICE,
      program.getBufferBytes()->getValue());
  add("workspace", DSV4_CUDA_WORKSPACE, DSV4_CUDA_DEVICE, {workspaceBytes, 0});
  add("step", DSV4_CUDA_STEP, DSV4_CUDA_DEVICE, {stepBytes(), 0});
  add("step of the host", DSV4_CUDA_STEP, DSV4_CUDA_PINNED, {stepBytes(), 0});
  add("logits", DSV4_CUDA_STEP, DSV4_CUDA_PINNED,
      {logits.getRowBytes().fixed * int64_t(program.getMaxOutputs()), 0});
  if (placement.pinnedBytes())
    add("cold weights", DSV4_CUDA_WEIGHTS, DSV4_CUDA_PINNED,
        {placement.pinnedBytes(), 0});
  for (const Placement::Mapped &range : placement.mapped())
    add(range.name, DSV4_CUDA_WEIGHTS, DSV4_CUDA_MAPPED, {range.bytes, 0});
}

int32_t ProgramBuilder::firstMappedPart() const {
  return placement.pinnedBytes() ? ColdWeightsPart + 1 : ColdWeightsPart;
}

int32_t ProgramBuilder::coldPartOf(const Placement::Weight &weight) const {
  return weight.isMapped() ? firstMappedPart() + weight.mappedPart
                           : ColdWeightsPart;
}

llvm::Expected<CudaProgram> ProgramBuilder::finish() {
  if (!problem.empty())
    return llvm::createStringError(problem);
  result.weightBytes = int64_t(*program.getWeightBytes());
  addParts();
  result.segments =
      placement.segments({WeightsPart, ColdWeightsPart, firstMappedPart()});
  return std::move(result);
}

std::string CudaProgram::source() const {
  std::string text = "// Kernels of " + target +
                     ", one instantiation of a phase body each.\n"
                     "#include \"targets/cuda/device/entry.h\"\n";
  std::vector<std::string> headers;
  for (const KernelSpec &kernel : kernels)
    if (!llvm::is_contained(headers, kernel.header))
      headers.push_back(kernel.header);
  llvm::sort(headers);
  for (const std::string &header : headers)
    text += "#include \"" + header + "\"\n";
  text += "\nnamespace dsv4::cuda {\n";
  for (const KernelSpec &kernel : kernels)
    text += "\n" + kernel.text;
  return text + "\n} // namespace dsv4::cuda\n";
}

} // namespace dsv4::cuda
