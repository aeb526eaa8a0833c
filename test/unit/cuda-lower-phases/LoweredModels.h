// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The golden models and Flash from their configs alone, planned for a GPU and
// lowered. A model is planned once per test program.

#ifndef DSV4_TEST_UNIT_CUDA_LOWER_PHASES_LOWEREDMODELS_H
#define DSV4_TEST_UNIT_CUDA_LOWER_PHASES_LOWEREDMODELS_H

#include "compiler/import/BuildGraph.h"
#include "compiler/pipeline/Phases.h"
#include "targets/cuda/lower/LowerProgram.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <map>

namespace dsv4::cuda::test {

struct Model {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  kern::ProgramOp program() const {
    mlir::ModuleOp all = *module;
    return *all.getOps<kern::ProgramOp>().begin();
  }
};

inline std::string configText(const std::string &name) {
  std::string path =
      std::string(DSV4_SOURCE_DIR) +
      (name == "flash"
           ? "/test/pipeline/Inputs/cfg_flash_exp.json"
           : "/test/data/goldens/" + name + "/checkpoint/config.json");
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path;
  return buffer ? (*buffer)->getBuffer().str() : "";
}

/// Steps of up to 200 tokens, so that attention goes through its scratch in
/// turns, the last of them not full.
inline constexpr int64_t stepTokens = 200;

inline Model planModel(const std::string &name, const std::string &text,
                       int64_t tokens = stepTokens) {
  Model model;
  mlir::DialectRegistry registry;
  registerPipelineDialects(registry);
  model.context = std::make_unique<mlir::MLIRContext>(registry);
  model.context->loadAllAvailableDialects();
  llvm::Expected<ModelConfig> config = parseConfig(name, text);
  if (!config) {
    ADD_FAILURE() << llvm::toString(config.takeError());
    return model;
  }
  model.module = buildGraph(*model.context, *config, ExpertFormat::Fp4, "test");
  EXPECT_TRUE(model.module) << name;
  RunOptions options;
  options.pipeline.forCuda = true;
  options.pipeline.stepTokens = tokens;
  options.pipeline.outputs = 2;
  EXPECT_TRUE(mlir::succeeded(runPhases(*model.module, options))) << name;
  return model;
}

inline const Model &modelOf(const std::string &name) {
  static std::map<std::string, Model> models;
  auto found = models.find(name);
  if (found == models.end())
    found = models.emplace(name, planModel(name, configText(name))).first;
  return found->second;
}

inline CudaProgram lowered(const Model &model, const char *target) {
  auto program =
      lowerProgram(model.program(), *llvm::cantFail(findCudaTarget(target)));
  if (program)
    return std::move(*program);
  ADD_FAILURE() << target << ": " << llvm::toString(program.takeError());
  return {};
}
inline CudaProgram lowered(const std::string &model, const char *target) {
  SCOPED_TRACE(model);
  return lowered(modelOf(model), target);
}

/// Of the matrix phases, which have tests of their own.
inline bool isOfProducts(const KernelSpec &kernel) {
  llvm::StringRef header = kernel.header;
  return header.ends_with("/linear.cuh") || header.ends_with("/reduce.cuh") ||
         header.ends_with("/activations.cuh");
}

inline const char *const modelNames[] = {"mini", "odd", "yarn", "flash"};
inline const char *const targetNames[] = {"sm_80", "sm_89", "sm_90a", "sm_100a",
                                          "sm_120a"};

} // namespace dsv4::cuda::test

#endif // DSV4_TEST_UNIT_CUDA_LOWER_PHASES_LOWEREDMODELS_H
