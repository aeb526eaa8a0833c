// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parses a phase and emits its kernel.

#include "test/unit/cpu/PhaseHarness.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "targets/cpu/kernels/Kernels.h"

#include <algorithm>

namespace dsv4::cpu::test {

static constexpr char Head[] = R"(
kern.program @p attributes {max_context = 1024 : i64, max_sequences = 2 : i64,
    max_step_tokens = 128 : i64, max_outputs = 128 : i64,
    experts_per_token = 2 : i64} {
  %logits = kern.buffer "logits" : <output, 512, f32>
)";
static constexpr char Tail[] =
    "\n  kern.return %logits : <output, 512, f32>\n}";

PhaseKernel::PhaseKernel(const TargetDesc &Target, const std::string &Body) {
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
      Target, [&](KernelBuilder &K) { Emit(K, Phase, "k"); });
}

void PhaseKernel::run(StepRows &Rows, std::vector<void *> Operands,
                      int64_t Items, int64_t PerCall) {
  dsv4_kernel Kernel = Kernels ? Kernels->find("k") : nullptr;
  ASSERT_TRUE(Kernel);
  int64_t Room =
      ScratchBytes.fixed +
      ScratchBytes.perBlock * (Rows.step.context / DSV4_CONTEXT_BLOCK);
  Buffer Scratch(Room + 64);
  FlushDenormals Flush;
  for (int64_t I = 0; I < Items; I += PerCall)
    Kernel(&Rows.step, Operands.data(), I, std::min(Items, I + PerCall),
           Scratch.data());
  for (int64_t I = Room; I < Room + 64; ++I)
    ASSERT_EQ(Scratch.data()[I], 0xA5) << "wrote past the scratch";
}

} // namespace dsv4::cpu::test
