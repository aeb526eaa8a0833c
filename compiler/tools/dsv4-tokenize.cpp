// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-tokenize: the runtime's tokenizer on a checkpoint's tokenizer files, for
// tests and measurements.
//
//   dsv4-tokenize DIR [--no-special] [--jsonl]   base64 lines in, ids out
//   dsv4-tokenize DIR --bench FILE               speed in MB/s
//
// Each input line is the base64 of one text (any bytes); each output line holds
// its ids, separated by spaces or, with --jsonl, as a JSON array.

#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "compiler/import/TokenizerImport.h"
#include "runtime/text/tokenizer.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

namespace cl = llvm::cl;
using dsv4::text::SpecialTokens;
using dsv4::text::Tokenizer;

static cl::opt<std::string> Directory(cl::Positional, cl::Required,
                                      cl::desc("DIR"));
static cl::opt<bool> NoSpecial("no-special",
                               cl::desc("treat control tokens as plain text"));
static cl::opt<bool> JsonLines("jsonl", cl::desc("write JSON arrays"));
static cl::opt<std::string> Bench("bench", cl::value_desc("file"),
                                  cl::desc("measure the speed on this file"));

static int fail(const llvm::Twine &Message) {
  llvm::WithColor::error(llvm::errs(), "dsv4-tokenize") << Message << '\n';
  return 1;
}

namespace {
/// Grows its memory to what each text needs.
struct Encoder {
  const Tokenizer &Tok;
  SpecialTokens Mode;
  std::vector<int32_t> Ids;
  std::vector<std::byte> Scratch;

  dsv4::text::CountResult encode(llvm::StringRef Text) {
    std::string_view View(Text.data(), Text.size());
    size_t Need = Tok.scratchBytes(View, Mode);
    Scratch.resize(std::max(Scratch.size(), Need));
    Ids.resize(std::max(Ids.size(), Tokenizer::maxTokens(Text.size())));
    return Tok.encode(View, Mode, Ids, Scratch);
  }
};
} // namespace

static int runBench(Encoder &Enc) {
  auto File = llvm::MemoryBuffer::getFile(Bench);
  if (!File)
    return fail("cannot read " + Bench + ": " + File.getError().message());
  llvm::StringRef Text = (*File)->getBuffer();
  auto Result = Enc.encode(Text);
  if (!Result)
    return fail(dsv4::text::message(Result.error));
  std::string_view View(Text.data(), Text.size());
  double Best = 1e30;
  for (int Run = 0; Run < 5; ++Run) {
    auto Start = std::chrono::steady_clock::now();
    Enc.Tok.encode(View, Enc.Mode, Enc.Ids, Enc.Scratch);
    std::chrono::duration<double> Time =
        std::chrono::steady_clock::now() - Start;
    Best = std::min(Best, Time.count());
  }
  llvm::outs() << llvm::formatv(
      "{0} bytes, {1} tokens, best of 5: {2:f1} MB/s, {3:f2} Mtok/s, one "
      "thread\n",
      Text.size(), Result.count, Text.size() / Best / 1e6,
      Result.count / Best / 1e6);
  return 0;
}

static int runLines(Encoder &Enc) {
  std::string Line;
  for (size_t Number = 1; std::getline(std::cin, Line); ++Number) {
    std::vector<char> Text;
    if (llvm::Error Error = llvm::decodeBase64(Line, Text))
      return fail("line " + llvm::Twine(Number) + ": " +
                  llvm::toString(std::move(Error)));
    auto Result = Enc.encode(llvm::StringRef(Text.data(), Text.size()));
    if (!Result)
      return fail("line " + llvm::Twine(Number) + ": " +
                  dsv4::text::message(Result.error));
    if (JsonLines)
      llvm::outs() << '[';
    for (size_t I = 0; I < Result.count; ++I)
      llvm::outs() << (I ? (JsonLines ? "," : " ") : "") << Enc.Ids[I];
    llvm::outs() << (JsonLines ? "]\n" : "\n");
  }
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM Init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "tokenizer check and benchmark\n");
  auto Imported = dsv4::importTokenizer(Directory);
  if (!Imported)
    return fail(llvm::toString(Imported.takeError()));
  Tokenizer Tok;
  auto Error =
      Tokenizer::open(Imported->Blob.data(), Imported->Blob.size(), Tok);
  if (Error != dsv4::text::TextError::None)
    return fail(dsv4::text::message(Error));
  Encoder Enc{
      Tok, NoSpecial ? SpecialTokens::Plain : SpecialTokens::Parse, {}, {}};
  return Bench.empty() ? runLines(Enc) : runBench(Enc);
}
