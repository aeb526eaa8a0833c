// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// dsv4-ref: the reference interpreter over a checkpoint. Logits, traces, and
// with --force a bisection: every op gets the inputs that a trace holds, and
// the distance of its output from the trace's is printed.
//
// Exit codes: 0 done, 1 failed (bad input, nothing written), 2 wrong usage.

#include "compiler/import/BuildGraph.h"
#include "compiler/pipeline/Phases.h"
#include "compiler/reference/Comparison.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include "CLI/CLI.hpp"

using namespace dsv4;
using namespace dsv4::reference;
using llvm::Error;
using llvm::Expected;

namespace {

/// Of --chunk and --decode: as long as the longest context of the family.
constexpr int64_t MaxTokens = int64_t(1) << 20;

struct Options {
  std::string Checkpoint, Tokens, Logits, Trace, Force, Passes;
  int64_t Chunk = 0, Decode = 0;
  num::DotOrder Order = num::DotOrder::Chain;
  bool Json = false, Fused = false;
};

Error failure(const llvm::Twine &Text) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), Text);
}

/// Whether --tokens holds the ids themselves, not the name of a file.
bool isList(llvm::StringRef Text) {
  return Text.find_first_not_of("0123456789,-") == llvm::StringRef::npos;
}

/// The ids of "1,2,3"; none where that is no such list.
std::vector<int32_t> parseList(llvm::StringRef Text) {
  std::vector<int32_t> Out;
  llvm::SmallVector<llvm::StringRef> Parts;
  Text.split(Parts, ',');
  for (llvm::StringRef Part : Parts)
    if (int32_t Id; Part.getAsInteger(10, Id))
      return {};
    else
      Out.push_back(Id);
  return Out;
}

/// For CLI11: empty, or what is wrong with --tokens.
std::string checkList(const std::string &Text) {
  if (!isList(Text) || !parseList(Text).empty())
    return "";
  return "expected ids as 1,2,3 or a file, got '" + Text + "'";
}

/// "1,2,3", or a safetensors file with an I32 vector tokens.
Expected<std::vector<int32_t>> readTokens(const std::string &Text) {
  if (isList(Text))
    return parseList(Text);
  Expected<SafetensorsFile> File = SafetensorsFile::open(Text);
  if (!File)
    return File.takeError();
  for (const TensorInfo &T : File->tensors())
    if (T.Name == "tokens" && T.Type == DType::I32 && T.Shape.size() == 1 &&
        T.Shape[0] > 0)
      return valueOf(T, File->bytes(T)).I;
  return failure(Text + ": expected an I32 tensor tokens [count], not empty");
}

/// Named results of all steps, joined; and the trace that forces them.
class Recorder {
public:
  explicit Recorder(const Options &O) : O(O) {}

  Error openForce() {
    if (O.Force.empty())
      return Error::success();
    Expected<SafetensorsFile> File = SafetensorsFile::open(O.Force);
    if (!File)
      return File.takeError();
    for (const TensorInfo &T : File->tensors())
      Forced[T.Name] = valueOf(T, File->bytes(T));
    return Error::success();
  }

  void observe(llvm::StringRef Name, Value &V) {
    if (!O.Trace.empty())
      append(Recorded[Name.str()], V);
    auto Found = Forced.find(Name.str());
    if (Found == Forced.end())
      return;
    const Value &Want = Found->second;
    if (Want.width() != V.width() || Done + V.rows() > Want.rows() ||
        Want.I.empty() != V.I.empty()) {
      llvm::errs() << "warning: " << Name
                   << ": the trace has another shape or type\n";
      return;
    }
    print(Name, compare(V, Want, Done));
    Value Row = slice(Want, Done, V.rows());
    Row.Shape = V.Shape;
    V = std::move(Row);
  }

  void advance(int64_t Tokens) { Done += Tokens; }

  Error write() {
    if (O.Trace.empty())
      return Error::success();
    std::vector<TensorToWrite> Out;
    for (const auto &[Name, V] : Recorded) {
      const void *Data = V.F.empty() ? (const void *)V.I.data() : V.F.data();
      Out.push_back({Name,
                     V.F.empty() ? DType::I32 : DType::F32,
                     V.Shape,
                     {static_cast<const uint8_t *>(Data),
                      4 * std::max(V.F.size(), V.I.size())}});
    }
    return writeSafetensors(O.Trace, Out);
  }

private:
  static void append(Value &To, const Value &V) {
    int64_t Rows = To.Shape.empty() ? 0 : To.rows();
    To.Shape = V.Shape;
    To.Shape[0] += Rows;
    To.F.insert(To.F.end(), V.F.begin(), V.F.end());
    To.I.insert(To.I.end(), V.I.begin(), V.I.end());
  }

  void print(llvm::StringRef Name, const Difference &D) {
    llvm::outs() << llvm::formatv(
        O.Json ? "{{\"name\":\"{0}\",\"nmse\":{1:e},\"equal\":{2:f8},"
                 "\"differing\":{3}}\n"
               : "{0,-36} nmse {1:e3}  equal {2:f6}  differing {3}\n",
        Name, D.Nmse, D.Equal, D.Differing);
  }

  const Options &O;
  std::map<std::string, Value> Forced, Recorded;
  int64_t Done = 0;
};

Error transform(mlir::ModuleOp Module, const Options &O) {
  std::string Text = O.Passes;
  if (O.Fused)
    Text = getPassPipeline(Phase::Verify, {}) + "," +
           getPassPipeline(Phase::Fuse, {});
  if (Text.empty())
    return Error::success();
  registerPipelinePasses();
  mlir::PassManager Manager(Module.getContext(),
                            mlir::ModuleOp::getOperationName());
  if (mlir::failed(mlir::parsePassPipeline(Text, Manager)) ||
      mlir::failed(Manager.run(Module)))
    return failure("the passes failed: " + Text);
  return Error::success();
}

int32_t largest(const Value &Logits) {
  const float *Row = Logits.row(Logits.rows() - 1);
  return int32_t(std::max_element(Row, Row + Logits.width()) - Row);
}

Error writeLogits(const std::string &Path, const std::vector<float> &Rows,
                  int64_t Vocab) {
  TensorToWrite T{
      "logits",
      DType::F32,
      {int64_t(Rows.size()) / Vocab, Vocab},
      {reinterpret_cast<const uint8_t *>(Rows.data()), Rows.size() * 4}};
  return writeSafetensors(Path, {T});
}

Error runModel(const Options &O) {
  Expected<Checkpoint> Source = Checkpoint::open(O.Checkpoint);
  if (!Source)
    return Source.takeError();
  if (!Source->hasWeights())
    return failure(O.Checkpoint + ": expected safetensors shards");
  Expected<std::vector<int32_t>> Tokens = readTokens(O.Tokens);
  if (!Tokens)
    return Tokens.takeError();
  for (int32_t Id : *Tokens)
    if (Id < 0 || Id >= Source->config().VocabSize)
      return failure("token id " + llvm::Twine(Id) +
                     " is not in the vocabulary of " +
                     llvm::Twine(Source->config().VocabSize));
  mlir::DialectRegistry Registry;
  registerPipelineDialects(Registry);
  mlir::MLIRContext Context(Registry);
  auto Module =
      buildGraph(Context, Source->config(), Source->experts(), "reference");
  if (Error E = transform(*Module, O))
    return E;
  Interpreter Run(*Module->getOps<graph::ModelOp>().begin(), *Source);
  Recorder Record(O);
  if (Error E = Record.openForce())
    return E;
  Run.setDotOrder(O.Order);
  Run.observe([&](llvm::StringRef Name, Value &V) { Record.observe(Name, V); });
  std::vector<float> Rows;
  Value Logits;
  size_t Step = O.Chunk > 0 ? O.Chunk : Tokens->size();
  for (size_t At = 0; At < Tokens->size(); At += Step) {
    auto Part =
        llvm::ArrayRef(*Tokens).slice(At, std::min(Step, Tokens->size() - At));
    Expected<Value> Out = Run.run(Part);
    if (!Out)
      return Out.takeError();
    Logits = std::move(*Out);
    Rows.insert(Rows.end(), Logits.F.begin(), Logits.F.end());
    Record.advance(Part.size());
  }
  if (!O.Logits.empty())
    if (Error E = writeLogits(O.Logits, Rows, Source->config().VocabSize))
      return E;
  if (Error E = Record.write())
    return E;
  for (int64_t I = 0; I < O.Decode; ++I) {
    int32_t Next = largest(Logits);
    llvm::outs() << Next << (I + 1 < O.Decode ? " " : "\n");
    Expected<Value> Out = Run.run({Next});
    if (!Out)
      return Out.takeError();
    Logits = std::move(*Out);
  }
  return Error::success();
}

} // namespace

int main(int argc, char **argv) {
  Options O;
  CLI::App App{"The reference interpreter: logits and traces of a checkpoint, "
               "and with --force the distance of every op from a trace.",
               "dsv4-ref"};
  App.add_option("checkpoint", O.Checkpoint, "checkpoint directory")
      ->required();
  App.add_option("--tokens", O.Tokens,
                 "ids as 1,2,3, or a safetensors file with I32 tokens")
      ->required()
      ->check(checkList);
  App.add_option("--logits", O.Logits, "write F32 logits [tokens, vocabulary]");
  App.add_option("--trace", O.Trace, "write named intermediate values");
  App.add_option("--force", O.Force,
                 "give every op the inputs of this trace, print distances");
  App.add_option("--chunk", O.Chunk, "feed steps of this many tokens")
      ->check(CLI::Range(int64_t(1), MaxTokens));
  App.add_option("--decode", O.Decode, "then continue greedily, print the ids")
      ->check(CLI::Range(int64_t(0), MaxTokens));
  App.add_option("--dot-order", O.Order,
                 "order of sums in linears: chain, or split, as executables "
                 "for CPUs with AMX have it")
      ->transform(CLI::CheckedTransformer(std::map<std::string, num::DotOrder>{
          {"chain", num::DotOrder::Chain}, {"split", num::DotOrder::Split}}));
  CLI::Option *Passes = App.add_option(
      "--passes", O.Passes, "pass pipeline to run on the graph first");
  App.add_flag("--fused", O.Fused, "run the phases verify and fuse first")
      ->excludes(Passes);
  App.add_flag("--json", O.Json, "one JSON object per line for --force");
  try {
    App.parse(argc, argv);
  } catch (const CLI::ParseError &E) {
    return App.exit(E) == 0 ? 0 : 2;
  }
  if (Error E = runModel(O)) {
    llvm::errs() << "dsv4-ref: error: " << llvm::toString(std::move(E)) << "\n";
    return 1;
  }
  return 0;
}
