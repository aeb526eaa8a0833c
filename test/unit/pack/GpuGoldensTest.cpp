// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The golden checkpoints through the compiler's own phases and the packer for a
// GPU: every matrix gives the checkpoint's bytes back, everything else lies as
// there, and what no weight covers is zero.

#include "compiler/import/BuildGraph.h"
#include "compiler/import/Checkpoint.h"
#include "compiler/pipeline/Phases.h"
#include "test/unit/pack/PackTestSupport.h"

#include "mlir/IR/MLIRContext.h"

#include <cstring>

using namespace dsv4;
using namespace dsv4::test;

namespace {

class GpuGoldens : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    auto opened =
        Checkpoint::open(std::string(DSV4_SOURCE_DIR "/test/data/goldens/") +
                         GetParam() + "/checkpoint");
    ASSERT_TRUE(bool(opened)) << llvm::toString(opened.takeError());
    checkpoint = std::move(*opened);
    mlir::DialectRegistry registry;
    registerPipelineDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    module = buildGraph(context, checkpoint->config(), checkpoint->experts(),
                        "test");
    RunOptions options;
    options.pipeline.forCuda = true;
    options.beforePhase = [&](Phase phase) {
      if (phase == Phase::Configure)
        problem = countAll(program(), reader(), 3);
      return problem.empty();
    };
    ASSERT_TRUE(mlir::succeeded(runPhases(*module, options))) << problem;
  }

  kern::ProgramOp program() {
    return *module->getOps<kern::ProgramOp>().begin();
  }
  std::function<llvm::Expected<llvm::ArrayRef<uint8_t>>(llvm::StringRef)>
  reader() {
    return
        [this](
            llvm::StringRef name) -> llvm::Expected<llvm::ArrayRef<uint8_t>> {
          if (!checkpoint->find(name))
            return llvm::createStringError("no tensor " + name);
          return checkpoint->bytes(name);
        };
  }

  void expectMatrices(kern::WeightOp weight, const Bytes &packed);
  void expectRaw(kern::WeightOp weight, const Bytes &packed);

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::optional<Checkpoint> checkpoint;
  std::string problem;
};

void GpuGoldens::expectMatrices(kern::WeightOp weight, const Bytes &packed) {
  auto type = llvm::cast<qfmt::WeightType>(weight.getHandle().getType());
  auto layout = llvm::cantFail(cuda::layoutOf(type));
  int64_t count = cuda::matricesOf(type);
  EXPECT_EQ(*weight.getOffset() % 128, 0u);
  EXPECT_EQ(int64_t(*weight.getBytes()) % (count * 128), 0);
  int64_t most = 0;
  for (int64_t m = 0; m < count; ++m) {
    Unpacked got = unpack(layout, matrixOf(packed, weight, count, m));
    most = std::max(most, got.escapes);
    std::string name = named(weight.getTensor(), m);
    EXPECT_TRUE(llvm::ArrayRef(got.data) == checkpoint->bytes(name)) << name;
    if (weight.getScale()) {
      name = named(*weight.getScale(), m);
      EXPECT_TRUE(llvm::ArrayRef(got.scales) == checkpoint->bytes(name))
          << name;
    }
  }
  if (type.getFormat() == qfmt::Format::FP4)
    EXPECT_EQ(most, int64_t(weight.getEscapes().value_or(-1)));
}

void GpuGoldens::expectRaw(kern::WeightOp weight, const Bytes &packed) {
  auto type = llvm::cast<qfmt::WeightType>(weight.getHandle().getType());
  auto got =
      llvm::ArrayRef(packed).slice(*weight.getOffset(), *weight.getBytes());
  llvm::ArrayRef<uint8_t> want = checkpoint->bytes(weight.getTensor());
  if (type.getFormat() != qfmt::Format::I64) {
    EXPECT_TRUE(got == want) << weight.getTensor().str();
    return;
  }
  ASSERT_EQ(2 * got.size(), want.size()) << weight.getTensor().str();
  for (size_t i = 0; i < got.size() / 4; ++i) {
    int32_t narrow;
    int64_t wide;
    std::memcpy(&narrow, got.data() + 4 * i, 4);
    std::memcpy(&wide, want.data() + 8 * i, 8);
    ASSERT_EQ(narrow, wide) << weight.getTensor().str() << ' ' << i;
  }
}

TEST_P(GpuGoldens, EveryWeightComesBack) {
  Packed packed = packAll(program(), reader(), 2);
  ASSERT_EQ(packed.problem, "");
  ASSERT_EQ(packed.bytes.size(), *program().getWeightBytes());
  EXPECT_EQ(packed.bytes, packAll(program(), reader(), 1).bytes)
      << "threads change the bytes";
  int64_t tiled = 0, raw = 0;
  Bytes rest = packed.bytes;
  for (auto weight : program().getOps<kern::WeightOp>()) {
    bool isTiled = weight.getPacking()->getLayout() == kern::Layout::Tile64;
    ++(isTiled ? tiled : raw);
    isTiled ? expectMatrices(weight, packed.bytes)
            : expectRaw(weight, packed.bytes);
    std::fill_n(rest.begin() + *weight.getOffset(), *weight.getBytes(), 0);
  }
  EXPECT_EQ(rest, Bytes(rest.size())) << "bytes between weights";
  EXPECT_GT(tiled, 20);
  EXPECT_GT(raw, 20);
}

INSTANTIATE_TEST_SUITE_P(All, GpuGoldens,
                         testing::Values("mini", "odd", "yarn"),
                         [](const auto &info) {
                           return std::string(info.param);
                         });

} // namespace
