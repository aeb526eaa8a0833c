// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A kern program lowered for a GPU: kernels as instantiations of phase bodies,
// launches with their operands, and graphs of launches. The tables of
// runtime/abi/cuda_program.h with names instead of addresses; the compiler's
// emitter turns them into constants, NVRTC compiles `source()`.

#ifndef DSV4_TARGETS_CUDA_CUDAPROGRAM_H
#define DSV4_TARGETS_CUDA_CUDAPROGRAM_H

#include "dialects/kern/IR/Affine.h"
#include "runtime/abi/cuda_program.h"

#include <cstdint>
#include <string>
#include <vector>

namespace dsv4::cuda {

/// The parts of memory of every program, in the order of its table of parts:
/// names for dsv4_cuda_program_part. Parts behind them are optional.
enum ProgramPart : int32_t {
  WeightsPart = DSV4_CUDA_PART_WEIGHTS,
  StatePart = DSV4_CUDA_PART_STATE,
  BuffersPart = DSV4_CUDA_PART_BUFFERS,
  WorkspacePart = DSV4_CUDA_PART_WORKSPACE,
  StepPart = DSV4_CUDA_PART_STEP,
  HostStepPart = DSV4_CUDA_PART_HOST_STEP,
  HostLogitsPart = DSV4_CUDA_PART_HOST_LOGITS,
  NumProgramParts = DSV4_CUDA_NUM_PROGRAM_PARTS,
  ColdWeightsPart = NumProgramParts, // pinned, where a GPU is too small; what
                                     // is mapped has the numbers behind it, or
                                     // from here on if nothing is pinned
};

/// An instantiation of a phase body: one kernel of every image.
struct KernelSpec {
  std::string symbol; // unique in the program, a C identifier
  std::string header; // "targets/cuda/device/phases/norms.cuh"
  std::string text;   // config struct and DSV4_ENTRY, about ten lines
  int32_t threads = 0;
  int32_t sharedBytes = 0; // dynamic
  int32_t paramsBytes = 0; // sizeof the phase's parameter struct
  int32_t blocksPerSm = 0; // that its grids are for; 0: as many as fit
};

/// The address of byte `offset` of a part, put at byte `at` of the parameters.
struct OperandSpec {
  int32_t part = 0;
  int32_t at = 0;
  kern::Affine offset;
};

/// A launch, or (kernel == DSV4_CUDA_COPY) a copy of gridX bytes from the first
/// operand to the second.
struct NodeSpec {
  std::string name; // of the kern phase: "layers.3.attn.qkv"
  std::string kind; // "linear"; "encode", "reduce", "copy" for what is no op
  int32_t kernel = DSV4_CUDA_COPY;
  std::vector<uint8_t> params; // paramsBytes; addresses zero
  std::vector<OperandSpec> operands;
  dsv4_cuda_count gridX{1, 0, 0, 0, 1}, gridY{1, 0, 0, 0, 1};
};

struct GraphSpec {
  std::string name; // "decode 1", "prefill 512"
  int64_t tokens = 0, outputs = 0;
  std::vector<NodeSpec> nodes;
  std::vector<dsv4_cuda_edge> edges;
};

struct PartSpec {
  std::string name;
  int32_t kind = 0; // enum dsv4_cuda_part_kind
  int32_t tier = 0; // enum dsv4_cuda_tier
  kern::Affine bytes;
};

struct CudaProgram {
  std::string target;          // "cuda:sm_90a"
  int32_t multiprocessors = 0; // that the program needs; 0: any number
  int64_t weightBytes = 0;
  std::vector<KernelSpec> kernels;
  std::vector<PartSpec> parts;
  std::vector<dsv4_cuda_segment> segments;
  std::vector<GraphSpec> graphs; // ascending by tokens

  /// One translation unit: every header once, then every kernel. Compiles by
  /// NVRTC for the target and, with DSV4_CPU_EMU, by the host's compiler.
  std::string source() const;
};

} // namespace dsv4::cuda

#endif // DSV4_TARGETS_CUDA_CUDAPROGRAM_H
