// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The phases of a compilation: names, what each guarantees, and running those
// that work on IR, with timing and numbered dumps. Import, code generation and
// linking are called by the driver; they are named here so that there is one
// list.

#ifndef DSV4_COMPILER_PIPELINE_PHASES_H
#define DSV4_COMPILER_PIPELINE_PHASES_H

#include "compiler/pipeline/Pipelines.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/ArrayRef.h"

#include <functional>
#include <optional>
#include <string>

namespace dsv4 {

struct PhaseInfo {
  Phase phase;
  llvm::StringLiteral name;     // as in --compile-to
  llvm::StringLiteral sentence; // what holds after it
};

/// All phases in order.
llvm::ArrayRef<PhaseInfo> getPhases();

llvm::StringRef getPhaseName(Phase Phase);

/// The phase of that name, or none.
std::optional<Phase> findPhase(llvm::StringRef Name);

struct RunOptions {
  PipelineOptions pipeline;
  Phase from = Phase::Verify; // first phase to run, Verify or later
  Phase to = Phase::Schedule; // last phase to run; later ones are not IR
  bool verifyEach = true;
  std::string dumpFolder; // NN-phase.mlir after each phase; empty: none
  /// Called before each phase; false ends the run without a diagnostic.
  std::function<bool(Phase)> beforePhase;
  /// Called after each phase with its wall time in seconds.
  std::function<void(Phase, double)> onPhase;
};

/// Runs the IR phases `from` .. `to` on the module. Errors are diagnostics.
mlir::LogicalResult runPhases(mlir::ModuleOp Module, const RunOptions &Options);

/// Writes the module as DIR/NN-phase.mlir under a temporary name first; fails
/// with a diagnostic that names the file.
mlir::LogicalResult dumpPhase(mlir::ModuleOp Module, Phase Phase,
                              llvm::StringRef Folder);

/// Parses a dump (--compile-from); null after a diagnostic.
mlir::OwningOpRef<mlir::ModuleOp> readDump(mlir::MLIRContext &Context,
                                           llvm::StringRef File);

} // namespace dsv4

#endif // DSV4_COMPILER_PIPELINE_PHASES_H
