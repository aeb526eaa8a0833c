// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every phase op of the kern dialect has a kernel that compiles, for every
// level of x86-64 and for AArch64, also on machines that cannot run it. The
// phases are those of the dialect's own op tests.

#include "dialects/kern/IR/KernOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "targets/cpu/CpuCodegen.h"
#include "targets/cpu/EmitKernels.h"

#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gtest/gtest.h>

#include <set>

using namespace dsv4;

namespace {

/// The programs of one op test file.
std::vector<std::string> programsOf(const std::string &File) {
  std::string Path =
      std::string(DSV4_SOURCE_DIR) + "/test/dialects/kern/" + File;
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  std::vector<std::string> Programs;
  if (!Buffer)
    return Programs;
  llvm::SmallVector<llvm::StringRef> Parts;
  (*Buffer)->getBuffer().split(Parts, "// -----");
  for (llvm::StringRef Part : Parts)
    Programs.push_back(Part.str());
  return Programs;
}

std::vector<std::string> allPrograms() {
  std::vector<std::string> All;
  for (const char *File : {"ops-linear.mlir", "ops-hyper.mlir",
                           "ops-attention.mlir", "ops-moe.mlir"})
    for (std::string &Program : programsOf(File))
      All.push_back(std::move(Program));
  return All;
}

/// The object of all kernels of one program; phase kinds go to `Kinds`.
std::string compile(const std::string &Text, const TargetDesc &Target,
                    std::set<std::string> &Kinds) {
  mlir::MLIRContext Context;
  Context.loadDialect<kern::KernDialect, qfmt::QFmtDialect>();
  auto Module = mlir::parseSourceString<mlir::ModuleOp>(Text, &Context);
  EXPECT_TRUE(Module) << Text;
  if (!Module)
    return "";
  kern::ProgramOp Program;
  Module->walk([&](kern::ProgramOp Op) { Program = Op; });
  if (!Program)
    return ""; // a part of the file without a program
  Program->walk([&](kern::KernPhaseOpInterface Op) {
    Kinds.insert(Op->getName().getStringRef().str());
  });
  // The smallest micro-kernels are enough here; the dot tests run all.
  Tuning Small;
  Small.microRows = 1;
  auto Kernels = cpu::emitKernels(Program, Target, Small);
  if (!Kernels) {
    ADD_FAILURE() << llvm::toString(Kernels.takeError());
    return "";
  }
  llvm::LLVMContext Llvm;
  auto Translated = cpu::translateKernels(*Kernels->module, Target, Llvm);
  if (!Translated) {
    ADD_FAILURE() << llvm::toString(Translated.takeError());
    return "";
  }
  auto Object = cpu::emitObject(**Translated, Target);
  if (!Object) {
    ADD_FAILURE() << llvm::toString(Object.takeError());
    return "";
  }
  return *Object;
}

class AllPhases : public testing::TestWithParam<const char *> {};

TEST_P(AllPhases, Compile) {
  TargetDesc Target = llvm::cantFail(findTarget(GetParam()));
  bool IsArm = Target.triple.starts_with("aarch64");
  std::set<std::string> Kinds;
  // Names that an object may ask others for.
  const std::set<std::string> Allowed = {"fma", "fmaf", "memset", "memcpy",
                                         "memmove"};
  for (const std::string &Text : allPrograms()) {
    std::string Object = compile(Text, Target, Kinds);
    if (Object.empty())
      continue;
    auto File = llvm::cantFail(llvm::object::ObjectFile::createELFObjectFile(
        llvm::MemoryBufferRef(Object, "kernels.o")));
    auto *Elf = llvm::cast<llvm::object::ELFObjectFileBase>(File.get());
    EXPECT_EQ(Elf->getEMachine(),
              IsArm ? llvm::ELF::EM_AARCH64 : llvm::ELF::EM_X86_64);
    EXPECT_EQ(Elf->getEType(), llvm::ELF::ET_REL);
    for (auto Symbol : File->symbols()) {
      bool IsUndefined = llvm::cantFail(Symbol.getFlags()) &
                         llvm::object::SymbolRef::SF_Undefined;
      std::string Name = llvm::cantFail(Symbol.getName()).str();
      if (IsUndefined && !Name.empty())
        EXPECT_TRUE(Allowed.count(Name)) << Name;
    }
  }
  EXPECT_EQ(Kinds.size(), 21u) << "a phase kind has no program here";
}

INSTANTIATE_TEST_SUITE_P(Targets, AllPhases,
                         testing::Values("cpu:x86-64", "cpu:x86-64-v3",
                                         "cpu:x86-64-v4", "cpu:sapphirerapids",
                                         "cpu:aarch64"),
                         [](const auto &Info) {
                           std::string Name =
                               llvm::StringRef(Info.param).drop_front(4).str();
                           std::replace(Name.begin(), Name.end(), '-', '_');
                           return Name;
                         });

TEST(EmitKernels, SameBytesTwice) {
  TargetDesc Target = llvm::cantFail(findTarget("cpu:x86-64-v3"));
  std::set<std::string> Kinds;
  std::vector<std::string> Programs = allPrograms();
  ASSERT_FALSE(Programs.empty());
  for (const std::string &Program : Programs)
    EXPECT_TRUE(compile(Program, Target, Kinds) ==
                compile(Program, Target, Kinds))
        << Program;
}

} // namespace
