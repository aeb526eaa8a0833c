// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// self-test: is this executable sound on this machine? Weights against their
// hashes, the tokenizer's tables, kernels against scalar code (of a CPU), a
// whole step against single tokens, and the checkpoint's own known answers,
// greedily.

#include "runtime/serve/cli.h"
#include "runtime/text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace dsv4::serve {

namespace {

constexpr int64_t MaxTokens = 1 << 16;
/// Of a recorded margin, in logits.
constexpr double NearTie = 0.3;

/// The arrays of one sample, found by scanning the JSON that the compiler
/// wrote: without spaces, keys in order of name. Its values are the
/// checkpoint's, so they are checked here.
struct Sample {
  char name[64] = "";
  int32_t prompt[MaxTokens], output[MaxTokens];
  double margins[MaxTokens];
  int64_t promptCount, outputCount, marginCount;
};

/// Position behind `key` in [from, end), which no zero ends; or null.
const char *valueOf(const char *from, const char *end, const char *key) {
  auto *at = static_cast<const char *>(
      memmem(from, size_t(end - from), key, strlen(key)));
  return at ? at + strlen(key) : nullptr;
}

const char *find(const char *from, const char *end, char c) {
  return static_cast<const char *>(memchr(from, c, size_t(end - from)));
}

template <class T>
int64_t readArray(const char *from, const char *end, const char *key, T *to) {
  const char *at = valueOf(from, end, key);
  if (!at || at == end || *at != '[')
    return 0;
  int64_t count = 0;
  for (++at; at < end && *at != ']'; at += *at == ',') {
    char *next;
    double value = strtod(at, &next);
    if (next == at || count == MaxTokens || !(value >= 0 && value < 0x1p31))
      return 0;
    to[count++] = T(value);
    at = next;
  }
  return count;
}

/// Reads the sample whose keys lie in [from, end): keys are in order of name.
void readSample(const char *from, const char *end, Sample &sample) {
  const char *name = valueOf(from, end, "\"name\":\"");
  const char *quote = name ? find(name, end, '"') : nullptr;
  size_t length = quote ? size_t(quote - name) : 0;
  if (length >= sizeof(sample.name))
    length = sizeof(sample.name) - 1;
  if (quote)
    memcpy(sample.name, name, length);
  sample.name[length] = 0;
  sample.marginCount = readArray(from, end, "\"margins\":", sample.margins);
  sample.outputCount = readArray(from, end, "\"output_ids\":", sample.output);
  sample.promptCount = readArray(from, end, "\"prompt_ids\":", sample.prompt);
}

int32_t largest(const float *logits, int64_t vocab) {
  int32_t best = 0;
  for (int64_t i = 1; i < vocab; ++i)
    if (logits[i] > logits[best])
      best = int32_t(i);
  return best;
}

/// Greedy continuation against the recorded one; null if equal up to a
/// near-tie.
const char *checkSample(Engine &engine, const Sample &s) {
  if (!s.promptCount || !s.outputCount || s.marginCount != s.outputCount)
    return "the sample is damaged";
  for (int64_t i = 0; i < s.outputCount; ++i)
    if (s.output[i] >= engine.vocab())
      return "the sample is damaged";
  if (!engine.reset(0).isOk())
    return "the sequence cannot be emptied";
  if (!engine.prefill(0, s.prompt, s.promptCount).isOk())
    return "the prompt does not fit the context";
  for (int64_t i = 0; i < s.outputCount; ++i) {
    if (interrupted())
      return "interrupted";
    int32_t token = largest(engine.logits(0), engine.vocab());
    if (token != s.output[i])
      return s.margins[i] < NearTie ? nullptr : "another token";
    if (i + 1 < s.outputCount && !engine.feed(0, &token, 1, 1).isOk())
      return "the answer does not fit the context";
  }
  return nullptr;
}

int report(const char *what, const char *error) {
  printf("%-40s %s\n", what, error ? error : "ok");
  return error != nullptr;
}

void skip(const char *what) {
  printf("%-40s skipped: no scalar check on a GPU\n", what);
}

int checkAnswers(Engine &engine) {
  static Sample sample;
  const dsv4_blob &blob = engine.program().known_answers;
  if (!blob.size)
    return 0;
  int failures = 0;
  const char *text = (const char *)blob.data, *end = text + blob.size;
  // Samples end in their last key, prompt_ids.
  for (const char *at = find(text, end, '['); at && !interrupted();) {
    const char *last = valueOf(at, end, "\"prompt_ids\":");
    const char *close = last ? find(last, end, '}') : nullptr;
    if (!close)
      break;
    readSample(at, close, sample);
    char what[96];
    snprintf(what, sizeof(what), "known answer '%s'", sample.name);
    failures += report(what, checkSample(engine, sample));
    at = close + 1;
  }
  return failures;
}

/// Its tables; what they hold is the compiler's and has no hash.
int checkTokenizer(const dsv4_program &program) {
  if (!program.tokenizer.size)
    return 0;
  text::Tokenizer tokenizer;
  text::TextError error = text::Tokenizer::open(
      program.tokenizer.data, size_t(program.tokenizer.size), tokenizer);
  return report("tokenizer", error == text::TextError::None
                                 ? nullptr
                                 : text::message(error));
}

/// The kernels' promise: the same bits for a whole step and for single tokens.
int checkChunking(Engine &engine) {
  constexpr int64_t Count = 24;
  int32_t tokens[Count];
  for (int64_t i = 0; i < Count; ++i)
    tokens[i] = int32_t((i * 7919 + 1) % engine.vocab());
  int64_t part =
      Count < engine.maxStepTokens() ? Count : engine.maxStepTokens();
  if (engine.context() < Count)
    return 0;
  if (!engine.reset(0).isOk() || !engine.feed(0, tokens, part, 1).isOk())
    return report("one step equals single tokens", "the step failed");
  uint64_t whole = 0, single = 0;
  auto hash = [&] {
    uint64_t h = 1469598103934665603ull;
    const auto *words = (const uint32_t *)engine.logits(0);
    for (int64_t i = 0; i < engine.vocab(); ++i)
      h = (h ^ words[i]) * 1099511628211ull;
    return h;
  };
  whole = hash();
  if (!engine.reset(0).isOk())
    return report("one step equals single tokens", "the sequence is not empty");
  for (int64_t i = 0; i < part; ++i)
    if (!engine.feed(0, tokens + i, 1, 1).isOk())
      return report("one step equals single tokens", "the step failed");
  single = hash();
  return report("one step equals single tokens",
                whole == single ? nullptr : "different bits");
}

} // namespace

int selfTestCommand(const dsv4_program &program, int argc, char **argv) {
  Flags f;
  const FlagSpec specs[] = {
      {"--threads", "-t", FlagSpec::Threads, &f.threads, threadsHelp},
      {"--context", "-c", FlagSpec::Integer, &f.context,
       "context in tokens (default: 4096 or the compiled maximum)"},
      {"--device", nullptr, FlagSpec::Count, &f.device, deviceHelp},
      {"--quiet", "-q", FlagSpec::Switch, &f.quiet, quietHelp},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "self-test", "is this executable sound here?",
                  specs, sizeof(specs) / sizeof(*specs), &code))
    return code;
  EngineOptions options = engineOptions(f);
  int64_t most = program.limits.max_context;
  options.context = f.context ? f.context : most < 4096 ? most : 4096;
  options.verify = true;
  Engine engine;
  if (Status status = engine.open(program, options); !status.isOk())
    return failWith(status);
  int failures = report("weights against their hashes", nullptr);
  failures += checkTokenizer(program);
  if (engine.isOnDevice()) {
    // Their kernels are the GPU's, and what they need to be called is not here.
    skip("kernels of quantize");
    skip("products of every shape");
  } else {
    failures += checkKernels(engine);
    failures += checkProducts(engine);
  }
  failures += checkChunking(engine);
  failures += checkAnswers(engine);
  engine.close();
  if (interrupted())
    return failWith(makeError(Code::Interrupted, "interrupted"));
  printf("%s\n", failures ? "FAILED" : "passed");
  int written = finishStdout();
  return failures ? int(Failed) : written;
}

} // namespace dsv4::serve
