// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Facts.h.

#include "compiler/driver/Facts.h"

#include "compiler/driver/Driver.h"
#include "compiler/pipeline/PlanReport.h"
#include "runtime/abi/program.h"
#include "targets/common/AtomicFile.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
namespace json = llvm::json;

namespace dsv4 {

static constexpr const char *Version = "0.1.0";

std::string versionText() {
  return std::string("dsv4c ") + Version + " (LLVM " + LLVM_VERSION_STRING +
         ", ABI " + std::to_string(DSV4_ABI_VERSION) + ")";
}

std::string identityLine(const Checkpoint &Source) {
  return Source.release() + ", config " +
         Source.configHash().take_front(8).str();
}

static json::Object dimensions(const ModelConfig &C) {
  return json::Object{{"layers", C.NumLayers},
                      {"hidden_size", C.HiddenSize},
                      {"heads", C.NumHeads},
                      {"head_dim", C.HeadDim},
                      {"routed_experts", C.NumExperts},
                      {"experts_per_token", C.ExpertsPerToken},
                      {"vocab_size", C.VocabSize},
                      {"max_positions", C.MaxPositions}};
}

std::string infoJson(const Checkpoint &Source, StringRef Target,
                     kern::ProgramOp Program,
                     llvm::ArrayRef<ConfigLine> Configs) {
  const CheckpointReport &R = Source.report();
  json::Object Draft{{"tensors", int64_t(R.DraftTensors)},
                     {"bytes", int64_t(R.DraftBytes)},
                     {"in_program", false}};
  json::Object Info{{"compiler", versionText()},
                    {"release", Source.release()},
                    {"config_sha256", Source.configHash()},
                    {"index_sha256", Source.indexHash()},
                    {"tokenizer_sha256", Source.tokenizerHash()},
                    {"shards", int64_t(Source.numShards())},
                    {"tensors", int64_t(R.Tensors)},
                    {"tensor_bytes", int64_t(R.Bytes)},
                    {"draft", std::move(Draft)},
                    {"target", Target},
                    {"model", dimensions(Source.config())}};
  json::Array Lines;
  for (const ConfigLine &Line : Configs)
    Lines.push_back(json::Object{
        {"key", Line.key}, {"value", Line.value}, {"source", Line.source}});
  Info["configs"] = std::move(Lines);
  auto Plan = makePlanReport(Program, Program.getMaxContext(),
                             Program.getMaxSequences(), 1);
  if (mlir::succeeded(Plan))
    Info["plan"] = Plan->toJson();
  return llvm::formatv("{0}", json::Value(std::move(Info))).str();
}

Expected<std::string> knownAnswers(StringRef Directory) {
  std::string Path = (Directory + "/samples/expected.json").str();
  if (!llvm::sys::fs::exists(Path))
    return std::string();
  auto Buffer = llvm::MemoryBuffer::getFile(Path);
  Expected<json::Value> Root =
      Buffer ? json::parse((*Buffer)->getBuffer())
             : Expected<json::Value>(llvm::errorCodeToError(Buffer.getError()));
  if (!Root)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   Path + ": " +
                                       llvm::toString(Root.takeError()));
  json::Array Out;
  const json::Object *Object = Root->getAsObject();
  const json::Array *Samples = Object ? Object->getArray("samples") : nullptr;
  if (!Samples)
    return llvm::createStringError(llvm::inconvertibleErrorCode(),
                                   Path + ": expected an array samples");
  for (const json::Value &Sample : *Samples) {
    json::Object Kept;
    for (const char *Key : {"name", "prompt_ids", "output_ids", "margins"})
      if (const json::Object *From = Sample.getAsObject())
        if (const json::Value *Value = From->get(Key))
          Kept[Key] = *Value;
    Out.push_back(std::move(Kept));
  }
  return llvm::formatv("{0}",
                       json::Value(json::Object{{"samples", std::move(Out)}}))
      .str();
}

Error writeFile(StringRef Path, StringRef Bytes) {
  Expected<AtomicFile> File = AtomicFile::create(Path);
  if (!File)
    return File.takeError();
  if (Error E = File->write(Bytes))
    return E;
  return File->commit(0644);
}

} // namespace dsv4
