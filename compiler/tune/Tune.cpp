// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// See Tune.h.

#include "compiler/tune/Tune.h"

#include "runtime/core/ceiling.h"
#include "targets/common/AtomicFile.h"
#include "targets/common/TileConfigs.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <ctime>

using llvm::Error;
using llvm::StringRef;

namespace dsv4::tune {

//===----------------------------------------------------------------------===//
// Questions
//===----------------------------------------------------------------------===//

static constexpr int64_t Inner = 4096; // hidden size of Flash
static constexpr int64_t ManyRows = 24;

/// Candidates for one key: the heuristic's value first, then `values` without
/// it.
static Question ask(const std::string &key, const Tuning &known,
                    const std::string &heuristic,
                    std::vector<std::string> values,
                    std::vector<TileCase> cases) {
  Question question{key, {}, std::move(cases)};
  values.insert(values.begin(), heuristic);
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0 && values[i] == heuristic)
      continue;
    Candidate candidate{values[i], known};
    llvm::cantFail(setTuning(candidate.tuning, key + "=" + values[i]));
    question.candidates.push_back(candidate);
  }
  return question;
}

static TileCase streamOf(cpu::TileFormat format) {
  return {format, Inner, /*rows=*/1, /*tiles=*/0};
}

std::vector<Question> openQuestions(const TargetDesc &target,
                                    const Tuning &known) {
  Tuning heuristic = heuristicTuning(target);
  std::vector<Question> out;
  TileCase many = {cpu::TileFormat::Fp4, Inner, ManyRows, 0};
  if (known.dot == DotForm::Auto && target.level >= IsaLevel::Avx512Bf16 &&
      target.order == num::DotOrder::Chain)
    out.push_back(ask("dot", known,
                      heuristic.dot == DotForm::Bf16 ? "bf16" : "f32",
                      {"bf16", "f32"}, {streamOf(cpu::TileFormat::Fp4), many}));
  // Two tiles a row: fewer chains leave the dot product waiting for itself,
  // more do not fit the registers.
  bool isWide = target.level >= IsaLevel::Avx512;
  std::vector<std::string> rows =
      isWide ? std::vector<std::string>{"4", "5", "6", "7", "8"}
             : std::vector<std::string>{"1", "2", "3", "4"};
  // Many rows meet the matrix unit where there is one.
  if (!known.microRows && target.level < IsaLevel::Amx)
    out.push_back(ask("micro_rows", known, std::to_string(heuristic.microRows),
                      rows, {many}));
  if (!known.streamTiles && isWide)
    out.push_back(
        ask("stream_tiles", known, std::to_string(heuristic.streamTiles),
            {"1", "2", "4"},
            {streamOf(cpu::TileFormat::Fp4), streamOf(cpu::TileFormat::Fp8)}));
  for (int i = 0; i < NumStreamFormats; ++i)
    if (!known.prefetchBytes[i])
      out.push_back(
          ask(std::string(TileFormatNames[i]) + ".prefetch_bytes", known,
              std::to_string(heuristic.prefetchBytes[i]),
              {"-1", "1024", "1536", "2048", "3072", "4096", "6144", "8192"},
              {streamOf(cpu::TileFormat(i))}));
  return out;
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

namespace {
class Tuner {
public:
  explicit Tuner(const TuneOptions &options) : options(options) {}
  ~Tuner() { close(); }

  /// Workers, limits and memory for `threads`.
  Error open(int threads) {
    close();
    if (Error error = startPool(threads))
      return error;
    if (Status status = limits.open(pool, options.target.cpuFeatures);
        !status.isOk())
      return llvm::createStringError(status.message);
    return Error::success();
  }

  Error openMemory() {
    return memory.open(options.megabytes << 20, Inner, ManyRows,
                       pool.threads());
  }

  double readLimit() {
    double best = 0;
    for (int i = 0; i < 5; ++i)
      best = std::max(best, limits.readBytes(0.1));
    return best;
  }

  /// The number of the best candidate.
  llvm::Expected<size_t> answer(Question &question) {
    if (question.candidates.size() == 1)
      return 0;
    for (Candidate &candidate : question.candidates)
      if (Error error = compile(question, candidate))
        return std::move(error);
    for (int round = 0; round < options.rounds; ++round) {
      if (Error error = runRound(question, round % 2 == 1))
        return std::move(error);
      if (round >= 2 && drop(question) == 1)
        break;
    }
    kernels.clear();
    return best(question);
  }

private:
  void close() {
    if (!isOpen)
      return;
    limits.close();
    pool.stop();
    isOpen = false;
  }

  /// Other workers for the limits and the memory that are open.
  Error startPool(int threads) {
    if (isOpen)
      pool.stop();
    isOpen = false;
    if (Status status = pool.start(threads, /*pin=*/true); !status.isOk())
      return llvm::createStringError(status.message);
    isOpen = true;
    return Error::success();
  }

  Error compile(Question &question, Candidate &candidate) {
    for (TileCase &shape : question.cases) {
      shape = makeCase(shape.format, shape.inner, shape.rows,
                       options.megabytes << 20);
      auto kernel =
          TileKernel::compile(options.target, shape, candidate.tuning);
      if (!kernel)
        return kernel.takeError();
      kernel->run(pool, memory);
      kernels.push_back(std::move(*kernel));
    }
    return Error::success();
  }

  /// Share of the limit that one product reaches now.
  double measure(const TileCase &shape, const TileKernel &kernel) {
    bool isStream = shape.rows == 1;
    auto limit = [&] {
      return isStream ? limits.readBytes(0.03) : limits.multiplyAdds(0.02);
    };
    double before = limit();
    double seconds = kernel.run(pool, memory);
    double work = isStream ? double(shape.weightBytes()) : shape.multiplyAdds();
    return work / seconds / ((before + limit()) / 2);
  }

  /// One measurement of each candidate that is left, forwards or backwards.
  /// Streams are read by all workers and by one alone, which is faster than
  /// its part of all and wants prefetches that the others do without.
  Error runRound(Question &question, bool isBackwards) {
    std::vector<double> shares = sweep(question, isBackwards);
    bool isStream = llvm::all_of(
        question.cases, [](const TileCase &shape) { return shape.rows == 1; });
    if (isStream && options.threads > 1) {
      if (Error error = startPool(1))
        return error;
      std::vector<double> alone = sweep(question, isBackwards);
      if (Error error = startPool(options.threads))
        return error;
      for (size_t i = 0; i < shares.size(); ++i)
        shares[i] = (shares[i] + alone[i]) / 2;
    }
    for (size_t i = 0; i < shares.size(); ++i)
      if (!question.candidates[i].isOut)
        question.candidates[i].scores.push_back(shares[i]);
    return Error::success();
  }

  /// Share of the limit of each candidate that is left, mean of the cases.
  std::vector<double> sweep(const Question &question, bool isBackwards) {
    size_t count = question.candidates.size(), cases = question.cases.size();
    std::vector<double> shares(count);
    for (size_t n = 0; n < count; ++n) {
      size_t i = isBackwards ? count - 1 - n : n;
      if (question.candidates[i].isOut)
        continue;
      for (size_t c = 0; c < cases; ++c)
        shares[i] +=
            measure(question.cases[c], kernels[i * cases + c]) / double(cases);
    }
    return shares;
  }

  static double bestMedian(const Question &question) {
    double best = 0;
    for (const Candidate &candidate : question.candidates)
      best = std::max(best, candidate.median());
    return best;
  }

  /// Drops what is far behind; how many are left.
  static size_t drop(Question &question) {
    double limit = bestMedian(question) * 0.93;
    size_t left = 0;
    for (Candidate &candidate : question.candidates) {
      candidate.isOut |= candidate.median() < limit;
      left += !candidate.isOut;
    }
    return left;
  }

  /// The heuristic's value wins unless another is better by one percent: noise
  /// shall not choose.
  static size_t best(const Question &question) {
    double most = bestMedian(question);
    for (size_t i = 0; i < question.candidates.size(); ++i)
      if (question.candidates[i].median() >= (i == 0 ? 0.99 : 1) * most)
        return i;
    return 0;
  }

  const TuneOptions &options;
  ThreadPool pool;
  Ceiling limits;
  TileMemory memory;
  std::vector<TileKernel> kernels; // [candidates][cases]
  bool isOpen = false;
};
} // namespace

//===----------------------------------------------------------------------===//
// The profile
//===----------------------------------------------------------------------===//

/// "Intel(R) Xeon(R) Processor", or what is known of it.
static std::string processorName() {
  auto text = llvm::MemoryBuffer::getFileAsStream("/proc/cpuinfo");
  StringRef rest = text ? (*text)->getBuffer() : StringRef();
  while (!rest.empty()) {
    auto [line, tail] = rest.split('\n');
    if (line.starts_with("model name"))
      return line.split(':').second.trim().str();
    rest = tail;
  }
  return "an unnamed processor";
}

static std::string today() {
  char text[16];
  time_t now = time(nullptr);
  tm parts;
  strftime(text, sizeof(text), "%Y-%m-%d", localtime_r(&now, &parts));
  return text;
}

static Error writeProfile(const std::string &path,
                          const TuningProfile &profile) {
  auto file = AtomicFile::create(path);
  if (!file)
    return file.takeError();
  if (Error error = file->write(printProfile(profile)))
    return error;
  return file->commit(0644);
}

/// What is at `output`, if it is of this machine; else a new profile.
static llvm::Expected<TuningProfile> startProfile(const TuneOptions &options) {
  TuningProfile fresh;
  fresh.target = options.target.name;
  fresh.machine =
      processorName() + ", " + std::to_string(options.threads) + " threads";
  fresh.date = today();
  fresh.command = options.command;
  if (options.again || !llvm::sys::fs::exists(options.output))
    return fresh;
  auto known = readProfile(options.output);
  if (!known)
    return known.takeError();
  if (known->target != fresh.target || known->machine != fresh.machine)
    return llvm::createStringError(
        options.output + ": expected a profile of " + fresh.target + " on " +
        fresh.machine + ", found one of " + known->target + " on " +
        known->machine + "; name another file, or --again to replace it");
  return *known;
}

llvm::Expected<TuningProfile> tuneMachine(const TuneOptions &options,
                                          TuneLog log) {
  auto profile = startProfile(options);
  if (!profile)
    return profile.takeError();
  Tuner tuner(options);
  if (!profile->threads) {
    if (Error error = tuner.open(1))
      return std::move(error);
    profile->readGBs1 = tuner.readLimit() * 1e-9;
  }
  if (Error error = tuner.open(options.threads))
    return std::move(error);
  if (!profile->threads) {
    profile->readGBs = tuner.readLimit() * 1e-9;
    profile->threads = options.threads;
    if (Error error = writeProfile(options.output, *profile))
      return std::move(error);
  }
  if (Error error = tuner.openMemory())
    return std::move(error);
  while (true) {
    auto questions = openQuestions(options.target, profile->tuning);
    if (questions.empty())
      return *profile;
    auto best = tuner.answer(questions[0]);
    if (!best)
      return best.takeError();
    profile->tuning = questions[0].candidates[*best].tuning;
    if (Error error = writeProfile(options.output, *profile))
      return std::move(error);
    log(questions[0], *best);
  }
}

} // namespace dsv4::tune
