// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The pass that fuses launches: which it takes and which it leaves, that every
// operand lies where the fused phase's parameters have it, and that NVRTC
// compiles what it writes. Not run on hardware.

#include "targets/cuda/lower/Fuse.h"
#include "compiler/import/BuildGraph.h"
#include "compiler/pipeline/Phases.h"
#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/PhasePlan.h"
#include "targets/cuda/device/phases/fused/combine_mix.cuh"
#include "targets/cuda/device/phases/fused/encode_rows.cuh"
#include "targets/cuda/device/phases/fused/product_tails.cuh"
#include "targets/cuda/device/phases/fused/route_dispatch.cuh"
#include "targets/cuda/device/phases/fused/side_by_side.cuh"
#include "targets/cuda/lower/LowerProgram.h"
#include "targets/cuda/toolchain/NvrtcCompiler.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <map>

using namespace dsv4::cuda;

namespace {

constexpr const char *Folder = "targets/cuda/device/phases/";

/// Adds a kernel whose config has `Members`.
int32_t addKernel(CudaProgram &P, const std::string &Body,
                  const std::string &Params, const std::string &Header,
                  const std::string &Members, int32_t Threads, int32_t Shared,
                  size_t Bytes) {
  KernelSpec K;
  std::string Name = Body + "_" + std::to_string(P.kernels.size());
  K.symbol = "k_" + Name;
  K.header = Folder + Header;
  K.text = "struct " + Name + " {\n" + Members + "};\nDSV4_ENTRY(" + K.symbol +
           ", " + Params + ", " + std::to_string(Threads) + ", " + Body + "<" +
           Name + ">)\n";
  K.threads = Threads;
  K.sharedBytes = Shared;
  K.paramsBytes = int32_t(Bytes);
  P.kernels.push_back(K);
  return int32_t(P.kernels.size()) - 1;
}

/// A launch; operands as {byte of the parameters, offset in the buffers}.
NodeSpec node(const CudaProgram &P, const std::string &Kind, int32_t Kernel,
              std::vector<std::pair<size_t, int64_t>> Operands,
              int64_t GridX = 4) {
  NodeSpec N;
  N.name = "layers.0." + Kind;
  N.kind = Kind;
  N.kernel = Kernel;
  N.params.resize(size_t(P.kernels[size_t(Kernel)].paramsBytes));
  for (auto [At, Offset] : Operands)
    N.operands.push_back({BuffersPart, int32_t(At), {Offset, 0}});
  N.gridX = {GridX, 0, 0, 0, 1};
  return N;
}

void chain(GraphSpec &G) {
  G.edges.clear();
  for (size_t I = 1; I < G.nodes.size(); ++I)
    G.edges.push_back({int32_t(I) - 1, int32_t(I), DSV4_CUDA_PROGRAMMATIC});
}

/// The parameters with offsets in the place of addresses, as their struct.
template <class T> T paramsOf(const NodeSpec &N) {
  std::vector<uint8_t> Bytes = N.params;
  EXPECT_EQ(Bytes.size(), sizeof(T));
  Bytes.resize(sizeof(T));
  for (const OperandSpec &O : N.operands)
    std::memcpy(&Bytes[size_t(O.at)], &O.offset.fixed, 8);
  T Params;
  std::memcpy(static_cast<void *>(&Params), Bytes.data(), sizeof(T));
  return Params;
}
template <class T> int64_t at(T Pointer) {
  return int64_t(reinterpret_cast<intptr_t>(Pointer.raw()));
}

constexpr const char *NormMembers =
    "  static constexpr dsv4::cuda::u32 Width = 1024;\n"
    "  static constexpr float Eps = 1e-6f;\n"
    "  static constexpr bool Normed = false, Quantised = true;\n";
constexpr const char *RouteMembers =
    "  static constexpr dsv4::cuda::u32 Experts = 256, PerToken = 6;\n"
    "  static constexpr float Scale = 1.5f;\n"
    "  static constexpr bool ByTable = false;\n";
constexpr const char *ListMembers =
    "  static constexpr dsv4::cuda::u32 Experts = 256, PerToken = 6,\n"
    "                                   Warps = 32;\n";
constexpr const char *MixMembers =
    "  static constexpr dsv4::cuda::u32 Streams = 4, Hidden = 4096, Rows = "
    "24;\n  static constexpr bool Closes = true;\n";
constexpr const char *CombineMembers =
    "  static constexpr dsv4::cuda::u32 Hidden = 4096, PerToken = 6;\n";
constexpr const char *HeadMembers =
    "  static constexpr dsv4::cuda::u32 Heads = 64, Width = 512,\n"
    "      RopeDims = 64, RingRows = 640, RowBytes = 584;\n"
    "  static constexpr float Eps = 1e-6f;\n";

/// norm_quant, encode | query_heads, store_kv | route, dispatch | combine,
/// hc_mix, with edges in a chain.
CudaProgram program(int64_t Tokens) {
  CudaProgram P;
  int32_t Norm = addKernel(P, "normQuant", "NormQuantParams", "norms.cuh",
                           NormMembers, 128, 4100, sizeof(NormQuantParams));
  P.kernels.push_back({"k_encode", std::string(Folder) + "activations.cuh",
                       "DSV4_ENTRY(k_encode, EncodeParams, 256, "
                       "encodeActivations)\n",
                       256, 0, sizeof(EncodeParams)});
  int32_t Heads =
      addKernel(P, "queryHeads", "QueryHeadsParams", "query_rows.cuh",
                HeadMembers, 128, 0, sizeof(QueryHeadsParams));
  int32_t Kv = addKernel(P, "storeKv", "StoreKvParams", "query_rows.cuh",
                         HeadMembers, 128, 0, sizeof(StoreKvParams));
  int32_t Route = addKernel(P, "route", "RouteParams", "experts.cuh",
                            RouteMembers, 128, 0, sizeof(RouteParams));
  int32_t Lists = addKernel(P, "dispatch", "DispatchParams", "dispatch.cuh",
                            ListMembers, 1024, 33792, sizeof(DispatchParams));
  int32_t Sum = addKernel(P, "combine", "CombineParams", "experts.cuh",
                          CombineMembers, 256, 0, sizeof(CombineParams));
  int32_t Mix = addKernel(P, "hcMix", "HcMixParams", "hyper.cuh", MixMembers,
                          416, 3584, sizeof(HcMixParams));
  GraphSpec G;
  G.tokens = Tokens;
  G.outputs = 1;
  G.nodes = {
      node(P, "norm_quant", Norm,
           {{offsetof(NormQuantParams, raw), 100},
            {offsetof(NormQuantParams, yq), 200}}),
      node(P, "encode", 1,
           {{offsetof(EncodeParams, x), 200},
            {offsetof(EncodeParams, blocks), 300}}),
      node(P, "query_heads", Heads, {{offsetof(QueryHeadsParams, q), 400}}, 8),
      node(P, "store_kv", Kv, {{offsetof(StoreKvParams, raw), 500}}, 16),
      node(P, "route", Route, {{offsetof(RouteParams, ids), 600}}),
      node(P, "dispatch", Lists,
           {{offsetof(DispatchParams, ids), 600},
            {offsetof(DispatchParams, lists), 700}}),
      node(P, "combine", Sum,
           {{offsetof(CombineParams, y), 800},
            {offsetof(CombineParams, out), 900}}),
      node(P, "hc_mix", Mix,
           {{offsetof(HcMixParams, out), 900},
            {offsetof(HcMixParams, streamsOut), 1000}},
           32)};
  chain(G);
  P.graphs.push_back(G);
  return P;
}

std::vector<std::string> kinds(const CudaProgram &P) {
  std::vector<std::string> Out;
  for (const NodeSpec &N : P.graphs[0].nodes)
    Out.push_back(N.kind);
  return Out;
}

TEST(FuseTest, FusesDecode) {
  CudaProgram P = program(1);
  EXPECT_EQ(fuseLaunches(P), 4);
  EXPECT_EQ(kinds(P), (std::vector<std::string>{
                          "norm_quant+encode", "query_heads|store_kv",
                          "route+dispatch", "combine+hc_mix"}));
  const auto &Nodes = P.graphs[0].nodes;
  auto Norm = paramsOf<NormQuantEncodeParams>(Nodes[0]);
  EXPECT_EQ(at(Norm.phase.raw), 100);
  EXPECT_EQ(at(Norm.phase.yq), 200);
  EXPECT_EQ(at(Norm.blocks), 300);
  using Side = SideParams<SideTask<QueryHeadsParams, nullptr>,
                          SideTask<StoreKvParams, nullptr>>;
  auto Both = paramsOf<Side>(Nodes[1]);
  EXPECT_EQ(at(Both.own.q), 400);
  EXPECT_EQ(at(Both.rest.own.raw), 500);
  EXPECT_EQ(Nodes[1].gridX.fixed, 16);
  EXPECT_EQ(Nodes[1].gridY.fixed, 2);
  auto Lists = paramsOf<RouteDispatchParams>(Nodes[2]);
  EXPECT_EQ(at(Lists.route.ids), 600);
  EXPECT_EQ(at(Lists.dispatch.ids), 600);
  EXPECT_EQ(at(Lists.dispatch.lists), 700);
  EXPECT_EQ(Nodes[2].gridX.fixed, 1);
  auto Mix = paramsOf<CombineMixParams>(Nodes[3]);
  EXPECT_EQ(at(Mix.mix.streamsOut), 1000);
  EXPECT_EQ(at(Mix.combine.y), 800);
  EXPECT_EQ(Nodes[3].gridX.fixed, 32);
  // The chain goes on; kernels that nobody launches are gone.
  ASSERT_EQ(P.graphs[0].edges.size(), 3u);
  for (int32_t I = 0; I < 3; ++I) {
    EXPECT_EQ(P.graphs[0].edges[size_t(I)].from, I);
    EXPECT_EQ(P.graphs[0].edges[size_t(I)].to, I + 1);
  }
  EXPECT_EQ(P.kernels.size(), 4u);
  EXPECT_EQ(P.kernels[size_t(Nodes[2].kernel)].threads, 256);
  EXPECT_EQ(P.kernels[size_t(Nodes[2].kernel)].sharedBytes, 4 * 256 * 9);
}

TEST(FuseTest, PrefillKeepsWhatWouldBeReadAgain) {
  CudaProgram P = program(512);
  EXPECT_EQ(fuseLaunches(P), 2);
  EXPECT_EQ(kinds(P), (std::vector<std::string>{
                          "norm_quant+encode", "query_heads|store_kv", "route",
                          "dispatch", "combine", "hc_mix"}));
}

TEST(FuseTest, LeavesWhatDoesNotFit) {
  CudaProgram P = program(1);
  // Encodes another buffer; another number of threads; an unknown text.
  P.graphs[0].nodes[1].operands[0].offset.fixed = 204;
  P.kernels[size_t(P.graphs[0].nodes[3].kernel)].threads = 64;
  P.kernels[size_t(P.graphs[0].nodes[4].kernel)].text = "// by hand\n";
  EXPECT_EQ(fuseLaunches(P), 1);
  EXPECT_EQ(kinds(P), (std::vector<std::string>{
                          "norm_quant", "encode", "query_heads", "store_kv",
                          "route", "dispatch", "combine+hc_mix"}));
  EXPECT_EQ(P.kernels.size(), 7u);
}

/// An encoding behind a launch that touches nothing of it comes forward; not
/// past one that touches its blocks, nor in a graph that is no chain.
TEST(FuseTest, BringsEncodingsForward) {
  for (int Case = 0; Case < 3; ++Case) {
    CudaProgram P = program(1);
    auto &G = P.graphs[0];
    std::swap(G.nodes[1], G.nodes[2]); // query_heads between
    if (Case == 1)
      G.nodes[1].operands[0].offset.fixed = 300; // the blocks
    if (Case == 2)
      G.edges.pop_back();
    fuseLaunches(P);
    EXPECT_EQ(kinds(P)[0], Case == 0 ? "norm_quant+encode" : "norm_quant");
  }
}

TEST(FuseTest, EdgesThatAreNoChain) {
  CudaProgram P = program(1);
  P.graphs[0].edges = {{0, 1, DSV4_CUDA_PROGRAMMATIC},
                       {0, 7, DSV4_CUDA_FULL},
                       {1, 7, DSV4_CUDA_PROGRAMMATIC}};
  fuseLaunches(P);
  ASSERT_EQ(P.graphs[0].edges.size(), 1u);
  EXPECT_EQ(P.graphs[0].edges[0].from, 0);
  EXPECT_EQ(P.graphs[0].edges[0].to, 3);
  EXPECT_EQ(P.graphs[0].edges[0].kind, DSV4_CUDA_FULL);
}

void expectCompiles(const CudaProgram &P) {
  auto Nvrtc = NvrtcCompiler::load();
  if (!Nvrtc)
    GTEST_SKIP() << llvm::toString(Nvrtc.takeError());
  CompileRequest Request;
  Request.name = "fused.cu";
  Request.arch = "sm_90a";
  Request.source = P.source();
  addDeviceHeaders(Request);
  auto Result = Nvrtc->compile(Request);
  ASSERT_TRUE(bool(Result)) << llvm::toString(Result.takeError());
  for (const KernelSpec &K : P.kernels)
    EXPECT_NE(Result->cubin.find(K.symbol), std::string::npos) << K.symbol;
}

TEST(FuseTest, NvrtcCompilesIt) {
  CudaProgram P = program(1);
  fuseLaunches(P);
  expectCompiles(P);
}

/// A model from its config, to where it can be lowered for CUDA.
struct Model {
  explicit Model(const std::string &File) {
    std::string Path = std::string(DSV4_SOURCE_DIR) + "/" + File;
    auto Buffer = llvm::MemoryBuffer::getFile(Path);
    auto Config = dsv4::parseConfig(Path, (*Buffer)->getBuffer());
    EXPECT_TRUE(bool(Config));
    mlir::DialectRegistry Registry;
    dsv4::registerPipelineDialects(Registry);
    context.appendDialectRegistry(Registry);
    context.loadAllAvailableDialects();
    module = dsv4::buildGraph(context, *Config, dsv4::ExpertFormat::Fp4, "");
    dsv4::RunOptions Run;
    Run.pipeline.forCuda = true;
    EXPECT_TRUE(mlir::succeeded(dsv4::runPhases(*module, Run)));
  }
  dsv4::kern::ProgramOp program() {
    return *module->getOps<dsv4::kern::ProgramOp>().begin();
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

/// Flash as it is lowered: what fits is fused, in every graph.
TEST(FuseTest, Flash) {
  Model Flash("test/pipeline/Inputs/cfg_flash_exp.json");
  auto Program = Flash.program();
  auto Target = findCudaTarget("sm_90a");
  ASSERT_TRUE(bool(Target));
  auto Plain = lowerProgram(Program, **Target);
  ASSERT_TRUE(bool(Plain)) << llvm::toString(Plain.takeError());
  LowerOptions Options;
  Options.fuse = true;
  auto Rows = lowerProgram(Program, **Target, Options);
  ASSERT_TRUE(bool(Rows)) << llvm::toString(Rows.takeError());
  Options.tails = true;
  auto Fused = lowerProgram(Program, **Target, Options);
  ASSERT_TRUE(bool(Fused)) << llvm::toString(Fused.takeError());
  ASSERT_EQ(Plain->graphs.size(), Fused->graphs.size());
  // Room that is kept for phases that run together.
  int64_t Before = Plain->parts[WorkspacePart].bytes.fixed,
          After = Fused->parts[WorkspacePart].bytes.fixed;
  printf("buffers %lld, workspace %lld, fused %lld\n",
         (long long)Fused->parts[BuffersPart].bytes.fixed, (long long)Before,
         (long long)After);
  EXPECT_LT(After, Before + Before / 4);
  // What is predicted is what is lowered, but for the copies of step and
  // logits.
  auto Predicted = planPhases(Program, **findGpu("h200"),
                              Linking::DependentLaunch, {1, 1, 4095});
  ASSERT_TRUE(bool(Predicted));
  EXPECT_EQ(Predicted->unfused.launches + 2,
            int64_t(Plain->graphs[0].nodes.size()));
  EXPECT_EQ(Predicted->rows.launches + 2,
            int64_t(Rows->graphs[0].nodes.size()));
  EXPECT_EQ(Predicted->fused.launches + 2,
            int64_t(Fused->graphs[0].nodes.size()));
  EXPECT_LE(Predicted->fused.launches, 472);
  auto Few = planPhases(Program, **findGpu("h200"), Linking::DependentLaunch,
                        {8, 8, 4095});
  ASSERT_TRUE(bool(Few));
  EXPECT_EQ(Few->fused.launches + 2, int64_t(Fused->graphs[1].nodes.size()));
  for (size_t I = 0; I < Plain->graphs.size(); ++I) {
    const GraphSpec &Graph = Fused->graphs[I];
    std::map<std::string, int> Kinds;
    for (const NodeSpec &N : Graph.nodes)
      ++Kinds[N.kind];
    printf("%s: %zu nodes, fused %zu\n", Graph.name.c_str(),
           Plain->graphs[I].nodes.size(), Graph.nodes.size());
    for (const auto &[Kind, Count] : Kinds)
      printf("  %4d %s\n", Count, Kind.c_str());
    // Nothing is left of what few tokens put behind their products.
    bool IsOne = Graph.tokens == 1,
         IsFew = Graph.tokens <= FuseOptions().fewTokens;
    EXPECT_EQ(Kinds["encode"], 0);
    EXPECT_EQ(Kinds["linear+reduce+quantize+encode"], IsFew ? 43 : 0);
    EXPECT_EQ(Kinds["quantize+encode"], IsFew ? 0 : 43);
    EXPECT_EQ(Kinds["expert_linear+swiglu+encode"], IsFew ? 43 : 0);
    EXPECT_EQ(Kinds["swiglu+encode"], IsFew ? 0 : 86);
    EXPECT_EQ(Kinds["linear+reduce+route+dispatch+swiglu+encode"],
              IsFew ? 43 : 0);
    EXPECT_EQ(Kinds["expert_linear|linear+reduce"], IsFew ? 43 : 0);
    EXPECT_EQ(Kinds["combine+hc_mix+hc_pre+encode"], IsFew ? 42 : 0);
    EXPECT_EQ(Kinds["linear+query_heads+index_query"], IsFew ? 21 : 0);
    EXPECT_EQ(Kinds["norm_quant+encode"], IsOne ? 0 : 43);
    EXPECT_EQ(Kinds["linear+reduce+hc_mix+hc_pre+encode"], IsOne ? 43 : 0);
    EXPECT_EQ(Kinds["index_score+top_k"], IsOne ? 21 : 0);
    EXPECT_EQ(Kinds["compress"] + Kinds["carry"], IsFew ? 0 : 124);
    EXPECT_EQ(Kinds["query_heads|store_kv"] +
                  Kinds["query_heads|store_kv|index_query"],
              IsFew ? 0 : 43);
    EXPECT_EQ(Graph.edges.size() + 1, Graph.nodes.size());
  }
}

/// A product for decode of two jobs with parts, and the swiglu behind it.
CudaProgram productAndSwiglu() {
  CudaProgram P;
  P.parts.resize(NumProgramParts);
  P.parts[WorkspacePart].bytes = {1000, 0};
  int32_t Linear =
      addKernel(P, "linear", "LinearParams", "linear.cuh",
                "  static constexpr dsv4::cuda::u32 columns = 8, groups = 1;\n"
                "  static constexpr bool partials = true;\n",
                256, 80000, sizeof(LinearParams));
  int32_t Sum = addKernel(P, "reduce", "LinearParams", "reduce.cuh", "", 256, 0,
                          sizeof(LinearParams));
  int32_t Swiglu = addKernel(P, "swigluEncode", "SwigluEncodeParams",
                             "fused/encode_rows.cuh", "", 128, 0,
                             sizeof(SwigluEncodeParams));
  int32_t Other = addKernel(P, "storeKv", "StoreKvParams", "query_rows.cuh",
                            HeadMembers, 128, 0, sizeof(StoreKvParams));
  auto Y = [](size_t Job) {
    return offsetof(LinearParams, jobs) + Job * sizeof(MatrixJob) +
           offsetof(MatrixJob, y);
  };
  GraphSpec G;
  G.tokens = 1;
  NodeSpec Product =
      node(P, "linear", Linear, {{Y(0), 100}, {Y(1), 200}, {Y(2), 300}});
  LinearParams Params{};
  Params.numJobs = 3;
  for (u32 I = 0; I < 3; ++I) {
    Params.jobs[I].rows = I == 2 ? 70 : 512;
    Params.jobs[I].split = 2;
  }
  std::memcpy(Product.params.data(), static_cast<void *>(&Params),
              sizeof(Params));
  NodeSpec Reduce = Product;
  Reduce.kernel = Sum;
  Reduce.kind = "reduce";
  G.nodes = {Product, Reduce,
             node(P, "store_kv", Other, {{offsetof(StoreKvParams, raw), 900}}),
             node(P, "swiglu+encode", Swiglu,
                  {{offsetof(SwigluParams, gate), 100},
                   {offsetof(SwigluParams, up), 200},
                   {offsetof(SwigluParams, h), 400},
                   {offsetof(SwigluEncodeParams, blocks), 500}})};
  chain(G);
  P.graphs.push_back(G);
  return P;
}

TEST(FuseTest, TailsOfAProduct) {
  CudaProgram P = productAndSwiglu();
  EXPECT_EQ(fuseLaunches(P), 2);
  EXPECT_EQ(kinds(P), (std::vector<std::string>{"linear+reduce+swiglu+encode",
                                                "store_kv"}));
  using Params = ProductTailParams<LinearParams, SwigluEncodeTail<int>>;
  auto Tails = paramsOf<Params>(P.graphs[0].nodes[0]);
  EXPECT_EQ(at(Tails.product.jobs[1].y), 200);
  EXPECT_EQ(at(Tails.tasks.own.phase.gate), 100);
  EXPECT_EQ(at(Tails.tasks.own.blocks), 500);
  // Two jobs by 256 columns, the third strip by strip behind them.
  const TailUnits &Pair = Tails.plan.units[0], &Rest = Tails.plan.units[1];
  EXPECT_EQ(Pair.firstJob, 0u);
  EXPECT_EQ(Pair.numJobs, 2u);
  EXPECT_EQ(Pair.strips, 4u);
  EXPECT_EQ(Pair.task, 0u);
  EXPECT_EQ(Rest.firstJob, 2u);
  EXPECT_EQ(Rest.firstCounter, 2u);
  EXPECT_EQ(Rest.task, TailUnits::NoTask);
  EXPECT_EQ(Tails.plan.unitsOf[1], 0u);
  EXPECT_EQ(Tails.plan.unitsOf[2], 1u);
  // Counters have room behind the workspace, which starts as zeros.
  EXPECT_EQ(at(Tails.plan.counters), 1024);
  EXPECT_GE(P.parts[WorkspacePart].bytes.fixed, 1024 + 3 * 4);
  ASSERT_EQ(P.graphs[0].edges.size(), 1u);
}

/// Not past a launch that touches what the tail writes; not rows of another
/// product; not a kernel that takes more than a strip at a time; not for many
/// tokens.
TEST(FuseTest, NoTails) {
  for (int Case = 0; Case < 4; ++Case) {
    CudaProgram P = productAndSwiglu();
    auto &Nodes = P.graphs[0].nodes;
    FuseOptions Options;
    if (Case == 0)
      Nodes[2].operands[0].offset.fixed = 400;
    if (Case == 1)
      Nodes[3].operands[1].offset.fixed = 204;
    if (Case == 2)
      P.kernels[0].text.replace(P.kernels[0].text.find("groups = 1"), 10,
                                "groups = 2");
    if (Case == 3)
      P.graphs[0].tokens = Options.fewTokens + 1;
    fuseLaunches(P, Options);
    EXPECT_EQ(kinds(P).back(), "swiglu+encode") << Case;
    EXPECT_EQ(kinds(P)[0], Case < 2 ? "linear+reduce" : "linear") << Case;
  }
}

/// A launch of several phases writes nothing that is in the place of what one
/// of them, or one that it goes before, still reads.
TEST(FuseTest, BuffersOfFusedPhasesAreApart) {
  Model Flash("test/pipeline/Inputs/cfg_flash_exp.json");
  auto Program = Flash.program();
  auto Buffers = llvm::to_vector(Program.getOps<dsv4::kern::BufferOp>());
  int Near = 0;
  for (auto A : Buffers)
    for (auto B : Buffers) {
      int64_t Apart = (*B.getLifetime())[0] - (*A.getLifetime())[1];
      if (A == B || Apart > FusedPhases ||
          (*A.getLifetime())[0] > (*B.getLifetime())[0])
        continue;
      Near += Apart > 0;
      for (int64_t Blocks : {int64_t(1), int64_t(Program.getMaxBlocks())}) {
        auto Offset = [&](auto Op) {
          return Op.getOffset()->getValue().at(Blocks);
        };
        auto Bytes = [&](auto Op) {
          return Op.getBytes()->getValue().at(Blocks);
        };
        EXPECT_TRUE(Offset(A) + Bytes(A) <= Offset(B) ||
                    Offset(B) + Bytes(B) <= Offset(A))
            << A.getName().str() << ", " << B.getName().str();
      }
    }
  EXPECT_GT(Near, 1000);
}

/// The kernels of a small model, as its lowering makes and fuses them.
TEST(FuseTest, NvrtcCompilesAModel) {
  Model Tiny("samples/tiny-chat/config.json");
  auto Target = findCudaTarget("sm_90a");
  ASSERT_TRUE(bool(Target));
  LowerOptions Options;
  Options.fuse = true;
  auto Fused = lowerProgram(Tiny.program(), **Target, Options);
  ASSERT_TRUE(bool(Fused)) << llvm::toString(Fused.takeError());
  EXPECT_TRUE(llvm::any_of(Fused->kernels, [](const KernelSpec &K) {
    return K.text.find("sideBySide<") != std::string::npos;
  }));
  expectCompiles(*Fused);
}

} // namespace
