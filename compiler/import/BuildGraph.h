// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a config to the unfused model graph: exactly the operations of model.md
// 3, one for one, with the trace names that the interpreter writes. No weight
// byte is read: weights are named.

#ifndef DSV4_COMPILER_IMPORT_BUILDGRAPH_H
#define DSV4_COMPILER_IMPORT_BUILDGRAPH_H

#include "compiler/import/CheckpointConfig.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace dsv4 {

/// A module with one dsv4.model. `Experts` must not be Infer; `Identity` is one
/// line that says which release it is.
mlir::OwningOpRef<mlir::ModuleOp> buildGraph(mlir::MLIRContext &Context,
                                             const ModelConfig &Config,
                                             ExpertFormat Experts,
                                             llvm::StringRef Identity);

} // namespace dsv4

#endif // DSV4_COMPILER_IMPORT_BUILDGRAPH_H
