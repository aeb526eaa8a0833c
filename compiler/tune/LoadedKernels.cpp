// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See LoadedKernels.h.

#include "compiler/tune/LoadedKernels.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace dsv4::cpu;

namespace dsv4::tune {

/// The object file of what `emit` writes.
static llvm::Expected<std::string>
emitObjectOf(const TargetDesc &target,
             llvm::function_ref<void(KernelBuilder &)> emit,
             const Tuning &tuning, const CodegenDumps &dumps) {
  mlir::MLIRContext context;
  registerKernelDialects(context);
  mlir::OwningOpRef<mlir::ModuleOp> module(
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context)));
  KernelBuilder builder(*module, target, tuning);
  emit(builder);
  if (failed(mlir::verify(*module)))
    return llvm::createStringError("the generated kernels are not valid");
  llvm::LLVMContext llvmContext;
  auto translated = translateKernels(*module, target, llvmContext, dumps);
  if (!translated)
    return translated.takeError();
  return emitObject(**translated, target, dumps);
}

LoadedKernels::LoadedKernels(std::unique_ptr<llvm::orc::LLJIT> jit)
    : jit(std::move(jit)) {}
LoadedKernels::LoadedKernels(LoadedKernels &&other) = default;
LoadedKernels::~LoadedKernels() = default;

llvm::Expected<LoadedKernels>
LoadedKernels::compile(const TargetDesc &target,
                       llvm::function_ref<void(KernelBuilder &)> emit,
                       const Tuning &tuning, const CodegenDumps &dumps) {
  auto object = emitObjectOf(target, emit, tuning, dumps);
  if (!object)
    return object.takeError();
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  if (llvm::Error failed = (*jit)->addObjectFile(
          llvm::MemoryBuffer::getMemBufferCopy(*object, "kernels.o")))
    return std::move(failed);
  return LoadedKernels(std::move(*jit));
}

llvm::Expected<dsv4_kernel> LoadedKernels::find(llvm::StringRef name) const {
  auto address = jit->lookup(name);
  if (!address)
    return address.takeError();
  return address->toPtr<dsv4_kernel>();
}

} // namespace dsv4::tune
