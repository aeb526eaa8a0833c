// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA GPUs: phases become launches (targets/cuda/lower), NVRTC compiles
// their kernels, gates read the cubin, and tables and code go into the object.

#include "compiler/driver/Backend.h"

#include "compiler/driver/CudaDumps.h"
#include "compiler/driver/Progress.h"
#include "compiler/link/CudaProgramEmitter.h"
#include "targets/common/TuningProfile.h"
#include "targets/cuda/DeviceSources.h"
#include "targets/cuda/lower/LowerProgram.h"
#include "targets/cuda/toolchain/CubinGates.h"
#include "targets/cuda/toolchain/KernelCache.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace dsv4 {
namespace {

/// Left free for the driver: its context, code, graphs and local memory.
constexpr int64_t DriverBytes = int64_t(512) << 20;

class CudaBackend : public Backend {
public:
  CudaBackend(const cuda::CudaTarget &Target, cuda::NvrtcCompiler Compiler)
      : Target(Target), Compiler(std::move(Compiler)) {
    targetName = std::string("cuda:") + Target.name;
  }

  Error configure(const CompileOptions &O) override {
    if (!O.dotOrder.empty())
      return llvm::createStringError(
          "--dot-order is of CPU kernels; a GPU's tensor cores have their own");
    for (StringRef Config : O.configs)
      if (Error E = setConfig(Config))
        return E;
    if (Error E = setProfile(O.profile))
      return E;
    Lower.multiprocessors = O.multiprocessors;
    Lower.fuse = O.fuseLaunches;
    return setMemory(O);
  }

  std::vector<ConfigLine> configs() const override {
    auto Source = [&](StringRef Key, bool ByFlag = false) -> std::string {
      return ByFlag || llvm::is_contained(Flags, Key) ? "flag"
             : llvm::is_contained(OfProfile, Key)     ? "profile"
                                                      : "heuristic";
    };
    bool HasHostLimit = Lower.hostMemory != cuda::LowerOptions().hostMemory;
    return {
        {"multiprocessors", std::to_string(Lower.multiprocessors),
         Source("", Lower.multiprocessors != CompileOptions().multiprocessors)},
        {"products", Lower.fp8Products ? "fp8" : "fp16", Source("products")},
        {"decode_blocks", std::to_string(Lower.decodeBlocks),
         Source("decode_blocks")},
        {"overlap", std::to_string(Lower.overlap), Source("overlap")},
        {"tails", std::to_string(Lower.tails), Source("tails")},
        {"device_memory", std::to_string(Lower.deviceMemory >> 20),
         Source("", Lower.deviceMemory != 0)},
        {"host_memory",
         HasHostLimit ? std::to_string(Lower.hostMemory >> 20) : "all",
         Source("", HasHostLimit)},
        {"fuse_launches", std::to_string(Lower.fuse),
         Source("", Lower.fuse != CompileOptions().fuseLaunches)},
        {"nvrtc", Compiler.version(), Compiler.foundIn()}};
  }

  void prepare(PipelineOptions &P) const override { P.forCuda = true; }
  bool readsScales() const override { return true; }

  Expected<std::string> emit(kern::ProgramOp Program, ProgramFacts &Facts,
                             std::string &Remark) override;

private:
  Error setConfig(StringRef Config);
  Error setProfile(const std::string &Path);
  Error setMemory(const CompileOptions &O);
  Expected<cuda::CompileResult> compile(const cuda::CudaProgram &Program,
                                        bool &WasCached) const;
  Error addImages(const cuda::CompileResult &Code, CudaHalf &Half) const;
  Error addCosts(const cuda::Cubin &Cubin, CudaHalf &Half) const;

  const cuda::CudaTarget &Target;
  cuda::NvrtcCompiler Compiler;
  cuda::LowerOptions Lower;
  std::vector<std::string> Flags; // keys that --config has set
  std::vector<std::string> OfProfile;
};

Error CudaBackend::setConfig(StringRef Config) {
  auto [Key, Value] = Config.split('=');
  int Number = 0;
  bool IsNumber = !Value.getAsInteger(10, Number);
  Flags.push_back(Key.str());
  if (Key == "products" && (Value == "fp8" || Value == "fp16"))
    Lower.fp8Products = Value == "fp8";
  else if (Key == "decode_blocks" && IsNumber && Number >= 0 && Number <= 8)
    Lower.decodeBlocks = Number;
  else if (Key == "overlap" && IsNumber && Number >= 0 && Number <= 1)
    Lower.overlap = Number;
  else if (Key == "tails" && IsNumber && Number >= 0 && Number <= 1)
    Lower.tails = Number;
  else
    return llvm::createStringError(
        "--config for " + targetName +
        ": expected products=fp16 or fp8, decode_blocks=0 to 8, overlap=0 or 1 "
        "or tails=0 or 1, got '" +
        Config + "'");
  return Error::success();
}

/// What --config has not set.
Error CudaBackend::setProfile(const std::string &Path) {
  if (Path.empty())
    return Error::success();
  Expected<TuningProfile> Read = readProfile(Path);
  if (!Read)
    return Read.takeError();
  if (!StringRef(Read->target).starts_with("cuda:"))
    return llvm::createStringError(
        "--profile: expected a profile of a GPU, found one of '" +
        Read->target + "': " + Path);
  auto Take = [&](StringRef Key, auto &To, const auto &From) {
    if (!From || llvm::is_contained(Flags, Key))
      return;
    To = *From;
    OfProfile.push_back(Key.str());
  };
  Take("decode_blocks", Lower.decodeBlocks, Read->gpu.decodeBlocks);
  Take("overlap", Lower.overlap, Read->gpu.overlap);
  Take("tails", Lower.tails, Read->gpu.tails);
  return Error::success();
}

Error CudaBackend::setMemory(const CompileOptions &O) {
  Lower.deviceMemory = O.deviceMemory << 20;
  Lower.driverBytes = DriverBytes;
  if (O.hostMemory >= 0)
    Lower.hostMemory = O.hostMemory << 20;
  const char *Flag = !O.expertUsage.empty() ? "--expert-usage"
                     : O.hostMemory >= 0    ? "--host-memory"
                                            : nullptr;
  if (Flag && !O.deviceMemory)
    return llvm::createStringError(
        std::string(Flag) +
        ": expected --device-memory, which says how much room there is");
  if (O.expertUsage.empty())
    return Error::success();
  auto File = llvm::MemoryBuffer::getFile(O.expertUsage);
  if (!File)
    return llvm::createStringError(
        O.expertUsage + ": cannot be read: " + File.getError().message());
  auto Usage = cuda::parseUsage((*File)->getBuffer(), O.expertUsage);
  if (!Usage)
    return Usage.takeError();
  Lower.usage = std::move(*Usage);
  return Error::success();
}

/// " 3.1 GB of weights on the host", or nothing.
std::string hostRemark(const cuda::CudaProgram &Program) {
  int64_t Bytes = 0;
  for (const cuda::PartSpec &Part : Program.parts)
    if (Part.kind == DSV4_CUDA_WEIGHTS && Part.tier != DSV4_CUDA_DEVICE)
      Bytes += Part.bytes.fixed;
  return Bytes ? ", " + humanBytes(uint64_t(Bytes)) + " of weights on the host"
               : "";
}

/// Code of an "a" architecture runs there alone; of the others PTX goes along.
bool isSpecific(const cuda::CudaTarget &Target) {
  return StringRef(Target.name).ends_with("a");
}

Expected<cuda::CompileResult>
CudaBackend::compile(const cuda::CudaProgram &Program, bool &WasCached) const {
  cuda::CompileRequest Request;
  Request.source = Program.source();
  Request.arch = Target.name;
  Request.wantPtx = !isSpecific(Target);
  cuda::addDeviceHeaders(Request);
  // Functions side by side. The number is in the code's bytes, so it is the
  // same on every machine.
  if (Compiler.major() >= 13)
    Request.options.push_back("--split-compile=4");
  cuda::KernelCache Cache({});
  auto Result = Cache.compile(Compiler, Request);
  WasCached = Cache.counts().hits > 0;
  return Result;
}

Error CudaBackend::addImages(const cuda::CompileResult &Code,
                             CudaHalf &Half) const {
  int32_t Arch = 10 * Target.major + Target.minor;
  int32_t Driver = 1000 * Compiler.major();
  Half.images.push_back(
      {DSV4_CUDA_CUBIN, Arch, isSpecific(Target), Driver, Code.cubin});
  if (!Code.ptx.empty())
    Half.images.push_back({DSV4_CUDA_PTX, Arch, false, Driver, Code.ptx});
  return Error::success();
}

/// Registers and local memory of every kernel; refuses what spills or does not
/// fit an SM.
Error CudaBackend::addCosts(const cuda::Cubin &Cubin, CudaHalf &Half) const {
  for (const cuda::KernelSpec &Kernel : Half.program.kernels) {
    const cuda::CubinFunction *Function = Cubin.find(Kernel.symbol);
    if (!Function)
      return llvm::createStringError("the cubin lacks kernel " + Kernel.symbol);
    cuda::KernelLimits Limits;
    Limits.dynamicShared = uint32_t(Kernel.sharedBytes);
    Limits.threads = uint32_t(Kernel.threads);
    std::vector<std::string> Broken =
        cuda::violations(*Function, Target, Limits);
    if (!Broken.empty())
      return llvm::createStringError("kernel " + Kernel.symbol + " for " +
                                     Target.name + ": " + Broken.front());
    Half.costs[Kernel.symbol] = {int32_t(Function->registers),
                                 int32_t(Function->stackBytes)};
  }
  return Error::success();
}

Expected<std::string> CudaBackend::emit(kern::ProgramOp Program,
                                        ProgramFacts &Facts,
                                        std::string &Remark) {
  // The host's part of the object is data; any CPU reads it.
  Expected<TargetDesc> Host = findTarget("cpu:x86-64-v3");
  if (!Host)
    return Host.takeError();
  Facts.target = *Host;
  Facts.target.name = targetName;
  Facts.target.cpuFeatures = 0;
  CudaHalf Half;
  auto Lowered = cuda::lowerProgram(Program, Target, Lower);
  if (!Lowered)
    return Lowered.takeError();
  Half.program = std::move(*Lowered);
  Half.driverBytes = DriverBytes;
  bool WasCached = false;
  auto Code = compile(Half.program, WasCached);
  if (!Code)
    return Code.takeError();
  auto Cubin = cuda::readCubin(Code->cubin);
  if (!Cubin)
    return Cubin.takeError();
  cuda::addLog(*Cubin, Code->resources);
  if (!Facts.dumpFolder.empty())
    if (Error E = dumpCuda(Half.program, *Cubin, Code->cubin, Facts.dumpFolder))
      return std::move(E);
  if (Error E = addImages(*Code, Half))
    return std::move(E);
  if (Error E = addCosts(*Cubin, Half))
    return std::move(E);
  Remark = targetName + ", " + std::to_string(Half.program.kernels.size()) +
           " kernels" + (WasCached ? " from the cache" : "") +
           hostRemark(Half.program);
  return emitCudaProgram(Program, Facts, Half);
}

} // namespace

Expected<std::unique_ptr<Backend>> makeCudaBackend(StringRef Architecture) {
  auto Target = cuda::findCudaTarget(Architecture);
  if (!Target)
    return Target.takeError();
  auto Compiler = cuda::NvrtcCompiler::load();
  if (!Compiler)
    return Compiler.takeError();
  if (Error E = Compiler->supports(**Target))
    return std::move(E);
  return std::make_unique<CudaBackend>(**Target, std::move(*Compiler));
}

void listCudaTargets(llvm::raw_ostream &Out) {
  auto Compiler = cuda::NvrtcCompiler::load();
  if (Compiler)
    Out << "kernels for GPUs by NVRTC " << Compiler->version() << " ("
        << Compiler->path() << ")\n";
  else
    Out << "no GPU targets here: " << llvm::toString(Compiler.takeError())
        << "\n";
  for (const cuda::CudaTarget &T : cuda::cudaTargets())
    Out << "  " << llvm::left_justify(std::string("cuda:") + T.name, 24)
        << T.what << "\n";
}

} // namespace dsv4
