// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a planned and scheduled kern program to one object file: the tables of
// runtime/abi/program.h as constants, and the kernels that they point to.

#ifndef DSV4_COMPILER_LINK_PROGRAMEMITTER_H
#define DSV4_COMPILER_LINK_PROGRAMEMITTER_H

#include "dialects/kern/IR/KernOps.h"
#include "targets/common/TargetDesc.h"
#include "targets/common/TuningProfile.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <array>
#include <cstdint>
#include <string>

namespace dsv4 {

/// What the object says about itself beyond the program. Texts must not hold
/// zero bytes.
struct ProgramFacts {
  TargetDesc target;
  Tuning tuning;
  std::string configs;       // one line: tile configurations and their sources
  std::string identity;      // one line: release and configuration hash
  std::string infoJson;      // static part of `info`
  llvm::StringRef tokenizer; // blob; empty: --no-tokenizer
  std::string knownAnswers;  // JSON, may be empty
  bool sidecar = false;      // weights in a file beside the executable
  std::array<uint8_t, 32> weightsHash = {}; // SHA-256 of the packed weights
  int32_t bosToken = 0, eosToken = 1;
  float temperature = 1, topP = 1; // defaults of generation_config.json
  std::string dumpFolder;          // kernels as MLIR, LLVM IR, assembly
};

/// The bytes of a relocatable object that defines dsv4_program_root. The
/// program must have gone through kern-plan-*, kern-assign-packing and
/// kern-schedule-phases; an error names what lacks a plan.
llvm::Expected<std::string> emitProgram(kern::ProgramOp program,
                                        const ProgramFacts &facts);

struct CudaHalf;

/// The same for a GPU: phases have no kernel, dsv4_program.cuda points to
/// `cuda`. `facts.target` says what the host's code may use.
llvm::Expected<std::string> emitCudaProgram(kern::ProgramOp program,
                                            const ProgramFacts &facts,
                                            const CudaHalf &cuda);

} // namespace dsv4

#endif // DSV4_COMPILER_LINK_PROGRAMEMITTER_H
