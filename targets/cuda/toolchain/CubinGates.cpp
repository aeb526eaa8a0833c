// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One function per kind of limit.

#include "targets/cuda/toolchain/CubinGates.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace dsv4::cuda {
namespace {

// A warp's registers are allocated in units of 256, eight of each lane.
constexpr uint32_t registerUnit = 8, warpSize = 32;

class Gate {
public:
  Gate(const CubinFunction &function, const CudaTarget &target,
       const KernelLimits &limits)
      : function(function), target(target), limits(limits),
        arch(target.major * 10 + target.minor),
        mix(mixOf(function.code, arch)) {}

  std::vector<std::string> run() {
    registers();
    memory();
    shared();
    instructions();
    if (limits.hotLoop)
      loops(*limits.hotLoop);
    return std::move(found);
  }

private:
  void say(const Twine &what) {
    found.push_back(
        ("'" + function.name + "' for " + target.name + ": " + what).str());
  }
  void registers();
  void memory();
  void shared();
  void instructions();
  void loops(const LoopBudget &budget);

  const CubinFunction &function;
  const CudaTarget &target;
  const KernelLimits &limits;
  unsigned arch;
  SassMix mix;
  std::vector<std::string> found;
};

void Gate::registers() {
  if (function.registers == 0)
    say("the file does not say how many registers it takes");
  if (function.registers > limits.maxRegisters)
    say(Twine(function.registers) + " registers, expected at most " +
        Twine(limits.maxRegisters));
  if (limits.threads == 0)
    return;
  uint64_t warps = divideCeil(limits.threads, warpSize);
  uint64_t all = uint64_t(limits.blocksPerSm) * warps * warpSize *
                 alignTo(function.registers, registerUnit);
  if (all > registersPerSm)
    say(Twine(limits.blocksPerSm) + " blocks of " + Twine(limits.threads) +
        " threads take " + Twine(all) + " registers of an SM, which has " +
        Twine(registersPerSm));
  if (function.maxBlockThreads() && limits.threads > function.maxBlockThreads())
    say("launched with " + Twine(limits.threads) +
        " threads, its launch bounds allow " +
        Twine(function.maxBlockThreads()));
}

void Gate::memory() {
  uint32_t spilled = function.spillStoreBytes.value_or(0) +
                     function.spillLoadBytes.value_or(0);
  if (spilled && !limits.allowSpills)
    say("spills: " + Twine(function.spillStoreBytes.value_or(0)) +
        " bytes stored and " + Twine(function.spillLoadBytes.value_or(0)) +
        " loaded, expected none");
  uint64_t local = mix.of(SassClass::LocalLoad) + mix.of(SassClass::LocalStore);
  if (local && !limits.allowLocal && !(limits.allowSpills && spilled))
    say(Twine(local) + " loads and stores of local memory, expected none");
  if (function.frameBytes && !limits.allowLocal && !limits.allowSpills)
    say("a stack frame of " + Twine(function.frameBytes) +
        " bytes, expected none");
}

void Gate::shared() {
  uint64_t all = uint64_t(function.sharedBytes) + limits.dynamicShared;
  if (all > target.sharedPerBlock)
    say(Twine(all) + " bytes of shared memory (" + Twine(function.sharedBytes) +
        " static), a block has " + Twine(target.sharedPerBlock));
  uint64_t ofAll = limits.blocksPerSm * (all + target.reservedShared);
  if (limits.threads && ofAll > target.sharedPerSm)
    say(Twine(limits.blocksPerSm) + " blocks take " + Twine(ofAll) +
        " bytes of shared memory of an SM, which has " +
        Twine(target.sharedPerSm));
}

void Gate::instructions() {
  for (const std::string &name : limits.mustHave)
    if (!mix.of(name))
      say("no " + name + ", expected at least one");
  for (const std::string &name : limits.mustNotHave)
    if (uint64_t count = mix.of(name))
      say(Twine(count) + " " + name + ", expected none");
  if (limits.allowUnknown)
    return;
  for (const auto &[name, count] : mix.names)
    if (StringRef(name).starts_with("unknown "))
      say(Twine(count) + " instructions " + name +
          ": the table of opcodes lacks it");
}

void Gate::loops(const LoopBudget &budget) {
  auto all = findLoops(function.code, arch);
  if (!all)
    return say(toString(all.takeError()));
  if (all->hasIndirect)
    say("jumps to computed addresses, so its loops cannot be counted");
  auto hot = hotLoops(function, arch, *all, budget.marker);
  if (hot.empty())
    return say("no hot loop" +
               (budget.marker.empty() ? "" : " with " + budget.marker));
  for (const SassLoop *loop : hot) {
    double alu = aluPerUnit(function, arch, *loop, budget);
    if (alu > budget.aluPerUnit)
      say(formatv("the loop at {0:x} takes {1:f2} ALU instructions per unit, "
                  "expected at most {2:f2}",
                  loop->header * 16, alu, budget.aluPerUnit)
              .str());
  }
}

} // namespace

std::vector<const SassLoop *> hotLoops(const CubinFunction &function,
                                       unsigned arch, const SassLoops &loops,
                                       StringRef marker) {
  std::vector<const SassLoop *> found;
  const SassLoop *largest = nullptr;
  for (const SassLoop &loop : loops.loops) {
    if (!loop.isInnermost || loop.isWait)
      continue;
    if (!marker.empty() && mixOf(function.code, loop, arch).of(marker))
      found.push_back(&loop);
    if (!largest || loop.body.size() > largest->body.size())
      largest = &loop;
  }
  if (marker.empty() && largest)
    found.push_back(largest);
  return found;
}

double aluPerUnit(const CubinFunction &function, unsigned arch,
                  const SassLoop &loop, const LoopBudget &budget) {
  SassMix mix = mixOf(function.code, loop, arch);
  double units = budget.units;
  if (!budget.marker.empty())
    units *= double(mix.of(budget.marker));
  return double(mix.alu()) / units;
}

std::vector<std::string> violations(const CubinFunction &function,
                                    const CudaTarget &target,
                                    const KernelLimits &limits) {
  return Gate(function, target, limits).run();
}

} // namespace dsv4::cuda
