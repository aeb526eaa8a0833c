// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-opt: runs passes on IR of every level, and whole phases as pipelines.

#include "compiler/pipeline/PipelinePasses.h"
#include "compiler/pipeline/Pipelines.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  dsv4::registerPhasePipelines();
  mlir::DialectRegistry registry;
  dsv4::registerPipelineDialects(registry);
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "passes on dsv4 and kern IR, and whole phases\n", registry));
}
