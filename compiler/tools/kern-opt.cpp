// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kern-opt: runs passes on kern IR. Registers kern and qfmt alone, so that IR
// of a higher level which leaked into a kern program fails to parse here.

#include "dialects/kern/IR/KernOps.h"
#include "dialects/kern/Transforms/Passes.h"
#include "dialects/qfmt/IR/QFmt.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  dsv4::kern::registerKernPasses();
  mlir::DialectRegistry registry;
  registry.insert<dsv4::kern::KernDialect, dsv4::qfmt::QFmtDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "passes on kern programs; knows kern and qfmt\n", registry));
}
