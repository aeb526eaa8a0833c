// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CPUs: kernels through LLVM; and the choice between backends.

#include "compiler/driver/Backend.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace dsv4 {
namespace {

class CpuBackend : public Backend {
public:
  explicit CpuBackend(TargetDesc Desc) : Target(std::move(Desc)) {
    targetName = Target.name;
  }

  Error configure(const CompileOptions &O) override {
    if (O.deviceMemory || O.hostMemory >= 0 || !O.expertUsage.empty())
      return llvm::createStringError(
          "--device-memory, --host-memory and --expert-usage place weights of "
          "a GPU; " +
          targetName + " has none");
    if (!O.dotOrder.empty())
      setDotOrder(Target, O.dotOrder == "split" ? num::DotOrder::Split
                                                : num::DotOrder::Chain);
    OrderSource = O.dotOrder.empty() ? "target" : "flag";
    for (const std::string &Config : O.configs)
      if (Error E = setTuning(Flags, Config))
        return E;
    if (O.profile.empty())
      return Error::success();
    Expected<TuningProfile> Read = readProfile(O.profile);
    if (!Read)
      return Read.takeError();
    if (StringRef(Read->target).starts_with("cuda:"))
      return llvm::createStringError(
          "--profile: expected a profile of a CPU, found one of " +
          Read->target + ": " + O.profile);
    Profile = Read->tuning;
    return Error::success();
  }

  std::vector<ConfigLine> configs() const override {
    std::vector<ConfigLine> Lines = configLines(Target, Flags, Profile);
    bool IsSplit = Target.order == num::DotOrder::Split;
    Lines.insert(Lines.begin(),
                 {"dot_order", IsSplit ? "split" : "chain", OrderSource});
    return Lines;
  }

  void prepare(PipelineOptions &) const override {}

  Expected<std::string> emit(kern::ProgramOp Program, ProgramFacts &Facts,
                             std::string &Remark) override {
    Facts.target = Target;
    Facts.tuning = mergeTuning(Flags, Profile);
    Remark = Target.name;
    return emitProgram(Program, Facts);
  }

private:
  TargetDesc Target;
  Tuning Flags, Profile;
  std::string OrderSource;
};

} // namespace

std::unique_ptr<Backend> makeCpuBackend(TargetDesc Target) {
  return std::make_unique<CpuBackend>(std::move(Target));
}

Expected<std::unique_ptr<Backend>> makeBackend(StringRef Target) {
  if (Target.consume_front("cuda:"))
    return makeCudaBackend(Target);
  Expected<TargetDesc> Found = findTarget(Target);
  if (!Found)
    return Found.takeError();
  return makeCpuBackend(std::move(*Found));
}

} // namespace dsv4
