// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// kernel-bench: speed of the matrix products alone, against this machine's
// limits measured in turns with them.
//
//   kernel-bench [--format fp4,fp8,bf16] [--inner 4096] [--rows 1,8,512]
//                [--workers 1,2] [--target native] [--dump DIR]
//
// One row is decode: weights come from memory, the limit is the read bandwidth.
// Many rows are prefill: the limit is the dot product peak.

#include "compiler/tune/TileBench.h"
#include "runtime/core/ceiling.h"
#include "targets/common/TileConfigs.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace cl = llvm::cl;
using namespace dsv4;
using namespace dsv4::tune;
using cpu::TileFormat;

static cl::OptionCategory Category("kernel-bench options");
static cl::list<std::string> Formats("format", cl::CommaSeparated,
                                     cl::cat(Category),
                                     cl::desc("fp4, fp8, bf16"));
static cl::opt<int64_t> Inner("inner", cl::init(4096), cl::cat(Category),
                              cl::desc("length of the dot products"));
static cl::list<int64_t> Rows("rows", cl::CommaSeparated, cl::cat(Category),
                              cl::desc("input rows"));
static cl::list<int> Threads("workers", cl::CommaSeparated, cl::cat(Category),
                             cl::desc("workers"));
static cl::opt<std::string> Target("target", cl::init("native"),
                                   cl::cat(Category),
                                   cl::desc("as of compile-model"));
static cl::opt<int64_t> Mebibytes("size", cl::init(1024), cl::cat(Category),
                                  cl::desc("MiB of weights for one row"));
static cl::opt<int> Rounds("rounds", cl::init(7), cl::cat(Category),
                           cl::desc("measurements of each figure"));
static cl::opt<int64_t>
    MicroRows("micro-rows", cl::init(0), cl::cat(Category),
              cl::desc("rows of the micro-kernel, 1 to 12"));
static cl::opt<int64_t>
    StreamTiles("stream-tiles", cl::init(0), cl::cat(Category),
                cl::desc("tiles that one row meets together: 1, 2 or 4"));
static cl::opt<DotForm>
    Dot("dot", cl::init(DotForm::Auto), cl::cat(Category),
        cl::desc("what dot products are made of"),
        cl::values(clEnumValN(DotForm::Bf16, "bf16", "BF16 dot instructions"),
                   clEnumValN(DotForm::F32, "f32", "fused multiply-adds")));
static cl::opt<int64_t> Prefetch("prefetch", cl::init(0), cl::cat(Category),
                                 cl::desc("bytes ahead; -1: none"));
static cl::opt<std::string> Dump("dump", cl::cat(Category),
                                 cl::desc("write the code of the kernels"));

static int fail(const llvm::Twine &Message) {
  llvm::WithColor::error(llvm::errs(), "kernel-bench") << Message << '\n';
  return 1;
}

static std::optional<TileFormat> formatOf(llvm::StringRef Name) {
  for (int I = 0; I < NumStreamFormats; ++I)
    if (Name == TileFormatNames[I])
      return TileFormat(I);
  return std::nullopt;
}

/// One line of the table: medians of measurements in turns with the limits.
static llvm::Error measure(const TargetDesc &Machine, ThreadPool &Pool,
                           Ceiling &Limits, const TileMemory &Memory,
                           const TileCase &Case, llvm::StringRef Format) {
  Tuning Choice;
  Choice.dot = Dot;
  Choice.microRows = std::clamp<int64_t>(MicroRows, 0, 12);
  if (StreamTiles)
    if (llvm::Error E =
            setTuning(Choice, "stream_tiles=" + std::to_string(StreamTiles)))
      return E;
  if (Prefetch)
    std::fill(std::begin(Choice.prefetchBytes), std::end(Choice.prefetchBytes),
              Prefetch);
  auto Kernel = TileKernel::compile(Machine, Case, Choice, Dump);
  if (!Kernel)
    return Kernel.takeError();
  Kernel->run(Pool, Memory);
  std::vector<double> Bytes, Dots, OfBytes, OfDots;
  for (int Round = 0; Round < Rounds; ++Round) {
    double Read = Limits.readBytes(0.05), Peak = Limits.multiplyAdds(0.02);
    double Seconds = Kernel->run(Pool, Memory);
    Read = (Read + Limits.readBytes(0.05)) / 2;
    Peak = (Peak + Limits.multiplyAdds(0.02)) / 2;
    Bytes.push_back(double(Case.weightBytes()) / Seconds);
    Dots.push_back(Case.multiplyAdds() / Seconds);
    OfBytes.push_back(Bytes.back() / Read);
    OfDots.push_back(Dots.back() / Peak);
  }
  llvm::outs() << "| " << Format << " | " << Case.inner << " | " << Case.rows
               << " | " << Pool.threads() << " | "
               << llvm::format("%.2f", median(Bytes) * 1e-9) << " | "
               << llvm::format("%.1f %%", 100 * median(OfBytes)) << " | "
               << llvm::format("%.1f", median(Dots) * 1e-9) << " | "
               << llvm::format("%.1f %%", 100 * median(OfDots)) << " |\n";
  return llvm::Error::success();
}

/// All lines of one number of threads.
static llvm::Error measureAll(const TargetDesc &Machine, int Workers) {
  ThreadPool Pool;
  if (Status S = Pool.start(Workers, /*pin=*/true); !S.isOk())
    return llvm::createStringError(S.message);
  Ceiling Limits;
  if (Status S = Limits.open(Pool, Machine.cpuFeatures); !S.isOk())
    return llvm::createStringError(S.message);
  int64_t Most = *std::max_element(Rows.begin(), Rows.end());
  int64_t Bytes = int64_t(Mebibytes) << 20;
  TileMemory Memory;
  if (llvm::Error E = Memory.open(Bytes, Inner, Most, Workers))
    return E;
  for (const std::string &Name : Formats)
    for (int64_t Count : Rows) {
      TileCase Case = makeCase(*formatOf(Name), Inner, Count, Bytes);
      if (llvm::Error E = measure(Machine, Pool, Limits, Memory, Case, Name))
        return E;
    }
  Limits.close();
  Pool.stop();
  return llvm::Error::success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM Init(argc, argv);
  cl::HideUnrelatedOptions(Category);
  cl::ParseCommandLineOptions(
      argc, argv, "speed of the matrix products against this machine's limits");
  if (Formats.empty())
    for (int I = 0; I < NumStreamFormats; ++I)
      Formats.push_back(TileFormatNames[I]);
  if (Rows.empty())
    for (int64_t Count : {1, 512})
      Rows.push_back(Count);
  if (Threads.empty())
    Threads.push_back(defaultThreads());
  for (const std::string &Name : Formats)
    if (!formatOf(Name))
      return fail("expected fp4, fp8 or bf16, got '" + Name + "'");
  for (int64_t Count : Rows)
    if (Count < 1 || Count > 4096)
      return fail("expected 1 to 4096 rows, got " + llvm::Twine(Count));
  if (Inner < 128 || Inner % 128 || Inner > (1 << 20))
    return fail("expected --inner to be a multiple of 128, got " +
                llvm::Twine(Inner));
  auto Machine = findTarget(Target);
  if (!Machine)
    return fail(llvm::toString(Machine.takeError()));
  llvm::outs() << "| format | inner | rows | threads | GB/s | of the read "
                  "limit | G mul-add/s | of the dot limit |\n"
                  "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
  for (int Count : Threads)
    if (llvm::Error E = measureAll(*Machine, Count))
      return fail(llvm::toString(std::move(E)));
  return 0;
}
