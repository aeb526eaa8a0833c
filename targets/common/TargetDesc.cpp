// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of known machines, the search in it, and the detection of this
// machine.

#include "targets/common/TargetDesc.h"

#include "runtime/abi/program.h"
#include "runtime/numerics/tile_registers.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

using llvm::StringRef;

namespace dsv4 {

static constexpr char X86[] = "x86_64";
static constexpr char Arm[] = "aarch64";

static constexpr KnownTarget Known[] = {
    {"x86-64", X86, IsaLevel::Portable, "generic", "any x86-64 (SSE2)"},
    {"x86-64-v3", X86, IsaLevel::Avx2, "generic", "any CPU with AVX2 and FMA"},
    {"x86-64-v4", X86, IsaLevel::Avx512, "generic", "any CPU with AVX-512"},
    {"haswell", X86, IsaLevel::Avx2, "haswell", "Intel Haswell"},
    {"broadwell", X86, IsaLevel::Avx2, "broadwell", "Intel Broadwell"},
    {"skylake", X86, IsaLevel::Avx2, "skylake", "Intel Skylake client"},
    {"alderlake", X86, IsaLevel::Avx2, "alderlake", "Intel Alder Lake on"},
    {"skylake-avx512", X86, IsaLevel::Avx512, "skylake-avx512",
     "Intel Skylake server"},
    {"cascadelake", X86, IsaLevel::Avx512, "cascadelake", "Intel Cascade Lake"},
    {"cooperlake", X86, IsaLevel::Avx512, "cooperlake", "Intel Cooper Lake"},
    {"icelake-server", X86, IsaLevel::Avx512, "icelake-server",
     "Intel Ice Lake server"},
    {"sapphirerapids", X86, IsaLevel::Amx, "sapphirerapids",
     "Intel Sapphire Rapids"},
    {"emeraldrapids", X86, IsaLevel::Amx, "emeraldrapids",
     "Intel Emerald Rapids"},
    {"graniterapids", X86, IsaLevel::Amx, "graniterapids",
     "Intel Granite Rapids"},
    {"znver1", X86, IsaLevel::Avx2, "znver1", "AMD Zen"},
    {"znver2", X86, IsaLevel::Avx2, "znver2", "AMD Zen 2"},
    {"znver3", X86, IsaLevel::Avx2, "znver3", "AMD Zen 3"},
    {"znver4", X86, IsaLevel::Avx512Bf16, "znver4", "AMD Zen 4"},
    {"znver5", X86, IsaLevel::Avx512Bf16, "znver5", "AMD Zen 5"},
    {"aarch64", Arm, IsaLevel::Portable, "generic", "any AArch64 (NEON)"},
    {"neoverse-n1", Arm, IsaLevel::Portable, "neoverse-n1", "Arm Neoverse N1"},
    {"neoverse-v1", Arm, IsaLevel::Portable, "neoverse-v1", "Arm Neoverse V1"},
    {"neoverse-v2", Arm, IsaLevel::Portable, "neoverse-v2", "Arm Neoverse V2"},
};

llvm::ArrayRef<KnownTarget> knownTargets() { return Known; }

StringRef levelName(IsaLevel level) {
  switch (level) {
  case IsaLevel::Portable:
    return "portable";
  case IsaLevel::Avx2:
    return "avx2";
  case IsaLevel::Avx512:
    return "avx512";
  case IsaLevel::Avx512Bf16:
    return "avx512bf16";
  case IsaLevel::Amx:
    return "amx";
  }
  return "";
}

/// What LLVM may use at a level, and what is checked before anything runs.
static void setLevel(TargetDesc &target, IsaLevel level, bool isX86) {
  constexpr uint32_t avx2 = DSV4_CPU_AVX2 | DSV4_CPU_FMA;
  constexpr uint32_t avx512 = avx2 | DSV4_CPU_AVX512F | DSV4_CPU_AVX512BW |
                              DSV4_CPU_AVX512VL | DSV4_CPU_AVX512DQ;
  target.level = level;
  target.cpuFeatures = 0;
  switch (level) {
  case IsaLevel::Portable:
    target.cpu = isX86 ? "x86-64" : "generic";
    return;
  case IsaLevel::Avx2:
    target.cpu = "x86-64-v3";
    target.cpuFeatures = avx2;
    return;
  case IsaLevel::Avx512:
    target.cpu = "x86-64-v4";
    target.cpuFeatures = avx512;
    return;
  case IsaLevel::Avx512Bf16:
    target.cpu = "x86-64-v4";
    target.features = "+avx512bf16,+avx512vbmi,+avx512vnni";
    target.cpuFeatures = avx512 | DSV4_CPU_AVX512BF16 | DSV4_CPU_AVX512VBMI |
                         DSV4_CPU_AVX512VNNI;
    return;
  case IsaLevel::Amx:
    setLevel(target, IsaLevel::Avx512Bf16, isX86);
    target.level = level;
    target.features += ",+amx-tile,+amx-bf16";
    target.cpuFeatures |= DSV4_CPU_AMX_BF16;
    return;
  }
}

static TargetDesc describe(StringRef name, StringRef arch, IsaLevel level,
                           StringRef tune) {
  TargetDesc target;
  target.name = ("cpu:" + name).str();
  target.triple = (arch + "-unknown-linux-gnu").str();
  target.tune = tune.str();
  setLevel(target, level, arch == X86);
  // One BF16 dot takes Intel's cores as long as four fused multiply-adds, for
  // the work of two; their matrix unit is what they offer instead.
  bool isFast = tune.starts_with("znver");
  target.dot =
      level == IsaLevel::Avx512Bf16 && isFast ? DotForm::Bf16 : DotForm::F32;
  target.order =
      level == IsaLevel::Amx ? num::DotOrder::Split : num::DotOrder::Chain;
  return target;
}

void setDotOrder(TargetDesc &target, num::DotOrder order) {
  target.order = order;
  if (order == num::DotOrder::Chain && target.level == IsaLevel::Amx)
    setLevel(target, IsaLevel::Avx512Bf16, /*isX86=*/true);
}

IsaLevel nativeLevel() {
  llvm::StringMap<bool> features = llvm::sys::getHostCPUFeatures();
  auto has = [&](std::initializer_list<const char *> names) {
    for (const char *name : names)
      if (!features.lookup(name))
        return false;
    return true;
  };
  if (!has({"avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe"}))
    return IsaLevel::Portable;
  if (!has({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}))
    return IsaLevel::Avx2;
  if (!has({"avx512bf16", "avx512vbmi", "avx512vnni"}))
    return IsaLevel::Avx512;
  static const bool hasTiles =
      has({"amx-tile", "amx-bf16"}) && num::requestTileRegisters();
  return hasTiles ? IsaLevel::Amx : IsaLevel::Avx512Bf16;
}

llvm::Expected<TargetDesc> nativeTarget() {
  llvm::Triple host(llvm::sys::getProcessTriple());
  StringRef arch = host.getArchName();
  if (arch != X86 && arch != Arm)
    return llvm::createStringError("expected this machine to be x86_64 or "
                                   "aarch64, got " +
                                   arch + "; name a target with --target");
  return describe(llvm::sys::getHostCPUName(), arch, nativeLevel(),
                  llvm::sys::getHostCPUName());
}

/// The five known names nearest to `name`, best first.
static std::string nearNames(StringRef name) {
  llvm::SmallVector<std::pair<unsigned, StringRef>> ranked;
  for (const KnownTarget &known : Known) {
    StringRef candidate = known.name;
    unsigned distance = candidate.edit_distance(name);
    if (candidate.contains(name) || name.contains(candidate))
      distance = 0;
    ranked.push_back({distance, candidate});
  }
  llvm::sort(ranked);
  std::string text;
  for (size_t i = 0; i < 5; ++i)
    text += (i ? ", cpu:" : "cpu:") + ranked[i].second.str();
  return text;
}

llvm::Expected<TargetDesc> findTarget(StringRef spec) {
  StringRef name = spec;
  bool isCpu = name.consume_front("cpu:");
  if (name == "native")
    return nativeTarget();
  for (const KnownTarget &known : Known)
    if (isCpu && name == known.name)
      return describe(known.name, known.arch, known.level, known.tune);
  return llvm::createStringError(
      "expected a target 'native' or 'cpu:NAME', got '" + spec +
      "'; near names: " + nearNames(name) + " (--list-targets shows all)");
}

} // namespace dsv4
