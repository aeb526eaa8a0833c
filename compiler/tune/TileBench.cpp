// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See TileBench.h.

#include "compiler/tune/TileBench.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "runtime/abi/program.h"
#include "targets/cpu/CpuCodegen.h"
#include "targets/cpu/kernels/TileHelper.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"

#include <chrono>
#include <cstring>
#include <sys/mman.h>

using namespace dsv4::cpu;

namespace dsv4::tune {

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

llvm::Expected<TileMemory> TileMemory::create(int64_t weightBytes,
                                              int64_t inputBytes,
                                              int64_t resultBytes) {
  constexpr int64_t page = 2 << 20;
  auto rounded = [](int64_t bytes) { return (bytes + page - 1) / page * page; };
  TileMemory memory;
  memory.mapped =
      rounded(weightBytes) + rounded(inputBytes) + rounded(resultBytes) + page;
  void *mapping = mmap(nullptr, memory.mapped, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED)
    return llvm::createStringError("no room for " +
                                   llvm::Twine(memory.mapped >> 20) +
                                   " MiB of weights to measure with");
  madvise(mapping, memory.mapped, MADV_HUGEPAGE);
  memory.mapping = mapping;
  auto start = (reinterpret_cast<uintptr_t>(mapping) + page - 1) / page * page;
  memory.weights = reinterpret_cast<uint8_t *>(start);
  memory.inputs = memory.weights + rounded(weightBytes);
  memory.results = memory.inputs + rounded(inputBytes);
  // Bytes that are ordinary numbers in every format: no NaN, no denormals.
  uint64_t state = 1;
  for (int64_t i = 0; i < weightBytes; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    memory.weights[i] = uint8_t(0x30 | (state >> 60));
  }
  for (int64_t i = 0; i < inputBytes; i += 2) {
    memory.inputs[i] = uint8_t(i * 37);
    memory.inputs[i + 1] = 0x3f;
  }
  std::memset(memory.results, 0, resultBytes);
  return std::move(memory);
}

TileMemory::TileMemory(TileMemory &&other) { *this = std::move(other); }

TileMemory &TileMemory::operator=(TileMemory &&other) {
  std::swap(weights, other.weights);
  std::swap(inputs, other.inputs);
  std::swap(results, other.results);
  std::swap(mapping, other.mapping);
  std::swap(mapped, other.mapped);
  return *this;
}

TileMemory::~TileMemory() {
  if (mapping)
    munmap(mapping, mapped);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

struct TileKernel::Impl {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  dsv4_kernel kernel = nullptr;
  TileCase shape;
};

TileKernel::TileKernel(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
TileKernel::TileKernel(TileKernel &&other) = default;
TileKernel::~TileKernel() = default;

/// The kernel of one linear: an item is a tile for all rows.
static void emitProduct(KernelBuilder &K, const TileCase &Case) {
  TileShape Shape{Case.format, Case.inner, /*single=*/false};
  needTileHelpers(K, Shape);
  K.beginKernel("product", 3);
  K.forItems([&](Val Item) {
    Val Tile = K.operand(1) + Item * tileBytes(Case.format, Case.inner);
    tileRows(K, Shape, Tile, K.c64(0), K.tokens(), [&](Val Row) {
      return std::pair(K.operand(0) + Row * (Case.inner * 2),
                       K.operand(2) +
                           (Row * Case.tiles + Item) * (TileRows * 2));
    });
  });
  K.endFunction();
}

llvm::Expected<TileKernel> TileKernel::compile(const TargetDesc &target,
                                               const TileCase &shape,
                                               const Tuning &tuning,
                                               const std::string &dumps) {
  mlir::MLIRContext context;
  registerKernelDialects(context);
  mlir::OwningOpRef<mlir::ModuleOp> module(
      mlir::ModuleOp::create(mlir::UnknownLoc::get(&context)));
  KernelBuilder builder(*module, target.level, tuning);
  emitProduct(builder, shape);
  if (failed(mlir::verify(*module)))
    return llvm::createStringError("the generated kernel is not valid");
  llvm::LLVMContext llvmContext;
  CodegenDumps files{dumps};
  auto translated = translateKernels(*module, target, llvmContext, files);
  if (!translated)
    return translated.takeError();
  auto object = emitObject(**translated, target, files);
  if (!object)
    return object.takeError();
  auto impl = std::make_unique<Impl>();
  impl->shape = shape;
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  impl->jit = std::move(*jit);
  if (llvm::Error failed = impl->jit->addObjectFile(
          llvm::MemoryBuffer::getMemBufferCopy(*object, "kernels.o")))
    return std::move(failed);
  auto address = impl->jit->lookup("product");
  if (!address)
    return address.takeError();
  impl->kernel = address->toPtr<dsv4_kernel>();
  return TileKernel(std::move(impl));
}

double TileKernel::run(ThreadPool &pool, const TileMemory &memory,
                       int64_t grain) const {
  dsv4_step step = {};
  step.tokens = impl->shape.rows;
  void *operands[] = {memory.inputs, memory.weights, memory.results};
  struct Call {
    dsv4_kernel kernel;
    const dsv4_step *step;
    void *const *operands;
  } call = {impl->kernel, &step, operands};
  auto job = [](void *argument, int, int64_t begin, int64_t end) {
    const Call &c = *static_cast<const Call *>(argument);
    c.kernel(c.step, c.operands, begin, end, nullptr);
  };
  auto start = std::chrono::steady_clock::now();
  pool.run(job, &call, impl->shape.tiles, grain);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
      .count();
}

} // namespace dsv4::tune
