// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Predictions of phases: bytes and tiles by hand for a small program, levels of
// dependencies, and the real model from its config.

#include "targets/cuda/PhasePlan.h"

#include "compiler/import/BuildGraph.h"
#include "compiler/pipeline/Phases.h"
#include "targets/cuda/CudaTarget.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

using namespace dsv4;
using namespace dsv4::cuda;

namespace {

constexpr char Small[] = R"(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 2 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 128, bf16>
  %z = kern.buffer "z" : <token, 192, bf16>
  %q = kern.buffer "q" : <token, 256, bf16>
  %o = kern.buffer "o" : <output, 512, f32>
  %w = kern.weight "w" scale "ws" : !qfmt.weight<128x256, fp8>
  %v = kern.weight "v" : !qfmt.weight<192x256, bf16>
  %n = kern.weight "n" : !qfmt.weight<128, bf16>
  kern.quantize "q" x(%x : !kern.buffer<token, 256, bf16>) xq(%q : !kern.buffer<token, 256, bf16>)
  kern.linear "a" tokens {
    %q, %w, %y groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<128x256, fp8>, !kern.buffer<token, 128, bf16>
  }
  kern.linear "b" tokens {
    %x, %v, %z groups 1 : !kern.buffer<token, 256, bf16>, !qfmt.weight<192x256, bf16>, !kern.buffer<token, 192, bf16>
  }
  kern.norm_quant "n" raw(%y : !kern.buffer<token, 128, bf16>) weight(%n : !qfmt.weight<128, bf16>)
    y(%y : !kern.buffer<token, 128, bf16>) {eps = 1.0e-6 : f32}
  kern.return %o : <output, 512, f32>
})";

/// "later" overwrites what "first" reads, and needs nothing of it.
constexpr char Overwritten[] = R"(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 2 : i64,
    experts_per_token = 2 : i64} {
  %x = kern.buffer "x" : <token, 256, bf16>
  %y = kern.buffer "y" : <token, 256, bf16>
  %z = kern.buffer "z" : <token, 256, bf16>
  %o = kern.buffer "o" : <output, 512, f32>
  kern.quantize "first" x(%x : !kern.buffer<token, 256, bf16>) xq(%y : !kern.buffer<token, 256, bf16>)
  kern.quantize "later" x(%z : !kern.buffer<token, 256, bf16>) xq(%x : !kern.buffer<token, 256, bf16>)
  kern.return %o : <output, 512, f32>
})";

struct Loaded {
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  kern::ProgramOp program() {
    return *module->getOps<kern::ProgramOp>().begin();
  }
};

Loaded load(const char *Text = Small) {
  Loaded Out;
  Out.context = std::make_unique<mlir::MLIRContext>();
  Out.context->loadDialect<kern::KernDialect, qfmt::QFmtDialect>();
  Out.module = mlir::parseSourceString<mlir::ModuleOp>(Text, Out.context.get());
  return Out;
}

PhasePlan planned(kern::ProgramOp Program, llvm::StringRef Name,
                  Linking Linking, const PlannedStep &Step) {
  auto Found = findGpu(Name);
  EXPECT_TRUE(bool(Found));
  auto Plan = planPhases(Program, **Found, Linking, Step);
  if (!Plan) {
    ADD_FAILURE() << llvm::toString(Plan.takeError());
    return {};
  }
  return std::move(*Plan);
}

TEST(PhasePlanTest, CountsBytesTilesAndLevels) {
  Loaded Program = load();
  ASSERT_TRUE(Program.module);
  PhasePlan Plan =
      planned(Program.program(), "h200", Linking::Graph, {3, 1, 100});
  ASSERT_EQ(Plan.phases.size(), 4u);
  const PhasePrediction &Q = Plan.phases[0], &A = Plan.phases[1],
                        &B = Plan.phases[2], &N = Plan.phases[3];
  EXPECT_EQ(Q.otherBytes, 3 * (512 + 512));
  EXPECT_EQ(Q.tiles, 0);
  // Two strips of two FP8 tiles, and a line of scales.
  EXPECT_EQ(A.weightBytes, 4 * 8192 + 128);
  EXPECT_EQ(A.tiles, 2);
  EXPECT_EQ(A.otherBytes, 3 * (512 + 256));
  EXPECT_EQ(A.operations, 2.0 * 128 * 256 * 3);
  EXPECT_EQ(A.balance, 2.0 / 132);
  EXPECT_EQ(B.weightBytes, 6 * 16384);
  EXPECT_EQ(B.tiles, 3);
  EXPECT_EQ(N.weightBytes, 256);
  // b needs nothing of the others; n writes what it reads.
  EXPECT_EQ(Q.level, 1);
  EXPECT_EQ(A.level, 2);
  EXPECT_EQ(B.level, 1);
  EXPECT_EQ(N.level, 3);
  EXPECT_EQ(Plan.levels, 3);
  double Bytes = 4 * 8192 + 128 + 3 * 768;
  EXPECT_NEAR(A.seconds, Bytes / 4.35e12 * 66, 1e-15);
  // q, its encoding, a, b, n; q encodes itself; one token: n as tail of a.
  EXPECT_EQ(Plan.unfused.launches, 5);
  EXPECT_EQ(Plan.unfused.levels, 4);
  EXPECT_EQ(Plan.fused.launches, 4);
  EXPECT_EQ(Plan.fused.levels, 3);
  EXPECT_EQ(Plan.planned.launches, 3);
  EXPECT_EQ(Plan.planned.levels, 2);
  EXPECT_NEAR(Plan.secondsLow(), Plan.workSeconds() + 4 * 2.5e-6, 1e-12);
  Plan.linking = Linking::Persistent;
  EXPECT_NEAR(Plan.secondsLow(), Plan.workSeconds() + 3 * 0.3e-6, 1e-12);
}

TEST(PhasePlanTest, AWriterWaitsForReaders) {
  Loaded Program = load(Overwritten);
  ASSERT_TRUE(Program.module);
  PhasePlan Plan =
      planned(Program.program(), "h200", Linking::Graph, {3, 1, 100});
  ASSERT_EQ(Plan.phases.size(), 2u);
  EXPECT_EQ(Plan.phases[0].level, 1);
  EXPECT_EQ(Plan.phases[1].level, 2);
}

TEST(PhasePlanTest, ProductsBoundLargeSteps) {
  Loaded Program = load();
  PhasePlan Plan =
      planned(Program.program(), "dgx-spark", Linking::Graph, {16, 1, 100});
  const PhasePrediction &A = Plan.phases[1];
  EXPECT_GE(A.seconds, A.operations / 250e12 / A.balance);
}

TEST(PhasePlanTest, RefusesStepsBeyondTheProgram) {
  Loaded Program = load();
  for (PlannedStep Step :
       {PlannedStep{0, 1, 0}, PlannedStep{17, 1, 0}, PlannedStep{1, 3, 0},
        PlannedStep{1, 1, 256}, PlannedStep{1, 1, -1}}) {
    auto Plan = planPhases(Program.program(), gpus()[0], Linking::Graph, Step);
    ASSERT_FALSE(bool(Plan));
    EXPECT_NE(
        llvm::toString(Plan.takeError())
            .find("expected a step of 1 to 16 tokens, up to 2 outputs and "
                  "a position below 256, found"),
        std::string::npos);
  }
}

TEST(PhasePlanTest, GpusAreOfKnownTargets) {
  for (const Gpu &Gpu : gpus()) {
    auto Target = findCudaTarget(Gpu.target);
    EXPECT_TRUE(bool(Target)) << Gpu.name;
    EXPECT_GT(Gpu.fp8PerSecond, Gpu.bf16PerSecond);
  }
  auto None = findGpu("h300");
  ASSERT_FALSE(bool(None));
  EXPECT_EQ(llvm::toString(None.takeError()),
            "unknown GPU 'h300', expected one of h100, h200, b200, "
            "rtx-pro-6000, dgx-spark");
}

TEST(PhasePlanTest, ReportsSayThatTheyPredict) {
  Loaded Program = load();
  PhasePlan Plan =
      planned(Program.program(), "b200", Linking::Persistent, {1, 1, 0});
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Plan.print(Out);
  EXPECT_EQ(Text.find("PREDICTION for b200"), 0u);
  EXPECT_NE(Text.find("not run on hardware"), std::string::npos);
  EXPECT_NE(Text.find("launches (grid-wide dependencies): 5 (4) unfused, "
                      "4 (3) by default, 3 (2) with tails, 3 (2) planned"),
            std::string::npos)
      << Text;
  EXPECT_NE(Text.find("waited for with tails: 2, assumed 0.3 to 0.6 us each"),
            std::string::npos)
      << Text;
  auto Json = Plan.toJson();
  const llvm::json::Object &Root = *Json.getAsObject();
  EXPECT_EQ(Root.getBoolean("is_prediction"), true);
  EXPECT_EQ(Root.getBoolean("run_on_hardware"), false);
  EXPECT_EQ(Root.getInteger("launches_waited_for"), 2);
  EXPECT_EQ(Root.getArray("phases")->size(), 4u);
}

/// Flash from its config: the bytes of a token are those of its tensors.
TEST(PhasePlanTest, FlashReadsElevenGigabytesAToken) {
  std::string Path =
      std::string(DSV4_SOURCE_DIR) + "/test/pipeline/Inputs/cfg_flash_exp.json";
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  ASSERT_TRUE(bool(Buffer));
  auto Config = parseConfig(Path, (*Buffer)->getBuffer());
  ASSERT_TRUE(bool(Config));
  mlir::DialectRegistry Registry;
  registerPipelineDialects(Registry);
  Loaded Flash;
  Flash.context = std::make_unique<mlir::MLIRContext>(Registry);
  Flash.context->loadAllAvailableDialects();
  Flash.module = buildGraph(*Flash.context, *Config, ExpertFormat::Fp4, "test");
  ASSERT_TRUE(Flash.module);
  ASSERT_TRUE(mlir::succeeded(runPhases(*Flash.module, {})));
  PhasePlan Plan =
      planned(Flash.program(), "h200", Linking::DependentLaunch, {1, 1, 4095});
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Plan.print(Out);
  printf("%s", Text.c_str());
  // 11,217.6 MB a token as stored, less 101 MB by packed scales of experts.
  EXPECT_NEAR(double(Plan.weightBytes()) / 1e6, 11217.6 - 101.4, 15);
  EXPECT_EQ(int64_t(Plan.phases.size()),
            int64_t(*Flash.program().getNumPhases()));
  EXPECT_LT(Plan.levels, int64_t(Plan.phases.size()));
  EXPECT_LT(Plan.fused.launches, Plan.unfused.launches);
  EXPECT_LT(Plan.fused.levels, Plan.unfused.levels);
  // Embedding and two tables; 10 launches a layer, 11 where an index is; mix,
  // head, logits. Two a layer fewer are planned, and the tables and a mix.
  EXPECT_EQ(Plan.fused.launches, 3 + 22 * 10 + 21 * 11 + 3);
  EXPECT_EQ(Plan.planned.launches, Plan.fused.launches - 2 * 43 - 2);
  EXPECT_GT(Plan.secondsLow(), double(Plan.weightBytes()) / 4.8e12);
}

} // namespace
