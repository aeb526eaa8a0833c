// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Linking in process: what the executable needs, that it runs, that it is the
// same every time, and what a user reads when linking fails.

#include "compiler/link/ExecutableLinker.h"

#include "test/unit/link/LinkTestSupport.h"

using namespace dsv4;
using namespace dsv4::test;
using llvm::StringRef;

namespace {

using LinkerTest = FolderTest;

std::string errorOf(llvm::Expected<std::string> linked) {
  if (linked)
    return "";
  return llvm::toString(linked.takeError());
}

TEST_F(LinkerTest, NeedsLibcAndLibmAlone) {
  writeFile(path("exe"), linkFixture());
  RunResult needed =
      run("readelf -dW '" + path("exe") +
          "' | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\]/\\1/p' | sort");
  EXPECT_EQ(needed.output, "libc.so.6\nlibm.so.6\n");
  RunResult ldd = run("ldd '" + path("exe") + "'");
  EXPECT_EQ(ldd.exitCode, 0) << ldd.output;
  EXPECT_EQ(ldd.output.find("not found"), std::string::npos) << ldd.output;
}

TEST_F(LinkerTest, IsHardenedAndStripped) {
  writeFile(path("exe"), linkFixture());
  std::string all = run("readelf -hSldW '" + path("exe") + "'").output;
  EXPECT_NE(all.find("DYN (Position-Independent"), std::string::npos) << all;
  EXPECT_NE(all.find("GNU_RELRO"), std::string::npos) << all;
  EXPECT_NE(all.find("BIND_NOW"), std::string::npos) << all;
  EXPECT_EQ(all.find("RWE"), std::string::npos) << all;
  EXPECT_EQ(all.find(".symtab"), std::string::npos) << all;
  EXPECT_EQ(all.find("build-id"), std::string::npos) << all;
}

TEST_F(LinkerTest, KeepsSymbolsWhenAsked) {
  std::string object = fixtureObject();
  LinkOptions options;
  options.debug = true;
  auto linked = linkExecutable({StringRef(object)}, fixtureRuntime(), options);
  ASSERT_TRUE(bool(linked)) << llvm::toString(linked.takeError());
  writeFile(path("exe"), *linked);
  std::string symbols = run("nm '" + path("exe") + "'").output;
  EXPECT_NE(symbols.find(" T main"), std::string::npos) << symbols;
}

// Without weights the program starts, constructs, and explains what is missing.
TEST_F(LinkerTest, RunsAndReportsMissingWeights) {
  writeFile(path("exe"), linkFixture());
  RunResult result = run("'" + path("exe") + "'");
  EXPECT_EQ(result.exitCode, 1);
  EXPECT_NE(result.output.find("no section .dsv4.weights"), std::string::npos)
      << result.output;
}

TEST_F(LinkerTest, SameInputSameBytes) {
  EXPECT_EQ(linkFixture(), linkFixture());
}

TEST_F(LinkerTest, NamesUndefinedSymbolsAndRecovers) {
  // The start code alone: the weights functions are missing.
  std::string object = fixtureObject();
  std::string start = readFile(FIXTURE_START);
  std::string error = errorOf(linkExecutable({object, start}, "!<arch>\n"));
  EXPECT_NE(error.find("linking failed"), std::string::npos) << error;
  EXPECT_NE(error.find("openEmbeddedWeights"), std::string::npos) << error;
  EXPECT_NE(error.find("program0.o"), std::string::npos) << error;
  EXPECT_EQ(error.find("/proc/self"), std::string::npos) << error;
  error = errorOf(linkExecutable({object}, "!<arch>\n"));
  EXPECT_NE(error.find("cannot find entry symbol _start"), std::string::npos)
      << error;
  EXPECT_FALSE(linkFixture().empty());
}

TEST_F(LinkerTest, RefusesGarbage) {
  std::string error = errorOf(linkExecutable({"not an object"}, "!<arch>\n"));
  EXPECT_NE(error.find("program0.o"), std::string::npos) << error;
}

TEST_F(LinkerTest, SaysWhereLibrariesWereLookedFor) {
  std::string object = fixtureObject();
  writeFile(path("libm.so.6"), "not a library");
  LinkOptions options;
  options.libraryDirs = {folder};
  options.searchUsualDirs = false;
  std::string error =
      errorOf(linkExecutable({StringRef(object)}, fixtureRuntime(), options));
  EXPECT_NE(error.find("expected an x86-64 libm.so.6 in one of " +
                       folder.string() +
                       "; install the C library there (libc6 on Debian)"),
            std::string::npos)
      << error;
}

TEST_F(LinkerTest, EmbeddedRuntimeIsAnArchive) {
  EXPECT_TRUE(embeddedRuntime().starts_with("!<arch>\n"));
  writeFile(path("runtime.a"), embeddedRuntime().str());
  // The start code is there, and nothing of the C++ library is wanted.
  std::string symbols = run("nm '" + path("runtime.a") + "'").output;
  EXPECT_NE(symbols.find(" T _start"), std::string::npos);
  for (const char *name : {" U _ZNS", " U _ZSt", " U _Znw", " U _Zna",
                           " U _ZdlPv", " U __cxa_throw", " U __gxx"})
    EXPECT_EQ(symbols.find(name), std::string::npos) << name;
}

} // namespace
