// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Target names, their levels and features, and tuning profiles.

#include "runtime/abi/program.h"
#include "targets/common/TargetDesc.h"
#include "targets/common/TileConfigs.h"

#include "llvm/Support/FileSystem.h"

#include <gtest/gtest.h>

using namespace dsv4;

namespace {

TEST(TargetDesc, KnownNamesAreFound) {
  for (const KnownTarget &Known : knownTargets()) {
    auto Target = findTarget(std::string("cpu:") + Known.name);
    ASSERT_TRUE(bool(Target)) << llvm::toString(Target.takeError());
    EXPECT_EQ(Target->name, std::string("cpu:") + Known.name);
    EXPECT_EQ(Target->level, Known.level);
    EXPECT_EQ(Target->triple, std::string(Known.arch) + "-unknown-linux-gnu");
  }
}

TEST(TargetDesc, FeaturesFollowTheLevel) {
  TargetDesc Base = llvm::cantFail(findTarget("cpu:x86-64"));
  EXPECT_EQ(Base.cpuFeatures, 0u);
  TargetDesc V3 = llvm::cantFail(findTarget("cpu:haswell"));
  EXPECT_EQ(V3.cpuFeatures, uint32_t(DSV4_CPU_AVX2 | DSV4_CPU_FMA));
  EXPECT_EQ(V3.cpu, "x86-64-v3");
  EXPECT_EQ(V3.tune, "haswell");
  TargetDesc Zen5 = llvm::cantFail(findTarget("cpu:znver5"));
  EXPECT_TRUE(Zen5.cpuFeatures & DSV4_CPU_AVX512BF16);
  EXPECT_TRUE(Zen5.cpuFeatures & DSV4_CPU_AVX512VBMI);
  EXPECT_TRUE(Zen5.cpuFeatures & DSV4_CPU_AVX512VNNI);
  EXPECT_EQ(Zen5.cpu, "x86-64-v4");
  // Ice Lake has VBMI but no BF16: the level decides.
  TargetDesc Ice = llvm::cantFail(findTarget("cpu:icelake-server"));
  EXPECT_FALSE(Ice.cpuFeatures & DSV4_CPU_AVX512BF16);
}

TEST(TargetDesc, UnknownNamesListNearOnes) {
  for (const char *Spec : {"cpu:znver6", "znver5", "gpu:h100", ""}) {
    auto Target = findTarget(Spec);
    ASSERT_FALSE(bool(Target)) << Spec;
    std::string Text = llvm::toString(Target.takeError());
    EXPECT_NE(Text.find("expected a target 'native' or 'cpu:NAME'"),
              std::string::npos)
        << Text;
    if (llvm::StringRef(Spec).contains("znver"))
      EXPECT_NE(Text.find("cpu:znver5"), std::string::npos) << Text;
  }
}

TEST(TargetDesc, NativeRunsHere) {
  TargetDesc Native = llvm::cantFail(findTarget("native"));
  EXPECT_EQ(Native.level, nativeLevel());
  EXPECT_TRUE(llvm::StringRef(Native.name).starts_with("cpu:"));
}

/// The text of the error that a profile gives.
std::string errorOf(llvm::StringRef Text) {
  auto Profile = parseProfile(Text, "p.toml");
  return Profile ? "" : llvm::toString(Profile.takeError());
}

TEST(TuningProfile, ReadsAndPrintsBack) {
  TuningProfile Profile = llvm::cantFail(parseProfile(R"(
target = "cpu:znver5"
date = "2026-11-24"
machine = "a \"machine\""
command = "bench"
dot = "f32"
micro_rows = 4
stream_tiles = 2
[measured]
read_gbs_one_thread = 37.5
read_gbs = 44
threads = 2
[tiles.fp4]
prefetch_bytes = 4096
[tiles.bf16]
prefetch_bytes = -1
)",
                                                      "p.toml"));
  EXPECT_EQ(Profile.target, "cpu:znver5");
  EXPECT_EQ(Profile.machine, "a \"machine\"");
  EXPECT_EQ(Profile.readGBs, 44);
  EXPECT_EQ(Profile.tuning.dot, DotForm::F32);
  EXPECT_EQ(Profile.tuning.microRows, 4);
  EXPECT_EQ(Profile.tuning.streamTiles, 2);
  EXPECT_EQ(Profile.tuning.prefetchBytes[0], 4096);
  EXPECT_EQ(Profile.tuning.prefetchBytes[1], 0);
  EXPECT_EQ(Profile.tuning.prefetchBytes[2], -1);
  std::string Text = printProfile(Profile);
  EXPECT_EQ(printProfile(llvm::cantFail(parseProfile(Text, "again"))), Text);
}

TEST(TileConfigs, FlagBeforeProfileBeforeHeuristic) {
  TargetDesc Target = llvm::cantFail(findTarget("cpu:znver5"));
  Tuning Flags, Profile;
  Profile.microRows = 4;
  Profile.prefetchBytes[0] = 1024;
  llvm::cantFail(setTuning(Flags, "micro_rows=6"));
  llvm::cantFail(setTuning(Flags, "bf16.prefetch_bytes=-1"));
  std::string Text;
  for (const ConfigLine &L : configLines(Target, Flags, Profile))
    Text += L.key + "=" + L.value + " " + L.source + "\n";
  EXPECT_EQ(Text, "dot=bf16 heuristic\n"
                  "micro_rows=6 flag\n"
                  "stream_tiles=1 heuristic\n"
                  "fp4.prefetch_bytes=1024 profile\n"
                  "fp8.prefetch_bytes=8192 heuristic\n"
                  "bf16.prefetch_bytes=-1 flag\n");
  Tuning Merged = mergeTuning(Flags, Profile);
  EXPECT_EQ(Merged.microRows, 6);
  EXPECT_EQ(Merged.prefetchBytes[0], 1024);
  EXPECT_EQ(Merged.prefetchBytes[1], 0);
  // Intel's cores do without their BF16 dot instruction, and take four tiles.
  Tuning Intel =
      heuristicTuning(llvm::cantFail(findTarget("cpu:graniterapids")));
  EXPECT_EQ(Intel.dot, DotForm::F32);
  EXPECT_EQ(Intel.streamTiles, 4);
}

// Zen 5 starts two dots a cycle, and a core of it reads faster than the
// hardware's own prefetches bring FP4 and FP8.
TEST(TileConfigs, Zen4AndZen5) {
  auto Of = [](const char *Name) {
    return heuristicTuning(llvm::cantFail(findTarget(Name)));
  };
  Tuning Zen4 = Of("cpu:znver4"), Zen5 = Of("cpu:znver5");
  EXPECT_EQ(Zen4.dot, DotForm::Bf16);
  EXPECT_EQ(Zen5.dot, DotForm::Bf16);
  EXPECT_EQ(Zen4.microRows, 6);
  EXPECT_EQ(Zen5.microRows, 8);
  for (int Format = 0; Format < NumStreamFormats; ++Format) {
    EXPECT_EQ(Zen4.prefetchBytes[Format], -1);
    EXPECT_EQ(Zen5.prefetchBytes[Format],
              llvm::StringRef(TileFormatNames[Format]) == "bf16" ? -1 : 8192);
  }
}

/// "VALUE SOURCE" of a key where `Flag` asks for something else.
std::string choiceOf(const char *Target, const char *Flag, const char *Key) {
  Tuning Flags;
  llvm::cantFail(setTuning(Flags, Flag));
  for (const ConfigLine &L :
       configLines(llvm::cantFail(findTarget(Target)), Flags, {}))
    if (L.key == Key)
      return L.value + " " + L.source;
  return "";
}

/// A choice that the target cannot follow is not shown as made.
TEST(TileConfigs, FormOfTheDotOnlyWhereThereIsAChoice) {
  EXPECT_EQ(choiceOf("cpu:x86-64-v3", "dot=bf16", "dot"), "f32 heuristic");
  EXPECT_EQ(choiceOf("cpu:znver4", "dot=f32", "dot"), "f32 flag");
  // The order of sums that AMX has is not that of the BF16 dot instruction.
  EXPECT_EQ(choiceOf("cpu:sapphirerapids", "dot=bf16", "dot"), "f32 heuristic");
}

TEST(TileConfigs, SeveralStreamsOnlyWhereRegistersAreEnough) {
  EXPECT_EQ(choiceOf("cpu:x86-64-v3", "stream_tiles=4", "stream_tiles"),
            "1 heuristic");
  EXPECT_EQ(choiceOf("cpu:znver4", "stream_tiles=4", "stream_tiles"), "4 flag");
}

TEST(TileConfigs, RefusesUnknownKeysAndValues) {
  Tuning T;
  EXPECT_EQ(llvm::toString(setTuning(T, "fp6.prefetch_bytes=64")),
            "expected dot, micro_rows, stream_tiles or FORMAT.prefetch_bytes "
            "(fp4, fp8, bf16) = VALUE, got 'fp6.prefetch_bytes=64'");
  EXPECT_EQ(llvm::toString(setTuning(T, "stream_tiles=3")),
            "--config stream_tiles=3:1: expected 1, 2 or 4");
  EXPECT_EQ(llvm::toString(setTuning(T, "micro_rows=0")),
            "--config micro_rows=0:1: expected 1 to 8");
  EXPECT_EQ(llvm::toString(setTuning(T, "dot=\"\nx = 1")).substr(0, 9),
            "--config ");
}

TEST(TuningProfile, ErrorsNameFileAndLine) {
  EXPECT_EQ(errorOf("target = \"x\"\nspeed = 3\n"),
            "p.toml:2: unknown key 'speed' in the profile; expected target, "
            "date, machine, command, dot, micro_rows, stream_tiles, "
            "[measured], [gpu] or [tiles.FORMAT]");
  EXPECT_EQ(errorOf("[tiles.fp4]\nprefetch = 4\n"),
            "p.toml:2: unknown key 'prefetch' in [tiles.fp4]; expected "
            "prefetch_bytes");
  EXPECT_EQ(errorOf("[tiles.fp4]\nprefetch_bytes = 3\n"),
            "p.toml:2: expected -1 or a multiple of 64 up to 65536");
  EXPECT_EQ(errorOf("micro_rows = 9\n"), "p.toml:1: expected 1 to 8");
  EXPECT_EQ(errorOf("micro_rows = \"4\"\n"), "p.toml:1: expected 1 to 8");
  EXPECT_EQ(errorOf("[tiles.fp6]\n"),
            "p.toml:1: unknown key 'fp6' in [tiles]; expected fp4, fp8, bf16 "
            "or f32");
  EXPECT_EQ(errorOf("tiles = 3\n"), "p.toml:1: expected [tiles] to be a table");
  EXPECT_EQ(errorOf("dot = \"fp8\"\n"),
            "p.toml:1: expected \"bf16\" or \"f32\"");
  EXPECT_EQ(errorOf("date = 7\n"), "p.toml:1: expected a string");
  EXPECT_EQ(errorOf("date = \n").find("p.toml:1: "), 0u);
  auto Missing = readProfile("/nonexistent/p.toml");
  ASSERT_FALSE(bool(Missing));
  EXPECT_NE(llvm::toString(Missing.takeError()).find("/nonexistent/p.toml"),
            std::string::npos);
}

/// The profiles that ship are valid, and their targets exist.
TEST(TuningProfile, ShippedProfiles) {
  std::error_code Error;
  int Count = 0;
  for (llvm::sys::fs::directory_iterator
           It(std::string(DSV4_SOURCE_DIR) + "/targets/profiles", Error),
       End;
       It != End && !Error; It.increment(Error)) {
    auto Profile = readProfile(It->path());
    ASSERT_TRUE(bool(Profile)) << llvm::toString(Profile.takeError());
    llvm::StringRef Target = Profile->target;
    if (!Target.starts_with("cuda:sm_")) // those of GPUs another library knows
      EXPECT_TRUE(bool(findTarget(Target))) << Profile->target;
    EXPECT_NE(Profile->date, "");
    EXPECT_NE(Profile->machine, "");
    EXPECT_NE(Profile->command, "");
    ++Count;
  }
  EXPECT_FALSE(Error) << Error.message();
  EXPECT_GE(Count, 1);
}

} // namespace
