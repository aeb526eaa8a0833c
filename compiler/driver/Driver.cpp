// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Driver.h. The order of a compilation: target and profile (cheap errors
// first), checkpoint, IR phases, code, weights, link.

#include "compiler/driver/Driver.h"
#include "compiler/driver/Backend.h"
#include "compiler/driver/Facts.h"
#include "compiler/driver/Progress.h"

#include "compiler/import/BuildGraph.h"
#include "compiler/import/Checkpoint.h"
#include "compiler/import/TokenizerImport.h"
#include "compiler/link/ExecutableLinker.h"
#include "compiler/link/ProgramEmitter.h"
#include "compiler/link/WeightsSection.h"
#include "compiler/pack/WeightPacker.h"
#include "compiler/pipeline/Phases.h"
#include "compiler/pipeline/PlanReport.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "targets/common/TileConfigs.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <thread>
#include <unistd.h>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace dsv4 {

namespace {

template <class... Ts> Error fail(const Ts &...Parts) {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  (Out << ... << Parts);
  return llvm::createStringError(llvm::inconvertibleErrorCode(), Text);
}

/// One compilation, phase by phase; each step needs the ones before it.
class Compilation {
public:
  explicit Compilation(const CompileOptions &O) : O(O), Show(O.quiet) {}

  /// Exit code 2 errors: what the command line asks cannot be meant.
  Error checkUsage();
  /// Flags, profile and heuristic; before run().
  Error chooseConfigs();
  void printConfigs() const;
  Error run();

private:
  Error openCheckpoint();
  Error importModel();
  Error runIrPhases();
  Error writeIr();
  Error printPlan();
  Error gatherFacts();
  Error compile(std::string &Object);
  Error link(StringRef Object, std::string &Elf);
  Error checkWeights();
  Error readScales();
  Expected<llvm::ArrayRef<uint8_t>> tensor(StringRef Name);
  Error streamWeights(PayloadWriter &Writer);
  Error writeEmbedded();
  Error writeSidecar();

  Phase last() const { return *findPhase(O.compileTo); }
  kern::ProgramOp program() {
    return *Module->getOps<kern::ProgramOp>().begin();
  }

  const CompileOptions &O;
  Progress Show;
  mlir::MLIRContext Context;
  std::vector<ConfigLine> Configs;
  mlir::OwningOpRef<mlir::ModuleOp> Module;
  std::optional<Checkpoint> Source;
  ImportedTokenizer Tokenizer;
  std::unique_ptr<Backend> Target;
  ProgramFacts Facts;
};

Error Compilation::checkUsage() {
  if (!findPhase(O.compileTo))
    return fail("--compile-to: unknown phase '", O.compileTo,
                "'; see compile-model --help");
  if (!O.compileFrom.empty() &&
      (!findPhase(O.compileFrom) || *findPhase(O.compileFrom) >= last() ||
       *findPhase(O.compileFrom) > Phase::Schedule))
    return fail("--compile-from: expected an IR phase before ", O.compileTo,
                ", got '", O.compileFrom, "'");
  if (!O.compileFrom.empty() && O.ir.empty() && O.dumpPhasesTo.empty())
    return fail("--compile-from: expected the dump as --ir FILE, or its folder "
                "as --dump-phases-to DIR");
  if (O.stepTokens % 16)
    return fail("--step-tokens: expected a multiple of 16, got ", O.stepTokens);
  Expected<std::unique_ptr<Backend>> Made = makeBackend(O.target);
  if (!Made)
    return Made.takeError();
  Target = std::move(*Made);
  return Error::success();
}

Error Compilation::chooseConfigs() {
  if (Error E = Target->configure(O))
    return E;
  Configs = Target->configs();
  for (const ConfigLine &Line : Configs)
    Facts.configs += (Facts.configs.empty() ? "" : ", ") + Line.key + " " +
                     Line.value + " (" + Line.source + ")";
  return Error::success();
}

void Compilation::printConfigs() const {
  for (const ConfigLine &Line : Configs)
    llvm::outs() << llvm::left_justify(Line.key, 22)
                 << llvm::left_justify(Line.value, 8) << Line.source << '\n';
}

Error Compilation::openCheckpoint() {
  Show.begin("open checkpoint");
  Expected<Checkpoint> Opened = Checkpoint::open(O.checkpoint);
  if (!Opened)
    return Opened.takeError();
  Source = std::move(*Opened);
  const CheckpointReport &R = Source->report();
  std::string Remark = Source->release();
  if (Source->hasWeights())
    Remark +=
        ", " + std::to_string(R.Tensors) + " tensors, " + humanBytes(R.Bytes);
  if (R.DraftTensors)
    Remark += "; " + std::to_string(R.DraftTensors) + " draft tensors (" +
              humanBytes(R.DraftBytes) + ") left out";
  Show.end(Remark);
  if (!O.quiet)
    for (const std::string &Key : Source->config().UnknownKeys)
      llvm::errs() << "warning: config.json: unknown key " << Key
                   << " is ignored\n";
  if (O.context > Source->config().MaxPositions)
    return fail("--context: expected at most the model's ",
                Source->config().MaxPositions, " tokens, got ", O.context);
  return Error::success();
}

Error Compilation::importModel() {
  mlir::DialectRegistry Registry;
  registerPipelineDialects(Registry);
  Context.appendDialectRegistry(Registry);
  Context.loadAllAvailableDialects();
  Show.begin("import");
  if (O.compileFrom.empty()) {
    Module = buildGraph(Context, Source->config(), Source->experts(),
                        identityLine(*Source));
    if (mlir::failed(mlir::verify(*Module)))
      return fail("the imported model does not verify; please report this");
    if (!O.dumpPhasesTo.empty() &&
        mlir::failed(dumpPhase(*Module, Phase::Import, O.dumpPhasesTo)))
      return fail("cannot dump to ", O.dumpPhasesTo);
  } else {
    std::string File = O.ir;
    if (File.empty()) {
      char Name[64];
      snprintf(Name, sizeof(Name), "/%02d-%s.mlir",
               int(*findPhase(O.compileFrom)) + 1, O.compileFrom.c_str());
      File = O.dumpPhasesTo + Name;
    }
    Module = readDump(Context, File);
    if (!Module)
      return fail(File, ": cannot be read as the dump of ", O.compileFrom);
  }
  Show.end();
  return Error::success();
}

Error Compilation::runIrPhases() {
  RunOptions Run;
  Run.pipeline.context = O.context;
  Run.pipeline.sequences = O.sequences;
  Run.pipeline.stepTokens = O.stepTokens;
  Run.verifyEach = O.verifyEach;
  Run.dumpFolder = O.dumpPhasesTo;
  Run.from = O.compileFrom.empty() ? Phase::Verify
                                   : Phase(int(*findPhase(O.compileFrom)) + 1);
  Run.to = O.plan == PlanFormat::None ? std::min(last(), Phase::Schedule)
                                      : Phase::Schedule;
  Target->prepare(Run.pipeline);
  Error Scales = Error::success();
  Run.beforePhase = [&](Phase P) {
    if (P == Phase::Configure && Target->readsScales() && Source->hasWeights())
      Scales = llvm::joinErrors(std::move(Scales), readScales());
    return !Scales;
  };
  Run.onPhase = [&](Phase P, double Seconds) {
    Show.done(getPhaseName(P).str(), Seconds);
  };
  bool Failed = mlir::failed(runPhases(*Module, Run));
  if (Scales)
    return Scales;
  if (Failed)
    return fail("compilation failed");
  if (Run.to >= Phase::Lower && Module->getOps<kern::ProgramOp>().empty())
    return fail("expected a kern.program in the IR");
  return Error::success();
}

Error Compilation::writeIr() {
  std::string Text;
  llvm::raw_string_ostream Out(Text);
  Module->print(Out, mlir::OpPrintingFlags().useLocalScope());
  if (O.output == "-") {
    llvm::outs() << Text;
    return Error::success();
  }
  return writeFile(O.output, Text);
}

Error Compilation::printPlan() {
  int64_t Tokens = O.context ? O.context : Source->config().MaxPositions;
  auto Report =
      makePlanReport(program(), (Tokens + 127) / 128 * 128, O.sequences,
                     std::max(1u, std::thread::hardware_concurrency()));
  if (mlir::failed(Report))
    return fail("the plan cannot be reported");
  if (O.plan == PlanFormat::Json)
    llvm::outs() << llvm::formatv("{0:2}\n", Report->toJson());
  else
    Report->print(llvm::outs());
  return Error::success();
}

Error Compilation::gatherFacts() {
  if (O.tokenizer) {
    if (Source->tokenizerHash().empty())
      return fail(O.checkpoint,
                  "/tokenizer.json: expected a tokenizer; compile "
                  "without one by --no-tokenizer");
    Expected<ImportedTokenizer> Imported = importTokenizer(O.checkpoint);
    if (!Imported)
      return Imported.takeError();
    Tokenizer = std::move(*Imported);
    Facts.tokenizer = StringRef(Tokenizer.Blob.data(), Tokenizer.Blob.size());
  }
  Facts.identity = identityLine(*Source);
  Expected<std::string> Answers = knownAnswers(O.checkpoint);
  if (!Answers)
    return Answers.takeError();
  Facts.knownAnswers = *Answers;
  Facts.sidecar = O.weights == WeightsMode::Sidecar;
  Facts.bosToken = Source->config().Bos;
  Facts.eosToken = Source->config().Eos;
  Facts.temperature = Source->config().Temperature;
  Facts.topP = Source->config().TopP;
  Facts.dumpFolder = O.dumpKernelsTo;
  Facts.infoJson = infoJson(*Source, Target->name(), program(), Configs);
  return Error::success();
}

Error Compilation::compile(std::string &Object) {
  Show.begin("codegen");
  std::string Remark;
  Expected<std::string> Bytes = Target->emit(program(), Facts, Remark);
  if (!Bytes)
    return Bytes.takeError();
  Object = std::move(*Bytes);
  Show.end(Remark + ", " + humanBytes(Object.size()));
  return Error::success();
}

Error Compilation::link(StringRef Object, std::string &Elf) {
  Show.begin("link");
  Expected<std::string> Linked = linkExecutable({Object}, embeddedRuntime());
  if (!Linked)
    return Linked.takeError();
  Elf = std::move(*Linked);
  Show.end(humanBytes(Elf.size()));
  return Error::success();
}

Error Compilation::checkWeights() {
  Show.begin("check weights");
  if (Error E = Source->checkNumbers([&](uint64_t Done, uint64_t Total) {
        Show.bytes(Done, Total);
        return true;
      }))
    return E;
  Show.end();
  return Error::success();
}

Expected<llvm::ArrayRef<uint8_t>> Compilation::tensor(StringRef Name) {
  if (!Source->find(Name))
    return fail("tensor ", Name, " is not in the checkpoint");
  return Source->bytes(Name);
}

Error Compilation::readScales() {
  Show.begin("read scales");
  if (Error E = countEscapes(
          program(), [&](StringRef Name) { return tensor(Name); },
          [&](uint64_t Done, uint64_t Total) {
            Show.bytes(Done, Total);
            return Error::success();
          },
          std::max(1u, std::thread::hardware_concurrency())))
    return E;
  Show.end();
  return Error::success();
}

Error Compilation::streamWeights(PayloadWriter &Writer) {
  Show.begin("pack weights");
  Error E = packWeights(
      program(), [&](StringRef Name) { return tensor(Name); },
      [&](llvm::ArrayRef<uint8_t> Bytes) {
        return Writer.append(llvm::toStringRef(Bytes));
      },
      [&](uint64_t Done, uint64_t Total) {
        Show.bytes(Done, Total);
        return Error::success();
      },
      std::max(1u, std::thread::hardware_concurrency()));
  if (E)
    return E;
  Show.end(humanBytes(Writer.payloadBytes()));
  return Error::success();
}

Error Compilation::writeEmbedded() {
  std::string Object, Elf;
  if (Error E = compile(Object))
    return E;
  if (Error E = link(Object, Elf))
    return E;
  Expected<PayloadWriter> Writer = PayloadWriter::embed(Elf, O.output);
  if (!Writer)
    return Writer.takeError();
  if (Error E = streamWeights(*Writer))
    return E;
  if (auto Info = Writer->seal(); !Info)
    return Info.takeError();
  return Writer->commit();
}

Error Compilation::writeSidecar() {
  Expected<PayloadWriter> Writer =
      PayloadWriter::sidecar(O.output + ".weights");
  if (!Writer)
    return Writer.takeError();
  if (Error E = streamWeights(*Writer))
    return E;
  Expected<PayloadInfo> Info = Writer->seal();
  if (!Info)
    return Info.takeError();
  Facts.weightsHash = Info->sha256;
  std::string Object, Elf;
  if (Error E = compile(Object))
    return E;
  if (Error E = link(Object, Elf))
    return E;
  if (Error E = Writer->commit())
    return E;
  return writeExecutable(Elf, O.output);
}

Error Compilation::run() {
  if (Error E = openCheckpoint())
    return E;
  if (Error E = importModel())
    return E;
  if (last() > Phase::Import || O.plan != PlanFormat::None)
    if (Error E = runIrPhases())
      return E;
  if (O.plan != PlanFormat::None)
    return printPlan();
  if (last() <= Phase::Schedule)
    return writeIr();
  if (last() == Phase::Link && !Source->hasWeights())
    return fail(O.checkpoint, ": expected safetensors shards; with config.json "
                              "alone use --plan or --compile-to codegen");
  if (Error E = gatherFacts())
    return E;
  // What can fail cheaply fails first: the place of the output, then the data.
  if (auto Probe = AtomicFile::create(O.output); !Probe)
    return Probe.takeError();
  if (last() == Phase::Link)
    if (Error E = checkWeights())
      return E;
  if (last() == Phase::Link)
    return O.weights == WeightsMode::Embed ? writeEmbedded() : writeSidecar();
  std::string Object;
  if (Error E = compile(Object))
    return E;
  return writeFile(O.output, Object);
}

int report(Error E, int Code) {
  llvm::errs() << "compile-model: error: " << llvm::toString(std::move(E))
               << "\n";
  return Code;
}

} // namespace

int compileModel(const CompileOptions &Options) {
  // LLVM's handler first removes the temporary files that were announced to it.
  llvm::sys::SetInterruptFunction([] { _exit(130); });
  Compilation Run(Options);
  if (Error E = Run.checkUsage())
    return report(std::move(E), 2);
  if (Error E = Run.chooseConfigs())
    return report(std::move(E), 1);
  if (Options.printConfigs) {
    Run.printConfigs();
    return 0;
  }
  if (Error E = Run.run())
    return report(std::move(E), 1);
  return 0;
}

int listTargets() {
  Expected<TargetDesc> Native = nativeTarget();
  if (Native)
    llvm::outs() << "native is " << Native->name << " ("
                 << levelName(Native->level) << ")\n";
  else
    llvm::consumeError(Native.takeError());
  for (const KnownTarget &T : knownTargets()) {
    std::string Name = std::string("cpu:") + T.name;
    llvm::outs() << "  " << llvm::left_justify(Name, 24) << T.what << "\n";
  }
  listCudaTargets(llvm::outs());
  return 0;
}

} // namespace dsv4
