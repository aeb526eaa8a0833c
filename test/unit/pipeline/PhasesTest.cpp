// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The IR phases from a config.json alone, as compile-model --plan runs them:
// the official configurations, and the small ones of the tests.

#include "compiler/pipeline/Phases.h"
#include "compiler/import/BuildGraph.h"
#include "compiler/pipeline/PlanReport.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <gtest/gtest.h>

using namespace dsv4;

namespace {

struct Planned {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;

  kern::ProgramOp program() {
    auto programs = module->getOps<kern::ProgramOp>();
    return programs.empty() ? kern::ProgramOp() : *programs.begin();
  }
};

ModelConfig readConfig(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path;
  llvm::Expected<ModelConfig> config =
      parseConfig(path, (*buffer)->getBuffer());
  EXPECT_TRUE(bool(config));
  return *config;
}

Planned plan(const std::string &path, RunOptions options = {}) {
  Planned result;
  mlir::DialectRegistry registry;
  registerPipelineDialects(registry);
  result.context = std::make_unique<mlir::MLIRContext>(registry);
  result.context->loadAllAvailableDialects();
  result.module =
      buildGraph(*result.context, readConfig(path), ExpertFormat::Fp4, "test");
  EXPECT_TRUE(result.module);
  EXPECT_TRUE(mlir::succeeded(runPhases(*result.module, options)));
  return result;
}

const std::string Source = DSV4_SOURCE_DIR;
const std::string Flash = Source + "/test/pipeline/Inputs/cfg_flash_exp.json";

TEST(Phases, FlashFromConfigAlone) {
  double seconds = 0;
  RunOptions options;
  options.onPhase = [&](Phase, double s) { seconds += s; };
  Planned planned = plan(Flash, options);
  ASSERT_TRUE(planned.program());
  auto report = makePlanReport(planned.program(), 0, 1, 1);
  ASSERT_TRUE(mlir::succeeded(report));
  EXPECT_EQ(report->context, 1048576);
  EXPECT_EQ(report->phases, 1139); // more: a fusion no longer applies
  EXPECT_EQ(report->stateBytesPerToken, 3514.25); // model.md 4.3
  // All f32 compressor states (model.md 4.1).
  EXPECT_EQ(report->state[3].name, "carry");
  EXPECT_EQ(report->state[3].bytes, 12206080);
  // 43 layers, 256 experts, 13369344 bytes each (model.md 2.1): packing adds
  // nothing to FP4.
  for (const PlanReport::Class &c : report->weights)
    if (c.name == "routed experts") {
      EXPECT_EQ(c.bytes, 43 * 256 * 13369344ll);
    }
  EXPECT_LT(seconds, 20); // seconds, not minutes, on any machine
}

TEST(Phases, SumsOfClassesMatchTotals) {
  Planned planned = plan(Flash);
  auto report = makePlanReport(planned.program(), 8192, 3, 4);
  ASSERT_TRUE(mlir::succeeded(report));
  int64_t weights = 0, state = 0;
  for (const PlanReport::Class &c : report->weights)
    weights += c.bytes;
  for (const PlanReport::Class &c : report->state)
    state += c.bytes;
  // Alignment costs at most 63 bytes per weight.
  EXPECT_LE(weights, report->weightBytes);
  EXPECT_LT(report->weightBytes - weights, 64 * 2000);
  EXPECT_EQ(state, report->stateBytes);
  EXPECT_EQ(report->getTotalBytes(),
            report->weightBytes + 3 * report->stateBytes + report->bufferBytes +
                4 * report->scratchBytes);
  EXPECT_LT(report->bufferBytes, report->bufferSumBytes);
}

TEST(Phases, StopsAfterThePhaseAsked) {
  RunOptions options;
  options.to = Phase::Fuse;
  Planned planned = plan(Source + "/samples/tiny-chat/config.json", options);
  EXPECT_FALSE(planned.program());
}

TEST(Phases, DumpsResume) {
  llvm::SmallString<128> folder;
  ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("dsv4-phases", folder));
  RunOptions options;
  options.dumpFolder = folder.str().str();
  std::string tiny = Source + "/samples/tiny-chat/config.json";
  Planned whole = plan(tiny, options);
  ASSERT_TRUE(whole.program());
  for (const char *name :
       {"02-verify.mlir", "03-fuse.mlir", "04-lower.mlir", "05-configure.mlir",
        "06-plan.mlir", "07-schedule.mlir"})
    EXPECT_TRUE(llvm::sys::fs::exists(folder + "/" + name)) << name;
  auto module = readDump(*whole.context, (folder + "/04-lower.mlir").str());
  ASSERT_TRUE(module);
  RunOptions rest;
  rest.from = Phase::Configure;
  ASSERT_TRUE(mlir::succeeded(runPhases(*module, rest)));
  std::string a, b;
  llvm::raw_string_ostream(a) << *whole.module;
  llvm::raw_string_ostream(b) << *module;
  EXPECT_EQ(a, b);
  llvm::sys::fs::remove_directories(folder);
}

TEST(Phases, NamesAreFoundAndUnknownOnesAreNot) {
  for (const PhaseInfo &info : getPhases()) {
    EXPECT_EQ(findPhase(info.name), info.phase);
    EXPECT_EQ(getPhaseName(info.phase), info.name);
  }
  EXPECT_EQ(getPhases().size(), 9u);
  EXPECT_FALSE(findPhase("optimise"));
}

TEST(Phases, DumpFolderThatCannotBeMadeIsAnError) {
  Planned planned = plan(Source + "/samples/tiny-chat/config.json");
  mlir::ScopedDiagnosticHandler quiet(
      planned.context.get(), [](mlir::Diagnostic &d) {
        EXPECT_NE(d.str().find("cannot write"), std::string::npos);
        return mlir::success();
      });
  EXPECT_TRUE(mlir::failed(
      dumpPhase(*planned.module, Phase::Lower, "/dev/null/folder")));
}

TEST(PlanReport, RefusesWhatIsNotPlanned) {
  RunOptions options;
  options.to = Phase::Lower;
  Planned planned = plan(Source + "/samples/tiny-chat/config.json", options);
  mlir::ScopedDiagnosticHandler quiet(planned.context.get());
  EXPECT_TRUE(mlir::failed(makePlanReport(planned.program(), 0, 1, 1)));
}

} // namespace
