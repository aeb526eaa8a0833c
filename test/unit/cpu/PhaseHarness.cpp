// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parses a phase and emits its kernel.

#include "test/unit/cpu/PhaseHarness.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "targets/cpu/kernels/Kernels.h"

#include <algorithm>
#include <chrono>

namespace dsv4::cpu::test {

static constexpr char Head[] = R"(
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 2 : i64,
    max_step_tokens = 128 : i64, max_outputs = 128 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
)";
static constexpr char Tail[] =
    "\n  kern.return %logits : <output, 512, f32>\n}";

PhaseKernel::PhaseKernel(IsaLevel Level, const std::string &Body) {
  mlir::MLIRContext Context;
  Context.loadDialect<kern::KernDialect, qfmt::QFmtDialect>();
  auto Module =
      mlir::parseSourceString<mlir::ModuleOp>(Head + Body + Tail, &Context);
  if (!Module) {
    ADD_FAILURE() << "the phase does not parse";
    return;
  }
  mlir::Operation *Phase = nullptr;
  Module->walk([&](kern::KernPhaseOpInterface Op) { Phase = Op; });
  KernelEmitter Emit =
      Phase ? findEmitter(Phase->getName().getStringRef()) : nullptr;
  if (!Emit) {
    ADD_FAILURE() << "no phase with an emitter";
    return;
  }
  ScratchBytes = cast<kern::KernPhaseOpInterface>(Phase).getScratchBytes();
  Kernels = std::make_unique<LoadedKernels>(
      Level, [&](KernelBuilder &K) { Emit(K, Phase, "k"); });
}

size_t PhaseKernel::scratchBytes(const StepRows &Rows) const {
  return ScratchBytes.fixed +
         ScratchBytes.perBlock * (Rows.step.context / DSV4_CONTEXT_BLOCK);
}

void PhaseKernel::run(StepRows &Rows, std::vector<void *> Operands,
                      int64_t Items) {
  dsv4_kernel Kernel = Kernels ? Kernels->find("k") : nullptr;
  ASSERT_TRUE(Kernel);
  size_t Room = scratchBytes(Rows);
  Buffer Scratch(Room + 64);
  FlushDenormals Flush;
  Kernel(&Rows.step, Operands.data(), 0, Items, Scratch.data());
  for (size_t I = Room; I < Room + 64; ++I)
    ASSERT_EQ(Scratch.data()[I], 0xA5) << "wrote past the scratch";
}

double PhaseKernel::fastest(StepRows &Rows, std::vector<void *> Operands,
                            int64_t Items) {
  dsv4_kernel Kernel = Kernels ? Kernels->find("k") : nullptr;
  if (!Kernel)
    return 0;
  Buffer Scratch(scratchBytes(Rows));
  FlushDenormals Flush;
  using Clock = std::chrono::steady_clock;
  std::chrono::duration<double> Best(1e9);
  auto Until = Clock::now() + std::chrono::milliseconds(500);
  do {
    auto Start = Clock::now();
    Kernel(&Rows.step, Operands.data(), 0, Items, Scratch.data());
    Best = std::min<std::chrono::duration<double>>(Best, Clock::now() - Start);
  } while (Clock::now() < Until);
  return Best.count();
}

} // namespace dsv4::cpu::test
