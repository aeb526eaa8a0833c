// SPDX-FileCopyrightText: dsv4c authors
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// info: what this executable is. --json prints the compiler's facts and the
// plan for the chosen context as one object. A program for a GPU needs no GPU
// here.

#include "runtime/serve/cli.h"
#include "runtime/serve/device_info.h"

#include <stdio.h>

namespace dsv4::serve {

/// What one sequence of so many tokens takes here, without what a command adds
/// for its input and output.
static MemoryPlan planHere(const dsv4_program &p, int64_t context) {
  return planMemory(p, {context, 1, defaultThreads(), 0});
}

/// What steps take on the CPU.
static void printPlan(const dsv4_program &p, int64_t context) {
  const dsv4_limits &l = p.limits;
  int64_t blocks = contextBlocks(context);
  printf("step             %lld tokens, %lld logits rows, %lld bytes of "
         "buffers, %lld of scratch per worker\n",
         (long long)l.max_step_tokens, (long long)l.max_outputs,
         (long long)evaluate(l.buffer_bytes, blocks),
         (long long)evaluate(l.scratch_bytes, blocks));
  MemoryPlan plan = planHere(p, context);
  printf("plan             %llu bytes with 1 sequence and %d workers: state "
         "%llu, buffers %llu, scratch %llu, rest %llu\n",
         (unsigned long long)plan.bytes(), defaultThreads(),
         (unsigned long long)plan.stateBytes,
         (unsigned long long)plan.bufferBytes,
         (unsigned long long)plan.scratchBytes,
         (unsigned long long)plan.restBytes());
}

static Status printText(const dsv4_program &p, const WeightsFile &weights,
                        int64_t context) {
  const dsv4_limits &l = p.limits;
  int64_t blocks = contextBlocks(context);
  printf("%s\ntarget           %s\nABI              %u\n", p.identity, p.target,
         p.abi_version);
  printf("configs          %s\n", p.configs);
  printf("phases           %lld\nvocabulary       %lld\n",
         (long long)p.num_phases, (long long)l.vocab);
  printf("weights          %lld bytes, %s\nweights sha256   ",
         (long long)l.weight_bytes, p.weights_mode ? "sidecar" : "embedded");
  for (uint8_t byte : weights.sha256)
    printf("%02x", byte);
  printf("\ncontext          %lld tokens of at most %lld\n", (long long)context,
         (long long)l.max_context);
  printf("state            %lld bytes per sequence, %.2f per token, at most "
         "%lld sequences\n",
         (long long)evaluate(l.state_bytes, blocks),
         double(l.state_bytes.per_block) / DSV4_CONTEXT_BLOCK,
         (long long)l.max_sequences);
  if (!p.cuda)
    printPlan(p, context);
  printf("tokenizer        %lld bytes\nknown answers    %lld bytes\n",
         (long long)p.tokenizer.size, (long long)p.known_answers.size);
  return p.cuda ? printDeviceText(*p.cuda, context) : okStatus();
}

static Status printJson(const dsv4_program &p, const WeightsFile &weights,
                        int64_t context) {
  const dsv4_limits &l = p.limits;
  int64_t blocks = contextBlocks(context);
  printf("{\"abi_version\":%u,\"target\":\"%s\",\"weights_mode\":\"%s\","
         "\"weights_sha256\":\"",
         p.abi_version, p.target, p.weights_mode ? "sidecar" : "embedded");
  for (uint8_t byte : weights.sha256)
    printf("%02x", byte);
  printf("\",\"context\":%lld,\"max_context\":%lld,\"max_sequences\":%lld,"
         "\"state_bytes\":%lld,\"buffer_bytes\":%lld,\"scratch_bytes\":%lld,"
         "\"weight_bytes\":%lld,\"phases\":%lld,",
         (long long)context, (long long)l.max_context,
         (long long)l.max_sequences, (long long)evaluate(l.state_bytes, blocks),
         (long long)evaluate(l.buffer_bytes, blocks),
         (long long)evaluate(l.scratch_bytes, blocks),
         (long long)l.weight_bytes, (long long)p.num_phases);
  MemoryPlan plan = planHere(p, context);
  printf("\"plan\":{\"sequences\":1,\"workers\":%d,\"bytes\":%llu,"
         "\"state_bytes\":%llu,\"buffer_bytes\":%llu,\"scratch_bytes\":%llu,"
         "\"rest_bytes\":%llu},\"compiled\":%s",
         defaultThreads(), (unsigned long long)plan.bytes(),
         (unsigned long long)plan.stateBytes,
         (unsigned long long)plan.bufferBytes,
         (unsigned long long)plan.scratchBytes,
         (unsigned long long)plan.restBytes(), p.info_json);
  if (p.cuda) {
    fputs(",", stdout);
    DSV4_RETURN_IF_ERROR(printDeviceJson(*p.cuda, context));
  }
  fputs("}\n", stdout);
  return okStatus();
}

int infoCommand(const dsv4_program &program, int argc, char **argv) {
  Flags f;
  const FlagSpec specs[] = {
      {"--json", nullptr, FlagSpec::Switch, &f.json, "one JSON object"},
      {"--context", "-c", FlagSpec::Integer, &f.context,
       "plan for this context (default: the compiled maximum)"},
      {"--weights", nullptr, FlagSpec::Text, &f.weights, "sidecar file"}};
  int code;
  if (!parseFlags(argc, argv, "info", "what this executable is", specs,
                  sizeof(specs) / sizeof(*specs), &code))
    return code;
  int64_t most = program.limits.max_context;
  if (f.context < 0 || f.context > most)
    return failWith("info: --context: at most %lld tokens were planned, got "
                    "%lld; compile with a larger --context",
                    (long long)most, (long long)f.context);
  int64_t context = f.context ? f.context : most;
  WeightsFile weights;
  Status status = openProgramWeights(program, f.weights, weights);
  if (!status.isOk())
    return failWith(status);
  status = (f.json ? printJson : printText)(program, weights, context);
  closeWeights(weights);
  int written = finishStdout();
  return status.isOk() ? written : failWith(status);
}

} // namespace dsv4::serve
