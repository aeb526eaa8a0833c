// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A stack of experts one of which has tiles that escape, and what counting and
// packing refuse, with the tensor's name.

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "test/unit/pack/PackTestSupport.h"

#include "llvm/ADT/StringMap.h"

#include <cstring>
#include <random>

using namespace dsv4;
using namespace dsv4::test;

namespace {

constexpr int64_t experts = 3, rows = 70, columns = 256;

/// Two strips, the second with an edge, and two blocks of k; a router by a
/// table.
constexpr char text[] = R"(
kern.program @p attributes {max_context = 256 : i64, max_sequences = 1 : i64,
    max_step_tokens = 16 : i64, max_outputs = 4 : i64,
    experts_per_token = 2 : i64} {
  %e = kern.weight "e.{e}.weight" scale "e.{e}.scale" : !qfmt.weight<3x70x256, fp4>
  %t = kern.weight "tid2eid" : !qfmt.weight<5x2, i64>
  %x = kern.buffer "x" : <token, 256, bf16>
  %lists = kern.buffer "lists" : <program, 40, i32>
  %y = kern.buffer "y" : <slot, 70, bf16>
  %lg = kern.buffer "lg" : <token, 3, f32>
  %ids = kern.buffer "ids" : <token, 2, i32>
  %wt = kern.buffer "wt" : <token, 2, f32>
  %logits = kern.buffer "logits" : <output, 512, f32>
  kern.route "route" logits(%lg : !kern.buffer<token, 3, f32>)
    table(%t : !qfmt.weight<5x2, i64>)
    ids(%ids : !kern.buffer<token, 2, i32>)
    weights(%wt : !kern.buffer<token, 2, f32>) {scale = 1.5 : f32}
  kern.expert_linear "experts" x(%x : !kern.buffer<token, 256, bf16>)
    lists(%lists : !kern.buffer<program, 40, i32>)
    w(%e : !qfmt.weight<3x70x256, fp4>) y(%y : !kern.buffer<slot, 70, bf16>)
  kern.return %logits : <output, 512, f32>
})";

class GpuPack : public testing::Test {
protected:
  void SetUp() override {
    context.loadDialect<kern::KernDialect, qfmt::QFmtDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    ASSERT_TRUE(module);
    program = *module->getOps<kern::ProgramOp>().begin();
    for (int64_t e = 0; e < experts; ++e) {
      add(named("e.{e}.weight", e), rows * columns / 2, 0, 255);
      add(named("e.{e}.scale", e), rows * columns / 32, 110, 118);
    }
    setIds({0, 1, 2, 1, 0, 2, 1, 2, 0, 1});
  }
  void add(const std::string &name, int64_t bytes, int lowest, int highest) {
    Bytes &data = tensors[name];
    for (int64_t i = 0; i < bytes; ++i)
      data.push_back(
          uint8_t(lowest + int(random() % unsigned(highest - lowest + 1))));
  }
  void setIds(const std::vector<int64_t> &ids) {
    auto *bytes = reinterpret_cast<const uint8_t *>(ids.data());
    tensors["tid2eid"].assign(bytes, bytes + 8 * ids.size());
  }
  /// Scale of row `row` and of 32 columns from `group` x 32 on.
  uint8_t &scale(int64_t e, int64_t row, int64_t group) {
    return tensors[named("e.{e}.scale", e)][row * (columns / 32) + group];
  }
  /// In expert 1: a span of 12 in tile (0, 1), a scale of 0 in the last tile.
  void addEscapes() {
    scale(1, 9, 4) = 105;
    scale(1, 9, 5) = 117;
    scale(1, 69, 7) = 0; // of zeros, or it would be refused
    Bytes &codes = tensors["e.1.weight"];
    std::fill_n(codes.begin() + 69 * columns / 2 + 7 * 16, 16, 0);
  }
  std::function<llvm::Expected<llvm::ArrayRef<uint8_t>>(llvm::StringRef)>
  reader() {
    return
        [this](
            llvm::StringRef name) -> llvm::Expected<llvm::ArrayRef<uint8_t>> {
          auto found = tensors.find(name);
          if (found == tensors.end())
            return llvm::createStringError("no tensor " + name);
          return llvm::ArrayRef<uint8_t>(found->second);
        };
  }
  void place() {
    static bool registered = (cuda::registerAssignPackingPass(), true);
    (void)registered;
    mlir::PassManager passes(&context);
    ASSERT_TRUE(mlir::succeeded(
        mlir::parsePassPipeline("kern.program(cuda-assign-packing)", passes)));
    ASSERT_TRUE(mlir::succeeded(passes.run(*module)));
  }
  kern::WeightOp weight() { return *program.getOps<kern::WeightOp>().begin(); }

  std::mt19937 random{1};
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  kern::ProgramOp program;
  llvm::StringMap<Bytes> tensors;
};

TEST_F(GpuPack, AStackHasRoomForTheMostEscapesOfAnExpert) {
  addEscapes();
  ASSERT_EQ(countAll(program, reader(), 2), "");
  EXPECT_EQ(*weight().getEscapes(), 2u);
  place();
  auto layout = llvm::cantFail(
      cuda::MatrixLayout::get(cuda::TileFormat::Fp4, rows, columns));
  EXPECT_EQ(int64_t(*weight().getBytes()),
            experts *((layout.packedBytes(2) + 127) / 128 * 128));
  Packed packed = packAll(program, reader());
  ASSERT_EQ(packed.problem, "");
  EXPECT_EQ(packed.bytes, packAll(program, reader(), 4).bytes);
  for (int64_t e = 0; e < experts; ++e) {
    llvm::ArrayRef<uint8_t> room = matrixOf(packed.bytes, weight(), experts, e);
    Unpacked got = unpack(layout, room);
    EXPECT_EQ(got.escapes, e == 1 ? 2 : 0);
    EXPECT_EQ(got.data, tensors[named("e.{e}.weight", e)]) << e;
    EXPECT_EQ(got.scales, tensors[named("e.{e}.scale", e)]) << e;
    for (uint8_t byte : room.drop_front(got.bytes))
      ASSERT_EQ(byte, 0) << "behind expert " << e;
  }
}

TEST_F(GpuPack, WithoutEscapesThereIsNoRoomForThem) {
  ASSERT_EQ(countAll(program, reader()), "");
  EXPECT_EQ(*weight().getEscapes(), 0u);
  place();
  auto layout = llvm::cantFail(
      cuda::MatrixLayout::get(cuda::TileFormat::Fp4, rows, columns));
  EXPECT_EQ(int64_t(*weight().getBytes()), experts *layout.packedBytes(0));
}

TEST_F(GpuPack, MoreEscapesThanPlannedAreRefused) {
  ASSERT_EQ(countAll(program, reader()), "");
  place();
  addEscapes();
  EXPECT_EQ(packAll(program, reader()).problem,
            "tensor e.1.scale: 2 tiles have scales too far apart, the plan has "
            "room for 0");
}

TEST_F(GpuPack, CountingNamesTheTensor) {
  scale(2, 3, 1) = 255;
  EXPECT_EQ(countAll(program, reader(), 2),
            "tensor e.2.scale: scale 255 (NaN) found at row 3, column 1 of the "
            "scales; the checkpoint is damaged");
  tensors["e.0.scale"].pop_back();
  EXPECT_EQ(countAll(program, reader()),
            "tensor e.0.scale: expected 560 bytes, found 559");
  tensors.erase("e.0.scale");
  EXPECT_EQ(countAll(program, reader()), "no tensor e.0.scale");
}

/// Dispatch counts on ids of experts that there are.
TEST_F(GpuPack, TablesNameExpertsThatThereAre) {
  ASSERT_EQ(countAll(program, reader()), "");
  place();
  setIds({0, 1, 2, 1, 0, 2, 1, 3, 0, 1});
  EXPECT_EQ(packAll(program, reader()).problem,
            "tensor tid2eid: expected indices from 0 to 2, found 3 at element "
            "7");
  setIds({0, 1, 2, 1, -1, 2, 1, 2, 0, 1});
  EXPECT_EQ(packAll(program, reader()).problem,
            "tensor tid2eid: expected indices from 0 to 2, found -1 at element "
            "4");
}

} // namespace
