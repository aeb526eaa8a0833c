// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the driver asks of a kind of target: its tile configurations, how
// weights are laid out, and the object of a scheduled program. One for CPUs,
// one for NVIDIA GPUs; nothing else in compiler/driver knows which it is.

#ifndef DSV4_COMPILER_DRIVER_BACKEND_H
#define DSV4_COMPILER_DRIVER_BACKEND_H

#include "compiler/driver/Options.h"
#include "compiler/link/ProgramEmitter.h"
#include "compiler/pipeline/Pipelines.h"
#include "targets/common/TileConfigs.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>

namespace dsv4 {

class Backend {
public:
  virtual ~Backend() = default;

  /// Flags and profile; errors name the one that cannot be meant.
  virtual llvm::Error configure(const CompileOptions &options) = 0;
  /// Choices that hold for the whole program, and who made them.
  virtual std::vector<ConfigLine> configs() const = 0;
  /// What the IR phases must know.
  virtual void prepare(PipelineOptions &pipeline) const = 0;
  /// Whether room for FP4 scales depends on their values (countEscapes).
  virtual bool readsScales() const { return false; }
  /// The object, with target and tuning filled into `facts`. `remark`: for the
  /// line of progress.
  virtual llvm::Expected<std::string>
  emit(kern::ProgramOp program, ProgramFacts &facts, std::string &remark) = 0;

  const std::string &name() const { return targetName; }

protected:
  std::string targetName; // "cpu:znver5", "cuda:sm_90a"
};

/// The backend of `--target`. An unknown name lists what there is; without the
/// libraries that a target's compiler needs, the error says what to install.
llvm::Expected<std::unique_ptr<Backend>> makeBackend(llvm::StringRef target);

std::unique_ptr<Backend> makeCpuBackend(TargetDesc target);
llvm::Expected<std::unique_ptr<Backend>>
makeCudaBackend(llvm::StringRef architecture);

/// Architectures, and the compiler that was found for them or what is missing.
void listCudaTargets(llvm::raw_ostream &out);

} // namespace dsv4

#endif // DSV4_COMPILER_DRIVER_BACKEND_H
