// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels of a program: names are the kind of phase and a number in program
// order, so that equal programs give equal objects.

#include "targets/cpu/EmitKernels.h"

#include "mlir/IR/Verifier.h"
#include "targets/cpu/CpuCodegen.h"
#include "targets/cpu/kernels/Kernels.h"

#include <map>

using namespace mlir;

namespace dsv4::cpu {

/// "kern.linear, phase layers.0.attn.wq_a, weights <128x256, fp8>".
static std::string wordsOf(kern::KernPhaseOpInterface Phase) {
  std::string Words;
  llvm::raw_string_ostream Out(Words);
  Out << Phase->getName() << ", phase " << Phase.getPhaseName();
  const char *Before = ", weights ";
  for (Type T : Phase->getOperandTypes())
    if (isa<qfmt::WeightType>(T)) {
      std::string Text;
      llvm::raw_string_ostream(Text) << T;
      Out << Before << StringRef(Text).substr(Text.find('<'));
      Before = " ";
    }
  return Words;
}

llvm::Expected<EmittedKernels> emitKernels(kern::ProgramOp Program,
                                           const TargetDesc &Target,
                                           const dsv4::Tuning &Tuning) {
  MLIRContext *Context = Program.getContext();
  registerKernelDialects(*Context);
  EmittedKernels Out;
  Out.module = ModuleOp::create(UnknownLoc::get(Context));
  KernelBuilder K(*Out.module, Target, Tuning);
  std::map<std::string, std::string> Known; // key -> function
  std::map<std::string, int> Count;         // kind -> functions so far
  for (Operation &Op : Program.getBody().front()) {
    auto Phase = dyn_cast<kern::KernPhaseOpInterface>(&Op);
    if (!Phase)
      continue;
    std::string &Function = Known[kernelKey(&Op)];
    if (Function.empty()) {
      StringRef OpName = Op.getName().getStringRef();
      KernelEmitter Emit = findEmitter(OpName);
      if (!Emit)
        return llvm::createStringError("phase " + Phase.getPhaseName() +
                                       ": the CPU target has no kernel for " +
                                       OpName);
      std::string Kind = Op.getName().stripDialect().str();
      Function = "dsv4_k_" + Kind + "_" + std::to_string(Count[Kind]++);
      Emit(K, &Op, Function);
      Out.words[Function] = wordsOf(Phase);
    }
    Out.functions.push_back(Function);
  }
  if (failed(verify(*Out.module)))
    return llvm::createStringError("the generated kernels are not valid");
  return Out;
}

} // namespace dsv4::cpu
