// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a kern program to an object in memory that runs: plan, emit, load, walk
// the phase table as the runtime does, with weights from the packer.

#include "runtime/abi/program.h"
#include "compiler/link/ProgramEmitter.h"
#include "compiler/pack/WeightPacker.h"
#include "dialects/kern/Transforms/Passes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "runtime/core/executor.h"
#include "runtime/numerics/formats.h"
#include "targets/cpu/Packing.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace dsv4;

namespace {

/// Tokens of an embedding, quantised, through one FP8 matrix; plus a stack of
/// experts and a table that only the packer looks at.
constexpr char Text[] = R"(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 16 : i64,
    experts_per_token = 2 : i64} {
  %embed = kern.weight "embed.weight" : !qfmt.weight<8x128, bf16>
  %head = kern.weight "head.weight" scale "head.scale" : !qfmt.weight<40x128, fp8>
  %x = kern.buffer "x" : <token, 128, bf16>
  %xq = kern.buffer "xq" : <token, 128, bf16>
  %tokens = kern.buffer "tokens" : <token, 40, f32>
  %logits = kern.buffer "logits" : <output, 40, f32>
  kern.embed "embed" table(%embed : !qfmt.weight<8x128, bf16>) streams(%x : !kern.buffer<token, 128, bf16>)
  kern.quantize "head.quantize" x(%x : !kern.buffer<token, 128, bf16>) xq(%xq : !kern.buffer<token, 128, bf16>)
  kern.linear "head" tokens {
    %xq, %head, %tokens groups 1 : !kern.buffer<token, 128, bf16>, !qfmt.weight<40x128, fp8>, !kern.buffer<token, 40, f32>
  }
  kern.return %logits : <output, 40, f32>
})";

class ProgramTest : public testing::Test {
protected:
  void load(const char *Source) {
    Context.loadDialect<kern::KernDialect, qfmt::QFmtDialect>();
    Module = mlir::parseSourceString<mlir::ModuleOp>(Source, &Context);
    ASSERT_TRUE(Module);
    Module->walk([&](kern::ProgramOp Op) { Program = Op; });
  }
  void plan() {
    mlir::PassManager Passes(&Context);
    auto &Inner = Passes.nest<kern::ProgramOp>();
    Inner.addPass(kern::createAssignPackingPass());
    Inner.addPass(kern::createPlanStatePass());
    Inner.addPass(kern::createPlanBuffersPass());
    Inner.addPass(kern::createSchedulePhasesPass());
    ASSERT_TRUE(succeeded(Passes.run(*Module)));
  }
  /// No NaN in any format, scales from 2^-57 on.
  void addTensor(llvm::StringRef Name, size_t Bytes) {
    std::vector<uint8_t> &Data = Tensors[Name];
    for (size_t I = 0; I < Bytes; ++I)
      Data.push_back(uint8_t(Name.ends_with(".scale") ? 70 + Random() % 112
                                                      : Random() % 112));
  }
  /// The packed weights, or the error's text in `Problem`.
  std::vector<uint8_t> pack(unsigned Threads = 1) {
    std::vector<uint8_t> Out;
    llvm::Error E = packWeights(
        Program,
        [&](llvm::StringRef Name) -> llvm::Expected<llvm::ArrayRef<uint8_t>> {
          auto Found = Tensors.find(Name);
          if (Found == Tensors.end())
            return llvm::createStringError("no tensor " + Name);
          return llvm::ArrayRef<uint8_t>(Found->second);
        },
        [&](llvm::ArrayRef<uint8_t> Bytes) {
          Out.insert(Out.end(), Bytes.begin(), Bytes.end());
          return llvm::Error::success();
        },
        [&](uint64_t Done, uint64_t Total) {
          EXPECT_EQ(Done, Out.size());
          EXPECT_LE(Done, Total);
          return llvm::Error::success();
        },
        Threads);
    Problem = llvm::toString(std::move(E));
    return Out;
  }
  ProgramFacts facts() {
    ProgramFacts F;
    F.target = llvm::cantFail(nativeTarget());
    F.identity = "a test";
    F.infoJson = "{}";
    F.tokenizer = Blob;
    F.weightsHash[31] = 7;
    F.eosToken = 5;
    F.topP = 0.5f;
    return F;
  }

  std::mt19937 Random{1};
  mlir::MLIRContext Context;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  kern::ProgramOp Program;
  llvm::StringMap<std::vector<uint8_t>> Tensors;
  std::string Problem, Blob = std::string("blob\0with zero", 14);
};

/// The first 64-byte boundary in a room that has 64 bytes to spare.
uint8_t *aligned(std::vector<uint8_t> &Room) {
  auto Address = reinterpret_cast<uintptr_t>(Room.data());
  return Room.data() + (64 - Address % 64) % 64;
}

/// Runs all phases with one call each, as a worker alone would.
void runStep(const dsv4_program &P, const dsv4_step &Step, uint8_t *Weights,
             uint8_t *Buffers) {
  std::vector<uint8_t> Room(
      evaluate(P.limits.scratch_bytes, Step.context / DSV4_CONTEXT_BLOCK) + 64);
  uint8_t *Scratch = aligned(Room);
  for (int64_t I = 0; I < P.num_phases; ++I) {
    const dsv4_phase &Phase = P.phases[I];
    std::vector<void *> Operands;
    for (int64_t O = 0; O < Phase.num_operands; ++O) {
      const dsv4_operand &Operand = P.operands[Phase.first_operand + O];
      uint8_t *Base = Operand.space == DSV4_SPACE_WEIGHTS ? Weights : Buffers;
      Operands.push_back(Base + Operand.offset.fixed +
                         Operand.offset.per_block * (Step.context / 128));
    }
    int64_t Items = Phase.items_factor;
    if (Phase.items_rule == DSV4_ITEMS_TOKENS)
      Items *= Step.tokens;
    Phase.kernel(&Step, Operands.data(), 0, Items, Scratch);
  }
}

TEST_F(ProgramTest, EmittedProgramRuns) {
  load(Text);
  addTensor("embed.weight", 8 * 128 * 2);
  addTensor("head.weight", 40 * 128);
  addTensor("head.scale", 1);
  auto *Embed = reinterpret_cast<uint16_t *>(Tensors["embed.weight"].data());
  for (int I = 0; I < 8 * 128; ++I)
    Embed[I] = uint16_t(0x3e00 + Random() % 0x300);
  plan();
  std::vector<uint8_t> Packed = pack();
  ASSERT_EQ(Problem, "");
  ASSERT_EQ(Packed.size(), *Program.getWeightBytes());
  EXPECT_EQ(Packed, pack(3)) << "threads change the bytes";

  auto Object = emitProgram(Program, facts());
  ASSERT_TRUE(bool(Object)) << llvm::toString(Object.takeError());
  auto Again = emitProgram(Program, facts());
  EXPECT_TRUE(*Again == *Object) << "the object differs between two runs";
  auto Jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
  llvm::cantFail(Jit->addObjectFile(
      llvm::MemoryBuffer::getMemBufferCopy(*Object, "program.o")));
  const dsv4_program &P = *llvm::cantFail(Jit->lookup("dsv4_program_root"))
                               .toPtr<const dsv4_program *>();

  EXPECT_EQ(P.magic, DSV4_PROGRAM_MAGIC);
  EXPECT_EQ(P.abi_version, DSV4_ABI_VERSION);
  EXPECT_STREQ(P.identity, "a test");
  EXPECT_EQ(P.target, facts().target.name);
  EXPECT_EQ(P.cpu_features, facts().target.cpuFeatures);
  EXPECT_EQ(P.limits.max_context, 256);
  EXPECT_EQ(P.limits.vocab, 40);
  EXPECT_EQ(P.limits.weight_bytes, int64_t(Packed.size()));
  EXPECT_EQ(P.limits.buffer_bytes.fixed, Program.getBufferBytes()->getFixed());
  ASSERT_EQ(P.num_phases, 3);
  EXPECT_STREQ(P.phases[1].name, "head.quantize");
  EXPECT_STREQ(P.phases[2].kind, "linear");
  EXPECT_EQ(P.phases[2].items_factor, 3);
  ASSERT_EQ(P.num_weights, 2);
  EXPECT_STREQ(P.weights[1].name, "head.weight");
  EXPECT_EQ(P.tokenizer.size, 14);
  EXPECT_EQ(std::memcmp(P.tokenizer.data, Blob.data(), 14), 0);
  EXPECT_EQ(P.known_answers.size, 0);
  EXPECT_EQ(P.weights_hash[31], 7);
  EXPECT_EQ(P.eos_token, 5);
  EXPECT_EQ(P.top_p, 0.5f);
  EXPECT_EQ(P.operands[P.logits_operand].space, DSV4_SPACE_BUFFER);

  // One step of three tokens.
  std::vector<uint8_t> Arena(P.limits.buffer_bytes.fixed + 64);
  uint8_t *Buffers = aligned(Arena);
  std::vector<uint8_t> Room(Packed.size() + 64);
  uint8_t *Weights = aligned(Room);
  std::copy(Packed.begin(), Packed.end(), Weights);
  const int32_t Tokens[] = {3, 0, 7};
  dsv4_step Step = {};
  Step.tokens = 3;
  Step.context = 256;
  Step.token = Tokens;
  runStep(P, Step, Weights, Buffers);

  const dsv4_phase &Head = P.phases[2];
  auto At = [&](int32_t Operand) {
    return Buffers + P.operands[Head.first_operand + Operand].offset.fixed;
  };
  auto *X = reinterpret_cast<const uint16_t *>(At(0));
  auto *Y = reinterpret_cast<const float *>(At(2));
  float Scale = num::e8m0ToFloat(Tensors["head.scale"][0]);
  bool IsSplit = facts().target.order == num::DotOrder::Split;
  for (int T = 0; T < 3; ++T)
    for (int N = 0; N < 40; ++N) {
      float Total = 0;
      for (int G = 0; G < 128; G += 32) {
        float Chains[2] = {}; // of odd elements apart where the order is so
        for (int I = G; I < G + 32; I += 2)
          for (int J : {I + 1, I}) {
            float &Chain = Chains[IsSplit && J % 2];
            Chain = std::fma(
                num::bf16ToFloat(X[T * 128 + J]),
                num::e4m3ToFloat(Tensors["head.weight"][N * 128 + J]), Chain);
          }
        Total = std::fma(Chains[0] + Chains[1], Scale, Total);
      }
      ASSERT_EQ(Y[T * 40 + N], Total) << T << ' ' << N;
    }
  // The embedding row is there, up to quantisation (2^-4 of the value).
  EXPECT_NEAR(num::bf16ToFloat(X[128]), num::bf16ToFloat(Embed[0]),
              num::bf16ToFloat(Embed[0]) / 16);
}

TEST_F(ProgramTest, UnplannedProgramIsRefused) {
  load(Text);
  auto Object = emitProgram(Program, facts());
  ASSERT_FALSE(bool(Object));
  EXPECT_NE(llvm::toString(Object.takeError()).find("has no schedule"),
            std::string::npos);
}

TEST_F(ProgramTest, PackerRefusesBadTensors) {
  load(Text);
  plan();
  addTensor("embed.weight", 8 * 128 * 2);
  addTensor("head.weight", 40 * 128);
  addTensor("head.scale", 1);
  Tensors["head.scale"][0] = 255;
  pack();
  EXPECT_EQ(Problem, "tensor head.scale: scale 255 (NaN) found; the "
                     "checkpoint is damaged");
  Tensors["head.scale"][0] = 66; // 67 is the smallest
  pack();
  EXPECT_EQ(Problem, "tensor head.scale: expected scales from 2^-60 to 2^60, "
                     "found 2^-61 (code 66); the checkpoint is damaged");
  // A scale of zeros may be any: these are of both signs.
  std::vector<uint8_t> Codes = Tensors["head.weight"];
  for (size_t I = 0; I < Codes.size(); ++I)
    Tensors["head.weight"][I] = I % 3 ? 0 : 0x80;
  Tensors["head.scale"][0] = 0;
  pack();
  EXPECT_EQ(Problem, "");
  Tensors["head.weight"].back() = 1; // row 39, the last column
  pack();
  EXPECT_EQ(Problem, "tensor head.scale: expected scales from 2^-60 to 2^60, "
                     "found 2^-127 (code 0); the checkpoint is damaged");
  Tensors["head.weight"] = Codes;
  Tensors["head.scale"][0] = 187;
  Tensors["head.weight"][77] = 0xff;
  pack();
  EXPECT_EQ(Problem, "tensor head.weight: E4M3 code 127 (NaN) found; the "
                     "checkpoint is damaged");
  Tensors["head.weight"].pop_back();
  pack();
  EXPECT_EQ(Problem, "tensor head.weight: expected 5120 bytes, found 5119");
  Tensors.erase("head.weight");
  pack();
  EXPECT_EQ(Problem, "no tensor head.weight");
}

/// Experts one after the other, indices narrowed, gaps zero.
TEST_F(ProgramTest, PackerStacksAndIndices) {
  load(R"(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 16 : i64,
    experts_per_token = 2 : i64, weight_bytes = 2304 : i64} {
  %e = kern.weight "e.{e}.weight" scale "e.{e}.scale" {packing = #kern.packing<tile16>, offset = 64 : i64, bytes = 2176 : i64} : !qfmt.weight<2x16x128, fp4>
  %t = kern.weight "tid2eid" {packing = #kern.packing<raw>, offset = 0 : i64, bytes = 24 : i64} : !qfmt.weight<3x2, i64>
  %logits = kern.buffer "logits" : <output, 40, f32>
  kern.return %logits : <output, 40, f32>
})");
  for (const char *E : {"e.0", "e.1"}) {
    addTensor(std::string(E) + ".weight", 16 * 64);
    addTensor(std::string(E) + ".scale", 16 * 4);
  }
  int64_t Ids[6] = {0, 1, 5, 4, 3, 2};
  auto *Bytes = reinterpret_cast<uint8_t *>(Ids);
  Tensors["tid2eid"].assign(Bytes, Bytes + sizeof Ids);
  std::vector<uint8_t> Packed = pack();
  ASSERT_EQ(Problem, "");
  ASSERT_EQ(Packed.size(), 2304u);
  int32_t Narrow[6];
  std::memcpy(Narrow, Packed.data(), 24);
  for (int I = 0; I < 6; ++I)
    EXPECT_EQ(Narrow[I], Ids[I]);
  for (int I = 24; I < 64; ++I)
    EXPECT_EQ(Packed[I], 0);
  for (int E = 0; E < 2; ++E) {
    std::vector<uint8_t> Data(16 * 64), Scales(16 * 4);
    cpu::unpackTile(cpu::TileFormat::Fp4, 128, 16,
                    Packed.data() + 64 + E * 1088, Data.data(), Scales.data());
    std::string Name = "e." + std::to_string(E);
    EXPECT_EQ(Data, Tensors[Name + ".weight"]);
    EXPECT_EQ(Scales, Tensors[Name + ".scale"]);
  }
  Ids[3] = int64_t(1) << 40;
  Tensors["tid2eid"].assign(Bytes, Bytes + sizeof Ids);
  pack();
  EXPECT_NE(Problem.find("found 1099511627776 at element 3"), std::string::npos)
      << Problem;
}

} // namespace
