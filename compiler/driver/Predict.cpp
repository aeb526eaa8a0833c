// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Predict.h. The model goes to kern as for any target; targets/cuda plans
// its phases.

#include "compiler/driver/Predict.h"

#include "compiler/import/BuildGraph.h"
#include "compiler/import/Checkpoint.h"
#include "compiler/pipeline/Phases.h"
#include "targets/cuda/PhasePlan.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace dsv4 {

namespace {

/// A figure of others for DeepSeek V4 Flash, one request at a time.
struct Published {
  const char *system, *hardware;
  double milliseconds; // of a token, or to the first token
  const char *how, *source;
};

constexpr Published publishedDecode[] = {
    {"vLLM, W4A16", "2 x GH200 96 GB", 1e3 / 106, "106 tokens/s, no MTP",
     "dnhkng.github.io part 2, 2026-06"},
    {"vLLM fork, B12X", "2 x RTX PRO 6000", 1e3 / 152.6,
     "152.6 tokens/s, no speculation", "rtx6kpro r7, 2026-08-13"},
    {"SGLang 0.5.14", "8 x H20-141G", 1e3 / 96, "96 tokens/s, no speculation",
     "GPUStack on dev.to, 2026-07-01"},
    {"ds4, 2-bit experts", "1 x H200", 1e3 / 70, "70 tokens/s, other weights",
     "antirez/ds4#564, 2026-07-14"},
    {"SGLang 0.5.15, MTP", "4 x H200", 3.28, "305 tokens/s, speculative",
     "SGLang cookbook"},
};

constexpr Published publishedPrefill[] = {
    {"SGLang 0.5.15", "4 x H200", 178, "8,192 tokens, FP8 checkpoint",
     "SGLang cookbook"},
    {"SGLang 0.5.15", "4 x H200", 237, "8,192 tokens, FP4 experts",
     "SGLang cookbook"},
    {"vLLM fork, B12X", "4 x RTX PRO 6000", 8e6 * 1.024 / 12823,
     "12,823 tokens/s at 8K", "rtx6kpro r7, 2026-08-13"},
};

/// What is predicted: a token, or a prompt in steps.
struct Prediction {
  std::string title;
  int64_t tokens = 1;
  std::vector<cuda::PhasePlan> steps;

  double low() const { return sum(&cuda::PhasePlan::secondsLow); }
  double high() const { return sum(&cuda::PhasePlan::secondsHigh); }
  double floor() const { return sum(&cuda::PhasePlan::floorSeconds); }

private:
  double sum(double (cuda::PhasePlan::*of)() const) const {
    double all = 0;
    for (const cuda::PhasePlan &step : steps)
      all += (step.*of)();
    return all;
  }
};

std::string grouped(int64_t count) { return llvm::formatv("{0:n}", count); }

class Predictor {
public:
  explicit Predictor(const PredictOptions &o) : o(o) {}
  Error prepare();
  Expected<std::vector<Prediction>> predict();

private:
  Error lower(const Checkpoint &source);
  Error addStep(Prediction &to, cuda::PlannedStep step);
  kern::ProgramOp program() {
    return *module->getOps<kern::ProgramOp>().begin();
  }

  const PredictOptions &o;
  const cuda::Gpu *gpu = nullptr;
  cuda::Linking linking = cuda::Linking::Graph;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

Error Predictor::prepare() {
  auto foundGpu = cuda::findGpu(o.gpu);
  if (!foundGpu)
    return foundGpu.takeError();
  gpu = *foundGpu;
  auto foundLinking = cuda::findLinking(o.linking);
  if (!foundLinking)
    return foundLinking.takeError();
  linking = *foundLinking;
  Expected<Checkpoint> source = Checkpoint::open(o.checkpoint);
  if (!source)
    return source.takeError();
  return lower(*source);
}

Error Predictor::lower(const Checkpoint &source) {
  mlir::DialectRegistry registry;
  registerPipelineDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  module = buildGraph(context, source.config(), source.experts(), "predict");
  RunOptions run;
  run.pipeline.stepTokens = o.stepTokens;
  run.to = Phase::Lower;
  if (mlir::failed(mlir::verify(*module)) ||
      mlir::failed(runPhases(*module, run)))
    return llvm::createStringError(o.checkpoint +
                                   ": the model cannot be lowered");
  return Error::success();
}

Error Predictor::addStep(Prediction &to, cuda::PlannedStep step) {
  auto plan = cuda::planPhases(program(), *gpu, linking, step);
  if (!plan)
    return plan.takeError();
  to.steps.push_back(std::move(*plan));
  return Error::success();
}

Expected<std::vector<Prediction>> Predictor::predict() {
  std::vector<Prediction> all(1);
  all[0].title = "decode: one token behind " + grouped(o.position) + " others";
  if (Error error = addStep(all[0], {1, 1, o.position}))
    return std::move(error);
  for (int64_t prompt : o.prompts) {
    Prediction to;
    to.title = "prefill of " + grouped(prompt) + " tokens";
    to.tokens = prompt;
    for (int64_t done = 0; done < prompt;) {
      int64_t tokens = std::min(o.stepTokens, prompt - done);
      done += tokens;
      if (Error error = addStep(to, {tokens, done == prompt ? 1 : 0, done - 1}))
        return std::move(error);
    }
    all.push_back(std::move(to));
  }
  return all;
}

void printPublished(llvm::ArrayRef<Published> list, StringRef title,
                    llvm::raw_ostream &out) {
  out << title << '\n';
  for (const Published &one : list)
    out << "  " << llvm::left_justify(one.system, 20)
        << llvm::left_justify(one.hardware, 18)
        << llvm::format("%8.2f ms  ", one.milliseconds)
        << llvm::left_justify(one.how, 32) << one.source << '\n';
}

void printText(llvm::ArrayRef<Prediction> all, llvm::raw_ostream &out) {
  for (const Prediction &one : all) {
    out << "== " << one.title << '\n';
    cuda::printPlans(one.steps, out);
    double tokens = double(one.tokens);
    out << llvm::format("predicted %.2f to %.2f ms, %.0f to %.0f tokens/s; "
                        "floor %.2f ms, %.0f tokens/s\n\n",
                        one.low() * 1e3, one.high() * 1e3, tokens / one.high(),
                        tokens / one.low(), one.floor() * 1e3,
                        tokens / one.floor());
  }
  printPublished(publishedDecode,
                 "published by others, decode of one request (not ours):", out);
  printPublished(publishedPrefill,
                 "published by others, to the first token:", out);
}

llvm::json::Array toJson(llvm::ArrayRef<Published> list) {
  llvm::json::Array out;
  for (const Published &one : list)
    out.push_back(llvm::json::Object{{"system", one.system},
                                     {"hardware", one.hardware},
                                     {"milliseconds", one.milliseconds},
                                     {"how", one.how},
                                     {"source", one.source}});
  return out;
}

void printJson(llvm::ArrayRef<Prediction> all, llvm::raw_ostream &out) {
  llvm::json::Array list;
  for (const Prediction &one : all) {
    llvm::json::Array steps;
    for (const cuda::PhasePlan &step : one.steps)
      steps.push_back(step.toJson());
    list.push_back(llvm::json::Object{
        {"title", one.title},
        {"tokens", one.tokens},
        {"predicted_seconds", llvm::json::Array{one.low(), one.high()}},
        {"floor_seconds", one.floor()},
        {"steps", std::move(steps)}});
  }
  llvm::json::Object root{{"is_prediction", true},
                          {"run_on_hardware", false},
                          {"predictions", std::move(list)},
                          {"published_decode", toJson(publishedDecode)},
                          {"published_prefill", toJson(publishedPrefill)}};
  out << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(root)));
}

} // namespace

Error predictModel(const PredictOptions &options, llvm::raw_ostream &out) {
  Predictor predictor(options);
  if (Error error = predictor.prepare())
    return error;
  auto all = predictor.predict();
  if (!all)
    return all.takeError();
  if (options.json)
    printJson(*all, out);
  else
    printText(*all, out);
  return Error::success();
}

} // namespace dsv4
