// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of kernel modules to LLVM IR: only the single conversions that the
// kernel language needs.

#include "targets/cpu/CpuCodegen.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "targets/cpu/CodegenDump.h"

#include "llvm/ADT/Twine.h"

using namespace mlir;

namespace dsv4::cpu {

void registerKernelDialects(MLIRContext &Context) {
  Context
      .loadDialect<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect,
                   math::MathDialect, scf::SCFDialect, vector::VectorDialect>();
  registerBuiltinDialectTranslation(Context);
  registerLLVMDialectTranslation(Context);
}

static LogicalResult lowerToLLVM(ModuleOp Kernels) {
  PassManager Passes(Kernels.getContext());
  Passes.addPass(createSCFToControlFlowPass());
  Passes.addPass(createConvertVectorToLLVMPass());
  Passes.addPass(createConvertMathToLLVMPass());
  Passes.addPass(createArithToLLVMConversionPass());
  Passes.addPass(createConvertControlFlowToLLVMPass());
  Passes.addPass(createConvertFuncToLLVMPass());
  Passes.addPass(createReconcileUnrealizedCastsPass());
  return Passes.run(Kernels);
}

static void setAttributes(llvm::Function &F, const TargetDesc &Target) {
  F.addFnAttr("target-cpu", Target.cpu);
  if (!Target.features.empty())
    F.addFnAttr("target-features", Target.features);
  F.addFnAttr("tune-cpu", Target.tune);
  F.addFnAttr("denormal-fp-math", "preserve-sign,preserve-sign");
  if (Target.level >= IsaLevel::Avx512)
    F.addFnAttr("prefer-vector-width", "512");
  F.addFnAttr(llvm::Attribute::NoUnwind);
}

llvm::Expected<std::unique_ptr<llvm::Module>>
translateKernels(ModuleOp Kernels, const TargetDesc &Target,
                 llvm::LLVMContext &Context, const CodegenDumps &Dumps) {
  if (llvm::Error E = dump(Dumps, "kernels.mlir",
                           [&](llvm::raw_ostream &Out) { Kernels.print(Out); }))
    return std::move(E);
  if (failed(lowerToLLVM(Kernels)))
    return llvm::createStringError("lowering kernels to the LLVM dialect "
                                   "failed");
  std::unique_ptr<llvm::Module> Module =
      translateModuleToLLVMIR(Kernels, Context, "kernels");
  if (!Module)
    return llvm::createStringError("translating kernels to LLVM IR failed");
  for (llvm::Function &F : *Module)
    if (!F.isDeclaration())
      setAttributes(F, Target);
  if (llvm::Error E = dump(Dumps, "kernels.ll", [&](llvm::raw_ostream &Out) {
        Module->print(Out, nullptr);
      }))
    return std::move(E);
  return Module;
}

} // namespace dsv4::cpu
